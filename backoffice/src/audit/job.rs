//! The check of the night, and what the last one found.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::verify::{self, Finding, Report};
use crate::{
    Backoffice, Fault,
    queue::{Attempt, Job},
};

/// Checks the whole log against what is kept here. What was brought outside is held against it by whoever has it.
#[derive(Serialize, Deserialize)]
pub(crate) struct VerifyLog {}

impl Job for VerifyLog {
    const NAME: &'static str = "verify_log";

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        let report = verify::verify(backoffice, &[]).await?;
        note(backoffice, &report, 0).await
    }
}

/// Keeps what a check found, for the first page and for metrics. `outside`: how many checkpoints from outside it had: what
/// only they could tell is not forgotten by the check of the night.
pub async fn note(backoffice: &Backoffice, report: &Report, outside: usize) -> Result<(), Fault> {
    if !report.is_whole() {
        tracing::error!(target: "security", findings = report.count, "the audit log is not what was sealed");
    }
    let first = report.findings.first().map(serde_json::to_value).transpose();
    sqlx::query!(
        "insert into audit_checks (at, leaves, outside, findings, first) values (clock_timestamp(), $1, $2, $3, $4)",
        i64::try_from(report.leaves).unwrap_or(i64::MAX),
        i64::try_from(outside).unwrap_or(i64::MAX),
        i64::try_from(report.count).unwrap_or(i64::MAX),
        first.map_err(Fault::unreadable("a finding"))?,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

/// How the log stands.
#[derive(Debug, Clone)]
pub struct State {
    /// When it was last checked, in real time, and what was found first.
    pub checked_at: Option<OffsetDateTime>,
    pub findings: i64,
    pub first: Option<Finding>,
    /// Rows that wait for more than a minute to be sealed.
    pub is_late: bool,
    /// Places outside that have not taken a checkpoint for ten minutes.
    pub unreachable: Vec<String>,
}

pub async fn state(backoffice: &Backoffice) -> Result<State, Fault> {
    let row = sqlx::query!(
        r#"select checked_at, findings as "findings!", first, is_late as "is_late!", unreachable as "unreachable!"
           from audit_state"#
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(State {
        checked_at: row.checked_at,
        findings: row.findings,
        first: row.first.and_then(|first| serde_json::from_value(first).ok()),
        is_late: row.is_late,
        unreachable: row.unreachable,
    })
}
