//! Days at a glance: a month's calendar and a day's sums. They are read from what the last reconciliation kept.

use std::collections::BTreeMap;

use time::{Date, OffsetDateTime};

use super::{Class, ClassSums, Sums, close::Closed};
use crate::{Backoffice, Fault, rail::Rail, reconciliation};

/// How a day stands, in one colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// Nothing was sold, or it was never reconciled.
    Nothing,
    /// Every row agrees or was accepted.
    Green,
    /// Something is still expected, or waits for a second person, or came after the close.
    Amber,
    /// Something has to be worked.
    Red,
}

/// A day of a month.
#[derive(Debug, Clone)]
pub struct Day {
    pub day: Date,
    pub light: Light,
    /// Net sums by currency, won first.
    pub sums: Vec<(String, Sums)>,
    pub rows: i64,
    pub expected: i64,
    pub open: i64,
    pub pending: i64,
    pub accepted: i64,
    pub after_close: i64,
    pub is_closed: bool,
    pub reconciled_at: Option<OffsetDateTime>,
}

#[derive(Debug, Clone)]
pub struct Month {
    pub first: Date,
    pub days: Vec<Day>,
}

/// A list of Toss's that the books are held against.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: String,
    /// Days of the last month that are read to their end, and the days that there are.
    pub read: i64,
    pub days: i64,
    pub last_read_at: Option<OffsetDateTime>,
}

fn month_of(day: Date) -> (Date, Date) {
    let first = day.replace_day(1).unwrap_or(day);
    let length = first.month().length(first.year());
    (first, first.saturating_add(time::Duration::days(i64::from(length))))
}

/// The month that `day` is in.
pub async fn get_month(backoffice: &Backoffice, day: Date) -> Result<Month, Fault> {
    let (first, end) = month_of(day);
    let sums = class_sums(backoffice, first, end).await?;
    Ok(Month { first, days: standing(backoffice, first, end, &sums).await? })
}

/// How each day of `[first, end)` stands, with these sums.
async fn standing(
    backoffice: &Backoffice,
    first: Date,
    end: Date,
    sums: &[ClassSums],
) -> Result<Vec<Day>, Fault> {
    let mut days: BTreeMap<Date, Day> = BTreeMap::new();
    let mut at = first;
    while at < end {
        let day = Day {
            day: at,
            light: Light::Nothing,
            sums: Vec::new(),
            rows: 0,
            expected: 0,
            open: 0,
            pending: 0,
            accepted: 0,
            after_close: 0,
            is_closed: false,
            reconciled_at: None,
        };
        days.insert(at, day);
        let Some(next) = at.next_day() else { break };
        at = next;
    }
    for sums in sums {
        let Some(day) = days.get_mut(&sums.day) else { continue };
        day.rows += sums.sums.rows;
        if sums.class == Class::Expected {
            day.expected += sums.sums.rows;
        }
        match day.sums.iter_mut().find(|(currency, _)| *currency == sums.currency) {
            Some((_, sum)) => *sum += sums.sums,
            None => day.sums.push((sums.currency.clone(), sums.sums)),
        }
    }
    add_states(backoffice, first, end, &mut days).await?;
    for day in days.values_mut() {
        day.sums.sort_by(|(a, _), (b, _)| (a != "KRW", a).cmp(&(b != "KRW", b)));
        day.light = if day.open > 0 {
            Light::Red
        } else if day.expected + day.pending + day.after_close > 0 {
            Light::Amber
        } else if day.rows > 0 || day.is_closed {
            Light::Green
        } else {
            Light::Nothing
        };
    }
    Ok(days.into_values().collect())
}

async fn add_states(
    backoffice: &Backoffice,
    first: Date,
    end: Date,
    days: &mut BTreeMap<Date, Day>,
) -> Result<(), Fault> {
    let states = sqlx::query!(
        r#"select day, count(*) filter (where state = 'open') as "open!", count(*) filter (where state = 'pending_approval') as "pending!",
                  count(*) filter (where state = 'accepted') as "accepted!"
           from differences where day >= $1 and day < $2 group by day"#,
        first,
        end,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    for state in states {
        if let Some(day) = days.get_mut(&state.day) {
            (day.open, day.pending, day.accepted) = (state.open, state.pending, state.accepted);
        }
    }
    let rest = sqlx::query!(
        r#"select r.day as "day!", r.reconciled_at as "reconciled_at!", c.day is not null as "is_closed!",
                  (select count(*) from after_close a where a.day = r.day) as "after_close!"
           from reconciliations r left join closed_days c on c.day = r.day where r.day >= $1 and r.day < $2"#,
        first,
        end,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    for row in rest {
        if let Some(day) = days.get_mut(&row.day) {
            (day.is_closed, day.after_close) = (row.is_closed, row.after_close);
            day.reconciled_at = Some(row.reconciled_at);
        }
    }
    Ok(())
}

/// Sums by class of the days of `[from, to)`.
pub async fn class_sums(backoffice: &Backoffice, from: Date, to: Date) -> Result<Vec<ClassSums>, Fault> {
    let rows = sqlx::query!(
        r#"select day, rail as "rail: Rail", currency, class as "class: Class", rows, ours, toss, settled, discount, points, fee, fee_base, fee_instalment,
                fee_instalment_discount, fee_point_saving, fee_other, interest_fee, supply, vat, payout, estimates
         from reconciled_days where day >= $1 and day < $2 order by day, rail desc, currency, class"#,
        from,
        to,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    rows.into_iter()
        .map(|r| {
            Ok(ClassSums {
                day: r.day,
                rail: r.rail,
                currency: r.currency,
                class: r.class,
                sums: Sums {
                    rows: r.rows,
                    ours: r.ours,
                    toss: r.toss,
                    settled: r.settled,
                    discount: r.discount,
                    points: r.points,
                    fee: r.fee,
                    fee_base: r.fee_base,
                    fee_instalment: r.fee_instalment,
                    fee_instalment_discount: r.fee_instalment_discount,
                    fee_point_saving: r.fee_point_saving,
                    fee_other: r.fee_other,
                    interest_fee: r.interest_fee,
                    supply: r.supply,
                    vat: r.vat,
                    payout: r.payout,
                    estimates: r.estimates,
                },
            })
        })
        .collect()
}

/// One day with its sums by class, and who signed for it.
pub async fn get_day(
    backoffice: &Backoffice,
    day: Date,
) -> Result<(Day, Vec<ClassSums>, Option<Closed>), Fault> {
    let next = day.next_day().unwrap_or(day);
    let sums = class_sums(backoffice, day, next).await?;
    let standing = standing(backoffice, day, next, &sums).await?.pop();
    let found = standing.ok_or_else(|| Fault::Inconsistent(format!("{day} is no day")))?;
    Ok((found, sums, reconciliation::close::get(backoffice, day).await?))
}

/// How far Toss's lists of a month are read.
pub async fn sources_read(backoffice: &Backoffice, day: Date) -> Result<Vec<Source>, Fault> {
    let (first, end) = month_of(day);
    let end = end.min(backoffice.clock.today());
    let days = (end - first).whole_days().max(0);
    let rows = sqlx::query_as!(
        Source,
        r#"select s.name as "name!", count(w.starts_at) as "read!", $3::bigint as "days!", max(w.read_at) as last_read_at
           from unnest(array['transactions', 'settlements', 'toss_pay']) with ordinality as s (name, occurrence)
           left join sync_windows w on w.source = s.name and w.starts_at >= $1 and w.starts_at < $2
                and w.ends_at = w.starts_at + interval '1 day' and w.read_at >= w.ends_at
           group by s.name, s.occurrence order by s.occurrence"#,
        crate::clock::day_start(first),
        crate::clock::day_start(end),
        days,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(rows)
}
