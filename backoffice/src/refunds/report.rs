//! Refunds in figures: why money goes back, and what is open for how long.

use rust_decimal::Decimal;
use time::{Date, Month, OffsetDateTime};

use super::{
    State,
    list::{ELSEWHERE, went_back_elsewhere},
};
use crate::{
    Backoffice, Fault,
    clock::{SEOUL, day_start},
};

/// One month in Seoul, in won, by the moment at which Toss took a refund: `(reason, refunds, sum)`.
#[derive(Debug, Clone)]
pub struct MonthOfReasons {
    pub year: i32,
    pub month: Month,
    pub reasons: Vec<(String, i64, Decimal)>,
    /// Of it with a bank, or come back from one.
    pub not_arrived: Decimal,
}

/// Open refunds of one state and age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCount {
    pub state: State,
    /// `minute`, `quarter`, `hour` or `older`: the age is below it.
    pub age: &'static str,
    pub count: i64,
}

const AGES: [(&str, i64); 3] = [("minute", 60), ("quarter", 900), ("hour", 3600)];

fn first_of_month(day: Date, months_back: i32) -> Option<Date> {
    let index = day.year() * 12 + i32::from(u8::from(day.month())) - 1 - months_back;
    let month = Month::try_from(u8::try_from(index.rem_euclid(12) + 1).ok()?).ok()?;
    Date::from_calendar_date(index.div_euclid(12), month, 1).ok()
}

/// What Toss took, by reason, for this month and the `before` months before it, newest first.
pub async fn reasons(backoffice: &Backoffice, before: u8) -> Result<Vec<MonthOfReasons>, Fault> {
    let today = backoffice.clock.now().to_offset(SEOUL).date();
    let Some(first) = first_of_month(today, i32::from(before)) else { return Ok(Vec::new()) };
    let rows = sqlx::query!(
        r#"select extract(year from settled_at at time zone 'Asia/Seoul')::int as "year!",
                  extract(month from settled_at at time zone 'Asia/Seoul')::int as "month!",
                  reason_code, count(*) as "count!", sum(amount) as "sum!",
                  coalesce(sum(amount) filter (where look_at is not null), 0) as "not_arrived!"
           from refunds where state = 'succeeded' and settled_at >= $1 and currency = 'KRW'
           group by 1, 2, 3 order by 1 desc, 2 desc, 5 desc"#,
        day_start(first),
    )
    .fetch_all(&backoffice.pool)
    .await?;
    // What was not asked for here stands in the list, and so in the sum.
    let elsewhere = format!(
        "select extract(year from t.transaction_at at time zone 'Asia/Seoul')::int,
                extract(month from t.transaction_at at time zone 'Asia/Seoul')::int, count(*), sum(t.amount)
         from transactions t
         where t.transaction_at >= $1 and t.currency = 'KRW' and {}
         group by 1, 2",
        went_back_elsewhere()
    );
    let elsewhere: Vec<(i32, i32, i64, Decimal)> = sqlx::query_as(sqlx::AssertSqlSafe(elsewhere))
        .bind(day_start(first))
        .fetch_all(&backoffice.pool)
        .await?;
    let mut months = Vec::new();
    for back in 0..=i32::from(before) {
        let Some(first) = first_of_month(today, back) else { continue };
        let (year, month) = (first.year(), first.month());
        let of_month =
            || rows.iter().filter(|row| row.year == year && row.month == i32::from(u8::from(month)));
        months.push(MonthOfReasons {
            year,
            month,
            reasons: of_month()
                .map(|row| (row.reason_code.clone(), row.count, row.sum))
                .chain(
                    elsewhere
                        .iter()
                        .filter(|(y, m, ..)| (*y, *m) == (year, i32::from(u8::from(month))))
                        .map(|(_, _, count, sum)| (ELSEWHERE.to_owned(), *count, *sum)),
                )
                .collect(),
            not_arrived: of_month().map(|row| row.not_arrived).sum(),
        });
    }
    Ok(months)
}

/// Everything that is open, by state and age. There is never much of it.
pub async fn count_open(backoffice: &Backoffice) -> Result<Vec<OpenCount>, Fault> {
    let now = backoffice.clock.now();
    let rows = sqlx::query!(
        "select state, coalesce(approved_at, requested_at) as since from refunds
         where state in ('requested', 'waiting_for_approval', 'approved', 'sending', 'unknown') limit 10000"
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let age = |since: Option<OffsetDateTime>| {
        let seconds = since.map_or(0, |since| (now - since).whole_seconds());
        AGES.iter().find(|(_, below)| seconds < *below).map_or("older", |(name, _)| name)
    };
    let mut counts: Vec<OpenCount> = Vec::new();
    for state in State::ALL.into_iter().filter(|state| !state.is_settled()) {
        for name in AGES.iter().map(|(name, _)| *name).chain(["older"]) {
            let count =
                rows.iter().filter(|row| row.state == state.as_str() && age(row.since) == name).count();
            counts.push(OpenCount { state, age: name, count: i64::try_from(count).unwrap_or(i64::MAX) });
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn months_go_back_over_the_turn_of_the_year() {
        assert_eq!(first_of_month(date!(2026 - 02 - 28), 0), Some(date!(2026 - 02 - 01)));
        assert_eq!(first_of_month(date!(2026 - 02 - 28), 2), Some(date!(2025 - 12 - 01)));
        assert_eq!(first_of_month(date!(2026 - 02 - 28), 14), Some(date!(2024 - 12 - 01)));
    }
}
