//! Work that goes on when nobody waits for it. Jobs live in PostgreSQL (graphile_worker), and are enqueued inside
//! the transaction of the change that needs them: both are there, or neither.
//!
//! graphile_worker was chosen over apalis-postgres because a job is enqueued by an SQL function, which makes "inside
//! our own transaction" the ordinary way, and because it wakes by NOTIFY instead of polling.

use std::time::Duration;

use graphile_worker::{
    Cron, IntoTaskHandlerResult, TaskHandler, WorkerBuildError, WorkerContext, WorkerOptions,
    WorkerRecoveryConfig, WorkerShutdownConfig, WorkerUtils,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use time::Date;
use tokio_util::sync::CancellationToken;
use toss::payments::RetryClass;
use uuid::Uuid;

use crate::{Backoffice, Fault, audit::Actor, orders::ConfirmError, staff::sessions};

const JOB_SCHEMA: &str = "graphile_worker";

/// Jobs at once in one process.
const CONCURRENCY: usize = 6;

pub(crate) async fn migrate(pool: &PgPool) -> Result<(), WorkerBuildError> {
    WorkerUtils::new(pool, JOB_SCHEMA).migrate().await?;
    Ok(())
}

async fn enqueue(
    tx: &mut PgConnection,
    task: &str,
    payload: Value,
    job_key: &str,
    delay: Duration,
    max_attempts: i32,
) -> Result<(), Fault> {
    enqueue_in(tx, None, task, payload, job_key, delay, max_attempts).await
}

/// Jobs of one queue are done one after the other.
async fn enqueue_in(
    tx: &mut PgConnection,
    queue: Option<&str>,
    task: &str,
    payload: Value,
    job_key: &str,
    delay: Duration,
    max_attempts: i32,
) -> Result<(), Fault> {
    sqlx::query(
        "select id from graphile_worker.add_job(identifier => $1, payload => $2::json, job_key => $3,
            run_at => now() + make_interval(secs => $4), max_attempts => $5, queue_name => $6)",
    )
    .bind(task)
    .bind(payload)
    .bind(job_key)
    .bind(delay.as_secs_f64())
    .bind(max_attempts)
    .bind(queue)
    .execute(tx)
    .await?;
    Ok(())
}

/// For one that could not be looked into with the others.
pub(crate) async fn enqueue_webhook(tx: &mut PgConnection, id: Uuid, unlisted: bool) -> Result<(), Fault> {
    // In the terms of `webhooks::intake`: those that are not Toss's stay behind the others.
    sqlx::query(
        "select id from graphile_worker.add_job(identifier => $1, payload => $2::json, job_key => 'webhook:' || $3,
            run_at => now() + interval '2 seconds', max_attempts => 25, priority => $4, queue_name => $5)",
    )
    .bind(ApplyWebhook::IDENTIFIER)
    .bind(json!(ApplyWebhook { id }))
    .bind(id.to_string())
    .bind(i16::from(unlisted) * 10)
    .bind(unlisted.then_some("webhooks-unlisted"))
    .execute(tx)
    .await?;
    Ok(())
}

pub(crate) async fn enqueue_replay(tx: &mut PgConnection, id: Uuid, delay: Duration) -> Result<(), Fault> {
    let (key, payload) = (format!("webhook-replay:{id}"), json!(RunReplay { id }));
    enqueue_in(tx, Some("webhook-replays"), RunReplay::IDENTIFIER, payload, &key, delay, 100).await
}

/// Files take turns: they must not keep the workers from a refund.
pub(crate) async fn enqueue_export(tx: &mut PgConnection, id: Uuid) -> Result<(), Fault> {
    let (key, payload) = (format!("export:{id}"), json!(RunExport { id }));
    enqueue_in(tx, Some("exports"), RunExport::IDENTIFIER, payload, &key, Duration::ZERO, 3).await
}

pub(crate) async fn enqueue_read_day(tx: &mut PgConnection, day: Date) -> Result<(), Fault> {
    let (key, payload) = (format!("read-day:{day}"), json!(ReadDay { day }));
    enqueue_in(tx, Some("reconciliation"), ReadDay::IDENTIFIER, payload, &key, Duration::ZERO, 5).await
}

/// Replaces the job that is planned for this intent, so that there is never more than one.
pub(crate) async fn enqueue_refund(tx: &mut PgConnection, id: Uuid, delay: Duration) -> Result<(), Fault> {
    let key = format!("refund:{id}");
    enqueue(tx, SettleRefund::IDENTIFIER, json!(SettleRefund { id }), &key, delay, 100).await
}

pub(crate) async fn enqueue_batch(tx: &mut PgConnection, id: Uuid) -> Result<(), Fault> {
    let key = format!("batch:{id}");
    // Files take turns: a day's files must not keep the workers from a single refund.
    enqueue_in(
        tx,
        Some("refund-batches"),
        RunBatch::IDENTIFIER,
        json!(RunBatch { id }),
        &key,
        Duration::ZERO,
        100,
    )
    .await
}

/// Replaces the job that is planned for this grant, so that there is never more than one.
pub(crate) async fn enqueue_grant(tx: &mut PgConnection, id: Uuid, delay: Duration) -> Result<(), Fault> {
    // Two at once at most, so that refunds find a worker whatever becomes of a file of grants.
    let queue = format!("grants-{}", id.as_bytes()[15] % 2);
    let (key, payload) = (format!("grant:{id}"), json!(SettleGrant { id }));
    enqueue_in(tx, Some(&queue), SettleGrant::IDENTIFIER, payload, &key, delay, 100).await
}

pub(crate) async fn enqueue_grants(tx: &mut PgConnection, id: Uuid) -> Result<(), Fault> {
    let (key, payload) = (format!("grants:{id}"), json!(RunGrants { id }));
    enqueue_in(tx, Some("grant-batches"), RunGrants::IDENTIFIER, payload, &key, Duration::ZERO, 100).await
}

pub(crate) async fn enqueue_confirm(
    tx: &mut PgConnection,
    order_id: &str,
    payment_key: &str,
    delay: Duration,
) -> Result<(), Fault> {
    let payload = json!(SettleConfirm { order_id: order_id.into(), payment_key: payment_key.into() });
    enqueue(tx, SettleConfirm::IDENTIFIER, payload, &format!("confirm:{payment_key}"), delay, 20).await
}

pub(crate) async fn enqueue_message(tx: &mut PgConnection, id: Uuid, delay: Duration) -> Result<(), Fault> {
    let (key, payload) = (format!("message:{id}"), json!(SendMessage { id }));
    enqueue_in(tx, Some("messages"), SendMessage::IDENTIFIER, payload, &key, delay, 20).await
}

/// For a payment whose outcome has to be found out, should nobody ask before.
pub(crate) async fn enqueue_look_up(
    tx: &mut PgConnection,
    order_id: &str,
    delay: Duration,
) -> Result<(), Fault> {
    let payload = json!(LookUp { order_id: order_id.into() });
    enqueue(tx, LookUp::IDENTIFIER, payload, &format!("look_up:{order_id}"), delay, 20).await
}

/// What handlers work with. Debug is asked for by the library and shows nothing.
#[derive(Clone)]
struct State(Backoffice);

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
struct ApplyWebhook {
    id: Uuid,
}

impl TaskHandler for ApplyWebhook {
    const IDENTIFIER: &'static str = "apply_webhook";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        backoffice(&ctx)?.apply_webhook(self.id).await
    }
}

#[derive(Serialize, Deserialize)]
struct ApplyWebhooks {
    ids: Vec<Uuid>,
    unlisted: bool,
}

impl TaskHandler for ApplyWebhooks {
    const IDENTIFIER: &'static str = "apply_webhooks";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        backoffice(&ctx)?.apply_webhooks(&self.ids, self.unlisted).await
    }
}

#[derive(Serialize, Deserialize)]
struct RunReplay {
    id: Uuid,
}

impl TaskHandler for RunReplay {
    const IDENTIFIER: &'static str = "run_webhook_replay";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        backoffice(&ctx)?.run_replay(self.id).await
    }
}

#[derive(Serialize, Deserialize)]
struct SettleRefund {
    id: Uuid,
}

impl TaskHandler for SettleRefund {
    const IDENTIFIER: &'static str = "settle_refund";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        // Still open means either that a new job was planned with the verdict, or that somebody holds the lease:
        // then this job itself has to come back.
        if backoffice.drive_refund(self.id).await?
            || backoffice.is_planned(&format!("refund:{}", self.id), *ctx.job().id()).await?
        {
            return Ok(());
        }
        Err(Fault::Inconsistent("the refund is held by somebody else".into()))
    }
}

#[derive(Serialize, Deserialize)]
struct RunBatch {
    id: Uuid,
}

impl TaskHandler for RunBatch {
    const IDENTIFIER: &'static str = "run_refund_batch";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        if backoffice.run_batch(self.id).await? {
            enqueue_batch(&mut *backoffice.pool.acquire().await?, self.id).await?;
        }
        Ok::<(), Fault>(())
    }
}

#[derive(Serialize, Deserialize)]
struct SettleGrant {
    id: Uuid,
}

impl TaskHandler for SettleGrant {
    const IDENTIFIER: &'static str = "settle_grant";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        if backoffice.drive_grant(self.id).await?
            || backoffice.is_planned(&format!("grant:{}", self.id), *ctx.job().id()).await?
        {
            return Ok(());
        }
        Err(Fault::Inconsistent("the grant is held by somebody else".into()))
    }
}

#[derive(Serialize, Deserialize)]
struct RunGrants {
    id: Uuid,
}

impl TaskHandler for RunGrants {
    const IDENTIFIER: &'static str = "run_grant_batch";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        if backoffice.run_grants(self.id).await? {
            enqueue_grants(&mut *backoffice.pool.acquire().await?, self.id).await?;
        }
        Ok::<(), Fault>(())
    }
}

#[derive(Serialize, Deserialize)]
struct SettleConfirm {
    order_id: String,
    payment_key: String,
}

impl TaskHandler for SettleConfirm {
    const IDENTIFIER: &'static str = "settle_confirm";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        let Some(order) = backoffice.order(&self.order_id).await? else { return Ok(()) };
        if order.status != "IN_PROGRESS" || order.payment_key.as_deref() != Some(&self.payment_key) {
            return Ok(());
        }
        let actor = Actor::Job("confirm");
        match backoffice.drive_confirm(&actor, &self.order_id, &self.payment_key, order.amount).await {
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
struct SendMessage {
    id: Uuid,
}

impl TaskHandler for SendMessage {
    const IDENTIFIER: &'static str = "send_message";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        backoffice(&ctx)?.drive_message(self.id).await
    }
}

/// Asks about in-app purchases: nobody tells of their refunds.
#[derive(Serialize, Deserialize)]
struct LookAfterIap {}

impl TaskHandler for LookAfterIap {
    const IDENTIFIER: &'static str = "look_after_iap";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        backoffice(&ctx)?.look_after_iap().await.map(|_| ())
    }
}

/// Asks how an order's payment stands.
#[derive(Serialize, Deserialize)]
struct LookUp {
    order_id: String,
}

impl TaskHandler for LookUp {
    const IDENTIFIER: &'static str = "look_up";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        backoffice(&ctx)?.look_up_held(&Actor::Job("look_up"), &self.order_id, None).await.map(|_| ())
    }
}

/// Asks about the payments of mini-apps that are under way: nobody tells of them.
#[derive(Serialize, Deserialize)]
struct LookAfterTossPay {}

impl TaskHandler for LookAfterTossPay {
    const IDENTIFIER: &'static str = "look_after_toss_pay";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        backoffice(&ctx)?.look_after_toss_pay().await.map(|_| ())
    }
}

/// Looks for events that never came.
#[derive(Serialize, Deserialize)]
struct FindMissing {}

impl TaskHandler for FindMissing {
    const IDENTIFIER: &'static str = "find_missing_events";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        // What is left over is due again in ten minutes.
        backoffice(&ctx)?.compare_due_windows().await.map(|_| ())
    }
}

/// Reads the settlements of the night, and puts the books beside Toss's.
#[derive(Serialize, Deserialize)]
struct Reconcile {}

impl TaskHandler for Reconcile {
    const IDENTIFIER: &'static str = "reconcile";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        backoffice(&ctx)?.reconcile_due().await.map(|_| ())
    }
}

/// Reads Toss's lists of one day again, because somebody asked.
#[derive(Serialize, Deserialize)]
struct ReadDay {
    #[serde(with = "toss::timestamp::date")]
    day: Date,
}

impl TaskHandler for ReadDay {
    const IDENTIFIER: &'static str = "read_day";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        backoffice(&ctx)?.read_day(self.day).await
    }
}

/// Writes a file that somebody asked for.
#[derive(Serialize, Deserialize)]
struct RunExport {
    id: Uuid,
}

impl TaskHandler for RunExport {
    const IDENTIFIER: &'static str = "run_export";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        let outcome = backoffice.run_export(self.id).await;
        if outcome.is_err() && ctx.job().attempts() >= ctx.job().max_attempts() {
            backoffice.fail_export(self.id).await?;
        }
        outcome
    }
}

/// Adds the months that come and drops those that are over.
#[derive(Serialize, Deserialize)]
struct TurnMonths {}

impl TaskHandler for TurnMonths {
    const IDENTIFIER: &'static str = "turn_webhook_months";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        backoffice(&ctx)?.turn_webhook_months().await
    }
}

/// Sweeps what is over.
#[derive(Serialize, Deserialize)]
struct Sweep {}

impl TaskHandler for Sweep {
    const IDENTIFIER: &'static str = "sweep";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        let backoffice = backoffice(&ctx)?;
        let pool = backoffice.pool.clone();
        sessions::delete_expired(&pool).await?;
        backoffice.expire_batches().await?;
        backoffice.settle_lost_messages().await?;
        backoffice.forget_exports().await?;
        backoffice.revive_jobs().await
    }
}

async fn revive(pool: &PgPool) -> Result<(), Fault> {
    // What is open is found first: planning a job that is planned already would begin its waiting anew.
    for statement in [
        "with left_over as materialized (
            select r.id from refunds r
            where r.state in ('requested', 'approved', 'sending', 'unknown')
              and (r.lease_until is null or r.lease_until < now() - interval '10 minutes')
              and not exists (select 1 from graphile_worker.jobs j
                              where j.key = 'refund:' || r.id and j.attempts < j.max_attempts))
         select r.id::text from left_over r, lateral graphile_worker.add_job('settle_refund', json_build_object('id', r.id),
                job_key => 'refund:' || r.id, max_attempts => 100) planned",
        "with left_over as materialized (
            select d.id, d.listed is false as is_unlisted from webhook_deliveries d
            where d.state in ('received', 'failed')
              and not exists (select 1 from graphile_worker.jobs j
                              where j.key = 'webhook:' || d.id and j.attempts < j.max_attempts)
              and d.id::text not in (
                  select json_array_elements_text(j.payload -> 'ids') from graphile_worker._private_jobs j
                  join graphile_worker._private_tasks t on t.id = j.task_id and t.identifier = 'apply_webhooks'
                  where j.attempts < j.max_attempts))
         select d.id::text from left_over d, lateral graphile_worker.add_job('apply_webhook',
                json_build_object('id', d.id), job_key => 'webhook:' || d.id, max_attempts => 25,
                priority => case when is_unlisted then 10 else 0 end,
                queue_name => case when is_unlisted then 'webhooks-unlisted' end) planned",
        "with left_over as materialized (
            select r.id from webhook_replays r
            where r.state = 'running'
              and not exists (select 1 from graphile_worker.jobs j
                              where j.key = 'webhook-replay:' || r.id and j.attempts < j.max_attempts))
         select r.id::text from left_over r, lateral graphile_worker.add_job('run_webhook_replay',
                json_build_object('id', r.id), job_key => 'webhook-replay:' || r.id, queue_name => 'webhook-replays',
                max_attempts => 100) planned",
        "with left_over as materialized (
            select b.id from refund_batches b
            where b.state = 'running'
              and not exists (select 1 from graphile_worker.jobs j
                              where j.key = 'batch:' || b.id and j.attempts < j.max_attempts))
         select b.id::text from left_over b, lateral graphile_worker.add_job('run_refund_batch',
                json_build_object('id', b.id), job_key => 'batch:' || b.id, max_attempts => 100) planned",
        "with left_over as materialized (
            select g.id from grants g
            where g.state in ('requested', 'sending', 'pending', 'unknown')
              and (g.lease_until is null or g.lease_until < now() - interval '10 minutes')
              and not exists (select 1 from graphile_worker.jobs j
                              where j.key = 'grant:' || g.id and j.attempts < j.max_attempts))
         select g.id::text from left_over g, lateral graphile_worker.add_job('settle_grant', json_build_object('id', g.id),
                job_key => 'grant:' || g.id, queue_name => 'grants-0', max_attempts => 100) planned",
        "with left_over as materialized (
            select b.id from grant_batches b
            where b.state = 'running'
              and not exists (select 1 from graphile_worker.jobs j
                              where j.key = 'grants:' || b.id and j.attempts < j.max_attempts))
         select b.id::text from left_over b, lateral graphile_worker.add_job('run_grant_batch',
                json_build_object('id', b.id), job_key => 'grants:' || b.id, queue_name => 'grant-batches',
                max_attempts => 100) planned",
    ] {
        let revived: Vec<String> = sqlx::query_scalar(statement).fetch_all(pool).await?;
        if !revived.is_empty() {
            tracing::warn!(?revived, "work without a job was planned again");
        }
    }
    Ok(())
}

impl Backoffice {
    /// Plans jobs again for what is open and has none left: no refund and no delivery may be forgotten.
    pub async fn revive_jobs(&self) -> Result<(), Fault> {
        revive(&self.pool).await
    }

    /// Whether another job with this key will come back.
    async fn is_planned(&self, key: &str, this_job: i64) -> Result<bool, Fault> {
        let planned: bool = sqlx::query_scalar(
            "select exists (select 1 from graphile_worker.jobs where key = $1 and id <> $2 and attempts < max_attempts)",
        )
        .bind(key)
        .bind(this_job)
        .fetch_one(&self.pool)
        .await?;
        Ok(planned)
    }
}

/// Works until told to stop. `pool` is the worker's own: one of its connections listens for good.
pub async fn work(backoffice: Backoffice, pool: PgPool, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match run(&backoffice, &pool, &stop).await {
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
        .schema(JOB_SCHEMA)
        .concurrency(CONCURRENCY)
        .poll_interval(Duration::from_millis(250))
        .define_job::<ApplyWebhook>()
        .define_job::<ApplyWebhooks>()
        .define_job::<RunReplay>()
        .define_job::<TurnMonths>()
        .define_job::<SettleRefund>()
        .define_job::<RunBatch>()
        .define_job::<SettleGrant>()
        .define_job::<RunGrants>()
        .define_job::<SettleConfirm>()
        .define_job::<SendMessage>()
        .define_job::<LookAfterIap>()
        .define_job::<LookUp>()
        .define_job::<LookAfterTossPay>()
        .define_job::<FindMissing>()
        .define_job::<Reconcile>()
        .define_job::<ReadDay>()
        .define_job::<RunExport>()
        .define_job::<Sweep>()
        .add_extension(State(backoffice.clone()))
        .with_cron(
            Cron::every_n_minutes::<FindMissing>(10)?.id("find_missing_events").payload_value(json!({})),
        )
        .with_cron(
            Cron::every_n_minutes::<TurnMonths>(30)?.id("turn_webhook_months").payload_value(json!({})),
        )
        .with_cron(
            Cron::every_minute::<LookAfterTossPay>()
                .id("look_after_toss_pay")
                // One run at a time: while Toss does not answer they must not keep the workers from refunds.
                .queue("apps-in-toss")
                .job_key("look_after_toss_pay")
                .payload_value(json!({})),
        )
        .with_cron(
            Cron::every_minute::<LookAfterIap>()
                .id("look_after_iap")
                .queue("apps-in-toss")
                .job_key("look_after_iap")
                .payload_value(json!({})),
        )
        .with_cron(
            Cron::every_n_minutes::<Reconcile>(30)?
                .id("reconcile")
                .queue("reconciliation")
                .job_key("reconcile")
                .payload_value(json!({})),
        )
        .with_cron(Cron::every_minute::<Sweep>().id("sweep").payload_value(json!({})))
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
