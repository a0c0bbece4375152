//! One attempt at Toss Payments: a cancel under the intent's own key, and after an answer that was lost a look before the
//! same request goes out again.

use toss::payments::{
    CancelRequest, CancelStatus, Error as TossError, Method, Payment, PaymentKey, RetryClass,
};

use super::{
    KEY_LIFE, decide,
    execute::{Claimed, JOB, Outcome, Verdict},
};
use crate::{
    Backoffice, Fault,
    payments::{self, CancelState, Cancellation, FetchedPayment, ProviderPayment},
};

/// What a look-up says when Toss knows of no cancel that could be ours.
const NOT_SENT: &str = "NOT_SENT";

fn unanswered(error: &TossError) -> Verdict {
    match error {
        TossError::Refused(refusal) => Verdict::Unknown {
            code: Some(refusal.code.clone()),
            why: refusal.message.clone(),
            needs_person: None,
        },
        other => Verdict::unknown(&other.to_string()),
    }
}

pub(super) async fn attempt(backoffice: &Backoffice, refund: &Claimed) -> Result<Outcome, Fault> {
    if refund.attempt == 1 { send(backoffice, refund).await } else { find_out(backoffice, refund).await }
}

async fn send(backoffice: &Backoffice, refund: &Claimed) -> Result<Outcome, Fault> {
    let whole = refund.amount == refund.refundable_amount;
    let request = CancelRequest {
        cancel_reason: refund.reason.clone(),
        cancel_amount: (!whole).then_some(refund.amount),
        refund_receive_account: refund.account.clone(),
        tax_free_amount: refund.tax.map(|tax| tax.free),
        tax_exemption_amount: refund.tax.map(|tax| tax.exempt).filter(|exempt| !exempt.is_zero()),
        currency: (refund.currency != "KRW").then(|| refund.currency.clone()),
        refundable_amount: Some(refund.refundable_amount),
        // Only methods that cancel later take one (toss-api.md A5.1).
        cancel_request_id: (refund.method.as_deref() == Some(Method::ForeignEasyPay.as_str()))
            .then(|| refund.id.to_string()),
    };
    let payment_key = PaymentKey(refund.payment_key.clone());
    let seq = payments::next_fetch_seq(&backoffice.pool).await?;
    let error = match backoffice.toss.cancel(&payment_key, &request, &refund.idempotency_key).await {
        Ok(answer) if answer.value.payment_key != payment_key => {
            return Ok(Verdict::unknown("Toss answered about another payment").into());
        }
        Ok(answer) => {
            let verdict = judge_answer(backoffice, refund, &answer.value).await?;
            let fetched = FetchedPayment::by_toss_payments(answer)?;
            return Ok(Outcome { verdict, answer: Some((seq, Box::new(fetched))), stale: false });
        }
        Err(error) => error,
    };
    tracing::warn!(%error, refund = %refund.id, "refund");
    if error.is_unknown() {
        return Ok(unanswered(&error).into());
    }
    let refusal = match error {
        TossError::Refused(refusal) => refusal,
        // Only the first attempt proves that nothing was ever sent.
        other if refund.attempt == 1 => return Ok(Verdict::NotSent { why: other.to_string() }.into()),
        other => return Ok(unanswered(&other).into()),
    };
    let class = refusal.retry_class();
    if refund.attempt == 1 {
        // Nothing of ours is at Toss: the first call was refused.
        if refusal.status == 429 {
            return Ok(Verdict::NotSent { why: refusal.to_string() }.into());
        }
        let stale = matches!(class, RetryClass::LookUp | RetryClass::Refresh);
        let (code, message, trace_id) = (refusal.code, refusal.message, refusal.trace_id);
        return Ok(Outcome { verdict: Verdict::Failed { code, message, trace_id }, answer: None, stale });
    }
    // "Later" says nothing about an attempt before this one that may still be on its way.
    let later = matches!(class, RetryClass::SameKey | RetryClass::NewKey);
    if refusal.status == 429 || later && !refund.no_request_in_flight {
        return Ok(unanswered(&TossError::Refused(refusal)).into());
    }
    judge_by_look_up(backoffice, refund, Some(refusal)).await
}

/// Toss carried it out, now or under the same key before: the newest cancel of that answer is ours.
async fn judge_answer(
    backoffice: &Backoffice,
    refund: &Claimed,
    payment: &Payment,
) -> Result<Verdict, Fault> {
    let newest = payment.cancels().iter().find(|c| {
        c.transaction_key.is_some()
            && c.transaction_key == payment.last_transaction_key
            && c.cancel_amount == refund.amount
    });
    let Some(cancel) = newest else {
        let cancellations = ProviderPayment::TossPayments(Box::new(payment.clone())).cancellations();
        return Ok(match match_cancellation(backoffice, refund, cancellations).await? {
            CancellationMatch::One(key) => Verdict::Succeeded { transaction_key: Some(key) },
            CancellationMatch::UnderWay => Verdict::unknown("Toss is still cancelling"),
            CancellationMatch::None | CancellationMatch::Several | CancellationMatch::Aborted => {
                Verdict::Succeeded { transaction_key: None }
            }
        });
    };
    match cancel.cancel_status {
        Some(CancelStatus::InProgress) => return Ok(Verdict::unknown("Toss is still cancelling")),
        Some(CancelStatus::Aborted) => return Ok(Verdict::aborted()),
        _ => {}
    }
    Ok(Verdict::Succeeded { transaction_key: cancel.transaction_key.as_ref().map(|k| k.as_str().to_owned()) })
}

/// After an attempt whose outcome we do not hold: ask first, then send again under the same key.
async fn find_out(backoffice: &Backoffice, refund: &Claimed) -> Result<Outcome, Fault> {
    let outcome = judge_by_look_up(backoffice, refund, None).await?;
    let remembered = backoffice.clock.now() - refund.sendable_since < KEY_LIFE;
    match &outcome.verdict {
        // Nothing of ours is there: the same request again, as long as Toss remembers its key.
        Verdict::Failed { code, .. } if code == NOT_SENT && remembered => send(backoffice, refund).await,
        // Not to be seen is no proof that it never was.
        Verdict::Failed { code, message, .. } if code == NOT_SENT => {
            Ok(Verdict::Unknown { code: None, why: message.clone(), needs_person: Some("key_expired") }
                .into())
        }
        _ => Ok(outcome),
    }
}

/// Compares Toss's list of cancels with the intent.
async fn judge_by_look_up(
    backoffice: &Backoffice,
    refund: &Claimed,
    refusal: Option<toss::payments::Refusal>,
) -> Result<Outcome, Fault> {
    let (payment, _) =
        match payments::look_up(backoffice, &JOB, &PaymentKey(refund.payment_key.clone())).await {
            Ok(found) => found,
            Err(Fault::Toss(error)) => return Ok(unanswered(&error).into()),
            Err(fault) => return Err(fault),
        };
    let cancellations = ProviderPayment::TossPayments(Box::new(payment)).cancellations();
    let verdict = match match_cancellation(backoffice, refund, cancellations).await? {
        CancellationMatch::One(key) => Verdict::Succeeded { transaction_key: Some(key) },
        CancellationMatch::UnderWay => Verdict::unknown("Toss is still cancelling"),
        CancellationMatch::Aborted => Verdict::aborted(),
        CancellationMatch::Several => Verdict::Unknown {
            code: None,
            why: "several cancels at Toss could be this one".into(),
            needs_person: Some("several"),
        },
        CancellationMatch::None => {
            let (code, message, trace_id) = refusal.map_or_else(
                || (NOT_SENT.to_owned(), "Toss knows of no such cancel".to_owned(), None),
                |r| (r.code, r.message, r.trace_id),
            );
            Verdict::Failed { code, message, trace_id }
        }
    };
    Ok(verdict.into())
}

/// The cancels that can be ours: not there before, not booked to another intent, same amount, reason and part without VAT,
/// the balance after it as expected.
async fn match_cancellation(
    backoffice: &Backoffice,
    refund: &Claimed,
    cancellations: Vec<Cancellation>,
) -> Result<CancellationMatch, Fault> {
    let left = refund.refundable_amount - refund.amount;
    let mut fitting = decide::unattributed_cancellations(backoffice, refund.id, cancellations).await?;
    fitting.retain(|c| {
        c.amount == refund.amount
            && c.reason.as_deref() == Some(refund.reason.as_str())
            && c.left.is_none_or(|after| after == left)
            && refund.tax.zip(c.tax_free).is_none_or(|(asked, told)| asked.free == told)
            && c.request_id.as_deref().is_none_or(|id| id == refund.id.to_string())
    });
    let has = |state: CancelState| fitting.iter().any(|c| c.state == state);
    if has(CancelState::Aborted) {
        return Ok(CancellationMatch::Aborted);
    }
    if has(CancelState::UnderWay) {
        return Ok(CancellationMatch::UnderWay);
    }
    let mut keys = fitting.into_iter().filter_map(|c| c.transaction_key);
    Ok(match (keys.next(), keys.next()) {
        (None, _) => CancellationMatch::None,
        (Some(key), None) => CancellationMatch::One(key),
        (Some(_), Some(_)) => CancellationMatch::Several,
    })
}

/// Which of Toss's cancels is ours.
enum CancellationMatch {
    None,
    One(String),
    /// It is there, and Toss has not finished it.
    UnderWay,
    /// It was there, and came to nothing.
    Aborted,
    Several,
}
