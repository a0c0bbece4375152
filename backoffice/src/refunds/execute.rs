//! Carrying an intent out. Whoever holds the lease calls Toss; the fence keeps a holder who came too late from
//! writing over the next one. How a rail is asked stands in [`super::at_toss_payments`] and [`super::at_toss_pay`].

use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::json;
use sqlx::{Acquire, PgConnection};
use time::OffsetDateTime;
use toss::{apps_in_toss::UserKey, payments::RefundAccount};
use uuid::Uuid;

use super::{
    Arrival, Stage, State, TASK_AFTER, TaxSplit, account, at_toss_pay, at_toss_payments, follow,
    job::ExecuteRefund,
};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    kernel::seal,
    messages, money, orders,
    payments::job::LookUp,
    payments::{self, FetchSeq, FetchedPayment},
    queue,
    rail::Rail,
    refunds,
};

/// The job that finishes what a request could not.
pub(super) const JOB: Actor = Actor::Job("refund");

pub(super) struct Claimed {
    pub id: Uuid,
    pub order_id: String,
    pub rail: Rail,
    pub payment_key: String,
    pub amount: Decimal,
    pub currency: String,
    pub refundable_amount: Decimal,
    pub tax: Option<TaxSplit>,
    pub reason: String,
    pub account: Option<RefundAccount>,
    pub idempotency_key: String,
    pub method: Option<String>,
    /// The key cannot have been used before.
    pub sendable_since: OffsetDateTime,
    /// 1 for the first call.
    pub attempt: i32,
    fence: i64,
    for_return: bool,
    arrival: Arrival,
    /// Nothing that was sent before is still on its way: a lease has passed since the last attempt began.
    pub no_request_in_flight: bool,
    /// It was written down as unknown before.
    known_as_unknown: bool,
}

/// What an attempt led to, with the answer that still has to be written down.
pub(super) struct Outcome {
    pub verdict: Verdict,
    pub answer: Option<(FetchSeq, Box<FetchedPayment>)>,
    /// Our copy of the payment is old.
    pub stale: bool,
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
    pub fn unknown(why: &str) -> Self {
        Self::Unknown { code: None, why: why.to_owned(), needs_person: None }
    }

    pub fn aborted() -> Self {
        Self::Failed {
            code: "ABORTED".into(),
            message: "the provider did not carry the cancel out".into(),
            trace_id: None,
        }
    }
}

/// Tries an open intent once. Does nothing when it is settled or somebody else is at it. Also what the job does;
/// true when there is nothing left to do.
pub async fn execute(backoffice: &Backoffice, id: Uuid) -> Result<bool, Fault> {
    let Some(claimed) = claim(backoffice, id, true).await? else {
        return Ok(refunds::get(backoffice, id).await?.is_none_or(|refund| !refund.state.is_under_way()));
    };
    let outcome = match claimed.rail {
        Rail::TossPayments => at_toss_payments::attempt(backoffice, &claimed).await?,
        Rail::TossPay => at_toss_pay::attempt(backoffice, &claimed).await?,
        Rail::Iap => return Err(Fault::Inconsistent(format!("refund {id} is of an in-app purchase"))),
    };
    let attempt = claimed.attempt;
    let (order_id, payment_key) = (claimed.order_id.clone(), claimed.payment_key.clone());
    let (settled, ask_again) = settle(backoffice, &JOB, claimed, outcome).await?;
    if ask_again {
        match payments::look_up_on_rail(backoffice, &JOB, &order_id, Some(&payment_key)).await {
            Ok(_) => {
                let mut connection = backoffice.pool.acquire().await?;
                queue::forget(&mut connection, &LookUp::until_answered(&order_id, &payment_key)).await?;
            }
            Err(fault) => tracing::warn!(%fault, refund = %id, "no look-up after a refund: a job asks"),
        }
    }
    if !settled {
        tracing::warn!(refund = %id, attempt, "a refund is not settled yet");
    }
    Ok(settled)
}

/// Takes the lease; `to_send` says that a request leaves under it. On Toss Pay that is only known after a look, see
/// [`note_sending`].
pub(super) async fn claim(
    backoffice: &Backoffice,
    id: Uuid,
    to_send: bool,
) -> Result<Option<Claimed>, Fault> {
    let now = backoffice.clock.now();
    // The lease is kept in the database's time: it must not move when a sandbox clock is turned. An attempt that
    // left no word behind (its process died) has made the outcome unknown.
    let mut tx = backoffice.pool.begin().await?;
    let row = sqlx::query!(
        r#"with rail as (select p.rail from refunds r join payments p on p.payment_key = r.payment_key where r.id = $1)
           update refunds set state = case when attempts > 0 then 'unknown' else 'sending' end,
                attempts = attempts + 1, fence = fence + 1,
                last_attempt_at = case when $3 and rail <> 'toss_pay' then now() else last_attempt_at end,
                lease_until = now() + make_interval(secs => $2)
         from rail
         where id = $1 and state in ('requested', 'approved', 'sending', 'unknown')
           and (lease_until is null or lease_until < now())
         returning id, order_id, payment_key, amount, currency, refundable_amount, reason, refund_account,
                   tax_free_amount, tax_exemption_amount,
                   idempotency_key, coalesce(approved_at, requested_at) as "sendable_since!", attempts, fence,
                   unknown_since,
                   for_return, arrival as "arrival!: Arrival",
                   (select coalesce(before.last_attempt_at < now() - make_interval(secs => $2), true)
                    from refunds before where before.id = refunds.id) as "no_request_in_flight!",
                   (select method from payments p where p.payment_key = refunds.payment_key) as method,
                   rail as "rail!: Rail""#,
        id,
        backoffice.refund_lease.as_secs_f64(),
        to_send,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    // Should this process die, the next attempt begins when its lease ends; every verdict plans anew. A person who
    // decides sends nothing, and leaves the plan as it is.
    if to_send {
        queue::plan(&mut tx, &ExecuteRefund { id }, backoffice.refund_lease).await?;
    }
    tx.commit().await?;
    let sealed = row.refund_account.as_deref();
    let account =
        sealed.map(|sealed| account::open(&backoffice.keys, seal::REFUND_ACCOUNT, sealed)).transpose()?;
    tracing::info!(refund = %id, attempt = row.attempts, age = %(now - row.sendable_since), "refund");
    Ok(Some(Claimed {
        id: row.id,
        order_id: row.order_id,
        rail: row.rail,
        payment_key: row.payment_key,
        amount: row.amount,
        currency: row.currency,
        refundable_amount: row.refundable_amount,
        tax: row
            .tax_free_amount
            .map(|free| TaxSplit { free, exempt: row.tax_exemption_amount.unwrap_or_default() }),
        reason: row.reason,
        account,
        idempotency_key: row.idempotency_key,
        method: row.method,
        sendable_since: row.sendable_since,
        attempt: row.attempts,
        fence: row.fence,
        for_return: row.for_return,
        arrival: row.arrival,
        no_request_in_flight: row.no_request_in_flight,
        known_as_unknown: row.unknown_since.is_some(),
    }))
}

/// A request leaves now. False when the lease has gone to somebody else meanwhile: then nothing may be sent.
pub(super) async fn note_sending(backoffice: &Backoffice, refund: &Claimed) -> Result<bool, Fault> {
    let noted = sqlx::query!(
        "update refunds set last_attempt_at = now() where id = $1 and fence = $2 and lease_until > now()",
        refund.id,
        refund.fence,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// To the user of a mini-app, where a template is set to follow refunds.
async fn plan_message(backoffice: &Backoffice, tx: &mut PgConnection, refund: &Claimed) -> Result<(), Fault> {
    let order = sqlx::query!("select user_key, order_name from orders where order_id = $1", refund.order_id)
        .fetch_one(&mut *tx)
        .await?;
    let Some(user) = order.user_key.as_deref().and_then(UserKey::parse) else { return Ok(()) };
    let words = [
        ("orderId", refund.order_id.clone()),
        ("orderName", order.order_name),
        ("amount", money::group(refund.amount, &refund.currency)),
    ];
    messages::plan_follow_up(backoffice, tx, "refund", refund.id, user, &words).await
}

/// Gives the lease back with everything as it was: who held it found out nothing.
pub(super) async fn release(backoffice: &Backoffice, refund: &Claimed) -> Result<(), Fault> {
    sqlx::query!(
        "update refunds set lease_until = null where id = $1 and fence = $2",
        refund.id,
        refund.fence,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

/// Writes the outcome down, with its audit row, unless a later holder of the lease was faster. Says whether
/// nothing is left to do, and whether Toss has to be asked once more.
pub(super) async fn settle(
    backoffice: &Backoffice,
    actor: &Actor,
    refund: Claimed,
    outcome: Outcome,
) -> Result<(bool, bool), Fault> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    orders::hold(&mut tx, &refund.order_id).await?;
    let mut ask_again = outcome.stale;
    if let Some((seq, fetched)) = &outcome.answer {
        // What became of the intent is written down even if the payment cannot be.
        let mut inner = tx.begin().await?;
        match payments::apply(&mut inner, now, &JOB, &backoffice.keys, *seq, fetched).await {
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
        let mut connection = backoffice.pool.acquire().await?;
        let look_up = LookUp::until_answered(&refund.order_id, &refund.payment_key);
        queue::plan(&mut connection, &look_up, look_up.delay()).await?;
        let over =
            refunds::get(backoffice, refund.id).await?.is_none_or(|refund| !refund.state.is_under_way());
        return Ok((over, true));
    }
    if settled {
        queue::forget(&mut tx, &ExecuteRefund { id: refund.id }).await?;
    } else {
        let overdue = now - refund.sendable_since >= TASK_AFTER;
        let wait = back_off(refund.fence, overdue, needs_person.is_some());
        queue::plan(&mut tx, &ExecuteRefund { id: refund.id }, wait).await?;
    }
    if state == State::Succeeded {
        // What a bank has is not with the buyer yet.
        let to_account = refund.account.is_some();
        let stage = follow::begin(&mut tx, now, refund.id, refund.arrival, to_account).await?;
        if stage != Some(Stage::AtTheBank) {
            follow::stop_clock(&mut tx, now, actor, &refund.order_id, refund.for_return).await?;
        }
        plan_message(backoffice, &mut tx, &refund).await?;
    }
    // An attempt that found out nothing new is not worth a row of its own.
    let news = match state {
        State::Unknown => !refund.known_as_unknown,
        State::Requested => refund.fence == 1,
        _ => true,
    };
    if news {
        let detail = json!({ "amount": refund.amount, "currency": refund.currency,
                             "transactionKey": transaction_key, "code": code, "message": message, "traceId": trace_id });
        super::note(&mut tx, now, actor, &refund.order_id, refund.id, action, detail).await?;
    }
    if ask_again {
        // Planned with the verdict: our copy is old until Toss has answered.
        let look_up = LookUp::until_answered(&refund.order_id, &refund.payment_key);
        queue::plan(&mut tx, &look_up, look_up.delay()).await?;
    }
    tx.commit().await?;
    if settled {
        metrics::counter!("jangbu_refunds_settled_total", "state" => state.as_str()).increment(1);
    }
    Ok((settled, ask_again))
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
