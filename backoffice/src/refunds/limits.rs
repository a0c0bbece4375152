//! Above which amount a second person is asked: per refund and per day, by role, in won.

use rust_decimal::Decimal;
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    clock::day_start,
    kernel::role::Role,
    money::{self, AmountError},
};

text_enum! {
    /// What asks for a second person.
    ApprovalReason {
        OneRefund = "one_refund",
        PerDay = "per_day",
        /// Limits are in won: what is not won cannot be held against them.
        Currency = "currency",
    }
}

/// The limits of one role; nothing means no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    pub role: Role,
    pub one_refund: Option<Decimal>,
    pub per_day: Option<Decimal>,
}

/// What is wrong with a new limit, by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitError {
    Role,
    OneRefund(AmountError),
    PerDay(AmountError),
}

/// The limits of a person who asks for a refund.
pub(super) struct Allowance {
    staff: Uuid,
    one_refund: Option<Decimal>,
    per_day: Option<Decimal>,
}

/// Reads the limits of the role the person has now, and holds the person's row: two refunds at once must not both
/// count as the last one of the day.
pub(super) async fn of(tx: &mut PgConnection, actor: &Actor) -> Result<Option<Allowance>, Fault> {
    let Some(staff) = actor.staff_id() else { return Ok(None) };
    let row = sqlx::query!(
        "select l.one_refund, l.per_day from staff s join refund_limits l on l.role = s.role
         where s.id = $1 for no key update of s",
        staff
    )
    .fetch_optional(tx)
    .await?;
    // A role that may not refund has no limits: whoever has lost theirs meanwhile needs a second person for anything.
    let nothing = || Allowance { staff, one_refund: Some(Decimal::ZERO), per_day: Some(Decimal::ZERO) };
    Ok(Some(row.map_or_else(nothing, |row| Allowance {
        staff,
        one_refund: row.one_refund,
        per_day: row.per_day,
    })))
}

/// Which limit this amount is above, if any.
pub(super) async fn exceeded(
    tx: &mut PgConnection,
    held: Option<&Allowance>,
    amount: Decimal,
    currency: &str,
    now: OffsetDateTime,
) -> Result<Option<ApprovalReason>, Fault> {
    let Some(held) = held.filter(|held| held.one_refund.is_some() || held.per_day.is_some()) else {
        return Ok(None);
    };
    if currency != "KRW" {
        return Ok(Some(ApprovalReason::Currency));
    }
    if held.one_refund.is_some_and(|limit| amount > limit) {
        return Ok(Some(ApprovalReason::OneRefund));
    }
    exceeded_by_sum(tx, Some(held), amount, now).await
}

/// Whether so much more, in won, is above what the person may refund in a day.
pub(super) async fn exceeded_by_sum(
    tx: &mut PgConnection,
    held: Option<&Allowance>,
    amount: Decimal,
    now: OffsetDateTime,
) -> Result<Option<ApprovalReason>, Fault> {
    if let Some((held, limit)) = held.and_then(|held| Some((held, held.per_day?))) {
        let since = day_start(now.to_offset(crate::clock::SEOUL).date());
        // What a second person has answered for does not count against the first.
        let before = sqlx::query_scalar!(
            r#"select coalesce(sum(amount), 0) as "sum!" from refunds
               where requested_by = $1 and requested_at >= $2 and currency = 'KRW' and approval_reason is null
                 and state not in ('failed', 'declined')"#,
            held.staff,
            since,
        )
        .fetch_one(tx)
        .await?;
        if before + amount > limit {
            return Ok(Some(ApprovalReason::PerDay));
        }
    }
    Ok(None)
}

/// A limit as typed: nothing, or won.
fn parse(text: &str) -> Result<Option<Decimal>, AmountError> {
    match text.trim() {
        "" => Ok(None),
        // Zero is a limit too: everything needs a second person.
        "0" => Ok(Some(Decimal::ZERO)),
        text => money::parse(text, "KRW").map(Some),
    }
}

pub async fn list(backoffice: &Backoffice) -> Result<Vec<Limit>, Fault> {
    let mut limits =
        sqlx::query_as!(Limit, r#"select role as "role: Role", one_refund, per_day from refund_limits"#)
            .fetch_all(&backoffice.pool)
            .await?;
    limits.sort_by_key(|limit| limit.role);
    Ok(limits)
}

/// Changes the limits of a role. What waits already goes on waiting.
pub async fn set(
    backoffice: &Backoffice,
    actor: &Actor,
    role: &str,
    one_refund: &str,
    per_day: &str,
) -> Result<Result<(), LimitError>, Fault> {
    let Some(role) = Role::parse(role).filter(|role| *role != Role::Viewer) else {
        return Ok(Err(LimitError::Role));
    };
    let one_refund = match parse(one_refund) {
        Ok(limit) => limit,
        Err(error) => return Ok(Err(LimitError::OneRefund(error))),
    };
    let per_day = match parse(per_day) {
        Ok(limit) => limit,
        Err(error) => return Ok(Err(LimitError::PerDay(error))),
    };
    let mut tx = backoffice.pool.begin().await?;
    let was = sqlx::query!(
        "select one_refund, per_day from refund_limits where role = $1 for update",
        role.as_str()
    )
    .fetch_one(&mut *tx)
    .await?;
    if (was.one_refund, was.per_day) == (one_refund, per_day) {
        return Ok(Ok(()));
    }
    sqlx::query!(
        "update refund_limits set one_refund = $2, per_day = $3 where role = $1",
        role.as_str(),
        one_refund,
        per_day
    )
    .execute(&mut *tx)
    .await?;
    let detail = json!({ "oneRefund": [was.one_refund, one_refund], "perDay": [was.per_day, per_day] });
    let act = Act { action: "refund_limit.changed", subject_kind: "role", subject: role.as_str(), detail };
    audit::record(&mut tx, backoffice.clock.now(), actor, act).await?;
    tx.commit().await?;
    Ok(Ok(()))
}
