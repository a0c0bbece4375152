//! Work that is open and has no job left, for whatever reason, gets one again.

use sqlx::PgPool;

use crate::{Backoffice, Fault};

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

/// Plans jobs again for what is open and has none left: no refund and no delivery may be forgotten.
pub async fn requeue_orphaned(backoffice: &Backoffice) -> Result<(), Fault> {
    revive(&backoffice.pool).await
}

/// Whether another job with this key will come back.
pub(super) async fn is_planned(backoffice: &Backoffice, key: &str, this_job: i64) -> Result<bool, Fault> {
    let planned: bool = sqlx::query_scalar(
        "select exists (select 1 from graphile_worker.jobs where key = $1 and id <> $2 and attempts < max_attempts)",
    )
    .bind(key)
    .bind(this_job)
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(planned)
}
