//! How long what is kept is kept: one table, shown in the settings and enforced each night. What is destroyed leaves a row in the
//! audit log that says how much it was, and nothing of what it was.

pub mod job;

use time::OffsetDateTime;

pub use crate::kernel::periods::{Class, NoPeriod, Period, Periods};
use crate::{Backoffice, Fault};

/// What was destroyed of a kind.
#[derive(Debug, Clone)]
pub struct Run {
    pub class: Class,
    pub period: Period,
    /// When it was last looked at, and when something last went.
    pub ran_at: Option<OffsetDateTime>,
    pub last_at: Option<OffsetDateTime>,
    pub destroyed: i64,
    pub total: i64,
}

/// The table as it is enforced.
pub async fn list(backoffice: &Backoffice) -> Result<Vec<Run>, Fault> {
    let rows = sqlx::query!("select class, ran_at, last_at, destroyed, total from retention_runs")
        .fetch_all(&backoffice.pool)
        .await?;
    let runs = Class::ALL.into_iter().map(|class| {
        let row = rows.iter().find(|row| row.class == class.as_str());
        Run {
            class,
            period: backoffice.retention.of(class),
            ran_at: row.map(|row| row.ran_at),
            last_at: row.and_then(|row| row.last_at),
            destroyed: row.map_or(0, |row| row.destroyed),
            total: row.map_or(0, |row| row.total),
        }
    });
    Ok(runs.collect())
}
