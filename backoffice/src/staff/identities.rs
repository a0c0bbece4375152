//! Accounts of people whom somebody else has identified: a provider of OpenID Connect, or the host that we are mounted
//! in. Who they are and what they may do follows from what is said there, at each log-in.

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Invalid, NewStaff, Role, Staff, StaffError,
    accounts::{self, Way},
    get, normal_email,
    register::{self, Change, Kind, Right},
    rights,
};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
};

/// The issuer of whoever our host says it is. One of OpenID Connect is an address.
pub const HOST: &str = "host";

/// First log-ins come one after the other: they are rare, and two of the same person make one account.
const LINK_LOCK: i64 = 0x6a61_6e67_6c69;

/// Somebody, as they are known elsewhere.
#[derive(Debug, Clone)]
pub struct Known {
    pub issuer: String,
    pub subject: String,
    pub name: String,
    /// Only one that was verified there.
    pub email: Option<String>,
    pub role: Role,
}

/// Why somebody who is known elsewhere does not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotLetIn {
    #[error("no verified e-mail address, and no account yet")]
    NoAddress,
    /// The account with this address is another person's there.
    #[error("the address belongs to somebody else's account")]
    OtherPerson,
    #[error("the account is disabled")]
    Disabled,
    #[error("the account may not be used from this address")]
    NotFromHere,
    #[error("the last administrator cannot become anything else")]
    LastAdmin,
}

type LetIn<T> = Result<Result<T, NotLetIn>, Fault>;

/// For `?` in a function that answers both.
macro_rules! let_in {
    ($answer:expr) => {
        match $answer {
            Ok(value) => value,
            Err(refused) => return Ok(Err(refused)),
        }
    };
}

fn speaker(known: &Known) -> Actor {
    Actor::Job(if known.issuer == HOST { "host" } else { "oidc" })
}

/// A name as an account takes it; what cannot be one is left out.
fn name_of(known: &Known) -> Option<String> {
    let name: String = known.name.chars().filter(|c| !c.is_control()).take(80).collect();
    accounts::valid_name(&name).ok()
}

fn email_of(known: &Known) -> Option<String> {
    known.email.as_deref().and_then(normal_email)
}

/// The account of somebody who has logged in elsewhere: found, linked or made, and brought up to date. Whoever lets them in
/// notes it.
pub async fn log_in(backoffice: &Backoffice, known: &Known) -> LetIn<Staff> {
    let mut tx = backoffice.pool.begin().await?;
    let staff = let_in!(recognise(backoffice, &mut tx, known).await?);
    tx.commit().await?;
    Ok(Ok(staff))
}

/// The account of whoever our host says is asking. Asked for every request: nothing is written as long as nothing has
/// changed.
pub async fn of_host(backoffice: &Backoffice, known: &Known) -> LetIn<Staff> {
    if let Some(id) = whose(backoffice, &known.issuer, &known.subject).await?
        && let Some(staff) = get(backoffice, id).await?
    {
        if staff.disabled_at.is_some() {
            return Ok(Err(NotLetIn::Disabled));
        }
        if changes(&staff, known).is_empty() {
            return Ok(Ok(staff));
        }
    }
    log_in(backoffice, known).await
}

/// Whose account it is that somebody there has here.
pub async fn whose(backoffice: &Backoffice, issuer: &str, subject: &str) -> Result<Option<Uuid>, Fault> {
    find(&mut *backoffice.pool.acquire().await?, issuer, subject).await
}

async fn find(connection: &mut PgConnection, issuer: &str, subject: &str) -> Result<Option<Uuid>, Fault> {
    let found = sqlx::query_scalar!(
        "select staff_id from staff_identities where issuer = $1 and subject = $2",
        issuer,
        subject,
    )
    .fetch_optional(connection)
    .await?;
    Ok(found)
}

/// Which account it is.
enum Found {
    Known(Uuid),
    /// That with the same address, from now on.
    Same(Uuid),
    Made(Uuid),
}

/// Rows are locked before anything is noted: the audit log is locked last.
async fn recognise(backoffice: &Backoffice, tx: &mut PgConnection, known: &Known) -> LetIn<Staff> {
    let found = match find(tx, &known.issuer, &known.subject).await? {
        Some(id) => Found::Known(id),
        None => let_in!(first_time(backoffice, tx, known).await?),
    };
    let (id, is_new) = match found {
        Found::Made(id) => return Ok(Ok(staff_in(tx, id).await?)),
        Found::Same(id) => (id, true),
        Found::Known(id) => (id, false),
    };
    rights::begin(&mut *tx).await?;
    let before = staff_in(tx, id).await?;
    if before.disabled_at.is_some() {
        return Ok(Err(NotLetIn::Disabled));
    }
    if before.role == Role::Admin && known.role != Role::Admin {
        match rights::keep_an_admin(&mut *tx, id).await {
            Ok(()) => {}
            Err(StaffError::Invalid(_)) => return Ok(Err(NotLetIn::LastAdmin)),
            Err(StaffError::Fault(fault)) => return Err(fault),
        }
    }
    let mut changed = changes(&before, known);
    if let Some(email) = email_of(known).filter(|_| changed.contains_key("email"))
        && !change_email(tx, id, &email).await?
    {
        tracing::warn!(staff = %id, "a changed e-mail address belongs to another account, and is left as it was");
        changed.remove("email");
    }
    let now = backoffice.clock.now();
    // A new way in is like a new password, and a new role is one: see `second_person`.
    let is_new_access = is_new || changed.contains_key("role");
    sqlx::query!(
        "update staff set name = $2, role = $3, own_role_id = case when role = $3 then own_role_id end, access_set_at = case when $4 then $5 else access_set_at end,
                access_set_by = case when $4 then null else access_set_by end
         where id = $1",
        id,
        name_of(known).unwrap_or_else(|| before.name.clone()),
        known.role.as_str(),
        is_new_access,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if is_new {
        keep(backoffice, tx, known, id).await?;
    }
    let subject = id.to_string();
    let after = staff_in(tx, id).await?;
    if changed.contains_key("role") {
        let (old, new) = (Right::of(&before), Right::of(&after));
        let change = Change {
            staff: id,
            kind: Kind::RoleChanged,
            before: Some(&old),
            after: Some(&new),
            asked_by: None,
        };
        register::note(backoffice, tx, &speaker(known), change).await?;
    }
    let mut note = async |action, detail| {
        let act = Act { action, subject_kind: "staff", subject: &subject, detail };
        audit::record(tx, now, &speaker(known), act).await
    };
    if is_new {
        note("staff.linked", json!({ "issuer": known.issuer, "subject": known.subject })).await?;
    }
    if !changed.is_empty() {
        note("staff.changed", Value::Object(changed)).await?;
    }
    Ok(Ok(after))
}

/// What is said elsewhere and differs from the account, for the audit log.
fn changes(staff: &Staff, known: &Known) -> Map<String, Value> {
    let mut changed = Map::new();
    let mut differs = |what: &str, before: &str, now: Option<&str>| {
        if let Some(now) = now.filter(|now| *now != before) {
            changed.insert(what.to_owned(), json!({ "from": before, "to": now }));
        }
    };
    differs("name", &staff.name, name_of(known).as_deref());
    differs("email", &staff.email, email_of(known).as_deref());
    differs("role", staff.role.as_str(), Some(known.role.as_str()));
    changed
}

/// False when somebody else has it.
async fn change_email(tx: &mut PgConnection, id: Uuid, email: &str) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "update staff set email = $2 where id = $1 and not exists (select from staff where email = $2)",
        id,
        email,
    )
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Somebody comes for the first time: to the account with their address, or to a new one.
async fn first_time(backoffice: &Backoffice, tx: &mut PgConnection, known: &Known) -> LetIn<Found> {
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LINK_LOCK).execute(&mut *tx).await?;
    if let Some(id) = find(tx, &known.issuer, &known.subject).await? {
        return Ok(Ok(Found::Known(id)));
    }
    let Some(email) = email_of(known) else { return Ok(Err(NotLetIn::NoAddress)) };
    let account = sqlx::query!(
        r#"select id, exists (select from staff_identities i where i.staff_id = staff.id and i.issuer = $2) as "is_taken!"
           from staff where email = $1"#,
        email,
        known.issuer,
    )
    .fetch_optional(&mut *tx)
    .await?;
    match account {
        Some(account) if account.is_taken => return Ok(Err(NotLetIn::OtherPerson)),
        Some(account) => return Ok(Ok(Found::Same(account.id))),
        None => {}
    }
    let name = name_of(known).unwrap_or_else(|| email.chars().take(80).collect());
    let new = NewStaff { email, name, role: known.role };
    let way = Way::Elsewhere { issuer: &known.issuer, subject: &known.subject };
    match accounts::insert(backoffice, tx, &speaker(known), new, way).await {
        Ok(id) => {
            keep(backoffice, tx, known, id).await?;
            Ok(Ok(Found::Made(id)))
        }
        // Made by somebody else a moment ago.
        Err(StaffError::Invalid(Invalid::EmailTaken)) => Ok(Err(NotLetIn::OtherPerson)),
        Err(StaffError::Invalid(_)) => Ok(Err(NotLetIn::NoAddress)),
        Err(StaffError::Fault(fault)) => Err(fault),
    }
}

async fn keep(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    known: &Known,
    staff: Uuid,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into staff_identities (issuer, subject, staff_id, linked_at) values ($1, $2, $3, $4)",
        known.issuer,
        known.subject,
        staff,
        backoffice.clock.now(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn staff_in(tx: &mut PgConnection, id: Uuid) -> Result<Staff, Fault> {
    let staff = super::lock(tx, id).await?;
    staff.ok_or_else(|| Fault::Inconsistent("an identity without an account".into()))
}

/// An account is opened anew: whoever comes next with its address, and nobody before that, is its person elsewhere.
pub(super) async fn forget(tx: &mut PgConnection, staff: Uuid) -> Result<(), Fault> {
    sqlx::query!("delete from staff_identities where staff_id = $1", staff).execute(tx).await?;
    Ok(())
}
