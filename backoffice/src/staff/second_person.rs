//! Whether two accounts are two people: not one who has made the other a moment ago.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Permission, Role};
use crate::{Backoffice, Fault, audit::Actor, kernel::second_person::NotSecond};

/// The second person for what `requested_by` asked for, if `actor` may be that.
pub async fn second_person(
    backoffice: &Backoffice,
    connection: &mut PgConnection,
    actor: &Actor,
    requested_by: Option<Uuid>,
) -> Result<Result<Uuid, NotSecond>, Fault> {
    // Without a staff id nobody can tell who it is.
    let Some(second) = actor.staff_id().filter(|second| Some(*second) != requested_by) else {
        return Ok(Err(NotSecond::Own));
    };
    if backoffice.approver_age.is_zero() {
        return Ok(Ok(second));
    }
    let now = backoffice.clock.now();
    let row = sqlx::query!(
        r#"select s.access_set_at, r.access_set_at as "their_access_set_at?", r.access_set_by as their_access_set_by
           from staff s left join staff r on r.id = $2 where s.id = $1"#,
        second,
        requested_by,
    )
    .fetch_one(connection)
    .await?;
    let until = row.access_set_at + backoffice.approver_age;
    if now < until {
        return Ok(Err(NotSecond::TooNew { until }));
    }
    if let (Some(set_at), Some(set_by)) = (row.their_access_set_at, row.their_access_set_by) {
        let until = set_at + backoffice.approver_age;
        if set_by == second && now < until {
            return Ok(Err(NotSecond::OwnCreation { until }));
        }
    }
    Ok(Ok(second))
}

/// How many accounts besides `actor` may approve refunds: with none, nothing can be separated.
pub async fn others_who_approve(backoffice: &Backoffice, actor: Option<Uuid>) -> Result<i64, Fault> {
    let roles: Vec<String> = Role::ALL
        .into_iter()
        .filter(|role| role.may(Permission::ApproveRefund))
        .map(|role| role.as_str().to_owned())
        .collect();
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from staff
           where disabled_at is null and role = any($2) and id is distinct from $1"#,
        actor,
        &roles,
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(count)
}
