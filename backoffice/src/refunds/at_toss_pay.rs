//! One attempt at Toss Pay. There is no idempotency key and no amount: the whole payment goes back. So the status is
//! read before anything is sent and again afterwards, and the verdict is always a read, never the answer alone
//! (toss-api.md B5.3, D3). A second request leaves only when the first one cannot be on its way any more: a lease
//! after it was sent.

use rust_decimal::Decimal;
use toss::apps_in_toss::{Error as TossError, NotDone, PayStatus, PayToken, Payment, RefundReason};

use super::{
    decide,
    execute::{self, Claimed, JOB, Outcome, Verdict},
};
use crate::{
    Backoffice, Fault, orders,
    payments::{self, CancelState, ProviderPayment},
};

/// What a read says of an intent.
enum RemoteStatus {
    /// Money went back since the intent was taken down.
    Made(Option<String>),
    /// Toss has not finished.
    UnderWay,
    /// Everything is as it was when the intent was taken down: it may be sent.
    Untouched,
    /// It cannot be sent any more.
    Changed(&'static str),
}

pub(super) async fn attempt(backoffice: &Backoffice, refund: &Claimed) -> Result<Outcome, Fault> {
    let first = refund.attempt == 1;
    let before = match read_status(backoffice, refund).await? {
        Ok(remote_status) => remote_status,
        Err(error) if first => return Ok(Verdict::NotSent { why: error.to_string() }.into()),
        Err(error) => return Ok(unanswered(&error).into()),
    };
    match before {
        // Nothing of ours was ever sent: whoever gave it back, it was not this intent.
        RemoteStatus::Made(_) | RemoteStatus::UnderWay if first => Ok(lapsed("LAPSED")),
        RemoteStatus::Made(key) => Ok(Verdict::Succeeded { transaction_key: key }.into()),
        RemoteStatus::UnderWay => Ok(Verdict::unknown("Toss is still refunding").into()),
        // A request of ours may still be on its way to Toss.
        RemoteStatus::Untouched | RemoteStatus::Changed(_) if !first && !refund.no_request_in_flight => {
            Ok(Verdict::unknown("Toss shows no refund yet").into())
        }
        RemoteStatus::Changed(code) => Ok(lapsed(code)),
        RemoteStatus::Untouched => send(backoffice, refund).await,
    }
}

async fn send(backoffice: &Backoffice, refund: &Claimed) -> Result<Outcome, Fault> {
    let first = refund.attempt == 1;
    let order = orders::get(backoffice, &refund.order_id).await?;
    let order = order.ok_or_else(|| Fault::Inconsistent(format!("order {} is gone", refund.order_id)))?;
    let reason = RefundReason::parse(&refund.reason)
        .map_err(|e| Fault::Inconsistent(format!("refund {}: {e}", refund.id)))?;
    let token = PayToken(refund.payment_key.clone());
    if !execute::note_sending(backoffice, refund).await? {
        return Ok(Verdict::unknown("somebody else is at it").into());
    }
    let sent = backoffice.apps_in_toss()?.refund_payment(order.user()?, &token, &reason).await;
    if let Err(error) = &sent {
        tracing::warn!(%error, refund = %refund.id, "refund");
        match error {
            // Only the first attempt proves that nothing was ever sent.
            TossError::NotDone(NotDone::NotReached(_) | NotDone::Tls(_)) if first => {
                return Ok(Verdict::NotSent { why: error.to_string() }.into());
            }
            TossError::NotDone(NotDone::Refused(refusal)) if first && refusal.code == "4095" => {
                return Ok(Verdict::NotSent { why: refusal.to_string() }.into());
            }
            TossError::NotDone(NotDone::Refused(refusal)) if first => {
                let (code, message) = (refusal.code.clone(), refusal.reason.clone());
                let verdict = Verdict::Failed { code, message, trace_id: None };
                return Ok(Outcome { verdict, answer: None, stale: true });
            }
            TossError::MaybeDone(_) => return Ok(unanswered(error).into()),
            // A refusal of a later attempt: what was sent before may have been the one that counted.
            TossError::NotDone(_) => {}
        }
    }
    match read_status(backoffice, refund).await? {
        Ok(RemoteStatus::Made(key)) => Ok(Verdict::Succeeded { transaction_key: key }.into()),
        Ok(RemoteStatus::UnderWay) => Ok(Verdict::unknown("Toss is still refunding").into()),
        Ok(RemoteStatus::Untouched | RemoteStatus::Changed(_)) => match sent {
            Err(TossError::NotDone(NotDone::Refused(refusal))) if refund.no_request_in_flight => {
                let (code, message) = (refusal.code, refusal.reason);
                Ok(Verdict::Failed { code, message, trace_id: None }.into())
            }
            Err(error) => Ok(unanswered(&error).into()),
            Ok(_) => Ok(Verdict::unknown("Toss says it was refunded and does not show it yet").into()),
        },
        Err(error) => Ok(unanswered(&error).into()),
    }
}

/// Reads how the payment stands, which is also written into the books.
async fn read_status(
    backoffice: &Backoffice,
    refund: &Claimed,
) -> Result<Result<RemoteStatus, TossError>, Fault> {
    let looked =
        payments::look_up_on_rail(backoffice, &JOB, &refund.order_id, Some(&refund.payment_key)).await;
    let held = match looked {
        Ok((held, _)) => held,
        Err(Fault::AppsInToss(error)) => return Ok(Err(error)),
        Err(fault) => return Err(fault),
    };
    let ProviderPayment::TossPay(payment) = &held else {
        return Err(Fault::Inconsistent(format!("refund {} is not of Toss Pay", refund.id)));
    };
    let unattributed =
        decide::unattributed_cancellations(backoffice, refund.id, held.cancellations()).await?;
    let all_back =
        matches!(payment.pay_status, PayStatus::RefundSuccess | PayStatus::SettlementRefundComplete);
    // Only the whole of it goes back here: where Toss says that it did, the last movement is it, whatever figures
    // points and discounts have made of its amount.
    let last = unattributed.into_iter().rfind(|back| all_back || back.amount == refund.amount);
    Ok(Ok(match last {
        Some(back) if back.state == CancelState::Done => RemoteStatus::Made(back.transaction_key),
        None if all_back => RemoteStatus::Made(None),
        _ => remote_status(payment, refund.refundable_amount),
    }))
}

fn remote_status(payment: &Payment, refundable: Decimal) -> RemoteStatus {
    match payment.pay_status {
        PayStatus::RefundProgress => RemoteStatus::UnderWay,
        PayStatus::Complete if Decimal::from(payment.left()) == refundable => RemoteStatus::Untouched,
        PayStatus::SettlementComplete | PayStatus::SettlementRefundComplete => {
            RemoteStatus::Changed("SETTLED")
        }
        _ => RemoteStatus::Changed("LAPSED"),
    }
}

fn lapsed(code: &str) -> Outcome {
    let message = "the payment is no longer what it was when the refund was asked for".to_owned();
    let verdict = Verdict::Failed { code: code.to_owned(), message, trace_id: None };
    Outcome { verdict, answer: None, stale: true }
}

fn unanswered(error: &TossError) -> Verdict {
    match error.refusal() {
        Some(refusal) => Verdict::Unknown {
            code: Some(refusal.code.clone()),
            why: refusal.reason.clone(),
            needs_person: None,
        },
        None => Verdict::unknown(&error.to_string()),
    }
}
