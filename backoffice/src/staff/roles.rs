//! Roles of the house's own, composed from the permissions: support without pay-outs, an approver who cannot ask. Whose
//! limits hold for them says their base. What people have already is changed like their own right: where it hurts, by two.

use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Invalid, Permissions, Role, Staff, holders,
    register::{self, Kind, Right},
    rights::{self, Gift, Given, Refused, RightsError, Wanted},
    sessions,
};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
};

const LONGEST_NAME: usize = 40;

#[derive(Debug, Clone)]
pub struct OwnRole {
    pub id: Uuid,
    pub name: String,
    pub base: Role,
    pub permissions: Permissions,
    /// From where whoever has it comes in; empty: from anywhere.
    pub allowed_ips: Vec<String>,
    pub version: i32,
    /// How many accounts have it, disabled ones too.
    pub people: usize,
}

impl OwnRole {
    fn right(&self) -> Right {
        let own_role = Some(self.name.clone());
        Right { role: self.base, own_role, permissions: Some(self.permissions) }
    }
}

/// A role as it was typed.
#[derive(Debug, Clone, Copy)]
pub struct Typed<'a> {
    pub name: &'a str,
    pub base: &'a str,
    pub permissions: &'a [String],
}

impl Typed<'_> {
    fn parse(&self) -> Result<(String, Role, Permissions), Refused> {
        let name = self.name.split_whitespace().collect::<Vec<_>>().join(" ");
        let fits = !name.is_empty() && name.chars().count() <= LONGEST_NAME;
        if !fits || name.chars().any(char::is_control) || Role::parse(&name.to_lowercase()).is_some() {
            return Err(Refused::Name);
        }
        let base = Role::parse(self.base).ok_or(Refused::Base)?;
        let permissions = Permissions::parse(self.permissions);
        if permissions.is_empty() {
            return Err(Refused::Nothing);
        }
        Ok((name, base, permissions))
    }
}

pub async fn list(backoffice: &Backoffice) -> Result<Vec<OwnRole>, Fault> {
    let rows = sqlx::query!(
        r#"select id, name, base as "base: Role", permissions, allowed_ips, version,
                  (select count(*) from staff s where s.own_role_id = o.id) as "people!"
           from own_roles o order by created_at limit 100"#
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let role = |people: i64| usize::try_from(people).unwrap_or(usize::MAX);
    Ok(rows
        .into_iter()
        .map(|row| OwnRole {
            id: row.id,
            name: row.name,
            base: row.base,
            permissions: Permissions::parse(row.permissions),
            allowed_ips: row.allowed_ips,
            version: row.version,
            people: role(row.people),
        })
        .collect())
}

/// The role of a name, or of the word of one of the four.
pub async fn named(backoffice: &Backoffice, name: &str) -> Result<Option<Wanted>, Fault> {
    if let Some(role) = Role::parse(name) {
        return Ok(Some(Wanted::Preset(role)));
    }
    let own = list(backoffice).await?.into_iter().find(|role| role.name.eq_ignore_ascii_case(name.trim()));
    Ok(own.map(|role| Wanted::Own(role.id)))
}

async fn lock(tx: &mut PgConnection, id: Uuid) -> Result<OwnRole, RightsError> {
    let row = sqlx::query!(
        r#"select name, base as "base: Role", permissions, allowed_ips, version from own_roles where id = $1 for no key update"#,
        id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Refused::NoSuchRole)?;
    Ok(OwnRole {
        id,
        name: row.name,
        base: row.base,
        permissions: Permissions::parse(row.permissions),
        allowed_ips: row.allowed_ips,
        version: row.version,
        people: 0,
    })
}

/// What giving a role would give, at this moment.
pub(super) async fn gift(tx: &mut PgConnection, wanted: Wanted) -> Result<Gift, RightsError> {
    Ok(match wanted {
        Wanted::Preset(role) => {
            let right = Right { role, own_role: None, permissions: Some(role.permissions()) };
            Gift { right, own_role: None }
        }
        Wanted::Own(id) => Gift { right: lock(tx, id).await?.right(), own_role: Some(id) },
    })
}

async fn is_taken(tx: &mut PgConnection, name: &str, besides: Option<Uuid>) -> Result<bool, Fault> {
    let taken = sqlx::query_scalar!(
        r#"select exists(select 1 from own_roles where lower(name) = lower($1) and id is distinct from $2) as "taken!""#,
        name,
        besides,
    )
    .fetch_one(tx)
    .await?;
    Ok(taken)
}

async fn note(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    action: &'static str,
    before: Option<&Right>,
    after: Option<&Right>,
) -> Result<(), Fault> {
    let subject = after.or(before).and_then(|right| right.own_role.clone()).unwrap_or_default();
    let detail = json!({ "from": before, "to": after });
    let act = Act { action, subject_kind: "role", subject: &subject, detail };
    audit::record(tx, backoffice.clock.now(), actor, act).await
}

/// A new role; nobody has it yet.
pub async fn add(backoffice: &Backoffice, actor: &Actor, typed: Typed<'_>) -> Result<Uuid, RightsError> {
    let (name, base, permissions) = typed.parse()?;
    let mut tx = backoffice.pool.begin().await?;
    rights::begin(&mut tx).await?;
    rights::reach(&mut tx, actor, permissions).await?;
    if is_taken(&mut tx, &name, None).await? {
        return Err(Refused::NameTaken.into());
    }
    let role = OwnRole {
        id: Uuid::now_v7(),
        name,
        base,
        permissions,
        allowed_ips: Vec::new(),
        version: 1,
        people: 0,
    };
    sqlx::query!(
        "insert into own_roles (id, name, base, permissions, created_at, created_by_name) values ($1, $2, $3, $4, $5, $6)",
        role.id,
        role.name,
        role.base.as_str(),
        &role.permissions.words(),
        backoffice.clock.now(),
        actor.name(),
    )
    .execute(&mut *tx)
    .await?;
    note(backoffice, &mut tx, actor, "role.added", None, Some(&role.right())).await?;
    tx.commit().await?;
    Ok(role.id)
}

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

/// Nobody may have it any more.
pub async fn remove(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<(), RightsError> {
    let mut tx = backoffice.pool.begin().await?;
    rights::begin(&mut tx).await?;
    let role = lock(&mut tx, id).await?;
    let people = holders(&mut tx, id).await?.len();
    if people > 0 {
        return Err(Refused::InUse { people }.into());
    }
    rights::reach(&mut tx, actor, role.permissions).await?;
    sqlx::query!("delete from own_roles where id = $1", id).execute(&mut *tx).await?;
    note(backoffice, &mut tx, actor, "role.removed", Some(&role.right()), None).await?;
    tx.commit().await?;
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
