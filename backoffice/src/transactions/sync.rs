//! Toss's list of transactions, read stretch by stretch: into the books, and beside the deliveries that told of it.

use futures::TryStreamExt as _;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::ListSync;
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    clock::day_start,
    payments::SourceRow,
    rail::Rail,
    webhooks::missing::{self, DAYS, GRACE},
};

const JOB: Actor = Actor::Job("missing");

/// Windows of one run of the job: Toss takes 100 calls a minute in its test environment.
const AT_ONCE: usize = 40;
/// Rows of Toss's list that are written at once.
const AT_ONCE_WRITTEN: usize = 1000;

/// What a comparison found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    pub read: u64,
    /// Transactions that the books did not hold yet.
    pub new: u64,
    pub missing: u64,
    /// Payments whose state changed by the look-up.
    pub changed: u64,
}

impl std::ops::AddAssign for Compared {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.new += other.new;
        self.missing += other.missing;
        self.changed += other.changed;
    }
}

/// Compares what has not been compared yet: the hours of today, the days before it. True when nothing is left.
pub async fn sync_due(backoffice: &Backoffice) -> Result<bool, Fault> {
    let due = due_windows(backoffice).await?;
    for (from, to) in due.iter().take(AT_ONCE) {
        sync(backoffice, &JOB, *from, *to).await?;
    }
    Ok(due.len() <= AT_ONCE)
}

/// Windows that ended a while ago and were not looked at since, newest first.
async fn due_windows(backoffice: &Backoffice) -> Result<Vec<(OffsetDateTime, OffsetDateTime)>, Fault> {
    let now = backoffice.clock.now();
    let today = day_start(backoffice.clock.today());
    let hours = (0..24).map(|hour| (today + Duration::hours(hour), today + Duration::hours(hour + 1)));
    let days = (1..=DAYS).map(|back| (today - Duration::days(back), today - Duration::days(back - 1)));
    let mut windows: Vec<_> = hours.filter(|(_, to)| *to + GRACE <= now).collect();
    windows.reverse();
    windows.extend(days);
    let starts: Vec<OffsetDateTime> = windows.iter().map(|(from, _)| *from).collect();
    let done = sqlx::query!(
        "select starts_at, ends_at from sync_windows
         where source = 'transactions' and starts_at = any($1) and read_at >= ends_at + make_interval(secs => $2)",
        &starts,
        GRACE.as_seconds_f64(),
    )
    .fetch_all(&backoffice.pool)
    .await?;
    // A day that was only compared as its first hour has the same beginning and another end.
    windows.retain(|(from, to)| !done.iter().any(|d| d.starts_at == *from && d.ends_at == *to));
    Ok(windows)
}

/// Holds Toss's list of `[from, to)` against what arrived. What never came is noted, and a look-up brings the books
/// up to date. Doing it again is harmless.
pub async fn sync(
    backoffice: &Backoffice,
    actor: &Actor,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<Compared, Fault> {
    let begun = backoffice.clock.now();
    let mut compared = Compared::default();
    let mut list = ListSync::of(Rail::TossPayments, "transactions", begun);
    {
        let mut rows = std::pin::pin!(backoffice.toss.transactions(from, to).try_chunks(AT_ONCE_WRITTEN));
        while let Some(page) = rows.try_next().await.map_err(|stopped| stopped.1)? {
            let page: Vec<SourceRow> =
                page.into_iter().map(|(row, raw)| SourceRow::new(row, &raw)).collect::<Result<_, _>>()?;
            compared.read += page.len() as u64;
            compared.new += list.upsert_page(&backoffice.pool, &page).await?;
            compared.missing += missing::note(backoffice, &page, begun).await?;
        }
    }
    compared.changed = missing::apply(backoffice, actor).await?;
    let mut tx = backoffice.pool.begin().await?;
    list.finish(&mut tx, from, to).await?;
    // A job that found nothing is not worth a row; what a person does is.
    if *actor != JOB || compared.new + compared.missing > 0 {
        let subject = toss::timestamp::format_local(from);
        let detail = json!({ "to": toss::timestamp::format_local(to), "read": compared.read,
                             "new": compared.new, "missing": compared.missing, "changed": compared.changed });
        let act = Act { action: "transactions.synced", subject_kind: "window", subject: &subject, detail };
        audit::record(&mut tx, backoffice.clock.now(), actor, act).await?;
    }
    tx.commit().await?;
    Ok(compared)
}
