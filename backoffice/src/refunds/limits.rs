//! Why a second person is asked for a refund: the limits of whoever asks ([`crate::limits`]), or where the money goes.

use rust_decimal::Decimal;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{Fault, clock::day_start, limits::Allowance};

text_enum! {
    /// What asks for a second person.
    ApprovalReason {
        OneRefund = "one_refund",
        PerDay = "per_day",
        /// Limits are in won: what is not won cannot be held against them.
        Currency = "currency",
        /// The money goes to an account that may not be the buyer's.
        Account = "account",
    }
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
               where (requested_by = $1 or requested_by_key = $1) and requested_at >= $2 and currency = 'KRW' and approval_reason is null
                 and state not in ('failed', 'declined')"#,
            held.who,
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
