//! Running a file: line after line, until it is done, stopped, or its process dies; then another one goes on.

use futures::{StreamExt, TryStreamExt, stream};
use toss::payments::RefundAccount;
use uuid::Uuid;

use super::{Batch, LineRefused, State};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    refunds::{Form, RefundError, take_down::Approval},
    staff::Role,
};

/// Lines between two looks at whether somebody has stopped it.
const CHUNK: i64 = 20;
/// Lines at once. Toss takes 100 calls a minute in its test environment: more would only be refused.
const AT_ONCE: usize = 3;
/// How long to hold back once Toss says that it is too much.
const TOO_MUCH: std::time::Duration = std::time::Duration::from_secs(5);

struct Ready {
    line: i32,
    order_id: String,
    amount_text: String,
    account: Option<serde_json::Value>,
    refund_id: Uuid,
}

impl Backoffice {
    /// What the job does. Every line that was taken down stays so: running it again goes on behind it.
    pub(crate) async fn run_batch(&self, id: Uuid) -> Result<(), Fault> {
        loop {
            let Some(batch) = self.batch(id).await? else { return Ok(()) };
            if batch.state != State::Running {
                return Ok(());
            }
            let Some(actor) = self.author(&batch).await? else {
                tracing::warn!(batch = %id, "whoever made this file may not refund any more");
                sqlx::query!(
                    "update refund_batches set state = 'stopped' where id = $1 and state = 'running'",
                    id
                )
                .execute(&self.pool)
                .await?;
                return Ok(());
            };
            let approval = self.batch_approval(id).await?;
            let lines = sqlx::query_as!(
                Ready,
                "select line, order_id, amount_text, account, refund_id from refund_batch_lines
                 where batch_id = $1 and state = 'ready' order by line limit $2",
                id,
                CHUNK,
            )
            .fetch_all(&self.pool)
            .await?;
            if lines.is_empty() {
                sqlx::query!(
                    "update refund_batches set state = 'finished', finished_at = $2 where id = $1 and state = 'running'",
                    id,
                    self.clock.now(),
                )
                .execute(&self.pool)
                .await?;
                return Ok(());
            }
            let sent: Vec<bool> = stream::iter(lines)
                .map(|line| self.run_line(&batch, &actor, approval.as_ref(), line))
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?;
            if sent.contains(&false) {
                tokio::time::sleep(TOO_MUCH).await;
            }
        }
    }

    /// The person whose refunds these are, as they stand today.
    async fn author(&self, batch: &Batch) -> Result<Option<Actor>, Fault> {
        let Some(staff) = batch.created_by else { return Ok(Some(Actor::CommandLine)) };
        let row = sqlx::query!("select name, role, disabled_at from staff where id = $1", staff)
            .fetch_one(&self.pool)
            .await?;
        let role = Role::parse(&row.role)
            .filter(|role| row.disabled_at.is_none() && role.may(crate::staff::Permission::Refund));
        Ok(role.map(|role| Actor::Staff { id: staff, name: row.name, role, ip: None }))
    }

    async fn batch_approval(&self, id: Uuid) -> Result<Option<Approval>, Fault> {
        let row = sqlx::query!(
            "select approval_because, approved_by, approved_by_name from refund_batches where id = $1",
            id
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(match (row.approval_because, row.approved_by, row.approved_by_name) {
            (Some(because), Some(by), Some(by_name)) => Some(Approval { because, by, by_name }),
            _ => None,
        })
    }

    /// Whether Toss took it: `false` asks for a pause.
    async fn run_line(
        &self,
        batch: &Batch,
        actor: &Actor,
        approval: Option<&Approval>,
        line: Ready,
    ) -> Result<bool, Fault> {
        let account: Option<RefundAccount> = line.account.and_then(|a| serde_json::from_value(a).ok());
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
        };
        match self.intend(actor, &form, approval).await {
            Ok(id) => {
                self.mark_line(batch.id, line.line, "taken", None).await?;
                match self.drive_apart(id).await {
                    Ok(refund) => Ok(refund.state != crate::refunds::State::Requested),
                    Err(RefundError::Fault(fault)) => Err(fault),
                    Err(RefundError::Refused(_)) => Ok(true),
                }
            }
            Err(RefundError::Refused(refused)) => {
                self.mark_line(batch.id, line.line, "refused", Some(LineRefused::Refund(refused))).await?;
                Ok(true)
            }
            Err(RefundError::Fault(fault)) => Err(fault),
        }
    }

    async fn mark_line(
        &self,
        batch: Uuid,
        line: i32,
        state: &str,
        why: Option<LineRefused>,
    ) -> Result<(), Fault> {
        sqlx::query!(
            "update refund_batch_lines set state = $3, why = $4 where batch_id = $1 and line = $2",
            batch,
            line,
            state,
            why.and_then(|why| serde_json::to_value(why).ok()),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
