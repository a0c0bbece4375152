//! Whether the stream of deliveries is well: when the last one came, what could not be looked into, whether Toss is
//! sending again, and whether it is more quiet than at this time of other days.

use time::{Duration, OffsetDateTime};

use super::Badge;
use crate::{
    Backoffice, Fault,
    events::{self, Data, Kind, data},
};

/// Days that make a habit.
const DAYS: i64 = 14;
/// Fewer days are no habit yet.
const ENOUGH_DAYS: i64 = 5;
/// So many deliveries usually came in the hours that are silent now. With eight expected, none is an accident once in
/// three thousand times.
const USUAL: f64 = 8.0;

/// More quiet than its own habit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Silence {
    pub since: OffsetDateTime,
    /// Deliveries that the same hours of the last days brought, on average.
    pub usual: f64,
}

/// Counts stop at a hundred.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Health {
    pub last_at: Option<OffsetDateTime>,
    /// Not looked into within a minute.
    pub waiting: i64,
    /// Looked into in vain so far.
    pub failed: i64,
    /// Of the last day: those that no honest delivery looks like.
    pub untrusted: i64,
    /// Of the last day: those that Toss had to send again.
    pub retried: i64,
    pub silence: Option<Silence>,
}

pub async fn health(backoffice: &Backoffice) -> Result<Health, Fault> {
    let now = backoffice.clock.now();
    let row = sqlx::query!(
        r#"select
            (select received_at from webhook_deliveries where not badges && $4 order by id desc limit 1) as last_at,
            (select count(*) from (select 1 from webhook_deliveries where state in ('received', 'failed')
                and id < webhook_floor($1) limit 100) x) as "waiting!",
            (select count(*) from (select 1 from webhook_deliveries where state = 'failed' limit 100) x) as "failed!",
            (select count(*) from (select 1 from webhook_deliveries where id >= webhook_floor($2)
                and badges && $3 limit 100) x) as "untrusted!",
            (select count(*) from (select 1 from webhook_deliveries where id >= webhook_floor($2)
                and retried_count > 0 limit 100) x) as "retried!""#,
        now - Duration::MINUTE,
        now - Duration::DAY,
        &Badge::loud(),
        &Badge::strangers(),
    )
    .fetch_one(&backoffice.pool)
    .await?;
    let silence = match row.last_at {
        Some(last) => silence(backoffice, last, now).await?,
        None => None,
    };
    Ok(Health {
        last_at: row.last_at,
        waiting: row.waiting,
        failed: row.failed,
        untrusted: row.untrusted,
        retried: row.retried,
        silence,
    })
}

/// Tells the merchant's own systems of a silence, once.
pub async fn tell_silence(backoffice: &Backoffice) -> Result<(), Fault> {
    let Some(Silence { since, usual }) = health(backoffice).await?.silence else { return Ok(()) };
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('webhook.silent', 0))")
        .execute(&mut *tx)
        .await?;
    let is_told = sqlx::query_scalar!(
        r#"select exists (select from events where kind = 'webhook.silent' and at >= $1) as "is_told!""#,
        since,
    )
    .fetch_one(&mut *tx)
    .await?;
    if !is_told {
        let silence = Data::Silence(data::Silence { since, usual });
        events::tell(&mut tx, now, &[(Kind::WebhookSilent, silence)]).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Holds the hours since the last delivery against the same hours of the days before. At least one delivery has
/// come in them on every one of those days, and enough on average.
async fn silence(
    backoffice: &Backoffice,
    last: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Option<Silence>, Fault> {
    // Longer than a day there is nothing to learn from the time of day.
    let from = last.max(now - Duration::DAY);
    let row = sqlx::query!(
        r#"with day as (
            select $1::timestamptz - make_interval(days => back) as a, $2::timestamptz - make_interval(days => back) as b
            from generate_series(1, 60) back
            -- A day that lies within the silence itself is no habit.
            where $2::timestamptz - make_interval(days => back) <= $4
              and $1::timestamptz - make_interval(days => back)
                  >= (select received_at from webhook_deliveries order by id limit 1)
            order by back limit $3),
         came as (
            select (select count(*) from (select 1 from webhook_deliveries
                    where id > webhook_floor(day.a) and id < webhook_floor(day.b)
                      and not badges && $5 limit 1000) x) as n from day)
         select count(*) as "days!", coalesce(min(n), 0) as "least!", coalesce(avg(n), 0)::float8 as "usual!" from came"#,
        from,
        now,
        DAYS,
        last,
        &Badge::strangers(),
    )
    .fetch_one(&backoffice.pool)
    .await?;
    let is_unusual = row.days >= ENOUGH_DAYS && row.least > 0 && row.usual >= USUAL;
    Ok(is_unusual.then_some(Silence { since: last, usual: row.usual }))
}
