//! Many refunds at once: a file is previewed line by line, then run by a job that can be stopped, dies safely and
//! can be run again. Every line has its intent's id from the preview on, so no line is ever paid twice.

pub mod file;
mod list;
mod preview;
mod run;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{AccountCheck, ApprovalReason, Refused, job::RunRefundBatch, limits};
pub use crate::files::batch::State;
pub use list::{get, lines, list, progress};
pub use preview::preview;
pub(crate) use run::run;

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    queue, staff,
};
use list::lock_batch_for_update;

const JOB: Actor = Actor::Job("batch");

/// Why a line is not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineRefused {
    /// The refund itself is not possible.
    Refund(Refused),
    /// A cell that a spreadsheet would calculate.
    Formula,
    /// More cells than columns: an amount like 12,000 without its quotes.
    Cells,
    /// The order stands in this line already.
    Twice { line: i32 },
    /// An earlier file has refunded this order by this amount, or is about to.
    Earlier { file: String },
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Batch {
    pub id: Uuid,
    pub file_name: String,
    pub reason_code: String,
    pub reason: String,
    pub created_by: Option<Uuid>,
    pub created_by_name: String,
    pub created_at: OffsetDateTime,
    pub state: State,
    pub approval_reason: Option<ApprovalReason>,
    pub approved_by_name: Option<String>,
    pub lines: i32,
    /// Lines that could be refunded when the file was previewed, and their sum.
    pub ready: i32,
    pub ready_amount: Decimal,
    /// The same file came before, at this time.
    pub seen_before: Option<OffsetDateTime>,
}

/// One line with what has become of it.
#[derive(Debug, Clone)]
pub struct Line {
    pub line: i32,
    pub order_id: String,
    pub amount_text: String,
    pub amount: Option<Decimal>,
    pub currency: Option<String>,
    pub why: Option<LineRefused>,
    /// Bank and last digits of where the money goes, and whose account that is.
    pub account_masked: Option<String>,
    pub account_check: Option<AccountCheck>,
    /// The state of its intent, once there is one.
    pub refund: Option<super::State>,
    /// What Toss said of it.
    pub code: Option<String>,
    pub error: Option<String>,
}

/// How far it is. The sum of the parts is `lines`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub lines: i64,
    pub ready: i64,
    /// What is still to go back, in won.
    pub ready_amount: Decimal,
    /// Lines still to go that are not in won.
    pub foreign: i64,
    pub refused: i64,
    pub succeeded: i64,
    pub failed: i64,
    /// Taken down and not settled: under way, unknown, or waiting for a second person.
    pub open: i64,
    pub amount: Decimal,
}

pub type BatchError = crate::files::batch::BatchError<Refused>;

/// Starts a previewed file, or goes on with a stopped one. Above a limit it waits for a second person instead.
pub async fn start(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<State, BatchError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let held = crate::limits::of(&mut tx, actor).await?;
    let batch = lock_batch_for_update(&mut tx, id).await?;
    if !matches!(batch.state, State::Previewed | State::Stopped) {
        return Err(BatchError::State(batch.state));
    }
    // The refunds are booked to whoever made the file: nobody else sets them off.
    if batch.created_by.is_some() && batch.created_by != actor.staff_id() {
        return Err(BatchError::NotYours);
    }
    let because = if batch.approved_by_name.is_some() {
        None
    } else {
        let largest = sqlx::query!(
            r#"select coalesce(max(l.amount) filter (where o.currency = 'KRW'), 0) as "amount!", coalesce(sum(l.amount) filter (where o.currency = 'KRW'), 0) as "sum!",
                      bool_or(o.currency <> 'KRW') as foreign,
                      coalesce(bool_or(l.account_check not in ('own', 'same_holder')), false) as "elsewhere!"
               from refund_batch_lines l join orders o on o.order_id = l.order_id
               where l.batch_id = $1 and l.state = 'ready'"#,
            id
        )
        .fetch_one(&mut *tx)
        .await?;
        let elsewhere = largest.elsewhere.then_some(ApprovalReason::Account);
        let currency = if largest.foreign == Some(true) { "" } else { "KRW" };
        let one = limits::exceeded(&mut tx, held.as_ref(), largest.amount, currency, now).await?;
        match elsewhere.or(one) {
            Some(because) => Some(because),
            None => limits::exceeded_by_sum(&mut tx, held.as_ref(), largest.sum, now).await?,
        }
    };
    let state = if because.is_some() { State::WaitingForApproval } else { State::Running };
    sqlx::query!(
        "update refund_batches set state = $2, approval_reason = coalesce($3, approval_reason) where id = $1",
        id,
        state.as_str(),
        because.map(ApprovalReason::as_str)
    )
    .execute(&mut *tx)
    .await?;
    if state == State::Running {
        queue::plan(&mut tx, &RunRefundBatch { id }, Duration::ZERO).await?;
    }
    let detail = json!({ "file": batch.file_name, "ready": batch.ready, "amount": batch.ready_amount,
                         "approvalReason": because.map(ApprovalReason::as_str) });
    note(&mut tx, now, actor, id, "refund_batch.started", detail).await?;
    tx.commit().await?;
    Ok(state)
}

/// Previews that nobody started within a week are over, and the accounts in them forgotten.
pub(crate) async fn expire_old(backoffice: &Backoffice) -> Result<(), Fault> {
    let old = sqlx::query_scalar!(
        "select id from refund_batches where state = 'previewed' and created_at < $1 limit 10",
        backoffice.clock.now() - time::Duration::days(7)
    )
    .fetch_all(&backoffice.pool)
    .await?;
    for id in old {
        let (from, to) = (State::Previewed, State::Declined);
        match turn(backoffice, &JOB, id, from, to, "refund_batch.expired", None).await {
            Ok(()) | Err(BatchError::State(_) | BatchError::NotFound) => {}
            Err(BatchError::Fault(fault)) => return Err(fault),
            Err(other) => return Err(Fault::Inconsistent(other.to_string())),
        }
    }
    Ok(())
}

/// Stops after the lines that are being refunded.
pub async fn stop(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<(), BatchError> {
    turn(backoffice, actor, id, State::Running, State::Stopped, "refund_batch.stopped", None).await
}

pub async fn decline(backoffice: &Backoffice, actor: &Actor, id: Uuid, note: &str) -> Result<(), BatchError> {
    let note = super::note_of(note).map_err(BatchError::Refused)?;
    let (from, to) = (State::WaitingForApproval, State::Declined);
    turn(backoffice, actor, id, from, to, "refund_batch.declined", Some(&note)).await
}

/// A second person approves the whole file, and it runs.
pub async fn approve(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<(), BatchError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let batch = lock_batch_for_update(&mut tx, id).await?;
    if batch.state != State::WaitingForApproval {
        return Err(BatchError::State(batch.state));
    }
    let approver = staff::second_person(backoffice, &mut tx, actor, batch.created_by).await??;
    sqlx::query!(
        "update refund_batches set state = 'running', approved_by = $2, approved_by_name = $3, approved_at = $4
         where id = $1",
        id,
        approver,
        actor.name(),
        now
    )
    .execute(&mut *tx)
    .await?;
    queue::plan(&mut tx, &RunRefundBatch { id }, Duration::ZERO).await?;
    let detail = json!({ "file": batch.file_name, "ready": batch.ready, "amount": batch.ready_amount });
    note(&mut tx, now, actor, id, "refund_batch.approved", detail).await?;
    tx.commit().await?;
    Ok(())
}

async fn turn(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    from: State,
    to: State,
    action: &'static str,
    why: Option<&str>,
) -> Result<(), BatchError> {
    let mut tx = backoffice.pool.begin().await?;
    let batch = lock_batch_for_update(&mut tx, id).await?;
    if batch.state != from {
        return Err(BatchError::State(batch.state));
    }
    turn_in(backoffice, &mut tx, actor, &batch, to, action, why).await?;
    tx.commit().await?;
    Ok(())
}

/// Files of somebody who leaves: one that runs stops, and no other begins, since their refunds would be theirs. How many.
pub(crate) async fn end_of(
    backoffice: &Backoffice,
    tx: &mut sqlx::PgConnection,
    actor: &Actor,
    staff: Uuid,
) -> Result<usize, Fault> {
    let open = sqlx::query_scalar!(
        "select id from refund_batches
         where created_by = $1 and state in ('previewed', 'waiting_for_approval', 'running') order by id",
        staff
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut ended = 0;
    for id in open {
        let batch = match lock_batch_for_update(&mut *tx, id).await {
            Ok(batch) => batch,
            Err(BatchError::Fault(fault)) => return Err(fault),
            Err(other) => return Err(Fault::Inconsistent(other.to_string())),
        };
        let (to, action) = match batch.state {
            State::Running => (State::Stopped, "refund_batch.stopped"),
            State::Previewed | State::WaitingForApproval => (State::Declined, "refund_batch.declined"),
            State::Declined | State::Stopped | State::Finished => continue,
        };
        turn_in(backoffice, tx, actor, &batch, to, action, None).await?;
        ended += 1;
    }
    Ok(ended)
}

async fn turn_in(
    backoffice: &Backoffice,
    tx: &mut sqlx::PgConnection,
    actor: &Actor,
    batch: &Batch,
    to: State,
    action: &'static str,
    why: Option<&str>,
) -> Result<(), Fault> {
    let (id, now) = (batch.id, backoffice.clock.now());
    sqlx::query!(
        "update refund_batches
         set state = $2, finished_at = case when $2 = 'finished' then $3::timestamptz end where id = $1",
        id,
        to.as_str(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    if to == State::Declined {
        sqlx::query!("update refund_batch_lines set account = null where batch_id = $1", id)
            .execute(&mut *tx)
            .await?;
    }
    let detail = json!({ "file": batch.file_name, "note": why });
    note(tx, now, actor, id, action, detail).await
}

async fn note(
    tx: &mut sqlx::PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    id: Uuid,
    action: &'static str,
    detail: Value,
) -> Result<(), Fault> {
    let subject = id.to_string();
    audit::record(tx, now, actor, Act { action, subject_kind: "refund_batch", subject: &subject, detail })
        .await
}
