//! What the merchant's own systems hear of a refund.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Fault,
    events::{self, Data, Kind, data},
};

/// By what the log calls it.
fn kind(action: &str) -> Option<Kind> {
    Some(match action {
        "refund.requested" => Kind::RefundRequested,
        "refund.declined" | "refund.withdrawn" | "refund.lapsed" => Kind::RefundDeclined,
        "refund.succeeded" => Kind::RefundSucceeded,
        "refund.failed" => Kind::RefundFailed,
        "refund.arrived" | "refund.paid_otherwise" => Kind::RefundArrived,
        "refund.partly_arrived" | "refund.returned" => Kind::RefundReturned,
        _ => return None,
    })
}

pub(super) async fn tell(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    id: Uuid,
    action: &str,
) -> Result<(), Fault> {
    let Some(kind) = kind(action) else { return Ok(()) };
    let refund = sqlx::query_as!(
        data::Refund,
        r#"select id as refund_id, order_id, payment_key, state, amount as cancel_amount, currency, reason_code,
                  transaction_key, error_code as code, stage, expected_on::text as expected_on
           from refunds where id = $1"#,
        id,
    )
    .fetch_one(&mut *tx)
    .await?;
    events::tell(tx, now, &[(kind, Data::Refund(refund))]).await
}
