//! Running a file: some lines at a time, until it is done, stopped, or its process dies; then another one goes on.

use futures::{StreamExt, stream};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{Batch, BatchError, JOB, LineRefused, State};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    kernel::{permission::Permission, seal},
    refunds::{
        self, AccountCheck, Form, RefundError, account,
        create_intent::{self, Approval, Origin},
    },
    staff::sessions,
};

/// Lines of one job. Other work comes in between.
const CHUNK: i64 = 30;
/// Lines at once. Toss takes 100 calls a minute in its test environment: more would only be refused.
const AT_ONCE: usize = 3;
/// How long to hold back once Toss says that it is too much.
const TOO_MUCH: std::time::Duration = std::time::Duration::from_secs(5);

struct Ready {
    line: i32,
    order_id: String,
    amount_text: String,
    balance: Option<Decimal>,
    account: Option<String>,
    account_check: Option<AccountCheck>,
    refund_id: Uuid,
}

/// What became of a line.
#[derive(PartialEq, Eq)]
enum Ran {
    Done,
    /// Toss has not taken it yet: hold back.
    NotTaken,
    /// Somebody stopped the file.
    Stopped,
}

/// What one job does. Every line that was taken down stays so: running it again goes on behind it. True when more
/// is to do.
pub(crate) async fn run(backoffice: &Backoffice, id: Uuid) -> Result<bool, Fault> {
    let Some(batch) =
        refunds::batch::get(backoffice, id).await?.filter(|batch| batch.state == State::Running)
    else {
        return Ok(false);
    };
    let approval = approval_of(backoffice, id).await?;
    let lines = sqlx::query_as!(
        Ready,
        r#"select line, order_id, amount_text, balance, account, account_check as "account_check: AccountCheck", refund_id from refund_batch_lines
         where batch_id = $1 and state = 'ready' order by line limit $2"#,
        id,
        CHUNK,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    if lines.is_empty() {
        end(backoffice, id, State::Finished, "refund_batch.finished").await?;
        return Ok(false);
    }
    let ran: Vec<Result<Ran, Fault>> = stream::iter(lines)
        .map(|line| run_line(backoffice, &batch, approval.as_ref(), line))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    // One that goes wrong does not cut the others off in the middle of a request.
    let ran = ran.into_iter().collect::<Result<Vec<Ran>, Fault>>()?;
    if ran.contains(&Ran::NotTaken) {
        tokio::time::sleep(TOO_MUCH).await;
    }
    Ok(!ran.contains(&Ran::Stopped))
}

async fn end(backoffice: &Backoffice, id: Uuid, to: State, action: &'static str) -> Result<(), Fault> {
    match super::turn(backoffice, &JOB, id, State::Running, to, action, None).await {
        // Somebody was faster.
        Ok(()) | Err(BatchError::State(_)) => Ok(()),
        Err(BatchError::Fault(fault)) => Err(fault),
        Err(other) => Err(Fault::Inconsistent(other.to_string())),
    }
}

/// The person whose refunds these are, as they stand today, while the file runs.
async fn author(backoffice: &Backoffice, batch: &Batch) -> Result<Option<Actor>, Fault> {
    let row = sqlx::query!("select state, created_by from refund_batches where id = $1", batch.id)
        .fetch_one(&backoffice.pool)
        .await?;
    if row.state != State::Running.as_str() {
        return Ok(None);
    }
    let Some(id) = row.created_by else { return Ok(Some(Actor::CommandLine)) };
    let person = sessions::staff(backoffice, id).await?.filter(|person| person.may(Permission::Refund));
    if person.is_none() {
        tracing::warn!(batch = %batch.id, "whoever made this file may not refund any more");
        end(backoffice, batch.id, State::Stopped, "refund_batch.stopped").await?;
    }
    Ok(person.map(|person| person.away()))
}

async fn approval_of(backoffice: &Backoffice, id: Uuid) -> Result<Option<Approval>, Fault> {
    let row = sqlx::query!(
        "select approval_reason, approved_by, approved_by_name from refund_batches where id = $1",
        id
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(match (row.approval_reason, row.approved_by, row.approved_by_name) {
        (Some(because), Some(by), Some(by_name)) => Some(Approval { because, by, by_name }),
        _ => None,
    })
}

async fn run_line(
    backoffice: &Backoffice,
    batch: &Batch,
    approval: Option<&Approval>,
    line: Ready,
) -> Result<Ran, Fault> {
    let Some(actor) = author(backoffice, batch).await? else { return Ok(Ran::Stopped) };
    let sealed = line.account.as_deref();
    let account =
        sealed.map(|sealed| account::open(&backoffice.keys, seal::LINE_ACCOUNT, sealed)).transpose()?;
    let (bank, account_number, holder_name) =
        account.map(|a| (a.bank, a.account_number, a.holder_name)).unwrap_or_default();
    let form = Form {
        intent: line.refund_id.to_string(),
        order_id: line.order_id,
        amount: line.amount_text,
        reason_code: batch.reason_code.clone(),
        reason: batch.reason.clone(),
        bank,
        account_number,
        holder_name,
        for_return: true,
        tax_free_amount: String::new(),
        whole: false,
    };
    let origin = Origin { balance: line.balance, account_check: line.account_check, approval };
    match create_intent::create_intent_from(backoffice, &actor, &form, &origin).await {
        Ok(id) => {
            mark_line(backoffice, batch.id, line.line, "taken", None).await?;
            match create_intent::execute_detached(backoffice, id).await {
                Ok(refund) => {
                    let waits = matches!(refund.state, refunds::State::Requested | refunds::State::Approved);
                    Ok(if waits { Ran::NotTaken } else { Ran::Done })
                }
                Err(RefundError::Fault(fault)) => Err(fault),
                Err(RefundError::Refused(_)) => Ok(Ran::Done),
            }
        }
        Err(RefundError::Refused(refused)) => {
            mark_line(backoffice, batch.id, line.line, "refused", Some(LineRefused::Refund(refused))).await?;
            Ok(Ran::Done)
        }
        Err(RefundError::Fault(fault)) => Err(fault),
    }
}

async fn mark_line(
    backoffice: &Backoffice,
    batch: Uuid,
    line: i32,
    state: &str,
    why: Option<LineRefused>,
) -> Result<(), Fault> {
    sqlx::query!(
        "update refund_batch_lines set state = $3, why = $4, account = null
         where batch_id = $1 and line = $2 and state = 'ready'",
        batch,
        line,
        state,
        why.map(serde_json::to_value).transpose().map_err(Fault::unreadable("why a line is refused"))?,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}
