//! Whether two accounts are two people: not one who has made the other a moment ago.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Permission;
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
pub async fn others_who_approve(backoffice: &Backoffice, actor: Option<Uuid>) -> Result<usize, Fault> {
    others_who_may(backoffice, Permission::ApproveRefund, &[actor]).await
}

/// How many accounts besides these may do something.
pub async fn others_who_may(
    backoffice: &Backoffice,
    permission: Permission,
    besides: &[Option<Uuid>],
) -> Result<usize, Fault> {
    let others = super::list(backoffice).await?.into_iter();
    Ok(others
        .filter(|one| one.disabled_at.is_none() && one.may(permission) && !besides.contains(&Some(one.id)))
        .count())
}
