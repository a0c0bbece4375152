//! Carrying an intent out. Whoever holds the lease calls Toss; the fence keeps a holder who came too late from
//! writing over the next one.

use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::json;
use sqlx::Acquire;
use time::OffsetDateTime;
use toss::payments::{
    Answer, Cancel, CancelRequest, CancelStatus, Error as TossError, Method, Payment, PaymentKey,
    RefundAccount, RetryClass,
};
use uuid::Uuid;

use super::{KEY_LIFE, State, TASK_AFTER};
use crate::{Backoffice, Fault, audit::Actor, jobs, payments, payments::Asked, returns};

/// The job that finishes what a request could not.
const JOB: Actor = Actor::Job("refund");

pub(super) struct Claimed {
    id: Uuid,
    order_id: String,
    pub payment_key: PaymentKey,
    amount: Decimal,
    currency: String,
    refundable_amount: Decimal,
    reason: String,
    account: Option<RefundAccount>,
    idempotency_key: String,
    method: Option<String>,
    /// The key cannot have been used before.
    sendable_since: OffsetDateTime,
    /// 1 for the first call.
    attempt: i32,
    fence: i64,
    for_return: bool,
    /// Nothing that was sent before is still on its way: a lease has passed since the last attempt began.
    pub quiet: bool,
    /// It was written down as unknown before.
    known_as_unknown: bool,
}

/// What a look-up says when Toss knows of no cancel that could be ours.
const NOT_SENT: &str = "NOT_SENT";

/// What an attempt led to, with the answer that still has to be written down.
pub(super) struct Outcome {
    verdict: Verdict,
    answer: Option<(Asked, Box<Answer<Payment>>)>,
    /// Our copy of the payment is old.
    stale: bool,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, answer: None, stale: false }
    }
}

pub(super) enum Verdict {
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
        /// Toss's own, where it said something.
        code: Option<String>,
        why: String,
        /// No machine can tell.
        needs_person: Option<&'static str>,
    },
    /// Toss never carried the request out, and another attempt may.
    NotSent {
        why: String,
    },
}

impl Verdict {
    fn unknown(why: &str) -> Self {
        Self::Unknown { code: None, why: why.to_owned(), needs_person: None }
    }

    fn unanswered(error: &TossError) -> Self {
        match error {
            TossError::Refused(refusal) => Self::Unknown {
                code: Some(refusal.code.clone()),
                why: refusal.message.clone(),
                needs_person: None,
            },
            other => Self::unknown(&other.to_string()),
        }
    }

    fn aborted() -> Self {
        Self::Failed {
            code: "ABORTED".into(),
            message: "the provider did not carry the cancel out".into(),
            trace_id: None,
        }
    }
}

impl Backoffice {
    /// Tries an open intent once. Does nothing when it is settled or somebody else is at it. Also what the job does;
    /// true when there is nothing left to do.
    pub async fn drive_refund(&self, id: Uuid) -> Result<bool, Fault> {
        let Some(claimed) = self.claim(id, true).await? else {
            return Ok(self.refund_by_id(id).await?.is_none_or(|refund| !refund.state.is_under_way()));
        };
        let outcome =
            if claimed.attempt == 1 { self.send(&claimed).await? } else { self.find_out(&claimed).await? };
        let (attempt, payment_key) = (claimed.attempt, claimed.payment_key.clone());
        let (settled, ask_again) = self.settle(&JOB, claimed, outcome).await?;
        if ask_again && let Err(fault) = self.look_up(&JOB, &payment_key).await {
            tracing::warn!(%fault, refund = %id, "no look-up after a refund");
        }
        if !settled {
            tracing::warn!(refund = %id, attempt, "a refund is not settled yet");
        }
        Ok(settled)
    }

    /// Takes the lease; `to_send` says that a request may leave under it.
    pub(super) async fn claim(&self, id: Uuid, to_send: bool) -> Result<Option<Claimed>, Fault> {
        let now = self.clock.now();
        // The lease is kept in the database's time: it must not move when a sandbox clock is turned. An attempt that
        // left no word behind (its process died) has made the outcome unknown.
        let row = sqlx::query!(
            r#"update refunds set state = case when attempts > 0 then 'unknown' else 'sending' end,
                    attempts = attempts + 1, fence = fence + 1,
                    last_attempt_at = case when $3 then now() else last_attempt_at end,
                    lease_until = now() + make_interval(secs => $2)
             where id = $1 and state in ('requested', 'approved', 'sending', 'unknown')
               and (lease_until is null or lease_until < now())
             returning id, order_id, payment_key, amount, currency, refundable_amount, reason, refund_account,
                       idempotency_key, coalesce(approved_at, requested_at) as "sendable_since!", attempts, fence,
                       unknown_since,
                       for_return,
                       (select coalesce(before.last_attempt_at < now() - make_interval(secs => $2), true)
                        from refunds before where before.id = refunds.id) as "quiet!",
                       (select method from payments p where p.payment_key = refunds.payment_key) as method"#,
            id,
            self.refund_lease.as_secs_f64(),
            to_send,
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let account = row
            .refund_account
            .map(serde_json::from_value)
            .transpose()
            .map_err(|e| Fault::Inconsistent(format!("refund {id}: {e}")))?;
        tracing::info!(refund = %id, attempt = row.attempts, age = %(now - row.sendable_since), "refund");
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
            sendable_since: row.sendable_since,
            attempt: row.attempts,
            fence: row.fence,
            for_return: row.for_return,
            quiet: row.quiet,
            known_as_unknown: row.unknown_since.is_some(),
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
                let verdict = self.judge_answer(refund, &answer.value).await?;
                return Ok(Outcome { verdict, answer: Some((asked, Box::new(answer))), stale: false });
            }
            Err(error) => error,
        };
        tracing::warn!(%error, refund = %refund.id, "refund");
        if error.is_unknown() {
            return Ok(Verdict::unanswered(&error).into());
        }
        let refusal = match error {
            TossError::Refused(refusal) => refusal,
            // Only the first attempt proves that nothing was ever sent.
            other if refund.attempt == 1 => return Ok(Verdict::NotSent { why: other.to_string() }.into()),
            other => return Ok(Verdict::unanswered(&other).into()),
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
        if refusal.status == 429 || later && !refund.quiet {
            return Ok(Verdict::unanswered(&TossError::Refused(refusal)).into());
        }
        self.judge_by_look_up(refund, Some(refusal)).await
    }

    /// Toss carried it out, now or under the same key before: the newest cancel of that answer is ours.
    async fn judge_answer(&self, refund: &Claimed, payment: &Payment) -> Result<Verdict, Fault> {
        let newest = payment.cancels().iter().find(|c| {
            c.transaction_key.is_some()
                && c.transaction_key == payment.last_transaction_key
                && c.cancel_amount == refund.amount
        });
        let Some(cancel) = newest else {
            return Ok(match self.ours(refund, payment.cancels()).await? {
                Ours::One(key) => Verdict::Succeeded { transaction_key: Some(key) },
                Ours::UnderWay => Verdict::unknown("Toss is still cancelling"),
                Ours::None | Ours::Several | Ours::Aborted => Verdict::Succeeded { transaction_key: None },
            });
        };
        match cancel.cancel_status {
            Some(CancelStatus::InProgress) => return Ok(Verdict::unknown("Toss is still cancelling")),
            Some(CancelStatus::Aborted) => return Ok(Verdict::aborted()),
            _ => {}
        }
        Ok(Verdict::Succeeded {
            transaction_key: cancel.transaction_key.as_ref().map(|k| k.as_str().to_owned()),
        })
    }

    /// After an attempt whose outcome we do not hold: ask first, then send again under the same key.
    async fn find_out(&self, refund: &Claimed) -> Result<Outcome, Fault> {
        let outcome = self.judge_by_look_up(refund, None).await?;
        let remembered = self.clock.now() - refund.sendable_since < KEY_LIFE;
        match &outcome.verdict {
            // Nothing of ours is there: the same request again, as long as Toss remembers its key.
            Verdict::Failed { code, .. } if code == NOT_SENT && remembered => self.send(refund).await,
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
        &self,
        refund: &Claimed,
        refusal: Option<toss::payments::Refusal>,
    ) -> Result<Outcome, Fault> {
        let (payment, _) = match self.look_up(&JOB, &refund.payment_key).await {
            Ok(found) => found,
            Err(Fault::Toss(error)) => return Ok(Verdict::unanswered(&error).into()),
            Err(fault) => return Err(fault),
        };
        let verdict = match self.ours(refund, payment.cancels()).await? {
            Ours::One(key) => Verdict::Succeeded { transaction_key: Some(key) },
            Ours::UnderWay => Verdict::unknown("Toss is still cancelling"),
            Ours::Aborted => Verdict::aborted(),
            Ours::Several => Verdict::Unknown {
                code: None,
                why: "several cancels at Toss could be this one".into(),
                needs_person: Some("several"),
            },
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

    /// The cancels that can be ours: not there before, not booked to another intent, same amount and reason, the
    /// balance after it as expected.
    async fn ours(&self, refund: &Claimed, cancels: &[Cancel]) -> Result<Ours, Fault> {
        let left = refund.refundable_amount - refund.amount;
        let mut fitting = self.newcomers(refund.id, cancels).await?;
        fitting.retain(|c| {
            c.cancel_amount == refund.amount
                && c.cancel_reason.as_deref() == Some(refund.reason.as_str())
                && c.refundable_amount.is_none_or(|after| after == left)
                && c.cancel_request_id.as_deref().is_none_or(|id| id == refund.id.to_string())
        });
        let has = |status: CancelStatus| fitting.iter().any(|c| c.cancel_status == Some(status.clone()));
        if has(CancelStatus::Aborted) {
            return Ok(Ours::Aborted);
        }
        if has(CancelStatus::InProgress) {
            return Ok(Ours::UnderWay);
        }
        let mut keys = fitting.into_iter().filter_map(|c| c.transaction_key).map(|key| key.0);
        Ok(match (keys.next(), keys.next()) {
            (None, _) => Ours::None,
            (Some(key), None) => Ours::One(key),
            (Some(_), Some(_)) => Ours::Several,
        })
    }

    /// Gives the lease back with everything as it was: who held it found out nothing.
    pub(super) async fn release(&self, refund: &Claimed) -> Result<(), Fault> {
        sqlx::query!(
            "update refunds set lease_until = null where id = $1 and fence = $2",
            refund.id,
            refund.fence,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Writes the outcome down, with its audit row, unless a later holder of the lease was faster. Says whether
    /// nothing is left to do, and whether Toss has to be asked once more.
    pub(super) async fn settle(
        &self,
        actor: &Actor,
        refund: Claimed,
        outcome: Outcome,
    ) -> Result<(bool, bool), Fault> {
        let now = self.clock.now();
        let mut tx = self.pool.begin().await?;
        // Rows are locked in one order everywhere: order, payment, refund.
        sqlx::query!("select 1 as one from orders where order_id = $1 for update", refund.order_id)
            .fetch_one(&mut *tx)
            .await?;
        let mut ask_again = outcome.stale;
        if let Some((asked, answer)) = &outcome.answer {
            // What became of the intent is written down even if the payment cannot be.
            let mut inner = tx.begin().await?;
            match payments::apply(&mut inner, now, &JOB, *asked, answer).await {
                Ok(applied) => {
                    inner.commit().await?;
                    // An answer to a repeated request may be a replay, and as old as the first one.
                    ask_again |= applied.superseded || refund.attempt > 1;
                }
                Err(fault) => {
                    tracing::error!(%fault, refund = %refund.id, "the answer to a refund could not be kept");
                    inner.rollback().await?;
                    ask_again = true;
                }
            }
        }
        let mut needs_person = None;
        let (state, action, transaction_key, code, message, trace_id) = match outcome.verdict {
            Verdict::Succeeded { transaction_key } => {
                (State::Succeeded, "refund.succeeded", transaction_key, None, None, None)
            }
            Verdict::Failed { code, message, trace_id } => {
                (State::Failed, "refund.failed", None, Some(code), Some(message), trace_id)
            }
            Verdict::Unknown { code, why, needs_person: person } => {
                needs_person = person;
                (State::Unknown, "refund.unknown", None, code, Some(why), None)
            }
            Verdict::NotSent { why } => (State::Requested, "refund.not_sent", None, None, Some(why), None),
        };
        let settled = state.is_settled();
        let by = actor.staff_id().map(|_| actor.name());
        let written = sqlx::query!(
            "update refunds set state = case when $3 = 'requested' and approved_by is not null then 'approved' else $3 end,
                    transaction_key = $4, error_code = $5, error_message = $6, trace_id = $7,
                    settled_at = $8, settled_by_name = $9, lease_until = null, needs_person = $10,
                    refund_account = case when $8::timestamptz is null then refund_account end,
                    attempts = case when $3 = 'requested' then attempts - 1 else attempts end,
                    unknown_since = case when $3 = 'unknown' then coalesce(unknown_since, $11) else unknown_since end
             where id = $1 and fence = $2",
            refund.id,
            refund.fence,
            state.as_str(),
            transaction_key,
            code,
            message,
            trace_id,
            settled.then_some(now),
            by.filter(|_| settled),
            needs_person,
            now,
        )
        .execute(&mut *tx)
        .await?;
        if written.rows_affected() == 0 {
            tracing::warn!(refund = %refund.id, "somebody else settled this refund meanwhile");
            tx.rollback().await?;
            let over = self.refund_by_id(refund.id).await?.is_none_or(|refund| !refund.state.is_under_way());
            return Ok((over, true));
        }
        if !settled {
            let overdue = now - refund.sendable_since >= TASK_AFTER;
            let wait = back_off(refund.fence, overdue, needs_person.is_some());
            jobs::enqueue_refund(&mut tx, refund.id, wait).await?;
        }
        if state == State::Succeeded {
            returns::close_refunded(&mut tx, now, actor, &refund.order_id, refund.for_return).await?;
        }
        // An attempt that found out nothing new is not worth a row of its own.
        let news = match state {
            State::Unknown => !refund.known_as_unknown,
            State::Requested => refund.fence == 1,
            _ => true,
        };
        if news {
            let detail = json!({ "refund": refund.id, "amount": refund.amount, "currency": refund.currency,
                                 "transactionKey": transaction_key, "code": code, "message": message, "traceId": trace_id });
            self.note(&mut tx, actor, &refund.order_id, action, detail).await?;
        }
        tx.commit().await?;
        if settled {
            metrics::counter!("jangbu_refunds_settled_total", "state" => state.as_str()).increment(1);
        }
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

/// 2, 4, 8 … seconds, then every five minutes. Once it is somebody's task the attempts leave that person time: the
/// verdict "not made" needs a lease without one.
fn back_off(tries: i64, overdue: bool, needs_person: bool) -> Duration {
    match (needs_person, overdue) {
        (true, _) => Duration::from_secs(3600),
        (false, true) => Duration::from_secs(900),
        (false, false) => {
            let exponent = u32::try_from(tries.clamp(1, 9)).unwrap_or(1);
            Duration::from_secs(2u64.pow(exponent).min(300))
        }
    }
}
