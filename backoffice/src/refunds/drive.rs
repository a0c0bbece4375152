//! Carrying an intent out. Whoever holds the lease calls Toss; the fence keeps a holder who came too late from
//! writing over the next one.

use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::json;
use time::OffsetDateTime;
use toss::payments::{
    Answer, Cancel, CancelRequest, CancelStatus, Error as TossError, Method, Payment, PaymentKey,
    RefundAccount, RetryClass,
};
use uuid::Uuid;

use super::{KEY_LIFE, State};
use crate::{Backoffice, Fault, audit::Actor, jobs, payments, payments::Asked};

/// One attempt is at most a look-up, a cancel and a look-up, of a minute each: a lease never ends while its holder
/// is still waiting.
const LEASE: time::Duration = time::Duration::seconds(190);

/// The job that finishes what a request could not.
const JOB: Actor = Actor::Job("refund");

struct Claimed {
    id: Uuid,
    order_id: String,
    payment_key: PaymentKey,
    amount: Decimal,
    currency: String,
    refundable_amount: Decimal,
    reason: String,
    account: Option<RefundAccount>,
    idempotency_key: String,
    method: Option<String>,
    requested_at: OffsetDateTime,
    /// 1 for the first call.
    attempt: i32,
    fence: i64,
}

/// What a look-up says when Toss knows of no cancel that could be ours.
const NOT_SENT: &str = "NOT_SENT";

/// What an attempt led to, with the answer that still has to be written down.
struct Outcome {
    verdict: Verdict,
    answer: Option<(Asked, Box<Answer<Payment>>)>,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, answer: None }
    }
}

enum Verdict {
    Succeeded {
        transaction_key: Option<String>,
    },
    Failed {
        code: String,
        message: String,
        trace_id: Option<String>,
    },
    /// It may have happened.
    Unknown {
        why: String,
    },
    /// Toss never saw the request.
    NotSent {
        why: String,
    },
}

impl Backoffice {
    /// Tries an open intent once. Does nothing when it is settled or somebody else is at it. Also what the job does;
    /// true when there is nothing left to do.
    pub async fn drive_refund(&self, id: Uuid) -> Result<bool, Fault> {
        let Some(claimed) = self.claim(id).await? else {
            return Ok(self.refund_by_id(id).await?.is_none_or(|refund| !refund.state.is_open()));
        };
        let outcome =
            if claimed.attempt == 1 { self.send(&claimed).await? } else { self.find_out(&claimed).await? };
        let (attempt, payment_key) = (claimed.attempt, claimed.payment_key.clone());
        let (settled, ask_again) = self.settle(claimed, outcome).await?;
        if ask_again && let Err(fault) = self.look_up(&JOB, &payment_key).await {
            tracing::warn!(%fault, refund = %id, "no look-up after a refund");
        }
        if !settled {
            tracing::warn!(refund = %id, attempt, "a refund is not settled yet");
        }
        Ok(settled)
    }

    async fn claim(&self, id: Uuid) -> Result<Option<Claimed>, Fault> {
        let now = self.clock.now();
        // The lease is kept in the database's time: it must not move when a sandbox clock is turned.
        let row = sqlx::query!(
            "update refunds set state = 'sending', attempts = attempts + 1, fence = fence + 1,
                    lease_until = now() + make_interval(secs => $2)
             where id = $1 and state in ('requested', 'sending', 'unknown')
               and (lease_until is null or lease_until < now())
             returning id, order_id, payment_key, amount, currency, refundable_amount, reason, refund_account,
                       idempotency_key, requested_at, attempts, fence,
                       (select method from payments p where p.payment_key = refunds.payment_key) as method",
            id,
            LEASE.as_seconds_f64(),
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let account = row
            .refund_account
            .map(serde_json::from_value)
            .transpose()
            .map_err(|e| Fault::Inconsistent(format!("refund {id}: {e}")))?;
        tracing::info!(refund = %id, attempt = row.attempts, age = %(now - row.requested_at), "refund");
        Ok(Some(Claimed {
            id: row.id,
            order_id: row.order_id,
            payment_key: PaymentKey(row.payment_key),
            amount: row.amount,
            currency: row.currency,
            refundable_amount: row.refundable_amount,
            reason: row.reason,
            account,
            idempotency_key: row.idempotency_key,
            method: row.method,
            requested_at: row.requested_at,
            attempt: row.attempts,
            fence: row.fence,
        }))
    }

    async fn send(&self, refund: &Claimed) -> Result<Outcome, Fault> {
        let whole = refund.amount == refund.refundable_amount;
        let request = CancelRequest {
            cancel_reason: refund.reason.clone(),
            cancel_amount: (!whole).then_some(refund.amount),
            refund_receive_account: refund.account.clone(),
            currency: (refund.currency != "KRW").then(|| refund.currency.clone()),
            refundable_amount: Some(refund.refundable_amount),
            // Only methods that cancel later take one (toss-api.md A5.1).
            cancel_request_id: (refund.method.as_deref() == Some(Method::ForeignEasyPay.as_str()))
                .then(|| refund.id.to_string()),
            ..CancelRequest::default()
        };
        let asked = payments::ask(&self.pool).await?;
        let error = match self.toss.cancel(&refund.payment_key, &request, &refund.idempotency_key).await {
            Ok(answer) => {
                let verdict = match self.ours(refund, answer.value.cancels()).await? {
                    Ours::One(key) => Verdict::Succeeded { transaction_key: Some(key) },
                    Ours::UnderWay => Verdict::Unknown { why: "Toss is still cancelling".into() },
                    Ours::None | Ours::Several | Ours::Aborted => {
                        Verdict::Succeeded { transaction_key: None }
                    }
                };
                return Ok(Outcome { verdict, answer: Some((asked, Box::new(answer))) });
            }
            Err(error) => error,
        };
        tracing::warn!(%error, refund = %refund.id, "refund");
        if error.is_unknown() {
            return Ok(Verdict::Unknown { why: error.to_string() }.into());
        }
        let refusal = match error {
            TossError::Refused(refusal) => refusal,
            // Only the first attempt proves that nothing was ever sent.
            other if refund.attempt == 1 => return Ok(Verdict::NotSent { why: other.to_string() }.into()),
            other => return Ok(Verdict::Unknown { why: other.to_string() }.into()),
        };
        match refusal.retry_class() {
            RetryClass::LookUp | RetryClass::Refresh => self.judge_by_look_up(refund, Some(refusal)).await,
            // "Later" says nothing about an attempt before this one that may still be under way.
            RetryClass::SameKey | RetryClass::NewKey if refund.attempt > 1 => {
                Ok(Verdict::Unknown { why: refusal.to_string() }.into())
            }
            _ if refund.attempt > 1 => self.judge_by_look_up(refund, Some(refusal)).await,
            _ => {
                let (code, message, trace_id) = (refusal.code, refusal.message, refusal.trace_id);
                Ok(Verdict::Failed { code, message, trace_id }.into())
            }
        }
    }

    /// After an attempt whose outcome we do not hold: ask first, then send again under the same key.
    async fn find_out(&self, refund: &Claimed) -> Result<Outcome, Fault> {
        let outcome = self.judge_by_look_up(refund, None).await?;
        let remembered = self.clock.now() - refund.requested_at < KEY_LIFE;
        match &outcome.verdict {
            // Nothing of ours is there: the same request again, as long as Toss remembers its key.
            Verdict::Failed { code, .. } if code == NOT_SENT && remembered => self.send(refund).await,
            _ => Ok(outcome),
        }
    }

    /// Compares Toss's list of cancels with the intent.
    async fn judge_by_look_up(
        &self,
        refund: &Claimed,
        refusal: Option<toss::payments::Refusal>,
    ) -> Result<Outcome, Fault> {
        let (payment, _) = match self.look_up(&JOB, &refund.payment_key).await {
            Ok(found) => found,
            Err(Fault::Toss(error)) => return Ok(Verdict::Unknown { why: error.to_string() }.into()),
            Err(fault) => return Err(fault),
        };
        let verdict = match self.ours(refund, payment.cancels()).await? {
            Ours::One(key) => Verdict::Succeeded { transaction_key: Some(key) },
            Ours::UnderWay => Verdict::Unknown { why: "Toss is still cancelling".into() },
            Ours::Aborted => Verdict::Failed {
                code: "ABORTED".into(),
                message: "the provider did not carry the cancel out".into(),
                trace_id: None,
            },
            Ours::Several => Verdict::Unknown { why: "several cancels at Toss could be this one".into() },
            Ours::None => {
                let (code, message, trace_id) = refusal.map_or_else(
                    || (NOT_SENT.to_owned(), "Toss knows of no such cancel".to_owned(), None),
                    |r| (r.code, r.message, r.trace_id),
                );
                Verdict::Failed { code, message, trace_id }
            }
        };
        Ok(verdict.into())
    }

    /// The cancels that can be ours: same amount and reason, the balance after it as expected, and not booked to
    /// another intent.
    async fn ours(&self, refund: &Claimed, cancels: &[Cancel]) -> Result<Ours, Fault> {
        let left = refund.refundable_amount - refund.amount;
        let fits = |c: &&Cancel| {
            c.cancel_amount == refund.amount
                && c.cancel_reason.as_deref() == Some(refund.reason.as_str())
                && c.refundable_amount.is_none_or(|after| after == left)
                && c.cancel_request_id.as_deref().is_none_or(|id| id == refund.id.to_string())
        };
        let aborted = |c: &&Cancel| c.cancel_status == Some(CancelStatus::Aborted);
        if cancels.iter().filter(fits).any(|c| aborted(&c)) {
            return Ok(Ours::Aborted);
        }
        let mut keys: Vec<String> = cancels
            .iter()
            .filter(fits)
            .filter_map(|c| c.transaction_key.as_ref().map(|k| k.0.clone()))
            .collect();
        let taken = sqlx::query_scalar!(
            r#"select transaction_key as "key!" from refunds where transaction_key = any($1) and id <> $2"#,
            &keys,
            refund.id,
        )
        .fetch_all(&self.pool)
        .await?;
        keys.retain(|key| !taken.contains(key));
        let under_way = |key: &String| {
            cancels.iter().any(|c| {
                c.transaction_key.as_ref().is_some_and(|k| k.0 == *key)
                    && c.cancel_status == Some(CancelStatus::InProgress)
            })
        };
        if keys.iter().any(under_way) {
            return Ok(Ours::UnderWay);
        }
        Ok(match (keys.pop(), keys.is_empty()) {
            (None, _) => Ours::None,
            (Some(key), true) => Ours::One(key),
            (Some(_), false) => Ours::Several,
        })
    }

    /// Writes the outcome down, with its audit row, unless a later holder of the lease was faster. Says whether
    /// nothing is left to do, and whether Toss has to be asked once more.
    async fn settle(&self, refund: Claimed, outcome: Outcome) -> Result<(bool, bool), Fault> {
        let now = self.clock.now();
        let mut tx = self.pool.begin().await?;
        sqlx::query!("select id from refunds where id = $1 for update", refund.id)
            .fetch_optional(&mut *tx)
            .await?;
        let mut ask_again = false;
        if let Some((asked, answer)) = &outcome.answer {
            // An answer to a repeated request may be a replay, and as old as the first one.
            let applied = payments::apply(&mut tx, now, &JOB, *asked, answer).await?;
            ask_again = applied.superseded || refund.attempt > 1;
        }
        let (state, action, transaction_key, code, message, trace_id) = match outcome.verdict {
            Verdict::Succeeded { transaction_key } => {
                (State::Succeeded, "refund.succeeded", transaction_key, None, None, None)
            }
            Verdict::Failed { code, message, trace_id } => {
                (State::Failed, "refund.failed", None, Some(code), Some(message), trace_id)
            }
            Verdict::Unknown { why } => (State::Unknown, "refund.unknown", None, None, Some(why), None),
            Verdict::NotSent { why } => (State::Requested, "refund.not_sent", None, None, Some(why), None),
        };
        let settled = !state.is_open();
        let written = sqlx::query!(
            "update refunds set state = $3, transaction_key = $4, error_code = $5, error_message = $6, trace_id = $7,
                    settled_at = $8, lease_until = null,
                    attempts = case when $3 = 'requested' then attempts - 1 else attempts end
             where id = $1 and fence = $2",
            refund.id,
            refund.fence,
            state.as_str(),
            transaction_key,
            code,
            message,
            trace_id,
            settled.then_some(now),
        )
        .execute(&mut *tx)
        .await?;
        if written.rows_affected() == 0 {
            tracing::warn!(refund = %refund.id, "somebody else settled this refund meanwhile");
            tx.rollback().await?;
            let over = self.refund_by_id(refund.id).await?.is_none_or(|refund| !refund.state.is_open());
            return Ok((over, true));
        }
        if !settled {
            jobs::enqueue_refund(&mut tx, refund.id, back_off(refund.fence)).await?;
        }
        // An attempt that found out nothing new is not worth a row of its own.
        if settled || refund.fence == 1 {
            let detail = json!({ "refund": refund.id, "amount": refund.amount, "currency": refund.currency,
                                 "transactionKey": transaction_key, "code": code, "message": message, "traceId": trace_id });
            self.note(&mut tx, &JOB, &refund.order_id, action, detail).await?;
        }
        tx.commit().await?;
        Ok((settled, ask_again))
    }
}

/// Which of Toss's cancels is ours.
enum Ours {
    None,
    One(String),
    /// It is there, and Toss has not finished it.
    UnderWay,
    /// It was there, and came to nothing.
    Aborted,
    Several,
}

/// 2, 4, 8 … seconds, then every five minutes.
fn back_off(tries: i64) -> Duration {
    let exponent = u32::try_from(tries.clamp(1, 8)).unwrap_or(1);
    Duration::from_secs(2u64.pow(exponent).min(300))
}
