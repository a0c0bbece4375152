//! Somebody gets another role; where it hurts, once a second administrator has said yes.

use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Gift, Given, Refused, RightsError, Wanted, begin, is_sensitive, keep_an_admin, reach, second, version,
};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    staff::{
        self, Invalid, Permission, Permissions, Role, Staff, StaffError,
        register::{self, Kind, Right},
        roles, sessions,
    },
};

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
    ask(backoffice, &mut tx, actor, asks, id, (&before, &gift)).await?;
    tx.commit().await?;
    Ok(Given::Waits)
}

/// A second administrator is asked.
async fn ask(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    asks: Uuid,
    id: Uuid,
    (before, gift): (&Right, &Gift),
) -> Result<(), Fault> {
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
    note(backoffice, tx, actor, "staff.role_requested", id, before, &gift.right).await
}

/// The role that somebody begins with who is to have `wanted`: the one that reads only, where there is another administrator
/// who can say yes to more.
pub(in crate::staff) async fn first_role(
    backoffice: &Backoffice,
    actor: &Actor,
    wanted: Role,
) -> Result<Role, Fault> {
    let Some(me) = actor.staff_id().filter(|_| is_sensitive(&Right::preset(wanted))) else {
        return Ok(wanted);
    };
    let others = staff::list(backoffice).await?;
    let asked = others.iter().any(|one| {
        one.id != me && one.disabled_at.is_none() && one.has_joined && one.may(Permission::ManageStaff)
    });
    Ok(if asked { Role::Viewer } else { wanted })
}

/// Asks for the rest of what a new account is to have.
pub(in crate::staff) async fn ask_for_the_rest(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    id: Uuid,
    (first, wanted): (Role, Role),
) -> Result<Given, Fault> {
    let Some(asks) = actor.staff_id().filter(|_| first != wanted) else { return Ok(Given::Now) };
    let gift = Gift { right: Right::preset(wanted), own_role: None };
    ask(backoffice, tx, actor, asks, id, (&Right::preset(first), &gift)).await?;
    Ok(Given::Waits)
}

/// The account, if whoever acts holds all that it has and all that it is to have.
async fn known(tx: &mut PgConnection, actor: &Actor, id: Uuid, gift: &Gift) -> Result<Staff, StaffError> {
    let person = staff::lock(tx, id).await?.filter(|person| person.disabled_at.is_none());
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

async fn note(
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
        let Some(person) = staff::get(backoffice, row.staff_id).await? else { continue };
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
