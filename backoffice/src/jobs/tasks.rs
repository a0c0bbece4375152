//! What each job does when its turn comes: one rule of the books each.

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};
use time::Date;
use toss::payments::RetryClass;
use uuid::Uuid;

use super::{enqueue_batch, enqueue_fresh_look_up, enqueue_grants, revive};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    exports, iap, jobs, messages,
    orders::{self, ConfirmError},
    payments, promotions, reconciliation, refunds,
    staff::{form_answers, sessions},
    toss_pay, webhooks,
};

/// What handlers work with. Debug is asked for by the library and shows nothing.
#[derive(Clone)]
pub(super) struct State(pub(super) Backoffice);

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("State")
    }
}

fn backoffice(ctx: &WorkerContext) -> Result<Backoffice, Fault> {
    ctx.get_ext::<State>()
        .map(|s| s.0.clone())
        .ok_or_else(|| Fault::Inconsistent("a job without its state".into()))
}

#[derive(Serialize, Deserialize)]
pub(super) struct ApplyWebhook {
    pub(super) id: Uuid,
}

impl TaskHandler for ApplyWebhook {
    const IDENTIFIER: &'static str = "apply_webhook";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        webhooks::apply(&backoffice(&ctx)?, self.id).await
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct ApplyWebhooks {
    pub(super) ids: Vec<Uuid>,
    pub(super) unlisted: bool,
}

impl TaskHandler for ApplyWebhooks {
    const IDENTIFIER: &'static str = "apply_webhooks";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        webhooks::apply_all(&backoffice(&ctx)?, &self.ids, self.unlisted).await
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct RunReplay {
    pub(super) id: Uuid,
}

impl TaskHandler for RunReplay {
    const IDENTIFIER: &'static str = "run_webhook_replay";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        webhooks::replay::run(&backoffice(&ctx)?, self.id).await
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct SettleRefund {
    pub(super) id: Uuid,
}

impl TaskHandler for SettleRefund {
    const IDENTIFIER: &'static str = "settle_refund";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        // Still open means either that a new job was planned with the verdict, or that somebody holds the lease:
        // then this job itself has to come back.
        if refunds::execute(&backoffice, self.id).await?
            || revive::is_planned(&backoffice, &format!("refund:{}", self.id), *ctx.job().id()).await?
        {
            return Ok(());
        }
        Err(Fault::Inconsistent("the refund is held by somebody else".into()))
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct RunBatch {
    pub(super) id: Uuid,
}

impl TaskHandler for RunBatch {
    const IDENTIFIER: &'static str = "run_refund_batch";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        if refunds::batch::run(&backoffice, self.id).await? {
            enqueue_batch(&mut *backoffice.pool.acquire().await?, self.id).await?;
        }
        Ok::<(), Fault>(())
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct SettleGrant {
    pub(super) id: Uuid,
}

impl TaskHandler for SettleGrant {
    const IDENTIFIER: &'static str = "settle_grant";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        if promotions::execute(&backoffice, self.id).await?
            || revive::is_planned(&backoffice, &format!("grant:{}", self.id), *ctx.job().id()).await?
        {
            return Ok(());
        }
        Err(Fault::Inconsistent("the grant is held by somebody else".into()))
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct RunGrants {
    pub(super) id: Uuid,
}

impl TaskHandler for RunGrants {
    const IDENTIFIER: &'static str = "run_grant_batch";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        if promotions::batch::run(&backoffice, self.id).await? {
            enqueue_grants(&mut *backoffice.pool.acquire().await?, self.id).await?;
        }
        Ok::<(), Fault>(())
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct SettleConfirm {
    pub(super) order_id: String,
    pub(super) payment_key: String,
}

impl TaskHandler for SettleConfirm {
    const IDENTIFIER: &'static str = "settle_confirm";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        let Some(order) = orders::get(&backoffice, &self.order_id).await? else { return Ok(()) };
        if order.status != "IN_PROGRESS" || order.payment_key.as_deref() != Some(&self.payment_key) {
            return Ok(());
        }
        let actor = Actor::Job("confirm");
        match orders::execute_confirm(&backoffice, &actor, &self.order_id, &self.payment_key, order.amount)
            .await
        {
            Err(ConfirmError::Fault(fault)) => Err(fault),
            Err(ConfirmError::Unknown) => {
                Err(Fault::Inconsistent("the confirm is still without an answer".into()))
            }
            Err(ConfirmError::Refused(refusal)) if refusal.retry_class() == RetryClass::NewKey => {
                Err(Fault::Inconsistent(format!("the confirm has to wait: {refusal}")))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct SendMessage {
    pub(super) id: Uuid,
}

impl TaskHandler for SendMessage {
    const IDENTIFIER: &'static str = "send_message";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        messages::deliver(&backoffice(&ctx)?, self.id).await
    }
}

/// Asks about in-app purchases: nobody tells of their refunds.
#[derive(Serialize, Deserialize)]
pub(super) struct LookAfterIap {}

impl TaskHandler for LookAfterIap {
    const IDENTIFIER: &'static str = "look_after_iap";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        iap::orders::poll(&backoffice(&ctx)?).await.map(|_| ())
    }
}

/// Asks how an order's payment stands.
#[derive(Serialize, Deserialize)]
pub(super) struct LookUp {
    pub(super) order_id: String,
    /// Asked about until Toss answers, because our copy of it is old.
    #[serde(default)]
    pub(super) payment_key: Option<String>,
    #[serde(default)]
    pub(super) tries: u32,
}

impl TaskHandler for LookUp {
    const IDENTIFIER: &'static str = "look_up";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        let key = self.payment_key.as_deref();
        match (payments::look_up_on_rail(&backoffice, &Actor::Job("look_up"), &self.order_id, key).await, key)
        {
            (Ok(_), _) => Ok(()),
            (Err(fault), Some(key)) if fault.is_of_toss() => {
                tracing::warn!(%fault, "a look-up that is due");
                let mut connection = backoffice.pool.acquire().await?;
                enqueue_fresh_look_up(&mut connection, &self.order_id, key, self.tries + 1).await
            }
            (Err(fault), _) => Err(fault),
        }
    }
}

/// Asks about the payments of mini-apps that are under way: nobody tells of them.
#[derive(Serialize, Deserialize)]
pub(super) struct LookAfterTossPay {}

impl TaskHandler for LookAfterTossPay {
    const IDENTIFIER: &'static str = "look_after_toss_pay";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        toss_pay::poll(&backoffice(&ctx)?).await.map(|_| ())
    }
}

/// Looks for events that never came.
#[derive(Serialize, Deserialize)]
pub(super) struct FindMissing {}

impl TaskHandler for FindMissing {
    const IDENTIFIER: &'static str = "find_missing_events";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        // What is left over is due again in ten minutes.
        webhooks::missing::compare_due(&backoffice(&ctx)?).await.map(|_| ())
    }
}

/// Reads the settlements of the night, and puts the books beside Toss's.
#[derive(Serialize, Deserialize)]
pub(super) struct Reconcile {}

impl TaskHandler for Reconcile {
    const IDENTIFIER: &'static str = "reconcile";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        reconciliation::reconcile_due(&backoffice(&ctx)?).await.map(|_| ())
    }
}

/// Reads Toss's lists of one day again, because somebody asked.
#[derive(Serialize, Deserialize)]
pub(super) struct ReadDay {
    #[serde(with = "toss::timestamp::date")]
    pub(super) day: Date,
}

impl TaskHandler for ReadDay {
    const IDENTIFIER: &'static str = "read_day";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        reconciliation::read_day(&backoffice(&ctx)?, self.day).await
    }
}

/// Writes a file that somebody asked for.
#[derive(Serialize, Deserialize)]
pub(super) struct RunExport {
    pub(super) id: Uuid,
}

impl TaskHandler for RunExport {
    const IDENTIFIER: &'static str = "run_export";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        let outcome = exports::run(&backoffice, self.id).await;
        if outcome.is_err() && ctx.job().attempts() >= ctx.job().max_attempts() {
            exports::fail(&backoffice, self.id).await?;
        }
        outcome
    }
}

/// Adds the months that come and drops those that are over.
#[derive(Serialize, Deserialize)]
pub(super) struct TurnMonths {}

impl TaskHandler for TurnMonths {
    const IDENTIFIER: &'static str = "turn_webhook_months";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        webhooks::rotate_partitions(&backoffice(&ctx)?).await
    }
}

/// Sweeps what is over.
#[derive(Serialize, Deserialize)]
pub(super) struct Sweep {}

impl TaskHandler for Sweep {
    const IDENTIFIER: &'static str = "sweep";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        let pool = backoffice.pool.clone();
        sessions::delete_expired(&pool).await?;
        form_answers::delete_expired(&pool).await?;
        refunds::batch::expire_old(&backoffice).await?;
        messages::settle_lost(&backoffice).await?;
        exports::forget_old(&backoffice).await?;
        jobs::requeue_orphaned(&backoffice).await
    }
}
