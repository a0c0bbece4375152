//! What may be expected of a day's rows by now: which of Toss's lists were read to their end, when each method is due, and
//! what its fee is.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};
use time::{Date, OffsetDateTime};

use super::contract::{ANY, Rate};
use crate::{
    Backoffice, Fault,
    clock::{SEOUL, day_start},
    money,
    rail::Rail,
    reconciliation,
};

/// One line of `expectations` in `reconciled_rows`.
#[derive(Serialize)]
struct Rule<'a> {
    day: String,
    rail: Rail,
    method: &'a str,
    currency: &'a str,
    due: Option<String>,
    listed: bool,
    settles: bool,
    settlements_read: bool,
    agreed: bool,
    per_mille: Option<rust_decimal::Decimal>,
    flat: rust_decimal::Decimal,
    places: u32,
}

/// Which days were read to their end, and when.
pub(super) struct ReadDays {
    by_source: BTreeMap<String, BTreeMap<Date, OffsetDateTime>>,
}

impl ReadDays {
    pub(super) fn at(&self, source: &str, day: Date) -> Option<OffsetDateTime> {
        self.by_source.get(source)?.get(&day).copied()
    }

    /// Toss had nothing to add to a day any more when it was read.
    pub(super) fn is_whole(&self, source: &str, day: Date) -> bool {
        let Some(next) = day.next_day() else { return false };
        self.at(source, day).is_some_and(|at| at >= day_start(next))
    }

    fn settlements_until(&self, day: Date, due: Date) -> bool {
        let Some(after) = due.next_day() else { return false };
        let mut sold = day;
        while sold <= due {
            if self.at("settlements", sold).is_none_or(|at| at < day_start(after)) {
                return false;
            }
            let Some(next) = sold.next_day() else { return false };
            sold = next;
        }
        true
    }
}

/// The whole days of `[from, to)`, and of the weeks after them that settlements of those may fall on.
pub(super) async fn read_days(backoffice: &Backoffice, from: Date, to: Date) -> Result<ReadDays, Fault> {
    let last = to.saturating_add(time::Duration::days(120));
    let rows = sqlx::query!(
        "select source, starts_at, ends_at, read_at from sync_windows
         where starts_at >= $1 and starts_at < $2 and ends_at = starts_at + interval '1 day'",
        day_start(from),
        day_start(last),
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let mut by_source: BTreeMap<String, BTreeMap<Date, OffsetDateTime>> = BTreeMap::new();
    for row in rows {
        let day = row.starts_at.to_offset(SEOUL).date();
        by_source.entry(row.source).or_default().insert(day, row.read_at);
    }
    Ok(ReadDays { by_source })
}

pub(super) async fn build(backoffice: &Backoffice, from: Date, to: Date) -> Result<Value, Fault> {
    let contract = reconciliation::contract::rates(backoffice).await?;
    let read = read_days(backoffice, from, to).await?;
    let unknown = Rate::unknown();
    let kinds: BTreeSet<(&str, &str)> =
        contract.iter().map(|rate| (rate.method.as_str(), rate.currency.as_str())).collect();
    let mut rules = Vec::new();
    let mut day = from;
    while day < to {
        for rail in [Rail::TossPay, Rail::Iap] {
            rules.push(Rule {
                day: day.to_string(),
                rail,
                method: ANY,
                currency: ANY,
                due: None,
                // In-app purchases have no list: each was asked about.
                listed: rail == Rail::Iap || read.is_whole(rail.as_str(), day),
                settles: false,
                settlements_read: false,
                agreed: false,
                per_mille: None,
                flat: rust_decimal::Decimal::ZERO,
                places: 0,
            });
        }
        // Of each method the latest line that has begun.
        let valid = kinds.iter().filter_map(|kind| {
            contract.iter().find(|r| (r.method.as_str(), r.currency.as_str()) == *kind && r.valid_from <= day)
        });
        for rate in valid.chain([&unknown]) {
            let due = rate.due(day);
            rules.push(Rule {
                day: day.to_string(),
                rail: Rail::TossPayments,
                method: &rate.method,
                currency: &rate.currency,
                due: Some(due.to_string()),
                listed: read.is_whole("transactions", day),
                settles: backoffice.settles,
                settlements_read: read.settlements_until(day, due),
                agreed: rate.per_mille.is_some(),
                per_mille: rate.per_mille,
                flat: rate.flat,
                places: money::places(&rate.currency),
            });
        }
        let Some(next) = day.next_day() else { break };
        day = next;
    }
    Ok(json!(rules))
}
