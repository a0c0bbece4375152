//! What goes on with receipts when nobody waits.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{execute, follow};
use crate::{
    Backoffice, Fault,
    queue::{self, Attempt, Job},
};

/// Asks Toss for one.
#[derive(Serialize, Deserialize)]
pub(crate) struct ExecuteReceipt {
    pub id: Uuid,
}

impl Job for ExecuteReceipt {
    const NAME: &'static str = "settle_cash_receipt";

    fn key(&self) -> String {
        format!("cash-receipt:{}", self.id)
    }

    /// They take turns: a day's receipts must not keep the workers from a refund.
    fn queue(&self) -> Option<&'static str> {
        Some("cash-receipts")
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        execute::execute(backoffice, self.id).await
    }
}

/// Takes back what was refunded, and reads Toss's lists.
#[derive(Serialize, Deserialize)]
pub(crate) struct FollowReceipts {}

impl Job for FollowReceipts {
    const NAME: &'static str = "follow_cash_receipts";

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        follow::take_back_refunded(backoffice).await?;
        follow::read_due_days(backoffice).await
    }
}

pub(crate) async fn requeue_orphaned(backoffice: &Backoffice) -> Result<(), Fault> {
    queue::requeue(
        &backoffice.pool,
        "select id, array['cash-receipt:' || id] as keys from cash_receipts
         where state in ('requested', 'unknown') and requested_at > now() - interval '14 days'",
        |id| ExecuteReceipt { id },
    )
    .await
}
