//! One table a month. The next ones are there before they are needed, and the oldest go when their time is up.

use time::{Duration, OffsetDateTime};

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    clock::SEOUL,
    kernel::periods::Class,
};

const JOB: Actor = Actor::Job("webhook-months");
const PREFIX: &str = "webhook_deliveries_";
const LOCK_NOT_AVAILABLE: &str = "55P03";

pub(super) async fn add_partition(backoffice: &Backoffice, at: OffsetDateTime) -> Result<(), Fault> {
    sqlx::query!("select add_webhook_month($1)", at).execute(&backoffice.pool).await?;
    Ok(())
}

/// Adds this month and the next, and drops those that lie wholly before the years that are kept. Lists and intake
/// go on meanwhile.
pub async fn rotate_partitions(backoffice: &Backoffice) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    add_partition(backoffice, now).await?;
    add_partition(backoffice, now + Duration::days(31)).await?;
    let oldest = backoffice.retention.of(Class::Webhooks).before(now).to_offset(SEOUL);
    let kept_from = format!("{PREFIX}{:04}_{:02}", oldest.year(), u8::from(oldest.month()));
    // Also those that a process detached and died before it dropped them: nobody sees them any more. A clock that is turned does
    // not reach the last year: PostgreSQL goes by its own.
    let months = sqlx::query!(
        r#"select c.relname as "name!", exists (select from pg_inherits where inhrelid = c.oid) as "is_attached!"
           from pg_class c
           where c.relkind = 'r' and c.relnamespace = 'jangbu'::regnamespace
             and c.relname ~ '^webhook_deliveries_[0-9]{4}_[0-9]{2}$' and c.relname < $1
             and c.relname < $2 || to_char((now() - interval '1 year') at time zone 'Asia/Seoul', 'YYYY_MM')
           order by c.relname"#,
        kept_from,
        PREFIX,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    for month in months {
        let month_name = month.name.trim_start_matches(PREFIX);
        if month.is_attached && !detach(backoffice, month_name).await? {
            tracing::warn!(
                month = month_name,
                "somebody reads webhook deliveries all the time: the month goes later"
            );
            return Ok(());
        }
        drop_month(backoffice, month_name).await?;
    }
    Ok(())
}

/// Nobody sees the month any more. Whoever reads or writes deliveries waits for a fifth of a second at most, or else it is tried
/// again; whether it was done within a minute.
async fn detach(backoffice: &Backoffice, month: &str) -> Result<bool, Fault> {
    for _ in 0..60 {
        match sqlx::query!("select detach_webhook_month($1)", month).execute(&backoffice.pool).await {
            Ok(_) => return Ok(true),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

async fn drop_month(backoffice: &Backoffice, month: &str) -> Result<(), Fault> {
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!("select drop_webhook_month($1)", month).execute(&mut *tx).await?;
    let month = month.replace('_', "-");
    let detail = serde_json::json!({ "kept": backoffice.retention.of(Class::Webhooks).text() });
    let act = Act { action: "webhooks.month_dropped", subject_kind: "month", subject: &month, detail };
    audit::record(&mut tx, backoffice.clock.now(), &JOB, act).await?;
    tx.commit().await?;
    tracing::info!(month, "webhook deliveries of this month have been dropped");
    Ok(())
}
