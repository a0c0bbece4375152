//! Events that never came. Toss gives up after three days and 19 hours (toss-api.md A10.1), and a receiver that was
//! away longer hears of them no more: its own list of transactions tells.

use rust_decimal::Decimal;
use time::{Duration, OffsetDateTime};
use toss::payments::PaymentKey;

use super::Badge;
use crate::{
    Backoffice, Fault,
    audit::Actor,
    page::{Cursor, Page, push_keyset},
    payments::{self, SourceRow},
};

/// What happened so recently may still be on its way.
pub(crate) const GRACE: Duration = Duration::minutes(10);
/// How far back whole days are compared.
pub(crate) const DAYS: i64 = 30;
/// One event that Toss owes us, or owed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Missing {
    pub transaction_key: String,
    pub payment_key: String,
    pub order_id: String,
    pub status: String,
    pub currency: String,
    pub amount: Decimal,
    pub transaction_at: OffsetDateTime,
    pub found_at: OffsetDateTime,
    pub applied_at: Option<OffsetDateTime>,
    pub came_at: Option<OffsetDateTime>,
}

/// From the first to the last event that never came, of those found in the last 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub events: i64,
    pub from: OffsetDateTime,
    pub to: OffsetDateTime,
}

/// Notes transactions that no delivery told of. How many of them are news.
pub(crate) async fn note(
    backoffice: &Backoffice,
    page: &[SourceRow],
    now: OffsetDateTime,
) -> Result<u64, Fault> {
    let due: Vec<&SourceRow> = page.iter().filter(|row| row.at + GRACE <= now).collect();
    let of = |get: fn(&SourceRow) -> &str| due.iter().map(|row| get(row).to_owned()).collect::<Vec<_>>();
    let noted = sqlx::query!(
        "insert into missing_events (transaction_key, payment_key, order_id, status, currency, amount, transaction_at, found_at)
         select l.key, l.payment_key, l.order_id, l.status, l.currency, l.amount, l.at, $8
         from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::timestamptz[])
              as l (key, payment_key, order_id, status, currency, amount, at)
         -- Only what was believed has come: anybody can post a key.
         where not exists (select 1 from webhook_deliveries
                           where badges && $9 and not badges && $10 and transaction_key = l.key
                             and id >= webhook_floor(l.at - interval '1 day'))
           and not exists (select 1 from webhook_deliveries
                           where badges && $9 and not badges && $10 and transaction_key is null
                             and payment_key = l.payment_key and body_status = l.status
                             and id >= webhook_floor(l.at - interval '1 day'))
           and not exists (select 1 from payments p where p.payment_key = l.payment_key and p.raw ->> 'type' = 'BILLING'
                           and l.status = 'DONE')
         on conflict (transaction_key) do nothing",
        &of(|row| &row.key),
        &of(|row| &row.payment_key),
        &of(|row| &row.order_id),
        &of(|row| &row.status),
        &of(|row| &row.currency),
        &due.iter().map(|row| row.amount).collect::<Vec<_>>(),
        &due.iter().map(|row| row.at).collect::<Vec<_>>(),
        now,
        &Badge::words_of_truth(),
        &Badge::loud(),
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(noted.rows_affected())
}

/// Asks Toss about every payment that something is missing of. How many of them were news to the books.
pub(crate) async fn apply(backoffice: &Backoffice, actor: &Actor) -> Result<u64, Fault> {
    let keys =
        sqlx::query_scalar!("select distinct payment_key from missing_events where applied_at is null")
            .fetch_all(&backoffice.pool)
            .await?;
    let mut changed = 0;
    for key in keys {
        match payments::look_up(backoffice, actor, &PaymentKey(key.clone())).await {
            Ok((_, changes)) => changed += u64::from(!changes.is_empty()),
            // A list that names what Toss does not know is strange, and no reason to stop.
            Err(Fault::Toss(error)) if error.is_not_found() => {
                tracing::warn!(payment = key, "Toss lists a payment it does not know");
            }
            Err(fault) => return Err(fault),
        }
        // Approvals of a billing key are not told by webhook (toss-api.md A4.5); only now it is known to be one.
        sqlx::query!(
            "delete from missing_events m using payments p where m.payment_key = $1 and m.status = 'DONE'
             and p.payment_key = m.payment_key and p.raw ->> 'type' = 'BILLING'",
            key
        )
        .execute(&backoffice.pool)
        .await?;
        sqlx::query!(
            "update missing_events set applied_at = $2 where payment_key = $1 and applied_at is null",
            key,
            backoffice.clock.now()
        )
        .execute(&backoffice.pool)
        .await?;
    }
    Ok(changed)
}

pub async fn list(
    backoffice: &Backoffice,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Missing>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(
        "select transaction_key, payment_key, order_id, status, currency, amount, transaction_at, found_at, applied_at,
                came_at from missing_events where true",
    );
    push_keyset(&mut query, cursor, "transaction_at", "transaction_key", size);
    let rows: Vec<Missing> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |row| (row.transaction_at, row.transaction_key.clone())))
}

/// What is still absent of the last 30 days.
pub async fn gap(backoffice: &Backoffice) -> Result<Option<Gap>, Fault> {
    let row = sqlx::query!(
        r#"select count(*) as "events!", min(transaction_at) as "from", max(transaction_at) as "to"
           from missing_events where came_at is null and transaction_at >= $1"#,
        backoffice.clock.now() - Duration::days(DAYS),
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(row.from.zip(row.to).map(|(from, to)| Gap { events: row.events, from, to }))
}
