//! Sessions, by the hash of their cookie. How long they live is decided here, in the database's time: a while without
//! use, twelve hours in all.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool, postgres::types::PgInterval, types::Json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    Held, Role, Staff,
    devices::{self, Caller},
    factors, throttle,
};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    security::{self, Event, Kind},
};

/// `sha256` of the cookie's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKey(Vec<u8>);

impl SessionKey {
    pub fn of(cookie_id: &[u8]) -> Self {
        Self(Sha256::digest(cookie_id).to_vec())
    }

    pub(super) fn hash(&self) -> &[u8] {
        &self.0
    }
}

/// False when the key exists already.
pub async fn create(
    pool: &PgPool,
    key: &SessionKey,
    staff: Option<Uuid>,
    data: &Value,
    idle: Duration,
) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "insert into staff_sessions (id_hash, staff_id, data, expires_at)
         values ($1, $2, $3, now() + $4::interval) on conflict do nothing",
        key.0,
        staff,
        data,
        interval(idle)?,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes a session that still exists. One that was ended meanwhile stays ended: a request that was under way must
/// not bring it back.
pub async fn save(pool: &PgPool, key: &SessionKey, staff: Option<Uuid>, data: &Value) -> Result<(), Fault> {
    sqlx::query!("update staff_sessions set data = $2, staff_id = $3 where id_hash = $1", key.0, data, staff)
        .execute(pool)
        .await?;
    Ok(())
}

pub async fn load(pool: &PgPool, key: &SessionKey) -> Result<Option<Value>, Fault> {
    let data = sqlx::query_scalar!(
        "select data from staff_sessions where id_hash = $1 and expires_at > now()",
        key.0,
    )
    .fetch_optional(pool)
    .await?;
    Ok(data)
}

/// Somebody uses a session: it lives for another while. Written at most twice a minute.
pub async fn touch(pool: &PgPool, key: &SessionKey, idle: Duration) -> Result<(), Fault> {
    sqlx::query!(
        "update staff_sessions
         set last_seen_at = now(), expires_at = least(now() + $2::interval, created_at + interval '12 hours')
         where id_hash = $1 and expires_at > now() and last_seen_at < now() - interval '30 seconds'",
        key.0,
        interval(idle)?,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// One place where somebody is logged in.
#[derive(Debug, Clone)]
pub struct Session {
    /// What it is called on a page: nobody gets in with it.
    pub id: String,
    pub is_here: bool,
    pub ip: String,
    /// What the browser calls itself.
    pub agent: String,
    pub begun_at: OffsetDateTime,
    pub last_seen_at: OffsetDateTime,
}

/// Where somebody is logged in, the last used first.
pub async fn of_staff(pool: &PgPool, staff: Uuid, here: Option<&SessionKey>) -> Result<Vec<Session>, Fault> {
    let here = here.map(|key| key.0.as_slice()).unwrap_or_default();
    let sessions = sqlx::query_as!(
        Session,
        r#"select encode(id_hash, 'hex') as "id!", id_hash = $2 as "is_here!", created_at as begun_at, last_seen_at,
                  coalesce(data->'opened'->>'ip', '') as "ip!", coalesce(data->'opened'->>'agent', '') as "agent!"
           from staff_sessions where staff_id = $1 and expires_at > now() order by last_seen_at desc limit 100"#,
        staff,
        here,
    )
    .fetch_all(pool)
    .await?;
    Ok(sessions)
}

/// Somebody ends one of their own sessions. False when it is over already.
pub async fn end_own(
    backoffice: &Backoffice,
    staff: &Staff,
    id: &str,
    caller: &Caller<'_>,
) -> Result<bool, Fault> {
    let mut tx = backoffice.pool.begin().await?;
    let ended = sqlx::query!(
        "delete from staff_sessions where staff_id = $1 and encode(id_hash, 'hex') = $2",
        staff.id,
        id
    )
    .execute(&mut *tx)
    .await?;
    if ended.rows_affected() == 0 {
        return Ok(false);
    }
    note_ended(backoffice, &mut tx, &staff.actor(caller), staff.id, ended.rows_affected()).await?;
    tx.commit().await?;
    Ok(true)
}

/// Ends all sessions of somebody but `here`. How many.
pub async fn end_all_but(
    backoffice: &Backoffice,
    actor: &Actor,
    staff: Uuid,
    here: Option<&SessionKey>,
) -> Result<u64, Fault> {
    let mut tx = backoffice.pool.begin().await?;
    let ended = end_others(&mut tx, staff, here).await?;
    if ended > 0 {
        note_ended(backoffice, &mut tx, actor, staff, ended).await?;
    }
    tx.commit().await?;
    Ok(ended)
}

pub(super) async fn note_ended(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    staff: Uuid,
    ended: u64,
) -> Result<(), Fault> {
    let event = Event {
        detail: json!({ "sessions": ended, "by": actor.key() }),
        ..Event::of(Kind::SessionEnded, staff, actor.ip(), "")
    };
    security::record(tx, backoffice, event).await?;
    let subject = staff.to_string();
    let detail = json!({ "sessions": ended });
    let act = Act { action: "staff.sessions_ended", subject_kind: "staff", subject: &subject, detail };
    audit::record(tx, backoffice.clock.now(), actor, act).await
}

pub(super) async fn end_all(tx: &mut PgConnection, staff: Uuid) -> Result<u64, Fault> {
    end_others(tx, staff, None).await
}

pub(super) async fn end_others(
    tx: &mut PgConnection,
    staff: Uuid,
    here: Option<&SessionKey>,
) -> Result<u64, Fault> {
    let here = here.map(|key| key.0.as_slice()).unwrap_or_default();
    let ended = sqlx::query!("delete from staff_sessions where staff_id = $1 and id_hash <> $2", staff, here)
        .execute(tx)
        .await?;
    Ok(ended.rows_affected())
}

fn interval(time: Duration) -> Result<PgInterval, Fault> {
    PgInterval::try_from(time).map_err(|error| Fault::Inconsistent(error.to_string()))
}

pub async fn end(pool: &PgPool, key: &SessionKey) -> Result<(), Fault> {
    sqlx::query!("delete from staff_sessions where id_hash = $1", key.0).execute(pool).await?;
    Ok(())
}

/// Ends what is over, and forgets what was kept long enough.
pub async fn delete_expired(backoffice: &Backoffice) -> Result<(), Fault> {
    let pool = &backoffice.pool;
    let mut tx = pool.begin().await?;
    let over = sqlx::query_scalar!("delete from staff_sessions where expires_at <= now() returning staff_id")
        .fetch_all(&mut *tx)
        .await?;
    for staff in over.into_iter().flatten() {
        security::record(&mut tx, backoffice, Event::of(Kind::SessionExpired, staff, "", "")).await?;
    }
    tx.commit().await?;
    throttle::delete_old(pool).await?;
    devices::delete_old(pool).await?;
    factors::delete_expired(pool).await?;
    sqlx::query!("delete from staff_invitations where expires_at < now() - interval '90 days'")
        .execute(pool)
        .await?;
    super::oidc::delete_expired(pool).await?;
    Ok(())
}

/// Somebody who comes with a session, and what waits for them: asked in one go, because every page asks it.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub staff: Staff,
    pub waits: Waits,
}

/// What there is to be asked for. Where nobody has looked, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// The answer to a form, for any page.
    pub answers: bool,
    pub notices: bool,
    /// A device that came since.
    pub devices: bool,
    /// The session has not been written to for half a minute.
    pub touch: bool,
}

impl Default for Waits {
    fn default() -> Self {
        Self { answers: true, notices: true, devices: true, touch: true }
    }
}

/// The person behind a session, as the account stands now, and what waits for them there.
pub async fn arrive(backoffice: &Backoffice, key: &SessionKey, id: Uuid) -> Result<Option<Arrived>, Fault> {
    let row = sqlx::query!(
        r#"select a.id, a.email, a.name, a.role as "role: Role", held(a) as "held!: Json<Held>", a.created_at, a.disabled_at,
                  a.is_dormant, a.last_login_at,
                  a.password_hash is not null
                      or exists (select from staff_identities i where i.staff_id = a.id) as "has_joined!",
                  exists (select from staff_factors f where f.staff_id = a.id and f.confirmed_at is not null) as "has_factor!",
                  greatest(coalesce(a.last_login_at, a.created_at), a.opened_at) as "active_at!",
                  exists (select from form_answers f where f.session_hash = $2) as "answers!",
                  exists (select from staff_notices n where n.staff_id = a.id and n.seen_at is null) as "notices!",
                  exists (select from staff_devices h join staff_devices d
                              on d.staff_id = h.staff_id and d.first_seen_at > h.told_at
                          where h.staff_id = a.id and h.device_hash = decode(s.data->'opened'->>'device', 'hex')) as "devices!",
                  s.last_seen_at < now() - interval '30 seconds' as "touch!"
           from staff a join staff_sessions s on s.id_hash = $2
           where a.id = $1 and a.disabled_at is null"#,
        id,
        key.0,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    Ok(row.map(|row| Arrived {
        staff: Staff {
            id: row.id,
            email: row.email,
            name: row.name,
            role: row.role,
            held: row.held,
            created_at: row.created_at,
            disabled_at: row.disabled_at,
            is_dormant: row.is_dormant,
            last_login_at: row.last_login_at,
            active_at: row.active_at,
            has_joined: row.has_joined,
            has_factor: row.has_factor,
        },
        waits: Waits { answers: row.answers, notices: row.notices, devices: row.devices, touch: row.touch },
    }))
}

/// The person behind a session, as the account stands now: a changed role counts at once.
pub async fn staff(backoffice: &Backoffice, id: Uuid) -> Result<Option<Staff>, Fault> {
    Ok(super::get(backoffice, id).await?.filter(|staff| staff.disabled_at.is_none()))
}
