//! Making, changing and taking back keys.

use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::{PgConnection, types::Json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{ApiKey, Scope, secrets};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    clock::{SEOUL, day_start},
    limits, staff,
};

/// The most that may open something at once.
const MOST: i64 = 50;

/// What a key may do by itself, like the limits of a role; nothing means no limit. Above it somebody of the staff decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    pub one_refund: Option<Decimal>,
    pub per_day: Option<Decimal>,
    /// In points.
    pub grants_per_day: Option<i64>,
}

/// What somebody sets.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub name: String,
    pub scopes: Vec<Scope>,
    pub limits: Limits,
    /// Calls; nothing: as many as any address may.
    pub per_minute: Option<i32>,
    /// Days from now; nothing: until it is taken back.
    pub days: Option<u16>,
}

/// One of [`Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    OneRefund,
    PerDay,
    GrantsPerDay,
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("a name of 1 to 60 characters")]
    Name,
    #[error("a key of this name is there already")]
    NameTaken,
    #[error("a key opens something")]
    NoScope,
    #[error("from 1 to 3650 days")]
    Days,
    #[error("from 1 to 60000 calls a minute")]
    PerMinute,
    #[error("no scope that whoever makes it may not use")]
    Scope(Scope),
    /// Whoever makes it may do so much themselves.
    #[error("no limit above one's own, which is {own}")]
    Limit { which: Which, own: Decimal },
    #[error("there are {MOST} keys")]
    TooMany,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("there is no such key, or it was taken back")]
    NotFound,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for KeyError {
    fn from(error: sqlx::Error) -> Self {
        let is_name = error.as_database_error().is_some_and(|e| e.constraint() == Some("api_keys_name"));
        if is_name { Self::Invalid(Invalid::NameTaken) } else { Self::Fault(error.into()) }
    }
}

fn name_of(change: &Change) -> Result<&str, Invalid> {
    let name = change.name.trim();
    if !(1..=60).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(Invalid::Name);
    }
    if change.scopes.is_empty() {
        return Err(Invalid::NoScope);
    }
    if change.days.is_some_and(|days| !(1..=3650).contains(&days)) {
        return Err(Invalid::Days);
    }
    if change.per_minute.is_some_and(|calls| !(1..=60_000).contains(&calls)) {
        return Err(Invalid::PerMinute);
    }
    Ok(name)
}

fn words(scopes: &[Scope]) -> Vec<String> {
    Scope::ALL
        .into_iter()
        .filter(|scope| scopes.contains(scope))
        .map(|scope| scope.as_str().to_owned())
        .collect()
}

/// Nobody gives a key what they may not do themselves: whoever has the key could be them. Whoever has the machine has the
/// database as well: the command line asks nobody.
pub(super) async fn reach(
    tx: &mut PgConnection,
    actor: &Actor,
    now: OffsetDateTime,
    key: Uuid,
    scopes: &[Scope],
    wanted: Limits,
) -> Result<(), KeyError> {
    let Some(id) = actor.staff_id() else { return Ok(()) };
    let own = limits::of(tx, actor).await?;
    // Ten keys are not ten days: those of the same person count together, also what was taken back today.
    let others = sqlx::query!(
        "select coalesce(sum(per_day) filter (where 'refunds:write' = any(scopes)), 0) as \"per_day!\",
                coalesce(sum(grants_per_day) filter (where 'promotions:write' = any(scopes)), 0) as \"grants_per_day!\"
         from api_keys where created_by = $1 and id <> $2 and (revoked_at is null or revoked_at >= $3)
           and (expires_at is null or expires_at >= $3)",
        id,
        key,
        day_start(now.to_offset(SEOUL).date()),
    )
    .fetch_one(&mut *tx)
    .await?;
    let person = staff::get_in(tx, id).await?.filter(|person| person.disabled_at.is_none());
    let beyond = |scope: &&Scope| !person.as_ref().is_some_and(|person| person.may(scope.needs()));
    if let Some(scope) = scopes.iter().find(beyond) {
        return Err(Invalid::Scope(*scope).into());
    }
    let Some(own) = own else { return Ok(()) };
    let refunds = scopes.contains(&Scope::RefundsWrite);
    let grants = scopes.contains(&Scope::PromotionsWrite);
    let left = |own: Option<Decimal>, others: Decimal| own.map(|own| (own - others).max(Decimal::ZERO));
    let (points, own_points) =
        (wanted.grants_per_day.map(Decimal::from), own.grants_per_day.map(Decimal::from));
    let limits = [
        (Which::OneRefund, refunds, wanted.one_refund, own.one_refund),
        (Which::PerDay, refunds, wanted.per_day, left(own.per_day, others.per_day)),
        (Which::GrantsPerDay, grants, points, left(own_points, others.grants_per_day)),
    ];
    for (which, counts, wanted, own) in limits {
        // No limit is above every limit.
        if let Some(own) = own.filter(|own| counts && wanted.is_none_or(|wanted| wanted > *own)) {
            return Err(Invalid::Limit { which, own }.into());
        }
    }
    Ok(())
}

/// Makes a key. Its secret is shown this once.
pub async fn add(
    backoffice: &Backoffice,
    actor: &Actor,
    change: &Change,
) -> Result<(Uuid, SecretString), KeyError> {
    let name = name_of(change)?;
    let (id, now, scopes) = (Uuid::now_v7(), backoffice.clock.now(), words(&change.scopes));
    let expires_at = change.days.map(|days| now + Duration::days(days.into()));
    let mut tx = backoffice.pool.begin().await?;
    reach(&mut tx, actor, now, id, &change.scopes, change.limits).await?;
    let added = sqlx::query!(
        "insert into api_keys (id, name, scopes, one_refund, per_day, grants_per_day, created_at, created_by, created_by_name,
                               expires_at, per_minute, seen_by)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $12, array_remove(array[$8::uuid], null)
         where (select count(*) from api_keys where revoked_at is null and (expires_at is null or expires_at > $7)) < $11",
        id,
        name,
        &scopes,
        change.limits.one_refund,
        change.limits.per_day,
        change.limits.grants_per_day,
        now,
        actor.staff_id(),
        actor.name(),
        expires_at,
        MOST,
        change.per_minute,
    )
    .execute(&mut *tx)
    .await?;
    if added.rows_affected() == 0 {
        return Err(Invalid::TooMany.into());
    }
    let secret = secrets::make(&mut tx, now, id).await?;
    let detail = json!({ "name": name, "scopes": scopes, "limits": limits_of(change.limits),
                         "perMinute": change.per_minute, "until": expires_at.map(|end| end.date().to_string()) });
    note(&mut tx, now, actor, id, "api_key.added", detail).await?;
    tx.commit().await?;
    Ok((id, secret))
}

fn limits_of(limits: Limits) -> Value {
    json!({ "oneRefund": limits.one_refund, "perDay": limits.per_day, "grantsPerDay": limits.grants_per_day })
}

/// Changes name, scopes and limits; when it ends stays as it is.
pub async fn change(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    change: &Change,
) -> Result<(), KeyError> {
    let name = name_of(change)?;
    let (now, scopes) = (backoffice.clock.now(), words(&change.scopes));
    let mut tx = backoffice.pool.begin().await?;
    let was = lock(&mut tx, id).await?;
    reach(&mut tx, actor, now, id, &change.scopes, change.limits).await?;
    sqlx::query!(
        "update api_keys set name = $2, scopes = $3, one_refund = $4, per_day = $5, grants_per_day = $6, per_minute = $7
         where id = $1",
        id,
        name,
        &scopes,
        change.limits.one_refund,
        change.limits.per_day,
        change.limits.grants_per_day,
        change.per_minute,
    )
    .execute(&mut *tx)
    .await?;
    let detail = json!({ "name": [was.name, name], "scopes": [words(&was.scopes), scopes],
                         "limits": [limits_of(was.limits), limits_of(change.limits)],
                         "perMinute": [was.per_minute, change.per_minute] });
    note(&mut tx, now, actor, id, "api_key.changed", detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes it back: it opens nothing from this moment on. What it has asked for and nobody has decided is ended by
/// [`crate::leaving`].
pub(crate) async fn revoke(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    id: Uuid,
) -> Result<(), KeyError> {
    let was = lock(tx, id).await?;
    sqlx::query!(
        "update api_keys set revoked_at = $2, revoked_by_name = $3 where id = $1",
        id,
        now,
        actor.name()
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from api_key_secrets where key_id = $1", id).execute(&mut *tx).await?;
    Ok(note(tx, now, actor, id, "api_key.revoked", json!({ "name": was.name })).await?)
}

/// Whether somebody has seen a secret of this key: what it asks for, they may have asked for.
pub(crate) async fn is_known_to(
    tx: &mut PgConnection,
    key: Option<Uuid>,
    actor: &Actor,
) -> Result<bool, Fault> {
    let (Some(key), Some(staff)) = (key, actor.staff_id()) else { return Ok(false) };
    let known = sqlx::query_scalar!(
        r#"select $2 = any(seen_by) as "known!" from api_keys where id = $1"#,
        key,
        staff
    );
    Ok(known.fetch_one(tx).await?)
}

pub(super) struct Locked {
    pub name: String,
    pub scopes: Vec<Scope>,
    pub limits: Limits,
    per_minute: Option<i32>,
}

pub(super) async fn lock(tx: &mut PgConnection, id: Uuid) -> Result<Locked, KeyError> {
    let row = sqlx::query!(
        r#"select name, scopes as "scopes: Vec<Scope>", one_refund, per_day, grants_per_day, per_minute from api_keys
           where id = $1 and revoked_at is null for update"#,
        id,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(KeyError::NotFound)?;
    let limits =
        Limits { one_refund: row.one_refund, per_day: row.per_day, grants_per_day: row.grants_per_day };
    Ok(Locked { name: row.name, scopes: row.scopes, limits, per_minute: row.per_minute })
}

/// Those that open something first, the newest first; those that were taken back stay in sight.
pub async fn list(backoffice: &Backoffice) -> Result<Vec<ApiKey>, Fault> {
    read(backoffice, None).await
}

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<ApiKey>, Fault> {
    Ok(read(backoffice, Some(id)).await?.pop())
}

async fn read(backoffice: &Backoffice, id: Option<Uuid>) -> Result<Vec<ApiKey>, Fault> {
    let rows = sqlx::query!(
        r#"select k.id, k.name, k.scopes as "scopes: Vec<Scope>", k.one_refund, k.per_day, k.grants_per_day, k.per_minute, k.created_at,
                  k.created_by_name, k.expires_at, k.revoked_at, k.revoked_by_name,
                  (select max(s.last_used_at) from api_key_secrets s where s.key_id = k.id) as last_used_at,
                  coalesce((select jsonb_agg(jsonb_build_object('ending', s.ending, 'made_at', s.made_at, 'ends_at', s.ends_at,
                                                                'last_used_at', s.last_used_at) order by s.made_at desc)
                            from api_key_secrets s where s.key_id = k.id and (s.ends_at is null or s.ends_at > $2)),
                           '[]') as "secrets!: Json<Vec<secrets::Secret>>"
           from api_keys k where $1::uuid is null or k.id = $1
           order by k.revoked_at is not null, k.created_at desc, k.id limit 200"#,
        id,
        backoffice.clock.now(),
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ApiKey {
            id: row.id,
            name: row.name,
            scopes: row.scopes,
            one_refund: row.one_refund,
            per_day: row.per_day,
            grants_per_day: row.grants_per_day,
            per_minute: row.per_minute,
            created_at: row.created_at,
            created_by_name: row.created_by_name,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            revoked_by_name: row.revoked_by_name,
            last_used_at: row.last_used_at,
            secrets: row.secrets.0,
        })
        .collect())
}

pub(super) async fn note(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    id: Uuid,
    action: &'static str,
    detail: Value,
) -> Result<(), Fault> {
    let subject = id.to_string();
    audit::record(tx, now, actor, Act { action, subject_kind: "api_key", subject: &subject, detail }).await
}
