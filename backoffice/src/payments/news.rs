//! What the merchant's own systems hear of a payment that has changed.

use rust_decimal::Decimal;
use sqlx::PgConnection;
use time::OffsetDateTime;
use toss::{apps_in_toss::PayStatus, payments::Method};

use super::{ProviderPayment, provider_payment::is_paid};
use crate::{
    Fault,
    events::{self, Data, Kind, data},
};

/// A payment as it was.
pub(super) struct Was {
    pub status: String,
    pub left: Decimal,
}

/// `is_account`: it is paid into an account that Toss issued.
fn kinds(was: Option<&Was>, status: &str, left: Decimal, total: Decimal, is_account: bool) -> Vec<Kind> {
    let is_new = was.is_none_or(|was| was.status != status);
    let was_paid = was.is_some_and(|was| is_paid(&was.status));
    let went_back = was.is_some_and(|was| was_paid && left < was.left);
    let is_end = is_new && matches!(status, "CANCELED" | "PARTIAL_CANCELED");
    match status {
        _ if went_back || is_end => {
            vec![if left.is_zero() { Kind::OrderCanceled } else { Kind::OrderPartiallyCanceled }]
        }
        // What was partly refunded when it was first seen has been told of already by its balance.
        _ if is_paid(status) && !was_paid && left < total => vec![Kind::OrderPartiallyCanceled],
        _ if is_paid(status) && !was_paid && is_account => vec![Kind::OrderPaid, Kind::OrderDeposited],
        _ if is_paid(status) && !was_paid => vec![Kind::OrderPaid],
        "WAITING_FOR_DEPOSIT" if is_new => vec![Kind::OrderWaitingForDeposit],
        "EXPIRED" if is_new => vec![Kind::OrderExpired],
        "ABORTED" if is_new => vec![Kind::OrderFailed],
        _ if is_new && PayStatus::from(status) == PayStatus::Cancel => vec![Kind::OrderFailed],
        _ => Vec::new(),
    }
}

/// Tells of it with the order as it stands now. Its row is held by whoever applies.
pub(super) async fn tell(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    was: Option<&Was>,
    payment: &ProviderPayment,
) -> Result<(), Fault> {
    let is_account = payment.method().map(Method::from) == Some(Method::VirtualAccount);
    let kinds = kinds(was, payment.status(), payment.left(), payment.total(), is_account);
    if kinds.is_empty() {
        return Ok(());
    }
    let order = sqlx::query_as!(
        data::Order,
        "select order_id, order_name, rail, status, amount, balance_amount, currency, method, payment_key,
                case when restricted_at is null then user_key end as user_key, paid_at as approved_at
         from orders where order_id = $1",
        payment.order_id(),
    )
    .fetch_one(&mut *tx)
    .await?;
    let told: Vec<(Kind, Data)> = kinds.into_iter().map(|kind| (kind, Data::Order(order.clone()))).collect();
    events::tell(tx, now, &told).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(was: Option<(&str, u32)>, status: &str, left: u32) -> Vec<Kind> {
        let was = was.map(|(status, left)| Was { status: status.into(), left: left.into() });
        kinds(was.as_ref(), status, left.into(), 100.into(), false)
    }

    #[test]
    fn money_that_came_is_told_once() {
        assert_eq!(told(None, "DONE", 100), [Kind::OrderPaid]);
        assert_eq!(told(Some(("IN_PROGRESS", 0)), "DONE", 100), [Kind::OrderPaid]);
        assert_eq!(told(Some(("DONE", 100)), "DONE", 100), []);
        assert_eq!(told(Some(("PAY_STANDBY", 0)), "PAY_COMPLETE", 100), [Kind::OrderPaid]);
        // Settled is no other payment.
        assert_eq!(told(Some(("PAY_COMPLETE", 100)), "SETTLEMENT_COMPLETE", 100), []);
    }

    #[test]
    fn an_account_is_waited_for_deposited_into_and_may_be_taken_back() {
        let account = |was: Option<(&str, u32)>, status: &str, left: u32| {
            let was = was.map(|(status, left)| Was { status: status.into(), left: left.into() });
            kinds(was.as_ref(), status, left.into(), 100.into(), true)
        };
        assert_eq!(account(None, "WAITING_FOR_DEPOSIT", 100), [Kind::OrderWaitingForDeposit]);
        assert_eq!(
            account(Some(("WAITING_FOR_DEPOSIT", 100)), "DONE", 100),
            [Kind::OrderPaid, Kind::OrderDeposited]
        );
        assert_eq!(account(Some(("DONE", 100)), "WAITING_FOR_DEPOSIT", 100), [Kind::OrderWaitingForDeposit]);
        assert_eq!(account(Some(("WAITING_FOR_DEPOSIT", 100)), "EXPIRED", 100), [Kind::OrderExpired]);
        assert_eq!(account(Some(("WAITING_FOR_DEPOSIT", 100)), "CANCELED", 0), [Kind::OrderCanceled]);
    }

    #[test]
    fn each_part_that_goes_back_is_told_whoever_asked_for_it() {
        assert_eq!(told(Some(("DONE", 100)), "PARTIAL_CANCELED", 70), [Kind::OrderPartiallyCanceled]);
        assert_eq!(
            told(Some(("PARTIAL_CANCELED", 70)), "PARTIAL_CANCELED", 40),
            [Kind::OrderPartiallyCanceled]
        );
        assert_eq!(told(Some(("PARTIAL_CANCELED", 40)), "CANCELED", 0), [Kind::OrderCanceled]);
        assert_eq!(told(None, "CANCELED", 0), [Kind::OrderCanceled]);
        assert_eq!(told(Some(("PAY_COMPLETE", 100)), "REFUND_SUCCESS", 0), [Kind::OrderCanceled]);
        assert_eq!(told(Some(("PAY_COMPLETE", 100)), "REFUND_SUCCESS", 60), [Kind::OrderPartiallyCanceled]);
    }

    #[test]
    fn an_attempt_that_came_to_nothing_is_told() {
        assert_eq!(told(Some(("IN_PROGRESS", 0)), "ABORTED", 0), [Kind::OrderFailed]);
        assert_eq!(told(Some(("PAY_STANDBY", 0)), "PAY_CANCEL", 0), [Kind::OrderFailed]);
        assert_eq!(told(Some(("READY", 0)), "IN_PROGRESS", 100), []);
    }
}
