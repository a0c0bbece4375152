//! Whose rights become what. Nobody gives what they do not hold, nobody changes their own role, somebody always remains
//! who may do everything, and what hurts takes a second administrator.

use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Invalid, Permission, Permissions, Role, Staff, StaffError,
    register::{self, Kind, Right},
    roles, second_person, sessions,
};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    kernel::second_person::NotSecond,
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
pub(super) struct Gift {
    pub right: Right,
    pub own_role: Option<Uuid>,
}

impl Gift {
    fn permissions(&self) -> Permissions {
        self.right.permissions.unwrap_or_default()
    }
}

/// Whether having it takes two people: what it permits, or above whose limits it stands.
pub(super) fn is_sensitive(right: &Right) -> bool {
    let permissions = right.permissions.unwrap_or_default();
    !permissions.sensitive().is_empty() || matches!(right.role, Role::Finance | Role::Admin)
}

/// Held until the change is over.
pub(super) async fn begin(tx: &mut PgConnection) -> Result<(), Fault> {
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(tx).await?;
    Ok(())
}

/// Nobody gives, or takes, what they do not hold as they stand now. Whoever has the machine has the database as well: the
/// command line asks nobody.
pub(super) async fn reach(
    tx: &mut PgConnection,
    actor: &Actor,
    permissions: Permissions,
) -> Result<(), StaffError> {
    let Some(id) = actor.staff_id() else { return Ok(()) };
    let held = super::lock(tx, id).await?.filter(|person| person.disabled_at.is_none());
    let reaches = held.is_some_and(|person| {
        person.may(Permission::ManageStaff) && permissions.is_subset(person.permissions())
    });
    if reaches { Ok(()) } else { Err(Invalid::BeyondYours.into()) }
}

/// The account that is to change, and whoever acts may do all that it may: who lets somebody in again, or sets how they come
/// in, could be that person.
pub(super) async fn reach_person(
    tx: &mut PgConnection,
    actor: &Actor,
    id: Uuid,
) -> Result<Staff, StaffError> {
    let person = super::lock(tx, id).await?.ok_or(Invalid::NotFound)?;
    reach(tx, actor, person.permissions()).await?;
    Ok(person)
}

/// Refuses to take the last one away who may do everything. All administrators are locked, so that two of them cannot take
/// each other away at the same moment. One who was invited and never came cannot stand in for the last.
pub(super) async fn keep_an_admin(tx: &mut PgConnection, besides: Uuid) -> Result<(), StaffError> {
    let admins = sqlx::query!(
        r#"select id, password_hash is not null as "joined!" from staff
           where role = 'admin' and own_role_id is null and disabled_at is null order by id for no key update"#
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
pub(super) async fn let_in_again(
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

/// Somebody gets another role. To and from one that hurts it takes a second administrator.
pub async fn give(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    wanted: Wanted,
) -> Result<Given, RightsError> {
    if actor.staff_id() == Some(id) {
        return Err(Invalid::Yourself.into());
    }
    let mut tx = backoffice.pool.begin().await?;
    begin(&mut tx).await?;
    let gift = roles::gift(&mut tx, wanted).await?;
    let person = known(&mut tx, actor, id, &gift).await?;
    let before = Right::of(&person);
    if person.own_role().map(|own| own.id) == gift.own_role && before.role == gift.right.role {
        return Ok(Given::Now);
    }
    let asks = actor.staff_id().filter(|_| is_sensitive(&before) || is_sensitive(&gift.right));
    let Some(asks) = asks else {
        apply(backoffice, &mut tx, actor, &person, &gift, None).await?;
        tx.commit().await?;
        return Ok(Given::Now);
    };
    keeps_an_admin(&mut tx, &person, &gift).await?;
    sqlx::query!(
        "insert into role_requests (staff_id, role, own_role_id, requested_by, requested_by_name, requested_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (staff_id) do update set role = excluded.role, own_role_id = excluded.own_role_id,
             requested_by = excluded.requested_by, requested_by_name = excluded.requested_by_name,
             requested_at = excluded.requested_at",
        id,
        gift.right.role.as_str(),
        gift.own_role,
        asks,
        actor.name(),
        backoffice.clock.now(),
    )
    .execute(&mut *tx)
    .await?;
    note(backoffice, &mut tx, actor, "staff.role_requested", id, &before, &gift.right).await?;
    tx.commit().await?;
    Ok(Given::Waits)
}

/// The account, if whoever acts holds all that it has and all that it is to have.
async fn known(tx: &mut PgConnection, actor: &Actor, id: Uuid, gift: &Gift) -> Result<Staff, StaffError> {
    let person = super::lock(tx, id).await?.filter(|person| person.disabled_at.is_none());
    let person = person.ok_or(Invalid::NotFound)?;
    reach(tx, actor, person.permissions().and(gift.permissions())).await?;
    Ok(person)
}

async fn keeps_an_admin(tx: &mut PgConnection, person: &Staff, gift: &Gift) -> Result<(), StaffError> {
    if gift.own_role.is_none() && gift.right.role == Role::Admin {
        return Ok(());
    }
    keep_an_admin(tx, person.id).await
}

async fn apply(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    person: &Staff,
    gift: &Gift,
    asked_by: Option<(Uuid, &str)>,
) -> Result<(), RightsError> {
    keeps_an_admin(tx, person, gift).await?;
    let by = asked_by.map(|(id, _)| id).or(actor.staff_id());
    sqlx::query!(
        "update staff set role = $2, own_role_id = $3, access_set_at = $4, access_set_by = $5 where id = $1",
        person.id,
        gift.right.role.as_str(),
        gift.own_role,
        backoffice.clock.now(),
        by,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from role_requests where staff_id = $1", person.id).execute(&mut *tx).await?;
    sessions::end_all(tx, person.id).await?;
    let (before, after) = (Right::of(person), &gift.right);
    let change = register::Change {
        staff: person.id,
        kind: Kind::RoleChanged,
        before: Some(&before),
        after: Some(after),
        asked_by,
    };
    register::note(backoffice, tx, actor, change).await?;
    note(backoffice, tx, actor, "staff.role_changed", person.id, &before, after).await?;
    Ok(())
}

pub(super) async fn note(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    action: &'static str,
    id: Uuid,
    before: &Right,
    after: &Right,
) -> Result<(), Fault> {
    let (subject, detail) = (id.to_string(), json!({ "from": before, "to": after }));
    let act = Act { action, subject_kind: "staff", subject: &subject, detail };
    audit::record(tx, backoffice.clock.now(), actor, act).await
}

/// What somebody has asked for, and what was asked for them, is over with the account. How many.
pub(super) async fn withdraw_requests(tx: &mut PgConnection, id: Uuid) -> Result<u64, Fault> {
    let people = sqlx::query!("delete from role_requests where staff_id = $1 or requested_by = $1", id)
        .execute(&mut *tx)
        .await?;
    let roles = sqlx::query!("delete from own_role_requests where requested_by = $1", id).execute(tx).await?;
    Ok(people.rows_affected() + roles.rows_affected())
}

/// Another role for somebody, until a second person has said yes or no.
#[derive(Debug, Clone)]
pub struct Request {
    pub staff: Uuid,
    pub name: String,
    pub before: Right,
    pub after: Right,
    pub requested_by: Uuid,
    pub requested_by_name: String,
    pub requested_at: OffsetDateTime,
}

/// Which request it is: goes with the form.
pub(super) fn version(requested_at: OffsetDateTime) -> String {
    requested_at.unix_timestamp_nanos().to_string()
}

impl Request {
    pub fn version(&self) -> String {
        version(self.requested_at)
    }
}

struct Stored {
    role: Role,
    own_role_id: Option<Uuid>,
    requested_by: Uuid,
    requested_by_name: String,
    requested_at: OffsetDateTime,
}

impl Stored {
    fn wanted(&self) -> Wanted {
        self.own_role_id.map_or(Wanted::Preset(self.role), Wanted::Own)
    }
}

pub async fn requests(backoffice: &Backoffice) -> Result<Vec<Request>, Fault> {
    let rows = sqlx::query!(
        r#"select r.staff_id, r.role as "role: Role", o.name as "own_role?", o.permissions as "permissions?",
                  r.requested_by, r.requested_by_name, r.requested_at
           from role_requests r left join own_roles o on o.id = r.own_role_id order by r.requested_at"#
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let mut requests = Vec::new();
    for row in rows {
        let Some(person) = super::get(backoffice, row.staff_id).await? else { continue };
        let permissions = row.permissions.map_or_else(|| row.role.permissions(), Permissions::parse);
        requests.push(Request {
            before: Right::of(&person),
            after: Right { role: row.role, own_role: row.own_role, permissions: Some(permissions) },
            staff: person.id,
            name: person.name,
            requested_by: row.requested_by,
            requested_by_name: row.requested_by_name,
            requested_at: row.requested_at,
        });
    }
    Ok(requests)
}

/// The second administrator says yes, or anybody who manages staff says no; nobody about themselves. `seen` is the version of
/// the request that was looked at. Who asked has to hold it all still.
pub async fn decide(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    seen: &str,
    agree: bool,
) -> Result<Staff, RightsError> {
    if actor.staff_id() == Some(id) {
        return Err(Invalid::Yourself.into());
    }
    let mut tx = backoffice.pool.begin().await?;
    begin(&mut tx).await?;
    let request = sqlx::query_as!(
        Stored,
        r#"select role as "role: Role", own_role_id, requested_by, requested_by_name, requested_at
           from role_requests where staff_id = $1"#,
        id
    )
    .fetch_optional(&mut *tx)
    .await?
    .filter(|request| version(request.requested_at) == seen)
    .ok_or(Refused::NothingWaits)?;
    let gift = roles::gift(&mut tx, request.wanted()).await?;
    let person = known(&mut tx, actor, id, &gift).await?;
    if agree {
        second(
            backoffice,
            &mut tx,
            actor,
            request.requested_by,
            person.permissions().and(gift.permissions()),
        )
        .await?;
        let asked_by = Some((request.requested_by, request.requested_by_name.as_str()));
        apply(backoffice, &mut tx, actor, &person, &gift, asked_by).await?;
    } else {
        sqlx::query!("delete from role_requests where staff_id = $1", id).execute(&mut *tx).await?;
        let before = Right::of(&person);
        note(backoffice, &mut tx, actor, "staff.role_declined", id, &before, &gift.right).await?;
    }
    tx.commit().await?;
    Ok(person)
}

/// Whoever acts is a second person for what `asked` wanted, who could still give it.
pub(super) async fn second(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    asked: Uuid,
    permissions: Permissions,
) -> Result<(), RightsError> {
    second_person(backoffice, tx, actor, Some(asked)).await?.map_err(Refused::NotSecond)?;
    let asked = super::lock(tx, asked).await?.filter(|person| person.disabled_at.is_none());
    let stands = asked.is_some_and(|person| {
        person.may(Permission::ManageStaff) && permissions.is_subset(person.permissions())
    });
    if stands { Ok(()) } else { Err(Refused::NothingWaits.into()) }
}
