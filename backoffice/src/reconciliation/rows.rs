//! The rows of a day, one class at a time.

use rust_decimal::Decimal;
use time::{Date, Duration, OffsetDateTime};

use super::{Class, Finding, expectations};
use crate::{
    Backoffice, Fault,
    clock::day_start,
    page::{Cursor, Direction, Page, push_keyset},
    rail::Rail,
    settlements::FeeParts,
};

/// How much of a day is looked at first; as long as rows are missing on a page, twice as much.
const STRETCH: Duration = Duration::minutes(30);

/// A second row of a transaction has the same key.
const KEY: &str = "(transaction_key || '~' || occurrence)";

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub transaction_key: String,
    pub occurrence: i16,
    pub rail: Rail,
    pub order_id: String,
    pub method: Option<String>,
    pub currency: String,
    pub booked_currency: Option<String>,
    pub settled_currency: Option<String>,
    pub transaction_at: OffsetDateTime,
    pub status: String,
    pub ours: Decimal,
    pub toss: Decimal,
    pub settled: Decimal,
    pub discount: Decimal,
    pub points: Decimal,
    pub fee: Decimal,
    #[sqlx(flatten)]
    pub fee_parts: FeeParts,
    pub vat: Decimal,
    pub payout: Decimal,
    pub paid_out_date: Option<Date>,
    pub due: Option<Date>,
    pub is_estimate: bool,
    pub findings: Vec<Finding>,
}

/// Rows of a class on a day, newest first. Only as much of the day is put side by side as fills a page.
pub async fn list_rows(
    backoffice: &Backoffice,
    day: Date,
    class: Class,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Row>, Fault> {
    let next = day.next_day().unwrap_or(day);
    let expected = expectations::build(backoffice, day, next).await?;
    let (first, last) = (day_start(day), day_start(next));
    let backwards = cursor.is_some_and(|c| c.direction == Direction::Newer);
    // The stretch begins at the cursor, whose own moment may hold more rows, and grows away from it.
    let moment = Duration::microseconds(1);
    let start = match cursor {
        Some(cursor) if backwards => cursor.at.clamp(first, last),
        Some(cursor) => (cursor.at + moment).clamp(first, last),
        None => last,
    };
    let mut stretch = STRETCH;
    loop {
        let (from, to) = if backwards {
            (start, (start + stretch).min(last))
        } else {
            ((start - stretch).max(first), start)
        };
        let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(
            "select transaction_key, occurrence, rail, order_id, method, currency, booked_currency, settled_currency, transaction_at, status, ours, toss, settled, discount,
                    points, fee, coalesce(fee_base, 0) as base, coalesce(fee_instalment, 0) as instalment,
                    coalesce(fee_instalment_discount, 0) as instalment_discount, coalesce(fee_point_saving, 0) as point_saving,
                    coalesce(fee_other, 0) as other, coalesce(interest_fee, 0) as interest, vat, payout, paid_out_date, due, is_estimate, findings from reconciled_rows(",
        );
        query
            .push_bind(from)
            .push(", ")
            .push_bind(to)
            .push(", ")
            .push_bind(backoffice.clock.today())
            .push(", ");
        query.push_bind(expected.clone()).push(") where class = ").push_bind(class.as_str());
        push_keyset(&mut query, cursor, "transaction_at", KEY, size);
        let rows: Vec<Row> = query.build_query_as().persistent(false).fetch_all(&backoffice.pool).await?;
        if rows.len() > size || (from == first && !backwards) || (to == last && backwards) {
            return Ok(Page::new(rows, size, cursor, |r| {
                (r.transaction_at, format!("{}~{}", r.transaction_key, r.occurrence))
            }));
        }
        stretch *= 2;
    }
}
