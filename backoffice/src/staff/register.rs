//! The register of rights: whose became what, when, by whom, and who was the second person. A row is written in the
//! transaction of the change. The database itself refuses to change one, and to remove one within three years.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Permissions, Role, Staff};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    page::{Cursor, Page, push_keyset},
};

text_enum! {
    /// How it changed.
    Kind {
        /// An account for a machine.
        Added = "added",
        Invited = "invited",
        /// Whoever was invited has chosen a password.
        Joined = "joined",
        RoleChanged = "role_changed",
        /// What the role permits has changed.
        OwnRoleChanged = "own_role_changed",
        Disabled = "disabled",
        Reopened = "reopened",
        /// Closed because nobody came.
        Dormant = "dormant",
        PasswordReset = "password_reset",
        /// The second factor was taken away.
        FactorReset = "factor_reset",
    }
}

/// What somebody may do, as it was at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Right {
    /// Of a role of the house's own its base.
    pub role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_role: Option<String>,
    /// Nothing in rows from before the register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}

impl Right {
    pub fn of(staff: &Staff) -> Self {
        let own_role = staff.own_role().map(|own| own.name.clone());
        Self { role: staff.role, own_role, permissions: Some(staff.permissions()) }
    }

    /// One of the four.
    pub fn preset(role: Role) -> Self {
        Self { role, own_role: None, permissions: Some(role.permissions()) }
    }
}

/// One change, on its way into the register.
pub(super) struct Change<'a> {
    pub staff: Uuid,
    pub kind: Kind,
    pub before: Option<&'a Right>,
    pub after: Option<&'a Right>,
    /// Who had asked for it, where whoever acts is the second person.
    pub asked_by: Option<(Uuid, &'a str)>,
}

pub(super) async fn note(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    change: Change<'_>,
) -> Result<(), Fault> {
    let (by, by_name, second) = match change.asked_by {
        Some((id, name)) => (format!("staff:{id}"), name, actor.staff_id()),
        None => (actor.key(), actor.name(), None),
    };
    let text = |right: Option<&Right>| right.map(serde_json::to_value).transpose();
    let unreadable = Fault::unreadable("a right");
    sqlx::query!(
        "insert into right_changes (id, at, staff_id, name, kind, before, after, by, by_name, second, second_name)
         select $1, $2, id, name, $4, $5, $6, $7, $8, $9, $10 from staff where id = $3",
        Uuid::now_v7(),
        backoffice.clock.now(),
        change.staff,
        change.kind.as_str(),
        text(change.before).map_err(&unreadable)?,
        text(change.after).map_err(&unreadable)?,
        by,
        by_name,
        second,
        second.map(|_| actor.name()),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A row as people read it.
#[derive(Debug, Clone)]
pub struct Row {
    pub id: Uuid,
    pub at: OffsetDateTime,
    pub staff: Uuid,
    pub name: String,
    pub kind: Kind,
    pub before: Option<Right>,
    pub after: Option<Right>,
    /// Like `staff:<id>` or `job:<name>`.
    pub by: String,
    pub by_name: String,
    pub second_name: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Stored {
    id: Uuid,
    at: OffsetDateTime,
    staff_id: Uuid,
    name: String,
    kind: Kind,
    before: Option<Value>,
    after: Option<Value>,
    by: String,
    by_name: String,
    second_name: Option<String>,
}

impl Stored {
    fn read(self) -> Result<Row, Fault> {
        let right = |value: Option<Value>| value.map(serde_json::from_value::<Right>).transpose();
        let unreadable = Fault::unreadable("the register of rights");
        Ok(Row {
            before: right(self.before).map_err(&unreadable)?,
            after: right(self.after).map_err(&unreadable)?,
            id: self.id,
            at: self.at,
            staff: self.staff_id,
            name: self.name,
            kind: self.kind,
            by: self.by,
            by_name: self.by_name,
            second_name: self.second_name,
        })
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Whose right.
    pub staff: Option<Uuid>,
    pub kind: Option<Kind>,
}

/// Newest first.
pub async fn list(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Row>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(
        "select id, at, staff_id, name, kind, before, after, by, by_name, second_name from right_changes where true",
    );
    if let Some(staff) = filter.staff {
        query.push(" and staff_id = ").push_bind(staff);
    }
    if let Some(kind) = filter.kind {
        query.push(" and kind = ").push_bind(kind.as_str());
    }
    push_keyset(&mut query, cursor, "at", "id::text", size);
    let rows: Vec<Stored> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    let rows = rows.into_iter().map(Stored::read).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::new(rows, size, cursor, |row: &Row| (row.at, row.id.to_string())))
}
