//! What somebody shows besides the password: a passkey, the code of an app, a code kept for bad days. Who has to have
//! one is decided here, and what takes a fresh proof in `app::access`.

mod passkeys;
mod proof;
mod recovery;
mod totp;

use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Caller, Invalid, Permission, Staff, StaffError,
    notices::{self, Notice},
    register::{self, Change, Right},
    rights,
    sessions::{self, SessionKey},
};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    security::{self, Event, Kind as Told},
};
pub(super) use passkeys::delete_expired;
pub use passkeys::{Passkeys, add as add_passkey, ask, come_in_with as come_in_with_passkey, offer};
pub use proof::{Proof, TRIES, is_fresh, prove};
pub use recovery::{left as recovery_codes_left, renew as renew_recovery_codes};
pub use totp::{Begun, begin as begin_totp, begun as begun_totp, confirm as confirm_totp};

text_enum! {
    /// Who has to have a second factor. Whoever has one is asked for it in any case.
    SecondFactor {
        /// Nobody: only where no real money moves.
        Off = "off",
        /// Whoever may refund, approve, export, reveal or administrate.
        Roles = "roles",
        Everybody = "everybody",
    }
}

text_enum! {
    Kind {
        Passkey = "passkey",
        /// The code of an authenticator app (RFC 6238).
        Totp = "totp",
    }
}

/// What a stolen password alone must not be enough for.
const SENSITIVE: [Permission; 6] = [
    Permission::Refund,
    Permission::ApproveRefund,
    Permission::Export,
    Permission::RevealPersonal,
    Permission::ManageStaff,
    Permission::ChangeSettings,
];

/// How it was made sure that it is the person (OWASP ASVS 5.0, 6.4.4).
const LONGEST_WHY: usize = 200;

impl SecondFactor {
    fn asks(self, staff: &Staff) -> bool {
        match self {
            Self::Off => false,
            Self::Roles => SENSITIVE.into_iter().any(|permission| staff.may(permission)),
            Self::Everybody => true,
        }
    }

    /// Somebody who has to have one and has none sees nothing else before.
    pub fn is_missing(self, staff: &Staff) -> bool {
        !staff.has_factor && self.asks(staff)
    }

    /// Whether what hurts takes a fresh proof from this person: the factor, or the password where there is none.
    pub fn wants_proof(self, staff: &Staff) -> bool {
        staff.has_factor || self != Self::Off
    }
}

/// One key or app of somebody.
#[derive(Debug, Clone)]
pub struct Factor {
    pub id: Uuid,
    pub kind: Kind,
    pub name: String,
    pub added_at: OffsetDateTime,
    pub last_used_at: Option<OffsetDateTime>,
}

/// Why something shown is no proof, or cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FactorRefused {
    #[error("nothing was shown")]
    Nothing,
    #[error("the code is not right")]
    Wrong,
    /// The code is of another time: the clock of the device is off by so many minutes.
    #[error("the clock of the device is {0} minutes off")]
    ClockOff(i64),
    #[error("the code was used already")]
    Used,
    #[error("too many wrong codes: the session has ended")]
    TooMany,
    /// Too many wrong ones for this account, in whichever session.
    #[error("too many wrong codes: the next is looked at in {seconds} seconds")]
    Wait { seconds: u64 },
    /// A question that was not asked in this session, was answered already, or is five minutes old.
    #[error("the question to the passkey has ended")]
    NotAsked,
    #[error("the passkey answered for another address")]
    OtherOrigin,
    #[error("nobody has this passkey here")]
    UnknownPasskey,
    #[error("the passkey did not make sure who is holding it")]
    NotVerified,
    /// Its counter ran backwards: there may be a copy of it.
    #[error("the passkey may be a copy")]
    Copied,
    #[error("the passkey cannot be read")]
    Unreadable,
    #[error("somebody has this passkey already")]
    Taken,
    #[error("passkeys need an address with a name, over https")]
    NoPasskeysHere,
    #[error("a name has 1 to 80 characters")]
    Name,
    #[error("no app waits for its first code")]
    NotBegun,
    #[error("there is no such key")]
    NotFound,
    #[error("the last one has to stay")]
    LastOne,
}

#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    #[error(transparent)]
    Refused(#[from] FactorRefused),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for FactorError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// What somebody has, the oldest first.
pub async fn of(backoffice: &Backoffice, staff: Uuid) -> Result<Vec<Factor>, Fault> {
    let factors = sqlx::query_as!(
        Factor,
        r#"select id, kind as "kind: Kind", name, added_at, last_used_at from staff_factors
           where staff_id = $1 and confirmed_at is not null order by added_at limit 100"#,
        staff,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(factors)
}

/// Somebody takes one of their own away. The last one stays where one is asked for.
pub async fn remove(
    backoffice: &Backoffice,
    staff: &Staff,
    id: Uuid,
    caller: &Caller<'_>,
    here: Option<&SessionKey>,
) -> Result<(), FactorError> {
    let mut tx = backoffice.pool.begin().await?;
    lock(&mut tx, staff.id).await?;
    let removed = sqlx::query!(
        r#"delete from staff_factors where id = $1 and staff_id = $2 and confirmed_at is not null
           returning name, kind as "kind: Kind""#,
        id,
        staff.id,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let removed = removed.ok_or(FactorRefused::NotFound)?;
    let left = count(&mut tx, staff.id).await?;
    if left == 0 {
        if backoffice.second_factor.asks(staff) {
            return Err(FactorRefused::LastOne.into());
        }
        recovery::forget(&mut tx, staff.id).await?;
    }
    // Whoever has the key that was taken away may be in with it.
    sessions::end_others(&mut tx, staff.id, here).await?;
    let detail = json!({ "kind": removed.kind, "name": removed.name, "left": left });
    let event = Event { detail: detail.clone(), ..event(Told::FactorRemoved, staff, caller) };
    security::record(&mut tx, backoffice, event).await?;
    note(backoffice, &mut tx, &staff.actor(caller), "staff.factor_removed", staff.id, detail).await?;
    tx.commit().await?;
    Ok(())
}

/// An administrator takes away all that somebody has lost, and ends what they have open. That person and every
/// administrator are told.
pub async fn reset(backoffice: &Backoffice, actor: &Actor, id: Uuid, why: &str) -> Result<(), StaffError> {
    let why = why.trim();
    if why.is_empty() || why.chars().count() > LONGEST_WHY {
        return Err(Invalid::Why.into());
    }
    if actor.staff_id() == Some(id) {
        return Err(Invalid::Yourself.into());
    }
    let mut tx = backoffice.pool.begin().await?;
    rights::begin(&mut tx).await?;
    let person = rights::reach_person(&mut tx, actor, id).await?;
    let removed = sqlx::query!("delete from staff_factors where staff_id = $1", id).execute(&mut *tx).await?;
    if removed.rows_affected() == 0 {
        return Err(Invalid::NoFactor.into());
    }
    recovery::forget(&mut tx, id).await?;
    sessions::end_all(&mut tx, id).await?;
    let detail = json!({ "id": id, "name": person.name, "by": actor.name() });
    notices::tell_with_admins(backoffice, &mut tx, Some(id), Notice::FactorReset, &detail).await?;
    let event =
        Event { detail: json!({ "by": actor.key() }), ..Event::of(Told::FactorReset, id, actor.ip(), "") };
    security::record(&mut tx, backoffice, event).await?;
    let right = Right::of(&person);
    let (before, after) = (Some(&right), Some(&right));
    let change = Change { staff: id, kind: register::Kind::FactorReset, before, after, asked_by: None };
    register::note(backoffice, &mut tx, actor, change).await?;
    let detail = json!({ "removed": removed.rows_affected(), "why": why });
    note(backoffice, &mut tx, actor, "staff.factors_reset", id, detail).await?;
    tx.commit().await?;
    Ok(())
}

/// One change of somebody's factors after the other.
async fn lock(tx: &mut PgConnection, staff: Uuid) -> Result<(), Fault> {
    super::lock(tx, staff).await.map(drop)
}

async fn count(tx: &mut PgConnection, staff: Uuid) -> Result<i64, Fault> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from staff_factors where staff_id = $1 and confirmed_at is not null"#,
        staff,
    )
    .fetch_one(tx)
    .await?;
    Ok(count)
}

/// What a new factor brings along: the first codes for bad days, and an end of every other session.
async fn after_adding(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    staff: &Staff,
    added: (Kind, &str),
    caller: &Caller<'_>,
    here: &SessionKey,
) -> Result<Vec<String>, Fault> {
    let codes = match count(tx, staff.id).await? {
        1 => recovery::make(backoffice, tx, staff.id).await?,
        _ => Vec::new(),
    };
    sessions::end_others(tx, staff.id, Some(here)).await?;
    let detail = json!({ "kind": added.0, "name": added.1 });
    let event = Event { detail: detail.clone(), ..event(Told::FactorAdded, staff, caller) };
    security::record(tx, backoffice, event).await?;
    note(backoffice, tx, &staff.actor(caller), "staff.factor_added", staff.id, detail).await?;
    Ok(codes)
}

fn event<'a>(kind: Told, staff: &Staff, caller: &Caller<'a>) -> Event<'a> {
    Event::of(kind, staff.id, caller.ip, caller.agent)
}

async fn note(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    action: &'static str,
    staff: Uuid,
    detail: serde_json::Value,
) -> Result<(), Fault> {
    let act = Act { action, subject_kind: "staff", subject: &staff.to_string(), detail };
    audit::record(tx, backoffice.clock.now(), actor, act).await
}
