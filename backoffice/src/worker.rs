//! The process that works jobs off. The one place that names every job.

use std::time::Duration;

use graphile_worker::{
    Cron, CrontabFill, IntoTaskHandlerResult, TaskHandler, WorkerContext, WorkerOptions,
    WorkerRecoveryConfig, WorkerShutdownConfig,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    Backoffice, Fault,
    audit::{self, access::review::OpenReviews, job::VerifyLog},
    cash_receipts,
    cash_receipts::job::{ExecuteReceipt, FollowReceipts},
    events, exports,
    exports::job::RunExport,
    iap::job::PollIap,
    messages,
    messages::job::SendMessage,
    payments::job::{LookUp, PollTossPay, SettleConfirm},
    promotions,
    promotions::job::{ExecuteGrant, RunGrantBatch},
    queue::{Attempt, Job, SCHEMA},
    reconciliation::job::{ReadDay, Reconcile},
    refunds,
    refunds::job::{ExecuteRefund, FollowRefunds, RunRefundBatch},
    retention::job::DestroyExpired,
    security,
    staff::{CloseDormant, form_answers, sessions},
    transactions::job::SyncTransactions,
    webhooks,
    webhooks::job::{ApplyDeliveries, ApplyDelivery, RotatePartitions, RunReplay},
};

/// Jobs at once in one process.
const CONCURRENCY: usize = 6;

/// Ends what is over, and plans work again that has lost its job.
#[derive(Serialize, Deserialize)]
struct Maintenance {}

impl Job for Maintenance {
    const NAME: &'static str = "sweep";

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        sessions::delete_expired(backoffice).await?;
        form_answers::delete_expired(&backoffice.pool).await?;
        refunds::batch::expire_old(backoffice).await?;
        refunds::lapse_stale(backoffice, None).await?;
        messages::settle_lost(backoffice).await?;
        exports::forget_old(backoffice).await?;
        requeue_orphaned(backoffice).await
    }
}

/// Plans jobs again for what is open and has none left: no refund and no delivery may be forgotten.
pub async fn requeue_orphaned(backoffice: &Backoffice) -> Result<(), Fault> {
    refunds::job::requeue_orphaned(backoffice).await?;
    webhooks::job::requeue_orphaned(backoffice).await?;
    promotions::job::requeue_orphaned(backoffice).await?;
    messages::job::requeue_orphaned(backoffice).await?;
    cash_receipts::job::requeue_orphaned(backoffice).await?;
    exports::job::requeue_orphaned(backoffice).await
}

/// A job as the library takes it.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Task<J>(J);

impl<J: Job> TaskHandler for Task<J> {
    const IDENTIFIER: &'static str = J::NAME;

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let State(backoffice) = ctx
            .get_ext::<State>()
            .cloned()
            .ok_or_else(|| Fault::Inconsistent("a job without its state".into()))?;
        let (id, tries, most) = (*ctx.job().id(), *ctx.job().attempts(), *ctx.job().max_attempts());
        let span = tracing::info_span!("job", name = J::NAME, id);
        self.0.run(&backoffice, Attempt { job: id, is_last: tries >= most }).instrument(span).await
    }
}

/// What handlers work with. Debug is asked for by the library and shows nothing.
#[derive(Clone)]
struct State(Backoffice);

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("State")
    }
}

/// Works until told to stop. `pool` is the worker's own: one of its connections listens for good.
pub async fn work(backoffice: Backoffice, pool: PgPool, stop: CancellationToken) {
    // What the last job writes is sealed as well.
    let jobs_ended = CancellationToken::new();
    let jobs = async {
        work_jobs(&backoffice, &pool, &stop).await;
        jobs_ended.cancel();
    };
    tokio::join!(
        audit::seal::run(&backoffice, &jobs_ended),
        audit::outside::run(&backoffice, &jobs_ended),
        security::outside::run(&backoffice, &jobs_ended),
        events::deliver::run(&backoffice, &jobs_ended),
        jobs
    );
}

async fn work_jobs(backoffice: &Backoffice, pool: &PgPool, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match run(backoffice, pool, stop).await {
            Ok(()) => {}
            Err(error) => {
                tracing::error!(%error, "the worker stopped and starts again");
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
        }
    }
}

async fn run(
    backoffice: &Backoffice,
    pool: &PgPool,
    stop: &CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let worker = WorkerOptions::default()
        .pg_pool(pool.clone())
        .schema(SCHEMA)
        .concurrency(CONCURRENCY)
        .poll_interval(Duration::from_millis(250))
        .define_job::<Task<ApplyDelivery>>()
        .define_job::<Task<ApplyDeliveries>>()
        .define_job::<Task<RunReplay>>()
        .define_job::<Task<SyncTransactions>>()
        .define_job::<Task<RotatePartitions>>()
        .define_job::<Task<ExecuteRefund>>()
        .define_job::<Task<RunRefundBatch>>()
        .define_job::<Task<FollowRefunds>>()
        .define_job::<Task<ExecuteReceipt>>()
        .define_job::<Task<FollowReceipts>>()
        .define_job::<Task<ExecuteGrant>>()
        .define_job::<Task<RunGrantBatch>>()
        .define_job::<Task<SettleConfirm>>()
        .define_job::<Task<LookUp>>()
        .define_job::<Task<PollTossPay>>()
        .define_job::<Task<PollIap>>()
        .define_job::<Task<SendMessage>>()
        .define_job::<Task<Reconcile>>()
        .define_job::<Task<ReadDay>>()
        .define_job::<Task<RunExport>>()
        .define_job::<Task<CloseDormant>>()
        .define_job::<Task<VerifyLog>>()
        .define_job::<Task<OpenReviews>>()
        .define_job::<Task<DestroyExpired>>()
        .define_job::<Task<Maintenance>>()
        .add_extension(State(backoffice.clone()))
        .with_cron(
            Cron::every_n_minutes::<Task<SyncTransactions>>(10)?
                .id("find_missing_events")
                .payload_value(json!({})),
        )
        .with_cron(
            Cron::every_n_minutes::<Task<RotatePartitions>>(30)?
                .id("turn_webhook_months")
                .payload_value(json!({})),
        )
        .with_cron(
            Cron::every_minute::<Task<FollowRefunds>>()
                .id("follow_refunds")
                // One run at a time, as with Toss Pay below.
                .queue("follow-refunds")
                .job_key("follow_refunds")
                .payload_value(json!({})),
        )
        .with_cron(
            Cron::every_minute::<Task<FollowReceipts>>()
                .id("follow_cash_receipts")
                .queue("cash-receipts")
                .job_key("follow_cash_receipts")
                .payload_value(json!({})),
        )
        .with_cron(
            Cron::every_minute::<Task<PollTossPay>>()
                .id("look_after_toss_pay")
                // One run at a time: while Toss does not answer they must not keep the workers from refunds.
                .queue("apps-in-toss")
                .job_key("look_after_toss_pay")
                .payload_value(json!({})),
        )
        .with_cron(
            Cron::every_minute::<Task<PollIap>>()
                .id("look_after_iap")
                .queue("apps-in-toss")
                .job_key("look_after_iap")
                .payload_value(json!({})),
        )
        .with_cron(
            Cron::every_n_minutes::<Task<Reconcile>>(30)?
                .id("reconcile")
                .queue("reconciliation")
                .job_key("reconcile")
                .payload_value(json!({})),
        )
        .with_cron(
            // Ten past three in Seoul; what was off at that time does it later on the day.
            Cron::daily_at::<Task<CloseDormant>>(18, 10)?
                .id("close_dormant")
                .fill(CrontabFill::days(1))
                .job_key("close_dormant")
                .payload_value(json!({})),
        )
        .with_cron(
            // Twenty to four in Seoul.
            Cron::daily_at::<Task<VerifyLog>>(18, 40)?
                .id("verify_log")
                .fill(CrontabFill::days(1))
                .job_key("verify_log")
                .payload_value(json!({})),
        )
        .with_cron(
            // Twenty past three in Seoul.
            Cron::daily_at::<Task<DestroyExpired>>(18, 20)?
                .id("destroy_expired")
                .fill(CrontabFill::days(1))
                .queue("retention")
                .job_key("destroy_expired")
                .payload_value(json!({})),
        )
        .with_cron(
            // A month is over at midnight in Seoul, wherever the machine is.
            Cron::every_n_minutes::<Task<OpenReviews>>(30)?
                .id("open_access_reviews")
                .job_key("open_access_reviews")
                .payload_value(json!({})),
        )
        .with_cron(Cron::every_minute::<Task<Maintenance>>().id("sweep").payload_value(json!({})))
        .worker_shutdown(
            WorkerShutdownConfig::default()
                .listen_os_shutdown_signals(false)
                .grace_period(Duration::from_secs(20))
                .interrupted_job_retry_delay(Duration::from_secs(1))
                .shutdown_signal(stop.clone().cancelled_owned()),
        )
        // Without it, the jobs of a process that was killed stay locked for good.
        .worker_recovery(
            WorkerRecoveryConfig::default()
                .heartbeat_interval(Duration::from_secs(5))
                .sweep_interval(Duration::from_secs(10))
                .sweep_threshold(Duration::from_secs(30))
                .recovery_delay(Duration::ZERO),
        )
        .init()
        .await?;
    worker.run().await?;
    Ok(())
}
