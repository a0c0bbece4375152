//! What goes on with grants when nobody waits: one is paid or found out, a file is run, what was forgotten is found.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{batch, execute};
use crate::{
    Backoffice, Fault,
    queue::{self, Attempt, Job},
};

/// Pays a grant, or finds out what became of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct ExecuteGrant {
    pub id: Uuid,
}

impl Job for ExecuteGrant {
    const NAME: &'static str = "settle_grant";
    const ATTEMPTS: i32 = 100;

    fn key(&self) -> String {
        format!("grant:{}", self.id)
    }

    /// Two at once at most, so that refunds find a worker whatever becomes of a file of grants.
    fn queue(&self) -> Option<&'static str> {
        Some(if self.id.as_bytes()[15].is_multiple_of(2) { "grants-0" } else { "grants-1" })
    }

    async fn run(self, backoffice: &Backoffice, attempt: Attempt) -> Result<(), Fault> {
        if execute(backoffice, self.id).await? || queue::is_planned_again(backoffice, &self, attempt).await? {
            return Ok(());
        }
        Err(Fault::Inconsistent("the grant is held by somebody else".into()))
    }
}

/// Runs a stretch of a file.
#[derive(Serialize, Deserialize)]
pub(crate) struct RunGrantBatch {
    pub id: Uuid,
}

impl Job for RunGrantBatch {
    const NAME: &'static str = "run_grant_batch";
    const ATTEMPTS: i32 = 100;

    fn key(&self) -> String {
        format!("grants:{}", self.id)
    }

    fn queue(&self) -> Option<&'static str> {
        Some("grant-batches")
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        if batch::run(backoffice, self.id).await? {
            queue::plan_now(backoffice, &self, Duration::ZERO).await?;
        }
        Ok(())
    }
}

pub(crate) async fn requeue_orphaned(backoffice: &Backoffice) -> Result<(), Fault> {
    queue::requeue(
        &backoffice.pool,
        "select id, array['grant:' || id] as keys from grants
         where state in ('requested', 'sending', 'pending', 'unknown')
           and (lease_until is null or lease_until < now() - interval '10 minutes')",
        |id| ExecuteGrant { id },
    )
    .await?;
    queue::requeue(
        &backoffice.pool,
        "select id, array['grants:' || id] as keys from grant_batches where state = 'running'",
        |id| RunGrantBatch { id },
    )
    .await
}
