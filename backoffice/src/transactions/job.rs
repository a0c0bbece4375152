//! What goes on with Toss's lists when nobody waits.

use serde::{Deserialize, Serialize};

use super::sync::sync_due;
use crate::{
    Backoffice, Fault,
    queue::{Attempt, Job},
    webhooks,
};

/// Reads Toss's list on, and looks for events that never came.
#[derive(Serialize, Deserialize)]
pub(crate) struct SyncTransactions {}

impl Job for SyncTransactions {
    const NAME: &'static str = "find_missing_events";

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        webhooks::tell_silence(backoffice).await?;
        // What is left over is due again in ten minutes.
        sync_due(backoffice).await.map(|_| ())
    }
}
