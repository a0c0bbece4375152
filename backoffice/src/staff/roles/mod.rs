//! Roles of the house's own, composed from the permissions: support without pay-outs, an approver who cannot ask. Whose
//! limits hold for them says their base. What people have already is changed like their own right: where it hurts, by two.

mod change;

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

pub use change::{Request, change, decide, requests};

use super::{
    Permissions, Role, holders,
    register::Right,
    rights::{self, Gift, Refused, RightsError, Wanted},
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
pub(in crate::staff) async fn gift(tx: &mut PgConnection, wanted: Wanted) -> Result<Gift, RightsError> {
    Ok(match wanted {
        Wanted::Preset(role) => {
            let right = Right::preset(role);
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
