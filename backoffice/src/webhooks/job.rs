//! What goes on with deliveries when nobody waits.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{apply, apply_all, replay, rotate_partitions};
use crate::{
    Backoffice, Fault,
    queue::{self, Attempt, Job},
};

/// Where deliveries from addresses that are not Toss's wait: behind the others, and one at a time.
pub(super) const UNLISTED_QUEUE: &str = "webhooks-unlisted";
pub(super) const UNLISTED_PRIORITY: i16 = 10;

/// Looks into a delivery that could not be looked into with the others.
#[derive(Serialize, Deserialize)]
pub(crate) struct ApplyDelivery {
    pub id: Uuid,
    #[serde(default)]
    pub unlisted: bool,
}

impl Job for ApplyDelivery {
    const NAME: &'static str = "apply_webhook";

    fn key(&self) -> String {
        format!("webhook:{}", self.id)
    }

    fn queue(&self) -> Option<&'static str> {
        self.unlisted.then_some(UNLISTED_QUEUE)
    }

    fn priority(&self) -> i16 {
        if self.unlisted { UNLISTED_PRIORITY } else { 0 }
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        apply(backoffice, self.id).await
    }
}

/// Looks into deliveries that came together. Planned by the statement that keeps them (`super::intake`).
#[derive(Serialize, Deserialize)]
pub(crate) struct ApplyDeliveries {
    pub ids: Vec<Uuid>,
    pub unlisted: bool,
    /// Jobs that were planned before there were batches have none.
    #[serde(default)]
    pub batch: Uuid,
}

impl Job for ApplyDeliveries {
    const NAME: &'static str = "apply_webhooks";

    fn key(&self) -> String {
        format!("webhooks:{}", self.batch)
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        apply_all(backoffice, &self.ids, self.unlisted).await
    }
}

/// Looks into the next deliveries of a replay.
#[derive(Serialize, Deserialize)]
pub(crate) struct RunReplay {
    pub id: Uuid,
}

impl Job for RunReplay {
    const NAME: &'static str = "run_webhook_replay";
    const ATTEMPTS: i32 = 100;

    fn key(&self) -> String {
        format!("webhook-replay:{}", self.id)
    }

    fn queue(&self) -> Option<&'static str> {
        Some("webhook-replays")
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        replay::run(backoffice, self.id).await
    }
}

/// Adds the months that come and drops those that are over.
#[derive(Serialize, Deserialize)]
pub(crate) struct RotatePartitions {}

impl Job for RotatePartitions {
    const NAME: &'static str = "turn_webhook_months";

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        rotate_partitions(backoffice).await
    }
}

pub(crate) async fn requeue_orphaned(backoffice: &Backoffice) -> Result<(), Fault> {
    for (open, unlisted) in [
        (
            "select id, array['webhook:' || id, 'webhooks:' || batch] as keys from webhook_deliveries
             where state in ('received', 'failed') and listed is not false",
            false,
        ),
        (
            "select id, array['webhook:' || id, 'webhooks:' || batch] as keys from webhook_deliveries
             where state in ('received', 'failed') and listed is false",
            true,
        ),
    ] {
        queue::requeue(&backoffice.pool, open, |id| ApplyDelivery { id, unlisted }).await?;
    }
    queue::requeue(
        &backoffice.pool,
        "select id, array['webhook-replay:' || id] as keys from webhook_replays where state = 'running'",
        |id| RunReplay { id },
    )
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_statement_that_keeps_deliveries_plans_this_very_job() {
        let keep = super::super::intake::KEEP;
        let job = ApplyDeliveries { ids: vec![Uuid::nil()], unlisted: true, batch: Uuid::nil() };
        for said in [
            format!("identifier => '{}'", ApplyDeliveries::NAME),
            format!("max_attempts => {}", ApplyDeliveries::ATTEMPTS),
            format!("'{UNLISTED_QUEUE}'"),
            format!("then {UNLISTED_PRIORITY} else 0"),
            format!(
                "'{}' ||",
                job.key().split(':').next().map(|name| format!("{name}:")).unwrap_or_default()
            ),
        ] {
            assert!(keep.contains(&said), "{said}");
        }
        for member in json!(job).as_object().into_iter().flat_map(|members| members.keys()) {
            assert!(keep.contains(&format!("'{member}'")), "{member}");
        }
    }
}
