//! Whose rights become what. Nobody gives what they do not hold, nobody changes their own role, somebody always remains
//! who may do everything, and what hurts takes a second administrator.

mod give;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

pub use give::{Request, decide, give, requests};
pub(in crate::staff) use give::{ask_for_the_rest, first_role};

use crate::{
    Backoffice, Fault,
    audit::Actor,
    kernel::second_person::NotSecond,
    staff::{
        self, Invalid, Permission, Permissions, Role, Staff, StaffError,
        register::{self, Kind, Right},
        second_person, sessions,
    },
};

/// Changes of rights are rare, and each asks what others hold: one after the other.
const LOCK: i64 = 0x6a61_7269_6768;

/// Why a role was not given, or not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("no such role")]
    NoSuchRole,
    #[error("a role's name has 1 to 40 characters, and is not that of one of the four")]
    Name,
    #[error("there is a role of this name already")]
    NameTaken,
    #[error("viewer, support, finance or admin")]
    Base,
    #[error("a role without any permission is none")]
    Nothing,
    #[error("{people} people have this role")]
    InUse { people: usize },
    #[error("somebody has changed it meanwhile")]
    Stale,
    #[error("nothing waits")]
    NothingWaits,
    #[error("not a second person: {0:?}")]
    NotSecond(NotSecond),
}

#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for RightsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<StaffError> for RightsError {
    fn from(error: StaffError) -> Self {
        match error {
            StaffError::Invalid(invalid) => Self::Invalid(invalid),
            StaffError::Fault(fault) => Self::Fault(fault),
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    Now,
    /// A second administrator is asked.
    Waits,
}

/// A role that somebody is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Preset(Role),
    Own(Uuid),
}

impl Wanted {
    /// As forms have it: the word of one of the four, or the id of another.
    pub fn parse(text: &str) -> Option<Self> {
        Role::parse(text).map(Self::Preset).or_else(|| Uuid::parse_str(text).ok().map(Self::Own))
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Preset(role) => f.write_str(role.as_str()),
            Self::Own(id) => write!(f, "{id}"),
        }
    }
}

/// A role as it is given: its content of this moment.
pub(in crate::staff) struct Gift {
    pub right: Right,
    pub own_role: Option<Uuid>,
}

impl Gift {
    fn permissions(&self) -> Permissions {
        self.right.permissions.unwrap_or_default()
    }
}

/// Whether having it takes two people: what it permits, or above whose limits it stands.
pub(in crate::staff) fn is_sensitive(right: &Right) -> bool {
    let permissions = right.permissions.unwrap_or_default();
    !permissions.sensitive().is_empty() || matches!(right.role, Role::Finance | Role::Admin)
}

/// Held until the change is over.
pub(in crate::staff) async fn begin(tx: &mut PgConnection) -> Result<(), Fault> {
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(tx).await?;
    Ok(())
}

/// Nobody gives, or takes, what they do not hold as they stand now. Whoever has the machine has the database as well: the
/// command line asks nobody.
pub(in crate::staff) async fn reach(
    tx: &mut PgConnection,
    actor: &Actor,
    permissions: Permissions,
) -> Result<(), StaffError> {
    let Some(id) = actor.staff_id() else { return Ok(()) };
    let held = staff::lock(tx, id).await?.filter(|person| person.disabled_at.is_none());
    let reaches = held.is_some_and(|person| {
        person.may(Permission::ManageStaff) && permissions.is_subset(person.permissions())
    });
    if reaches { Ok(()) } else { Err(Invalid::BeyondYours.into()) }
}

/// The account that is to change, and whoever acts may do all that it may: who lets somebody in again, or sets how they come
/// in, could be that person.
pub(in crate::staff) async fn reach_person(
    tx: &mut PgConnection,
    actor: &Actor,
    id: Uuid,
) -> Result<Staff, StaffError> {
    let person = staff::lock(tx, id).await?.ok_or(Invalid::NotFound)?;
    reach(tx, actor, person.permissions()).await?;
    Ok(person)
}

/// Refuses to take the last one away who may do everything. All administrators are locked, so that two of them cannot take
/// each other away at the same moment. One who was invited and never came cannot stand in for the last.
pub(in crate::staff) async fn keep_an_admin(tx: &mut PgConnection, besides: Uuid) -> Result<(), StaffError> {
    let admins = sqlx::query!(
        r#"select id, password_hash is not null
                      or exists(select 1 from staff_identities i where i.staff_id = staff.id) as "joined!"
           from staff where role = 'admin' and own_role_id is null and disabled_at is null order by id for no key update"#
    )
    .fetch_all(tx)
    .await?;
    let is_one = admins.iter().any(|admin| admin.id == besides);
    if is_one && !admins.iter().any(|admin| admin.joined && admin.id != besides) {
        return Err(Invalid::LastAdmin.into());
    }
    Ok(())
}

/// The password becomes another one, or none until a link is used; a disabled account is open again; every session ends: how many.
pub(in crate::staff) async fn let_in_again(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    id: Uuid,
    hash: Option<String>,
) -> Result<u64, StaffError> {
    let person = reach_person(tx, actor, id).await?;
    sqlx::query!(
        "update staff set password_hash = $2, disabled_at = null, is_dormant = false, opened_at = $3,
                access_set_at = $3, access_set_by = $4
         where id = $1",
        id,
        hash,
        backoffice.clock.now(),
        actor.staff_id(),
    )
    .execute(&mut *tx)
    .await?;
    let ended = sessions::end_all(tx, id).await?;
    let right = Right::of(&person);
    let (kind, before) = match person.disabled_at {
        Some(_) => (Kind::Reopened, None),
        None => (Kind::PasswordReset, Some(&right)),
    };
    let change = register::Change { staff: id, kind, before, after: Some(&right), asked_by: None };
    register::note(backoffice, tx, actor, change).await?;
    Ok(ended)
}

/// What somebody has asked for, and what was asked for them, is over with the account. How many.
pub(in crate::staff) async fn withdraw_requests(tx: &mut PgConnection, id: Uuid) -> Result<u64, Fault> {
    let people = sqlx::query!("delete from role_requests where staff_id = $1 or requested_by = $1", id)
        .execute(&mut *tx)
        .await?;
    let roles = sqlx::query!("delete from own_role_requests where requested_by = $1", id).execute(tx).await?;
    Ok(people.rows_affected() + roles.rows_affected())
}

/// Which request it is: goes with the form.
pub(in crate::staff) fn version(requested_at: OffsetDateTime) -> String {
    requested_at.unix_timestamp_nanos().to_string()
}

/// Whoever acts is a second person for what `asked` wanted, who could still give it.
pub(in crate::staff) async fn second(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    asked: Uuid,
    permissions: Permissions,
) -> Result<(), RightsError> {
    second_person(backoffice, tx, actor, Some(asked)).await?.map_err(Refused::NotSecond)?;
    let asked = staff::lock(tx, asked).await?.filter(|person| person.disabled_at.is_none());
    let stands = asked.is_some_and(|person| {
        person.may(Permission::ManageStaff) && permissions.is_subset(person.permissions())
    });
    if stands { Ok(()) } else { Err(Refused::NothingWaits.into()) }
}
