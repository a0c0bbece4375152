//! The cash receipts that Toss tells of with a payment.

use rust_decimal::Decimal;
use sqlx::PgConnection;
use time::OffsetDateTime;
use toss::{
    payments::{CashReceipt, Payment},
    redact,
};
use uuid::Uuid;

use super::ProviderPayment;
use crate::{
    Fault,
    events::{self, Data, Kind, data},
};

/// What Toss says of a payment's receipts: all of them, or in an answer that has no list the one that stands.
fn told(payment: &Payment) -> Vec<CashReceipt> {
    if let Some(receipts) = &payment.cash_receipts {
        return receipts.clone();
    }
    let Some(one) = &payment.cash_receipt else { return Vec::new() };
    vec![CashReceipt {
        receipt_key: one.receipt_key.clone(),
        order_id: Some(payment.order_id.clone()),
        order_name: None,
        kind: one.kind.clone(),
        issue_number: one.issue_number.clone(),
        receipt_url: one.receipt_url.clone(),
        business_number: None,
        transaction_type: Some("CONFIRM".into()),
        amount: one.amount,
        tax_free_amount: one.tax_free_amount,
        issue_status: Some("COMPLETED".into()),
        failure: None,
        customer_identity_number: None,
        requested_at: payment.approved_at,
    }]
}

/// Our word for Toss's `issueStatus`.
pub(crate) fn state_of(receipt: &CashReceipt) -> &'static str {
    match receipt.issue_status.as_deref() {
        Some("COMPLETED") => "completed",
        Some("FAILED") => "failed",
        _ => "in_progress",
    }
}

pub(crate) fn failure_of(receipt: &CashReceipt) -> Option<String> {
    receipt.failure.as_ref().and_then(|failure| failure.code.as_deref()).map(redact::code)
}

/// Tells the merchant's own systems of a receipt that has come to something.
pub(crate) async fn tell(tx: &mut PgConnection, now: OffsetDateTime, id: Uuid) -> Result<(), Fault> {
    let row = sqlx::query!(
        "select order_id, transaction_type, amount, receipt_key, issue_number, failure_code, state from cash_receipts where id = $1",
        id,
    )
    .fetch_one(&mut *tx)
    .await?;
    let kind = match (row.state.as_str(), row.transaction_type.as_str()) {
        ("completed", "CONFIRM") => Kind::CashReceiptIssued,
        ("completed", _) => Kind::CashReceiptCanceled,
        ("failed", _) => Kind::CashReceiptFailed,
        _ => return Ok(()),
    };
    let receipt = data::CashReceipt {
        receipt_id: id,
        order_id: row.order_id,
        transaction_type: row.transaction_type,
        amount: row.amount,
        receipt_key: row.receipt_key,
        issue_number: row.issue_number,
        code: row.failure_code,
    };
    events::tell(tx, now, &[(kind, Data::CashReceipt(receipt))]).await
}

/// Keeps what a payment says of its receipts, and where money moved under a receipt of ours, that somebody has to look.
pub(super) async fn record_receipts(
    tx: &mut PgConnection,
    payment: &ProviderPayment,
    has_moved: bool,
    now: OffsetDateTime,
) -> Result<(), Fault> {
    let ProviderPayment::TossPayments(payment) = payment else { return Ok(()) };
    for receipt in told(payment) {
        let (Some(key), Some(amount)) = (&receipt.receipt_key, receipt.amount) else { continue };
        let kind = receipt.transaction_type.as_deref().unwrap_or("CONFIRM");
        if amount <= Decimal::ZERO || !matches!(kind, "CONFIRM" | "CANCEL") {
            continue;
        }
        let changed = sqlx::query_scalar!(
            "insert into cash_receipts (id, order_id, origin, transaction_type, type, amount, tax_free_amount, state,
                                        failure_code, receipt_key, issue_number, receipt_url, requested_at, settled_at)
             values ($1, $2, 'payment', $3, $4, $5, least($6::numeric, $5), $7, $8, $9, $10, $11, $12, $12)
             on conflict (receipt_key) do update set state = excluded.state, failure_code = excluded.failure_code,
                issue_number = coalesce(excluded.issue_number, cash_receipts.issue_number),
                origin = case cash_receipts.origin when 'toss' then 'payment' else cash_receipts.origin end
             where cash_receipts.state <> excluded.state or cash_receipts.origin = 'toss' returning id",
            Uuid::now_v7(),
            payment.order_id.as_str(),
            kind,
            receipt.kind.as_deref().unwrap_or_default(),
            amount,
            receipt.tax_free_amount.unwrap_or_default(),
            state_of(&receipt),
            failure_of(&receipt),
            key,
            receipt.issue_number,
            receipt.receipt_url,
            receipt.requested_at.or(payment.approved_at).unwrap_or(now),
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(id) = changed {
            tell(tx, now, id).await?;
        }
    }
    if has_moved {
        sqlx::query!(
            "insert into cash_receipt_checks (order_id) select $1 where exists (
                select 1 from cash_receipts where order_id = $1 and origin <> 'payment' and transaction_type = 'CONFIRM')
             on conflict do nothing",
            payment.order_id.as_str(),
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
