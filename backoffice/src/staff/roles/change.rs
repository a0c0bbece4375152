//! Another content for a role. Of one that people have it is another right of theirs: where it hurts, by two.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{OwnRole, Typed, is_taken, lock, note};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    staff::{
        Invalid, Permissions, Role, Staff, holders,
        register::{self, Kind, Right},
        rights::{self, Given, Refused, RightsError},
        sessions,
    },
};

/// Another content for a role. `seen` is the version that was looked at. Where people have it and it hurts, a second
/// administrator is asked.
pub async fn change(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    seen: i32,
    typed: Typed<'_>,
) -> Result<Given, RightsError> {
    let (name, base, permissions) = typed.parse()?;
    let mut tx = backoffice.pool.begin().await?;
    rights::begin(&mut tx).await?;
    let before = lock(&mut tx, id).await?;
    if before.version != seen {
        return Err(Refused::Stale.into());
    }
    let after = OwnRole { name, base, permissions, ..before.clone() };
    let people = may_change(&mut tx, actor, &before, &after).await?;
    let asks = actor.staff_id().filter(|_| !people.is_empty() && hurts(&before, &after));
    let Some(asks) = asks else {
        apply(backoffice, &mut tx, actor, &before, &after, &people, None).await?;
        tx.commit().await?;
        return Ok(Given::Now);
    };
    sqlx::query!(
        "insert into own_role_requests (own_role_id, name, base, permissions, requested_by, requested_by_name, requested_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (own_role_id) do update set name = excluded.name, base = excluded.base,
             permissions = excluded.permissions, requested_by = excluded.requested_by,
             requested_by_name = excluded.requested_by_name, requested_at = excluded.requested_at",
        id,
        after.name,
        after.base.as_str(),
        &after.permissions.words(),
        asks,
        actor.name(),
        backoffice.clock.now(),
    )
    .execute(&mut *tx)
    .await?;
    note(backoffice, &mut tx, actor, "role.change_requested", Some(&before.right()), Some(&after.right()))
        .await?;
    tx.commit().await?;
    Ok(Given::Waits)
}

/// Who has it, if whoever acts may change it for them.
async fn may_change(
    tx: &mut PgConnection,
    actor: &Actor,
    before: &OwnRole,
    after: &OwnRole,
) -> Result<Vec<Staff>, RightsError> {
    let people = holders(tx, before.id).await?;
    if people.iter().any(|person| Some(person.id) == actor.staff_id()) {
        return Err(Invalid::Yourself.into());
    }
    rights::reach(tx, actor, before.permissions.and(after.permissions)).await?;
    if is_taken(tx, &after.name, Some(before.id)).await? {
        return Err(Refused::NameTaken.into());
    }
    Ok(people)
}

fn hurts(before: &OwnRole, after: &OwnRole) -> bool {
    let bases = before.base != after.base
        && [before.base, after.base].iter().any(|base| matches!(base, Role::Finance | Role::Admin));
    before.permissions.sensitive() != after.permissions.sensitive() || bases
}

async fn apply(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    before: &OwnRole,
    after: &OwnRole,
    people: &[Staff],
    asked_by: Option<(Uuid, &str)>,
) -> Result<(), RightsError> {
    sqlx::query!(
        "update own_roles set name = $2, base = $3, permissions = $4, version = version + 1 where id = $1",
        after.id,
        after.name,
        after.base.as_str(),
        &after.permissions.words(),
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from own_role_requests where own_role_id = $1", after.id).execute(&mut *tx).await?;
    // Who was to get it was to get another one.
    sqlx::query!("delete from role_requests where own_role_id = $1", after.id).execute(&mut *tx).await?;
    if before.base != after.base || before.permissions != after.permissions {
        sqlx::query!(
            "update staff set access_set_at = greatest(access_set_at, $2), access_set_by = $3 where own_role_id = $1",
            after.id,
            backoffice.clock.now(),
            asked_by.map(|(id, _)| id).or(actor.staff_id()),
        )
        .execute(&mut *tx)
        .await?;
        for person in people {
            sessions::end_all(tx, person.id).await?;
            let change = register::Change {
                staff: person.id,
                kind: Kind::OwnRoleChanged,
                before: Some(&before.right()),
                after: Some(&after.right()),
                asked_by,
            };
            register::note(backoffice, tx, actor, change).await?;
        }
    }
    note(backoffice, tx, actor, "role.changed", Some(&before.right()), Some(&after.right())).await?;
    Ok(())
}

/// Another content for a role that people have, until a second person has said yes or no.
#[derive(Debug, Clone)]
pub struct Request {
    pub role: Uuid,
    pub before: Right,
    pub after: Right,
    pub requested_by: Uuid,
    pub requested_by_name: String,
    pub requested_at: OffsetDateTime,
}

impl Request {
    pub fn version(&self) -> String {
        rights::version(self.requested_at)
    }
}

pub async fn requests(backoffice: &Backoffice) -> Result<Vec<Request>, Fault> {
    let rows = sqlx::query!(
        r#"select o.id, o.name, o.base as "base: Role", o.permissions, r.name as new_name, r.base as "new_base: Role",
                  r.permissions as new_permissions, r.requested_by, r.requested_by_name, r.requested_at
           from own_role_requests r join own_roles o on o.id = r.own_role_id order by r.requested_at"#
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let right = |role: Role, name: String, permissions: Vec<String>| Right {
        role,
        own_role: Some(name),
        permissions: Some(Permissions::parse(permissions)),
    };
    Ok(rows
        .into_iter()
        .map(|row| Request {
            role: row.id,
            before: right(row.base, row.name, row.permissions),
            after: right(row.new_base, row.new_name, row.new_permissions),
            requested_by: row.requested_by,
            requested_by_name: row.requested_by_name,
            requested_at: row.requested_at,
        })
        .collect())
}

/// The second administrator says yes, or anybody who manages staff and does not have it says no.
pub async fn decide(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    seen: &str,
    agree: bool,
) -> Result<(), RightsError> {
    let mut tx = backoffice.pool.begin().await?;
    rights::begin(&mut tx).await?;
    let before = lock(&mut tx, id).await?;
    let request = sqlx::query!(
        r#"select name, base as "base: Role", permissions, requested_by, requested_by_name, requested_at
           from own_role_requests where own_role_id = $1"#,
        id
    )
    .fetch_optional(&mut *tx)
    .await?
    .filter(|request| rights::version(request.requested_at) == seen)
    .ok_or(Refused::NothingWaits)?;
    let permissions = Permissions::parse(request.permissions);
    let after = OwnRole { name: request.name, base: request.base, permissions, ..before.clone() };
    let people = may_change(&mut tx, actor, &before, &after).await?;
    if agree {
        let all = before.permissions.and(after.permissions);
        rights::second(backoffice, &mut tx, actor, request.requested_by, all).await?;
        let asked_by = Some((request.requested_by, request.requested_by_name.as_str()));
        apply(backoffice, &mut tx, actor, &before, &after, &people, asked_by).await?;
    } else {
        sqlx::query!("delete from own_role_requests where own_role_id = $1", id).execute(&mut *tx).await?;
        note(backoffice, &mut tx, actor, "role.change_declined", Some(&before.right()), Some(&after.right()))
            .await?;
    }
    tx.commit().await?;
    Ok(())
}
