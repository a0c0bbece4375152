//! Destroys what has served its time.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
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

/// What goes and the row that says so go together.
async fn destroy_class(backoffice: &Backoffice, class: Class, before: OffsetDateTime) -> Result<(), Fault> {
    // Orders go one by one, each with rows of its own.
    let contracts =
        if class == Class::Contracts { personal_data::expire(backoffice, before).await? } else { 0 };
    let mut tx = backoffice.pool.begin().await?;
    let gone = match class {
        Class::Contracts => contracts,
        Class::Disputes => disputes(&mut tx, before).await?,
        Class::AccessRecords => access_records(&mut tx, before).await?,
        Class::SecurityEvents => {
            // By the database's own time as well: it keeps what is younger, whatever a turned clock says.
            let gone = sqlx::query!(
                "delete from security_events where at < least($1, now() - interval '1 year')",
                before
            );
            gone.execute(&mut *tx).await?.rows_affected()
        }
        Class::RightChanges => {
            let gone = sqlx::query!(
                "delete from right_changes where at < least($1, now() - interval '3 years')",
                before
            );
            gone.execute(&mut *tx).await?.rows_affected()
        }
        Class::Tasks => tasks(&mut tx, before).await?,
        Class::Events => events(&mut tx, before).await?,
        Class::TossCalls => {
            let gone = sqlx::query!("delete from toss_calls where at < $1", before);
            gone.execute(&mut *tx).await?.rows_affected()
        }
        Class::ApiRequests => {
            let gone = sqlx::query!("delete from api_requests where at < $1", before);
            gone.execute(&mut *tx).await?.rows_affected()
        }
        Class::Webhooks | Class::Files => return Ok(()),
    };
    note(&mut tx, backoffice.clock.now(), class, before, gone).await?;
    tx.commit().await?;
    Ok(())
}

async fn note(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    class: Class,
    before: OffsetDateTime,
    gone: u64,
) -> Result<(), Fault> {
    let count = i64::try_from(gone).unwrap_or(i64::MAX);
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
        audit::record(tx, now, &ACTOR, act).await?;
    }
    Ok(())
}

/// What was said about orders.
async fn disputes(tx: &mut PgConnection, before: OffsetDateTime) -> Result<u64, Fault> {
    let messages = sqlx::query!(
        "update messages set context = '{}', result = null
         where requested_at < $1 and context <> '{}'
           and requested_at >= coalesce((select done_to from retention_runs where class = $2), '-infinity')",
        before,
        Class::Disputes.as_str(),
    )
    .execute(&mut *tx)
    .await?;
    let returns = sqlx::query!("update returns set note = '' where closed_at < $1 and note <> ''", before)
        .execute(&mut *tx)
        .await?;
    Ok(messages.rows_affected() + returns.rows_affected())
}

/// Who saw what, and who was in files in the clear. The rows of the audit log stay: they have the hash and nothing else.
async fn access_records(tx: &mut PgConnection, before: OffsetDateTime) -> Result<u64, Fault> {
    sqlx::query!("delete from export_people where at < least($1, now() - interval '1 year')", before)
        .execute(&mut *tx)
        .await?;
    let gone =
        sqlx::query!("delete from access_records where at < least($1, now() - interval '1 year')", before)
            .execute(&mut *tx)
            .await?;
    Ok(gone.rows_affected())
}

/// What still waits to be told stays.
async fn events(tx: &mut PgConnection, before: OffsetDateTime) -> Result<u64, Fault> {
    let gone = sqlx::query!(
        "delete from events e where at < $1 and not exists (
             select from event_queue q where q.seq = e.seq and q.endpoint_id in (select id from event_endpoints))",
        before
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from event_attempts where at < $1", before).execute(&mut *tx).await?;
    Ok(gone.rows_affected())
}

async fn tasks(tx: &mut PgConnection, before: OffsetDateTime) -> Result<u64, Fault> {
    let mut gone = 0;
    for statement in [
        sqlx::query!("delete from missing_events where coalesce(came_at, applied_at) < $1", before),
        sqlx::query!("delete from staff_notices where seen_at < $1", before),
        sqlx::query!("delete from webhook_replays where ended_at < $1", before),
        sqlx::query!("delete from exports where state = 'gone' and ended_at < $1", before),
    ] {
        gone += statement.execute(&mut *tx).await?.rows_affected();
    }
    Ok(gone)
}
