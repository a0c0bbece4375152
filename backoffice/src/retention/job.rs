//! Destroys what has served its time.

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use super::Class;
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    personal_data,
    queue::{Attempt, Job},
};

const ACTOR: Actor = Actor::Job("destroy_expired");

/// Looks at every kind. What goes with its table or each minute (webhooks, files) has a job of its own.
#[derive(Serialize, Deserialize)]
pub(crate) struct DestroyExpired {}

impl Job for DestroyExpired {
    const NAME: &'static str = "destroy_expired";

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        destroy(backoffice).await
    }
}

pub async fn destroy(backoffice: &Backoffice) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    let mut outcome = Ok(());
    for class in Class::ALL {
        let before = backoffice.retention.of(class).before(now);
        // One kind that cannot be destroyed does not keep the others.
        if let Err(fault) = destroy_class(backoffice, class, before).await {
            tracing::error!(%fault, class = class.as_str(), "what has served its time was not destroyed");
            outcome = outcome.and(Err(fault));
        }
    }
    outcome
}

async fn destroy_class(backoffice: &Backoffice, class: Class, before: OffsetDateTime) -> Result<(), Fault> {
    let gone = match class {
        Class::Contracts => personal_data::expire(backoffice, before).await?,
        Class::Disputes => disputes(backoffice, before).await?,
        Class::AccessRecords => access_records(backoffice, before).await?,
        Class::SecurityEvents => {
            // By the database's own time as well: it keeps what is younger, whatever a turned clock says.
            let gone = sqlx::query!(
                "delete from security_events where at < least($1, now() - interval '1 year')",
                before
            );
            gone.execute(&backoffice.pool).await?.rows_affected()
        }
        Class::RightChanges => {
            let gone = sqlx::query!(
                "delete from right_changes where at < least($1, now() - interval '3 years')",
                before
            );
            gone.execute(&backoffice.pool).await?.rows_affected()
        }
        Class::Tasks => tasks(backoffice, before).await?,
        Class::Events => events(backoffice, before).await?,
        Class::TossCalls => {
            let gone = sqlx::query!("delete from toss_calls where at < $1", before);
            gone.execute(&backoffice.pool).await?.rows_affected()
        }
        Class::Webhooks | Class::Files => return Ok(()),
    };
    note(backoffice, class, before, gone).await
}

async fn note(backoffice: &Backoffice, class: Class, before: OffsetDateTime, gone: u64) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    let count = i64::try_from(gone).unwrap_or(i64::MAX);
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!(
        "insert into retention_runs (class, done_to, ran_at, destroyed, last_at, total)
         values ($1, $2, $3, $4, case when $4::bigint > 0 then $3::timestamptz end, $4)
         on conflict (class) do update set done_to = greatest(retention_runs.done_to, excluded.done_to),
             ran_at = excluded.ran_at, total = retention_runs.total + excluded.total,
             destroyed = case when excluded.total > 0 then excluded.total else retention_runs.destroyed end,
             last_at = coalesce(excluded.last_at, retention_runs.last_at)",
        class.as_str(),
        before,
        now,
        count,
    )
    .execute(&mut *tx)
    .await?;
    if gone > 0 {
        let detail = json!({ "count": gone, "before": before.date().to_string() });
        let act =
            Act { action: "retention.destroyed", subject_kind: "retention", subject: class.as_str(), detail };
        audit::record(&mut tx, now, &ACTOR, act).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// What was said about orders.
async fn disputes(backoffice: &Backoffice, before: OffsetDateTime) -> Result<u64, Fault> {
    let messages = sqlx::query!(
        "update messages set context = '{}', result = null
         where requested_at < $1 and context <> '{}'
           and requested_at >= coalesce((select done_to from retention_runs where class = $2), '-infinity')",
        before,
        Class::Disputes.as_str(),
    )
    .execute(&backoffice.pool)
    .await?;
    let returns = sqlx::query!("update returns set note = '' where closed_at < $1 and note <> ''", before)
        .execute(&backoffice.pool)
        .await?;
    Ok(messages.rows_affected() + returns.rows_affected())
}

/// Who saw what, and who was in files in the clear. The rows of the audit log stay: they have the hash and nothing else.
async fn access_records(backoffice: &Backoffice, before: OffsetDateTime) -> Result<u64, Fault> {
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!("delete from export_people where at < least($1, now() - interval '1 year')", before)
        .execute(&mut *tx)
        .await?;
    let gone =
        sqlx::query!("delete from access_records where at < least($1, now() - interval '1 year')", before)
            .execute(&mut *tx)
            .await?;
    tx.commit().await?;
    Ok(gone.rows_affected())
}

/// What still waits to be told stays.
async fn events(backoffice: &Backoffice, before: OffsetDateTime) -> Result<u64, Fault> {
    let gone = sqlx::query!(
        "delete from events e where at < $1 and not exists (
             select from event_queue q where q.seq = e.seq and q.endpoint_id in (select id from event_endpoints))",
        before
    )
    .execute(&backoffice.pool)
    .await?;
    sqlx::query!("delete from event_attempts where at < $1", before).execute(&backoffice.pool).await?;
    Ok(gone.rows_affected())
}

async fn tasks(backoffice: &Backoffice, before: OffsetDateTime) -> Result<u64, Fault> {
    let mut gone = 0;
    for statement in [
        sqlx::query!("delete from missing_events where coalesce(came_at, applied_at) < $1", before),
        sqlx::query!("delete from staff_notices where seen_at < $1", before),
        sqlx::query!("delete from webhook_replays where ended_at < $1", before),
        sqlx::query!("delete from exports where state = 'gone' and ended_at < $1", before),
    ] {
        gone += statement.execute(&backoffice.pool).await?.rows_affected();
    }
    Ok(gone)
}
