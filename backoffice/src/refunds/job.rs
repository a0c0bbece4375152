//! What goes on with refunds when nobody waits: one intent is carried out, a file is run, what was forgotten is found.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{batch, execute, follow};
use crate::{
    Backoffice, Fault,
    queue::{self, Attempt, Job},
};

/// Carries an intent out, or finds out what became of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct ExecuteRefund {
    pub id: Uuid,
}

impl Job for ExecuteRefund {
    const NAME: &'static str = "settle_refund";
    const ATTEMPTS: i32 = 100;

    fn key(&self) -> String {
        format!("refund:{}", self.id)
    }

    async fn run(self, backoffice: &Backoffice, attempt: Attempt) -> Result<(), Fault> {
        // Still open means either that a new job was planned with the verdict, or that somebody holds the lease: then this
        // job itself has to come back.
        if execute(backoffice, self.id).await? || queue::is_planned_again(backoffice, &self, attempt).await? {
            return Ok(());
        }
        Err(Fault::Inconsistent("the refund is held by somebody else".into()))
    }
}

/// Runs a stretch of a file.
#[derive(Serialize, Deserialize)]
pub(crate) struct RunRefundBatch {
    pub id: Uuid,
}

impl Job for RunRefundBatch {
    const NAME: &'static str = "run_refund_batch";
    const ATTEMPTS: i32 = 100;

    fn key(&self) -> String {
        format!("batch:{}", self.id)
    }

    /// Files take turns: a day's files must not keep the workers from a single refund.
    fn queue(&self) -> Option<&'static str> {
        Some("refund-batches")
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        if batch::run(backoffice, self.id).await? {
            queue::plan_now(backoffice, &self, Duration::ZERO).await?;
        }
        Ok(())
    }
}

/// Asks how money does that a bank has.
#[derive(Serialize, Deserialize)]
pub(crate) struct FollowRefunds {}

impl Job for FollowRefunds {
    const NAME: &'static str = "follow_refunds";

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        follow::follow_due(backoffice).await
    }
}

pub(crate) async fn requeue_orphaned(backoffice: &Backoffice) -> Result<(), Fault> {
    queue::requeue(
        &backoffice.pool,
        "select id, array['refund:' || id] as keys from refunds
         where state in ('requested', 'approved', 'sending', 'unknown')
           and (lease_until is null or lease_until < now() - interval '10 minutes')",
        |id| ExecuteRefund { id },
    )
    .await?;
    queue::requeue(
        &backoffice.pool,
        "select id, array['batch:' || id] as keys from refund_batches where state = 'running'",
        |id| RunRefundBatch { id },
    )
    .await
}
