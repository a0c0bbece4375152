//! Work that goes on when nobody waits for it. Jobs live in PostgreSQL (graphile_worker), and are enqueued inside
//! the transaction of the change that needs them: both are there, or neither.
//!
//! graphile_worker was chosen over apalis-postgres because a job is enqueued by an SQL function, which makes "inside
//! our own transaction" the ordinary way, and because it wakes by NOTIFY instead of polling. [`tasks`] says what each does.

mod revive;
mod tasks;

use std::time::Duration;

use graphile_worker::{
    Cron, TaskHandler, WorkerBuildError, WorkerOptions, WorkerRecoveryConfig, WorkerShutdownConfig,
    WorkerUtils,
};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use time::Date;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use revive::requeue_orphaned;

use crate::{Backoffice, Fault};
use tasks::{
    ApplyWebhook, ApplyWebhooks, FindMissing, LookAfterIap, LookAfterTossPay, LookUp, ReadDay, Reconcile,
    RunBatch, RunExport, RunGrants, RunReplay, SendMessage, SettleConfirm, SettleGrant, SettleRefund, State,
    Sweep, TurnMonths,
};

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

/// Takes back what is planned for an intent that is settled.
pub(crate) async fn forget_refund(tx: &mut PgConnection, id: Uuid) -> Result<(), Fault> {
    forget(tx, &format!("refund:{id}")).await
}

async fn forget(tx: &mut PgConnection, job_key: &str) -> Result<(), Fault> {
    sqlx::query("select 1 from graphile_worker.remove_job($1)").bind(job_key).execute(tx).await?;
    Ok(())
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

/// Takes back what is planned for a grant that is settled.
pub(crate) async fn forget_grant(tx: &mut PgConnection, id: Uuid) -> Result<(), Fault> {
    forget(tx, &format!("grant:{id}")).await
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
    let payload = json!(LookUp { order_id: order_id.into(), payment_key: None, tries: 0 });
    enqueue(tx, LookUp::IDENTIFIER, payload, &format!("look_up:{order_id}"), delay, 20).await
}

/// For a payment whose copy here is known to be old: Toss is asked until it answers. 2, 4, 8 … seconds apart, then every
/// five minutes.
pub(crate) async fn enqueue_fresh_look_up(
    tx: &mut PgConnection,
    order_id: &str,
    payment_key: &str,
    tries: u32,
) -> Result<(), Fault> {
    let delay = Duration::from_secs((2u64 << tries.min(8)).min(300));
    let payload = json!(LookUp { order_id: order_id.into(), payment_key: Some(payment_key.into()), tries });
    enqueue(tx, LookUp::IDENTIFIER, payload, &look_up_key(order_id, payment_key), delay, 20).await
}

pub(crate) async fn forget_look_up(
    tx: &mut PgConnection,
    order_id: &str,
    payment_key: &str,
) -> Result<(), Fault> {
    forget(tx, &look_up_key(order_id, payment_key)).await
}

fn look_up_key(order_id: &str, payment_key: &str) -> String {
    format!("look_up:{order_id}:{payment_key}")
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
