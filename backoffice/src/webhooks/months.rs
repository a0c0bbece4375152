//! One table a month. The next ones are there before they are needed, and the oldest go when their time is up.

use time::{Duration, OffsetDateTime};

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    clock::SEOUL,
};

/// How many years of deliveries may be kept.
pub const KEPT_YEARS: [u8; 3] = [1, 2, 5];

const JOB: Actor = Actor::Job("webhook-months");
const PREFIX: &str = "webhook_deliveries_";

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
    let today = now.to_offset(SEOUL);
    let kept_from = format!(
        "{PREFIX}{:04}_{:02}",
        today.year() - i32::from(backoffice.webhook_years),
        u8::from(today.month())
    );
    // Also those that a process detached and died before it dropped them: nobody sees them any more.
    let months = sqlx::query!(
        r#"select c.relname as "name!", i.inhdetachpending as "pending?" from pg_class c
           left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = 'webhook_deliveries'::regclass
           where c.relkind = 'r' and c.relnamespace = 'jangbu'::regnamespace
             and c.relname ~ '^webhook_deliveries_[0-9]{4}_[0-9]{2}$' order by c.relname"#
    )
    .fetch_all(&backoffice.pool)
    .await?;
    // Their names sort by time.
    for month in months.into_iter().filter(|m| m.name < kept_from) {
        drop_partition(backoffice, &month.name, month.pending).await?;
    }
    Ok(())
}

/// In two steps: detaching concurrently waits for readers instead of stopping them, and then nobody sees the table.
/// `pending` says that another process began to detach it; nothing, that it is detached.
async fn drop_partition(backoffice: &Backoffice, name: &str, pending: Option<bool>) -> Result<(), Fault> {
    if let Some(pending) = pending {
        let how = if pending { "finalize" } else { "concurrently" };
        let detach = format!("alter table webhook_deliveries detach partition {name} {how}");
        // Not within a transaction: PostgreSQL makes two of its own.
        sqlx::raw_sql(sqlx::AssertSqlSafe(detach)).execute(&backoffice.pool).await?;
    }
    let mut tx = backoffice.pool.begin().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("drop table {name}"))).execute(&mut *tx).await?;
    let month = name.trim_start_matches(PREFIX).replace('_', "-");
    let detail = serde_json::json!({ "keptYears": backoffice.webhook_years });
    let act = Act { action: "webhooks.month_dropped", subject_kind: "month", subject: &month, detail };
    audit::record(&mut tx, backoffice.clock.now(), &JOB, act).await?;
    tx.commit().await?;
    tracing::info!(month, "webhook deliveries of this month have been dropped");
    Ok(())
}
