//! Work that goes on when nobody waits for it. Jobs live in PostgreSQL (graphile_worker), and are planned inside the
//! transaction of the change that needs them: both are there, or neither. Here is how a job is planned; what it does
//! stands with its noun ([`Job`]), and which there are in [`crate::worker`].
//!
//! graphile_worker was chosen over apalis-postgres because a job is planned by an SQL function, which makes "inside our own
//! transaction" the ordinary way, and because it wakes by NOTIFY instead of polling.

use std::{future::Future, time::Duration};

use graphile_worker::{WorkerBuildError, WorkerUtils};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{Backoffice, Fault};

pub(crate) const SCHEMA: &str = "graphile_worker";

/// Brings the library's own tables up to date; where they are, it reads only.
pub(crate) async fn migrate(pool: &PgPool) -> Result<(), WorkerBuildError> {
    WorkerUtils::new(pool, SCHEMA).migrate().await?;
    Ok(())
}

/// One kind of work.
pub(crate) trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stands in the tables of the library: never renamed.
    const NAME: &'static str;
    const ATTEMPTS: i32 = 25;

    /// Of jobs with one key there is one: planning it again moves it.
    fn key(&self) -> String;

    /// Jobs of one queue are done one after the other.
    fn queue(&self) -> Option<&'static str> {
        None
    }

    /// The lowest goes first.
    fn priority(&self) -> i16 {
        0
    }

    /// An error brings the job back later, as long as it has attempts left.
    fn run(self, backoffice: &Backoffice, attempt: Attempt)
    -> impl Future<Output = Result<(), Fault>> + Send;
}

/// Which try of a job this is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub job: i64,
    pub is_last: bool,
}

pub(crate) async fn plan<J: Job>(tx: &mut PgConnection, job: &J, delay: Duration) -> Result<(), Fault> {
    let payload = serde_json::to_value(job).map_err(Fault::unreadable("a job"))?;
    sqlx::query(
        "select id from graphile_worker.add_job(identifier => $1, payload => $2::json, job_key => $3,
            run_at => now() + make_interval(secs => $4), max_attempts => $5, queue_name => $6, priority => $7)",
    )
    .bind(J::NAME)
    .bind(payload)
    .bind(job.key())
    .bind(delay.as_secs_f64())
    .bind(J::ATTEMPTS)
    .bind(job.queue())
    .bind(job.priority())
    .execute(tx)
    .await?;
    Ok(())
}

/// The same outside of a transaction.
pub(crate) async fn plan_now<J: Job>(backoffice: &Backoffice, job: &J, delay: Duration) -> Result<(), Fault> {
    plan(&mut *backoffice.pool.acquire().await?, job, delay).await
}

/// Takes back what is planned.
pub(crate) async fn forget<J: Job>(tx: &mut PgConnection, job: &J) -> Result<(), Fault> {
    sqlx::query("select 1 from graphile_worker.remove_job($1)").bind(job.key()).execute(tx).await?;
    Ok(())
}

/// Whether it will come back although this try of it ends.
pub(crate) async fn is_planned_again<J: Job>(
    backoffice: &Backoffice,
    job: &J,
    attempt: Attempt,
) -> Result<bool, Fault> {
    let planned: bool = sqlx::query_scalar(
        "select exists (select 1 from graphile_worker.jobs where key = $1 and id <> $2 and attempts < max_attempts)",
    )
    .bind(job.key())
    .bind(attempt.job)
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(planned)
}

/// Plans jobs for open work that has none left, for whatever reason. `open` is a query of a noun for its open work, as
/// `id` and the `keys` of jobs that would do it.
pub(crate) async fn requeue<J: Job>(
    pool: &PgPool,
    open: &'static str,
    job: impl Fn(Uuid) -> J,
) -> Result<(), Fault> {
    let orphans: Vec<Uuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "select o.id from ({open}) o where not exists (
            select 1 from unnest(o.keys) k join graphile_worker.jobs j on j.key = k and j.attempts < j.max_attempts)"
    )))
    .fetch_all(pool)
    .await?;
    if orphans.is_empty() {
        return Ok(());
    }
    tracing::warn!(job = J::NAME, ?orphans, "work without a job is planned again");
    let mut tx = pool.begin().await?;
    for id in orphans {
        plan(&mut tx, &job(id), Duration::ZERO).await?;
    }
    tx.commit().await?;
    Ok(())
}
