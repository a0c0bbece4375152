//! Approvals, issued accounts, deposits and cancels, by Toss's `transactionKey`: what our own books say of each
//! ([`payments::record_movements`]) and what Toss's list says ([`ListSync`]).

pub(crate) mod job;
mod sync;
pub mod sync_toss_pay;

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use crate::{
    Backoffice, Fault,
    kernel::personal::{masked, without_card_numbers},
    page::{Cursor, Page, push_keyset, push_span},
    payments::{self, OUTGOING, SourceRow},
    rail::Rail,
};

pub use sync::{Compared, sync, sync_due};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub transaction_key: String,
    pub rail: Rail,
    pub payment_key: String,
    pub order_id: String,
    pub method: Option<String>,
    pub status: String,
    pub currency: String,
    pub amount: Decimal,
    pub transaction_at: OffsetDateTime,
}

impl Row {
    /// Money out? The status says it; the amount's sign does not (toss-api.md A7).
    pub fn is_outgoing(&self) -> bool {
        OUTGOING.contains(&self.status.as_str())
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Filter {
    #[serde(with = "toss::timestamp::option", default)]
    pub from: Option<OffsetDateTime>,
    #[serde(with = "toss::timestamp::option", default)]
    pub to: Option<OffsetDateTime>,
    pub outgoing: Option<bool>,
    /// An order id, payment key or transaction key.
    pub q: Option<String>,
}

/// One reading of a list of Toss's, from its first page to its last.
pub(crate) struct ListSync {
    rail: Rail,
    source: &'static str,
    pub begun: OffsetDateTime,
    seen: HashMap<String, i16>,
}

impl ListSync {
    pub fn of(rail: Rail, source: &'static str, begun: OffsetDateTime) -> Self {
        Self { rail, source, begun, seen: HashMap::new() }
    }

    /// Writes a page. How many of its rows were not known.
    pub async fn upsert_page(&mut self, pool: &PgPool, page: &[SourceRow]) -> Result<u64, Fault> {
        // A statement writes each row once: of a row that stands twice on one page, the last.
        let mut last: HashMap<&str, (&SourceRow, i16)> = HashMap::new();
        for row in page {
            let times = self.seen.entry(row.key.clone()).or_default();
            *times = times.saturating_add(1);
            last.insert(&row.key, (row, *times));
        }
        let mut rows: Vec<(&SourceRow, i16)> = last.into_values().collect();
        // Two readers of one list take their locks in one order.
        rows.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
        let of =
            |get: fn(&SourceRow) -> &str| rows.iter().map(|(r, _)| get(r).to_owned()).collect::<Vec<_>>();
        let money = |get: fn(&SourceRow) -> Decimal| rows.iter().map(|(r, _)| get(r)).collect::<Vec<_>>();
        let methods: Vec<Option<String>> = rows.iter().map(|(r, _)| r.method.clone()).collect();
        let times: Vec<OffsetDateTime> = rows.iter().map(|(r, _)| r.at).collect();
        let counts: Vec<i16> = rows.iter().map(|(_, times)| *times).collect();
        let raws: Vec<Value> = rows.iter().map(|(r, _)| r.raw.clone()).collect();
        let (keys, payment_keys) = (of(|r| &r.key), of(|r| &r.payment_key));
        let mut tx = pool.begin().await?;
        let fresh = sqlx::query_scalar!(
            r#"with taken as (
                insert into transactions as t
                    (transaction_key, payment_key, order_id, rail, method, status, currency, amount, transaction_at,
                     listed_amount, listed_status, listed_times, listed_at, discount, points)
                select key, payment_key, order_id, $11, method, status, currency, amount, at, amount, status, times, $12, discount, points
                from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::numeric[],
                            $8::timestamptz[], $9::smallint[], $10::numeric[], $13::numeric[])
                     as l (key, payment_key, order_id, method, status, currency, amount, at, times, discount, points)
                on conflict (transaction_key) do update
                   set status = excluded.status, currency = excluded.currency, amount = excluded.amount,
                       transaction_at = excluded.transaction_at, method = coalesce(excluded.method, t.method),
                       listed_amount = excluded.listed_amount, listed_status = excluded.listed_status,
                       listed_times = excluded.listed_times, listed_at = excluded.listed_at,
                       discount = excluded.discount, points = excluded.points
                returning (xmax = 0) as fresh)
               select count(*) filter (where fresh) as "fresh!" from taken"#,
            &keys,
            &payment_keys,
            &of(|r| &r.order_id),
            &methods as &[Option<String>],
            &of(|r| &r.status),
            &of(|r| &r.currency),
            &money(|r| r.amount),
            &times,
            &counts,
            &money(|r| r.discount),
            self.rail.as_str(),
            self.begun,
            &money(|r| r.points),
        )
        .fetch_one(&mut *tx)
        .await?;
        upsert_source_rows(&mut tx, self.source, &keys, &counts, raws, self.begun).await?;
        if self.rail == Rail::TossPayments {
            payments::book_listed(&mut tx, &payment_keys).await?;
        }
        tx.commit().await?;
        Ok(u64::try_from(fresh).unwrap_or_default())
    }

    /// The list was read to its end: what it had once and has no more is no longer listed, and the stretch is read.
    pub async fn finish(
        self,
        tx: &mut PgConnection,
        from: OffsetDateTime,
        to: OffsetDateTime,
    ) -> Result<(), Fault> {
        sqlx::query!(
            "update transactions set listed_amount = null, listed_status = null, listed_times = 0
             where transaction_at >= $1 and transaction_at < $2 and rail = $3 and listed_at < $4 and listed_times > 0",
            from,
            to,
            self.rail.as_str(),
            self.begun,
        )
        .execute(&mut *tx)
        .await?;
        let rows = i64::try_from(self.seen.len()).unwrap_or_default();
        mark_read(tx, self.source, from, to, self.begun, rows).await
    }
}

/// Rows of Toss's lists as they came, but for what is somebody's own: nobody reads it here.
pub(crate) async fn upsert_source_rows(
    tx: &mut PgConnection,
    source: &str,
    keys: &[String],
    occurrence: &[i16],
    raws: Vec<Value>,
    at: OffsetDateTime,
) -> Result<(), Fault> {
    let raws: Vec<Value> = raws.into_iter().map(|raw| masked(without_card_numbers(raw))).collect();
    sqlx::query!(
        "insert into source_rows (source, key, occurrence, raw, read_at)
         select $1, key, occurrence, raw, $5 from unnest($2::text[], $3::smallint[], $4::jsonb[]) as l (key, occurrence, raw)
         on conflict (source, key, occurrence) do update set raw = excluded.raw, read_at = excluded.read_at
            where source_rows.raw <> excluded.raw",
        source,
        keys,
        occurrence,
        &raws,
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(crate) async fn mark_read(
    tx: &mut PgConnection,
    source: &str,
    from: OffsetDateTime,
    to: OffsetDateTime,
    begun: OffsetDateTime,
    rows: i64,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into sync_windows (source, starts_at, ends_at, read_at, rows) values ($1, $2, $3, $4, $5)
         on conflict (source, starts_at) do update
            set ends_at = excluded.ends_at, read_at = excluded.read_at, rows = excluded.rows",
        source,
        from,
        to,
        begun,
        rows,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub async fn list(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Row>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(
        "select transaction_key, rail, payment_key, order_id, method, status, currency, amount, transaction_at
         from transactions where true",
    );
    if let Some(q) = &filter.q {
        query.push(" and (transaction_key = ").push_bind(q.clone());
        query.push(" or payment_key = ").push_bind(q.clone());
        query.push(" or order_id = ").push_bind(q.clone()).push(")");
    }
    push_span(&mut query, "transaction_at", filter.from, filter.to);
    match filter.outgoing {
        Some(true) => drop(query.push(" and status = any(").push_bind(OUTGOING).push(")")),
        Some(false) => drop(query.push(" and status <> all(").push_bind(OUTGOING).push(")")),
        None => {}
    }
    push_keyset(&mut query, cursor, "transaction_at", "transaction_key", size);
    let rows: Vec<Row> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |r| (r.transaction_at, r.transaction_key.clone())))
}

pub async fn of_order(backoffice: &Backoffice, order_id: &str) -> Result<Vec<Row>, Fault> {
    let rows = sqlx::query_as!(
        Row,
        r#"select transaction_key, rail as "rail: Rail", payment_key, order_id, method, status, currency, amount, transaction_at
         from transactions where order_id = $1 order by transaction_at desc, transaction_key desc"#,
        order_id,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(rows)
}
