//! Grants for a whole file of users: previewed line by line, then run by a job that can be stopped, dies safely and can
//! be run again. Every line has its grant's id from the preview on, so that no line is ever paid twice.

mod list;
mod preview;
mod run;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Refused, State as GrantState, grant, job::RunGrantBatch};
pub use list::{get, lines, list, progress};
pub use preview::preview;
pub(crate) use run::run;

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    files::batch::State,
    queue, staff,
};
use list::lock_batch_for_update;

/// Why a line is not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineRefused {
    Grant(Refused),
    /// A cell that a spreadsheet would calculate.
    Formula,
    /// The user stands in this line already.
    Twice {
        line: i32,
    },
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Batch {
    pub id: Uuid,
    pub promotion_code: String,
    pub file_name: String,
    pub event: String,
    pub created_by: Option<Uuid>,
    pub created_by_name: String,
    pub created_at: OffsetDateTime,
    pub state: State,
    pub needs_second: bool,
    pub approved_by_name: Option<String>,
    pub lines: i32,
    /// Lines that could be granted when the file was previewed, and their points.
    pub ready: i32,
    pub ready_amount: i64,
}

/// One line with what has become of it.
#[derive(Debug, Clone)]
pub struct Line {
    pub line: i32,
    pub user_key: String,
    pub amount: Option<i64>,
    pub why: Option<LineRefused>,
    pub grant: Option<GrantState>,
    pub code: Option<String>,
    pub error: Option<String>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub lines: i64,
    pub ready: i64,
    pub refused: i64,
    pub succeeded: i64,
    pub failed: i64,
    pub open: i64,
    /// Points that were paid out.
    pub amount: i64,
}

pub type BatchError = crate::files::batch::BatchError<Refused>;

/// Starts a previewed file, or goes on with a stopped one. Above the campaign's limit it waits for a second person.
pub async fn start(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<State, BatchError> {
    let mut tx = backoffice.pool.begin().await?;
    let batch = lock_batch_for_update(&mut tx, id).await?;
    if !matches!(batch.state, State::Previewed | State::Stopped) {
        return Err(BatchError::State(batch.state));
    }
    if batch.created_by.is_some() && batch.created_by != actor.staff_id() {
        return Err(BatchError::NotYours);
    }
    let approved = batch.approved_by_name.is_some();
    let above = !approved && grant::above_the_day(backoffice, &mut tx, actor, batch.ready_amount).await?;
    if above && !batch.needs_second {
        sqlx::query!("update grant_batches set needs_second = true where id = $1", id)
            .execute(&mut *tx)
            .await?;
    }
    let waits = (batch.needs_second || above) && !approved;
    let to = if waits { State::WaitingForApproval } else { State::Running };
    turn(backoffice, &mut tx, actor, &batch, to, "grant_batch.started").await?;
    tx.commit().await?;
    Ok(to)
}

/// Stops after the lines that are being granted.
pub async fn stop(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<(), BatchError> {
    turn_from(backoffice, actor, id, State::Running, State::Stopped, "grant_batch.stopped").await
}

pub async fn decline(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<(), BatchError> {
    turn_from(backoffice, actor, id, State::WaitingForApproval, State::Declined, "grant_batch.declined").await
}

/// A second person approves the whole file, and it runs.
pub async fn approve(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<(), BatchError> {
    let mut tx = backoffice.pool.begin().await?;
    let batch = lock_batch_for_update(&mut tx, id).await?;
    if batch.state != State::WaitingForApproval {
        return Err(BatchError::State(batch.state));
    }
    let approver = staff::second_person(backoffice, &mut tx, actor, batch.created_by).await??;
    sqlx::query!(
        "update grant_batches set approved_by = $2, approved_by_name = $3 where id = $1",
        id,
        approver,
        actor.name()
    )
    .execute(&mut *tx)
    .await?;
    turn(backoffice, &mut tx, actor, &batch, State::Running, "grant_batch.approved").await?;
    tx.commit().await?;
    Ok(())
}

async fn turn_from(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    from: State,
    to: State,
    action: &'static str,
) -> Result<(), BatchError> {
    let mut tx = backoffice.pool.begin().await?;
    let batch = lock_batch_for_update(&mut tx, id).await?;
    if batch.state != from {
        return Err(BatchError::State(batch.state));
    }
    turn(backoffice, &mut tx, actor, &batch, to, action).await?;
    tx.commit().await?;
    Ok(())
}

/// Files of somebody who leaves: one that runs stops, and no other begins, since their grants would be theirs. How many.
pub(crate) async fn end_of(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    staff: Uuid,
) -> Result<usize, Fault> {
    let open = sqlx::query_scalar!(
        "select id from grant_batches
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
            State::Running => (State::Stopped, "grant_batch.stopped"),
            State::Previewed | State::WaitingForApproval => (State::Declined, "grant_batch.declined"),
            State::Declined | State::Stopped | State::Finished => continue,
        };
        turn(backoffice, tx, actor, &batch, to, action).await?;
        ended += 1;
    }
    Ok(ended)
}

async fn turn(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    batch: &Batch,
    to: State,
    action: &'static str,
) -> Result<(), Fault> {
    sqlx::query!("update grant_batches set state = $2 where id = $1", batch.id, to.as_str())
        .execute(&mut *tx)
        .await?;
    if to == State::Running {
        queue::plan(&mut *tx, &RunGrantBatch { id: batch.id }, Duration::ZERO).await?;
    }
    let detail = json!({ "file": batch.file_name, "ready": batch.ready, "amount": batch.ready_amount });
    note(tx, backoffice.clock.now(), actor, batch.id, action, detail).await
}

async fn note(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    id: Uuid,
    action: &'static str,
    detail: Value,
) -> Result<(), Fault> {
    let subject = id.to_string();
    audit::record(tx, now, actor, Act { action, subject_kind: "grant_batch", subject: &subject, detail })
        .await
}
