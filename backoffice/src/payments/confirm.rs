//! Taking the money: the amount is compared first, and a confirm that got no answer is looked up.

use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::json;
use toss::payments::{
    ConfirmRequest, Error as TossError, OrderId, PaymentKey, PaymentStatus, Refusal, RetryClass,
};

use super::job::SettleConfirm;
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    orders::{self, Order},
    payments::{self, FetchedPayment},
    queue,
    rail::Rail,
};

/// What the merchant's server sends when the buyer has come back from the payment window.
#[derive(Debug, Clone)]
pub struct Confirm {
    pub order_id: String,
    pub payment_key: String,
    pub amount: Decimal,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    #[error("no such order")]
    NotFound,
    /// The buyer authenticated another amount than the order's: refused, and shown to staff.
    #[error("the amount {got} is not the order's {expected}")]
    AmountDiffers { expected: Decimal, got: Decimal },
    #[error("the order is paid with another payment")]
    PaidOtherwise,
    #[error("the payment belongs to another order")]
    PaymentOfAnotherOrder,
    #[error("Toss refused: {0}")]
    Refused(Refusal),
    /// Neither yes nor no. A job goes on asking.
    #[error("the outcome is not known yet")]
    Unknown,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for ConfirmError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Tries within one request. Another confirm of the same payment may be under way: its answer becomes ours.
const TRIES: u32 = 4;

fn is_settled(status: &str) -> bool {
    matches!(status, "DONE" | "WAITING_FOR_DEPOSIT" | "PARTIAL_CANCELED" | "CANCELED")
}

/// Confirms, or answers like the first time when it is confirmed already.
pub async fn confirm(
    backoffice: &Backoffice,
    actor: &Actor,
    confirm: &Confirm,
) -> Result<Order, ConfirmError> {
    let bad = |text: &str| text.is_empty() || text.len() > 200 || text.chars().any(char::is_control);
    if confirm.order_id.contains('\0') || bad(&confirm.payment_key) {
        return Err(ConfirmError::NotFound);
    }
    clear_other_attempt(backoffice, actor, confirm).await?;
    if let Some(order) = note_confirm(backoffice, actor, confirm).await? {
        return Ok(order);
    }
    execute_confirm(backoffice, actor, &confirm.order_id, &confirm.payment_key, confirm.amount).await
}

/// Another payment of this order that was noted and never settled: Toss says how it stands.
async fn clear_other_attempt(
    backoffice: &Backoffice,
    actor: &Actor,
    confirm: &Confirm,
) -> Result<(), ConfirmError> {
    let Some(order) = orders::get(backoffice, &confirm.order_id).await? else {
        return Err(ConfirmError::NotFound);
    };
    let Some(noted) =
        order.payment_key.filter(|k| order.status == "IN_PROGRESS" && *k != confirm.payment_key)
    else {
        return Ok(());
    };
    match payments::look_up(backoffice, actor, &PaymentKey(noted.clone())).await {
        Ok((payment, _)) if payment.order_id.as_str() == confirm.order_id => Ok(()),
        Err(Fault::Toss(error)) if !error.is_not_found() => Err(ConfirmError::Unknown),
        Ok(_) | Err(Fault::Toss(_)) => {
            Ok(forget_attempt(backoffice, actor, &confirm.order_id, &noted).await?)
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Writes the attempt down before it is made, with the job that finishes it should this process die.
/// `Some` when there is nothing left to do.
async fn note_confirm(
    backoffice: &Backoffice,
    actor: &Actor,
    confirm: &Confirm,
) -> Result<Option<Order>, ConfirmError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    orders::hold(&mut tx, &confirm.order_id).await?;
    let order =
        orders::load(&mut tx, &backoffice.keys, &confirm.order_id).await?.ok_or(ConfirmError::NotFound)?;
    // What a mini-app pays with is executed, not confirmed.
    if order.rail != Rail::TossPayments {
        return Err(ConfirmError::NotFound);
    }
    if order.amount != confirm.amount {
        sqlx::query!(
            "update orders set attention = 'amount_differs', updated_at = $2 where order_id = $1",
            confirm.order_id,
            now
        )
        .execute(&mut *tx)
        .await?;
        let detail =
            json!({ "expected": order.amount, "got": confirm.amount, "paymentKey": confirm.payment_key });
        let act = Act {
            action: "order.confirm_refused",
            subject_kind: "order",
            subject: &confirm.order_id,
            detail,
        };
        audit::record(&mut tx, now, actor, act).await?;
        tx.commit().await?;
        return Err(ConfirmError::AmountDiffers { expected: order.amount, got: confirm.amount });
    }
    let same = order.payment_key.as_deref() == Some(&confirm.payment_key);
    if is_settled(&order.status) {
        return if same { Ok(Some(order)) } else { Err(ConfirmError::PaidOtherwise) };
    }
    // The first attempt may have been paid without our knowing it: a second one waits until that is clear.
    if order.status == "IN_PROGRESS" && !same {
        return Err(ConfirmError::Unknown);
    }
    let elsewhere = sqlx::query_scalar!(
        "select order_id from payments where payment_key = $1 and order_id <> $2",
        confirm.payment_key,
        confirm.order_id
    )
    .fetch_optional(&mut *tx)
    .await?;
    if elsewhere.is_some() {
        return Err(ConfirmError::PaymentOfAnotherOrder);
    }
    sqlx::query!(
        "update orders set payment_key = $2, status = 'IN_PROGRESS', updated_at = $3 where order_id = $1",
        confirm.order_id,
        confirm.payment_key,
        now,
    )
    .execute(&mut *tx)
    .await?;
    let settle =
        SettleConfirm { order_id: confirm.order_id.clone(), payment_key: confirm.payment_key.clone() };
    queue::plan(&mut tx, &settle, Duration::from_secs(90)).await?;
    if !same {
        let detail = json!({ "amount": confirm.amount, "paymentKey": confirm.payment_key });
        let act =
            Act { action: "order.confirm_sent", subject_kind: "order", subject: &confirm.order_id, detail };
        audit::record(&mut tx, now, actor, act).await?;
    }
    tx.commit().await?;
    Ok(None)
}

/// Calls Toss until there is an answer, and writes it down. Also what the job does.
pub(crate) async fn execute_confirm(
    backoffice: &Backoffice,
    actor: &Actor,
    order_id: &str,
    payment_key: &str,
    amount: Decimal,
) -> Result<Order, ConfirmError> {
    let request = ConfirmRequest {
        payment_key: PaymentKey(payment_key.into()),
        order_id: OrderId(order_id.into()),
        amount,
    };
    // The URL is the same for every payment, and the body is not part of the key: the key names both. A refusal stays
    // bound to its key, so that the next try after one needs another (toss-api.md A1.7). At most 300 characters.
    let refusals = sqlx::query_scalar!("select confirm_refusals from orders where order_id = $1", order_id)
        .fetch_optional(&backoffice.pool)
        .await?
        .unwrap_or_default();
    let idempotency_key = format!("confirm-{order_id}-{payment_key}-{refusals}");
    for attempt in 0..TRIES {
        let seq = payments::next_fetch_seq(&backoffice.pool).await?;
        match backoffice.toss.confirm(&request, &idempotency_key).await {
            Ok(answer)
                if answer.value.payment_key != request.payment_key
                    || answer.value.order_id != request.order_id =>
            {
                tracing::warn!(order_id, "a confirm was answered with another payment");
                return Err(ConfirmError::Unknown);
            }
            Ok(answer) => {
                let mut tx = backoffice.pool.begin().await?;
                let fetched = FetchedPayment::by_toss_payments(answer)?;
                let applied =
                    payments::apply(&mut tx, backoffice.clock.now(), actor, &backoffice.keys, seq, &fetched)
                        .await?;
                tx.commit().await?;
                // A look-up from before the approval may stand in the books, or this answer may be a replay.
                if applied.superseded || attempt > 0 || matches!(actor, Actor::Job(_)) {
                    payments::look_up(backoffice, actor, &request.payment_key).await?;
                }
                return orders::get(backoffice, order_id).await?.ok_or(ConfirmError::NotFound);
            }
            Err(error) if error.is_unknown() || error.retry_class() == RetryClass::LookUp => {
                tracing::warn!(%error, order_id, "a confirm without a clear answer is looked up");
                match payments::look_up(backoffice, actor, &request.payment_key).await {
                    Ok((payment, _)) if is_settled(payment.status.as_str()) => {
                        return orders::get(backoffice, order_id).await?.ok_or(ConfirmError::NotFound);
                    }
                    Ok((payment, _)) if payment.status == PaymentStatus::Aborted => {
                        return Err(refused(payment.failure, error));
                    }
                    Ok(_) | Err(Fault::Toss(_)) => {}
                    Err(fault) => return Err(fault.into()),
                }
                if error.retry_class() == RetryClass::SameKey && attempt + 1 < TRIES {
                    tokio::time::sleep(Duration::from_millis(150 << attempt)).await;
                    continue;
                }
                return Err(ConfirmError::Unknown);
            }
            Err(TossError::Refused(refusal)) => {
                // A refusal may have ended the payment: the look-up says how it stands.
                sqlx::query!(
                    "update orders set confirm_refusals = confirm_refusals + 1 where order_id = $1",
                    order_id
                )
                .execute(&backoffice.pool)
                .await?;
                match payments::look_up(backoffice, actor, &request.payment_key).await {
                    Ok((payment, _)) if payment.order_id.as_str() != order_id => {
                        forget_attempt(backoffice, actor, order_id, payment_key).await?;
                    }
                    Ok(_) => {}
                    Err(Fault::Toss(error)) if error.is_not_found() => {
                        forget_attempt(backoffice, actor, order_id, payment_key).await?;
                    }
                    Err(fault) => tracing::warn!(%fault, order_id, "no look-up after a refused confirm"),
                }
                return Err(ConfirmError::Refused(refusal));
            }
            Err(error) => {
                tracing::warn!(%error, order_id, "confirm");
                return Err(ConfirmError::Unknown);
            }
        }
    }
    Err(ConfirmError::Unknown)
}

/// The payment is not this order's, or not one at all: the order waits for one again.
async fn forget_attempt(
    backoffice: &Backoffice,
    actor: &Actor,
    order_id: &str,
    payment_key: &str,
) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let forgotten = sqlx::query!(
        "update orders set payment_key = null, status = 'READY', updated_at = $3
         where order_id = $1 and payment_key = $2 and status = 'IN_PROGRESS'",
        order_id,
        payment_key,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if forgotten.rows_affected() == 1 {
        let detail = json!({ "paymentKey": payment_key });
        let act = Act { action: "order.confirm_forgotten", subject_kind: "order", subject: order_id, detail };
        audit::record(&mut tx, now, actor, act).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn refused(failure: Option<toss::payments::Failure>, error: TossError) -> ConfirmError {
    match (failure, error) {
        (_, TossError::Refused(refusal)) if refusal.status < 500 => ConfirmError::Refused(refusal),
        (Some(failure), _) => {
            ConfirmError::Refused(Refusal::new(400, failure.code.as_deref().unwrap_or("ABORTED"), None))
        }
        _ => ConfirmError::Unknown,
    }
}
