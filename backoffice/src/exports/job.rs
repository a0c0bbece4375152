//! What goes on with files when nobody waits.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{fail, run};
use crate::{
    Backoffice, Fault,
    queue::{self, Attempt, Job},
};

/// Writes a file that somebody asked for.
#[derive(Serialize, Deserialize)]
pub(crate) struct RunExport {
    pub id: Uuid,
}

impl Job for RunExport {
    const NAME: &'static str = "run_export";
    const ATTEMPTS: i32 = 3;

    fn key(&self) -> String {
        format!("export:{}", self.id)
    }

    /// Files take turns: they must not keep the workers from a refund.
    fn queue(&self) -> Option<&'static str> {
        Some("exports")
    }

    async fn run(self, backoffice: &Backoffice, attempt: Attempt) -> Result<(), Fault> {
        let outcome = run(backoffice, self.id).await;
        if outcome.is_err() && attempt.is_last {
            fail(backoffice, self.id).await?;
        }
        outcome
    }
}

pub(crate) async fn requeue_orphaned(backoffice: &Backoffice) -> Result<(), Fault> {
    queue::requeue(
        &backoffice.pool,
        "select id, array['export:' || id] as keys from exports where state in ('waiting', 'running')",
        |id| RunExport { id },
    )
    .await
}
