//! Running a file, line by line.

use futures::{StreamExt, stream};
use uuid::Uuid;

use super::{Batch, BatchError, LineRefused, State};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    kernel::permission::Permission,
    promotions::{self, Form, GrantError, grant},
    staff::sessions,
};

const JOB: Actor = Actor::Job("grant_batch");
/// Lines of one job, and lines at once.
const CHUNK: i64 = 100;
const AT_ONCE: usize = 4;

/// What one job does; true when more is to do.
pub(crate) async fn run(backoffice: &Backoffice, id: Uuid) -> Result<bool, Fault> {
    let Some(batch) =
        promotions::batch::get(backoffice, id).await?.filter(|batch| batch.state == State::Running)
    else {
        return Ok(false);
    };
    let lines = sqlx::query!(
        r#"select line, user_key, amount as "amount!", grant_id from grant_batch_lines
           where batch_id = $1 and state = 'ready' order by line limit $2"#,
        id,
        CHUNK,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    if lines.is_empty() {
        return end(backoffice, id, State::Finished, "grant_batch.finished").await.map(|()| false);
    }
    let ran: Vec<Result<bool, Fault>> = stream::iter(lines)
        .map(|row| {
            let form = Form {
                intent: row.grant_id.to_string(),
                promotion_code: batch.promotion_code.clone(),
                user_key: row.user_key,
                event: batch.event.clone(),
                amount: row.amount.to_string(),
                is_test: false,
            };
            run_line(backoffice, &batch, row.line, form)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    // One that goes wrong does not cut the others off in the middle of a request.
    let ran = ran.into_iter().collect::<Result<Vec<bool>, Fault>>()?;
    Ok(ran.into_iter().all(|went_on| went_on))
}

async fn end(backoffice: &Backoffice, id: Uuid, to: State, action: &'static str) -> Result<(), Fault> {
    match super::turn_from(backoffice, &JOB, id, State::Running, to, action).await {
        // Somebody was faster.
        Ok(()) | Err(BatchError::State(_)) => Ok(()),
        Err(BatchError::Fault(fault)) => Err(fault),
        Err(other) => Err(Fault::Inconsistent(other.to_string())),
    }
}

/// The grant and that its line is taken are one transaction. False when the file was stopped.
async fn run_line(backoffice: &Backoffice, batch: &Batch, line: i32, form: Form) -> Result<bool, Fault> {
    let Some(actor) = author(backoffice, batch).await? else { return Ok(false) };
    let mut tx = backoffice.pool.begin().await?;
    let origin = grant::Origin { batch: Some(batch.id), approved: batch.approved_by_name.is_some() };
    let taken = grant::insert_intent(backoffice, &mut tx, &actor, &form, origin).await;
    let (state, why, id) = match taken {
        Ok(id) => ("taken", None, Some(id)),
        Err(GrantError::Refused(refused)) => ("refused", Some(LineRefused::Grant(refused)), None),
        Err(GrantError::Fault(fault)) => return Err(fault),
    };
    sqlx::query!(
        "update grant_batch_lines set state = $3, why = $4 where batch_id = $1 and line = $2 and state = 'ready'",
        batch.id,
        line,
        state,
        why.and_then(|why| serde_json::to_value(why).ok()),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    if let Some(id) = id {
        promotions::execute(backoffice, id).await?;
    }
    Ok(true)
}

/// The person whose grants these are, as they stand today, while the file runs.
async fn author(backoffice: &Backoffice, batch: &Batch) -> Result<Option<Actor>, Fault> {
    let row = sqlx::query!("select state, created_by from grant_batches where id = $1", batch.id)
        .fetch_one(&backoffice.pool)
        .await?;
    if row.state != State::Running.as_str() {
        return Ok(None);
    }
    let Some(id) = row.created_by else { return Ok(Some(Actor::CommandLine)) };
    let person = sessions::staff(backoffice, id).await?.filter(|person| person.may(Permission::Grant));
    if person.is_none() {
        tracing::warn!(batch = %batch.id, "whoever made this file may not grant any more");
        end(backoffice, batch.id, State::Stopped, "grant_batch.stopped").await?;
    }
    Ok(person.map(|person| person.away()))
}
