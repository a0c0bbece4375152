//! An account begins, and is opened again, with a link: whoever has it chooses the password, and nobody else ever knows
//! one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    Invalid, NewStaff, Role, Staff, StaffError,
    accounts::{self, Way},
    devices::Caller,
    get, identities,
    password::{self, Password},
    register::{self, Change, Kind, Right},
    rights::{self, Given},
    throttle,
};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    kernel::seal,
    security::{self, Event, Kind as Told},
};

/// How long a link can be used.
pub const LIFE: Duration = Duration::DAY;

/// What the link carries: 32 random bytes. Only their hash is kept.
#[derive(Debug, Clone)]
pub struct Token(SecretString);

impl Token {
    fn new() -> Result<Self, Fault> {
        Ok(Self(URL_SAFE_NO_PAD.encode(seal::random()?).into()))
    }

    pub fn typed(text: &str) -> Self {
        Self(text.trim().chars().take(64).collect::<String>().into())
    }

    /// For the link, which is shown once.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.expose().as_bytes()).to_vec()
    }
}

/// Who may choose a password with a link.
#[derive(Debug, Clone)]
pub struct Invited {
    pub id: Uuid,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub expires_at: OffsetDateTime,
}

/// Why a link opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEnded {
    Unknown,
    Used,
    Expired,
    /// Another one was made, or the account was disabled.
    Withdrawn,
}

/// A new account without a password, and the link to it. What hurts takes a second administrator here as well: until then
/// the account reads only.
pub async fn invite(
    backoffice: &Backoffice,
    actor: &Actor,
    new: NewStaff,
) -> Result<(Uuid, Token, Given), StaffError> {
    let wanted = new.role;
    let mut tx = backoffice.pool.begin().await?;
    rights::begin(&mut tx).await?;
    rights::reach(&mut tx, actor, wanted.permissions()).await?;
    let first = rights::first_role(backoffice, actor, wanted).await?;
    let new = NewStaff { role: first, ..new };
    let id = accounts::insert(backoffice, &mut tx, actor, new, Way::Invitation).await?;
    let given = rights::ask_for_the_rest(backoffice, &mut tx, actor, id, (first, wanted)).await?;
    let token = make(backoffice, &mut tx, id).await?;
    tx.commit().await?;
    Ok((id, token, given))
}

/// Takes an account's password, forgets who it is elsewhere, ends its sessions, opens it if it was disabled, and makes a
/// link for a new password.
pub async fn invite_again(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<Token, StaffError> {
    if actor.staff_id() == Some(id) {
        return Err(Invalid::Yourself.into());
    }
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    rights::begin(&mut tx).await?;
    let sessions = rights::let_in_again(backoffice, &mut tx, actor, id, None).await?;
    identities::forget(&mut tx, id).await?;
    let detail = json!({ "sessions": sessions, "by": actor.key() });
    let event = Event { detail, ..Event::of(Told::SessionEnded, id, actor.ip(), "") };
    security::record(&mut tx, backoffice, event).await?;
    let token = make(backoffice, &mut tx, id).await?;
    let act =
        Act { action: "staff.invited", subject_kind: "staff", subject: &id.to_string(), detail: json!({}) };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(token)
}

async fn make(backoffice: &Backoffice, tx: &mut PgConnection, staff: Uuid) -> Result<Token, Fault> {
    withdraw(backoffice, tx, staff).await?;
    let token = Token::new()?;
    let now = backoffice.clock.now();
    sqlx::query!(
        "insert into staff_invitations (token_hash, staff_id, made_at, expires_at) values ($1, $2, $3, $4)",
        token.hash(),
        staff,
        now,
        now + LIFE,
    )
    .execute(tx)
    .await?;
    Ok(token)
}

/// Ends the link that is under way to somebody.
pub(super) async fn withdraw(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    staff: Uuid,
) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    sqlx::query!(
        "update staff_invitations set ended_at = $2, ended = 'withdrawn' where staff_id = $1 and ended_at is null",
        staff,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Who a link is for.
pub async fn look_at(backoffice: &Backoffice, token: &Token) -> Result<Result<Invited, LinkEnded>, Fault> {
    let found = sqlx::query!(
        r#"select s.id, s.email, s.name, s.role as "role: Role", i.expires_at, i.ended
           from staff_invitations i join staff s on s.id = i.staff_id where i.token_hash = $1"#,
        token.hash(),
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let Some(row) = found else { return Ok(Err(LinkEnded::Unknown)) };
    Ok(match row.ended.as_deref() {
        Some("used") => Err(LinkEnded::Used),
        Some(_) => Err(LinkEnded::Withdrawn),
        None if row.expires_at <= backoffice.clock.now() => Err(LinkEnded::Expired),
        None => Ok(Invited {
            id: row.id,
            email: row.email,
            name: row.name,
            role: row.role,
            expires_at: row.expires_at,
        }),
    })
}

/// Whoever has the link gives their name and chooses a password. The link is used up.
pub async fn accept(
    backoffice: &Backoffice,
    token: &Token,
    name: &str,
    password: String,
    caller: &Caller<'_>,
) -> Result<Staff, StaffError> {
    let invited = look_at(backoffice, token).await?.map_err(Invalid::Link)?;
    let name = accounts::valid_name(name)?;
    let password = Password::new(password, &[&invited.email, &name])?;
    let hash = password::hash(backoffice, password).await?;
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let used = sqlx::query!(
        "update staff_invitations set ended_at = $2, ended = 'used'
         where token_hash = $1 and ended_at is null and expires_at > $2",
        token.hash(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    if used.rows_affected() == 0 {
        return Err(Invalid::Link(LinkEnded::Used).into());
    }
    // Who made the link stays noted: that person may have used it.
    sqlx::query!(
        "update staff set name = $2, password_hash = $3, access_set_at = $4 where id = $1",
        invited.id,
        name,
        hash,
        now,
    )
    .execute(&mut *tx)
    .await?;
    throttle::forget(&mut tx, backoffice, &invited.email, invited.id).await?;
    let event = Event::of(Told::InvitationUsed, invited.id, caller.ip, caller.agent);
    security::record(&mut tx, backoffice, event).await?;
    let joined = super::lock(&mut tx, invited.id).await?.ok_or(Invalid::NotFound)?;
    let right = Right::of(&joined);
    let actor = joined.actor(caller);
    let change = Change {
        staff: invited.id,
        kind: Kind::Joined,
        before: Some(&right),
        after: Some(&right),
        asked_by: None,
    };
    register::note(backoffice, &mut tx, &actor, change).await?;
    let subject = invited.id.to_string();
    let detail = json!({ "name": name });
    let act = Act { action: "staff.joined", subject_kind: "staff", subject: &subject, detail };
    audit::record(&mut tx, now, &actor, act).await?;
    tx.commit().await?;
    Ok(get(backoffice, invited.id).await?.ok_or(Invalid::NotFound)?)
}
