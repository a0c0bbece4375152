//! What the contract with Toss says: what it takes, and when it pays out. Without a line for a method its fee is not checked.

use rust_decimal::Decimal;
use serde_json::json;
use time::{Date, Duration, Weekday};
use toss::{calendar::add_business_days, timestamp::parse_date};

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
};

/// Business days to a payout that nobody said anything about.
const PAY_OUT_DAYS: u32 = 7;

/// Every method without a line of its own, in every currency.
pub const ANY: &str = "*";

text_enum! {
    /// When a shop's sales are counted together (toss-api.md A8.1).
    Cycle {
        Daily = "daily",
        /// On the Sunday.
        Weekly = "weekly",
        /// On the last day of the month.
        Monthly = "monthly",
    }
}

impl Cycle {
    /// The day on which what was sold on `day` counts as sold.
    pub fn sold_on(self, day: Date) -> Date {
        match self {
            Self::Daily => day,
            Self::Weekly => match day.weekday() {
                Weekday::Sunday => day,
                other => day + Duration::days(7 - i64::from(other.number_days_from_sunday())),
            },
            Self::Monthly => {
                let last = day.month().length(day.year());
                day.replace_day(last).unwrap_or(day)
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// Toss's own word, or [`ANY`].
    pub method: String,
    pub currency: String,
    pub valid_from: Date,
    /// With VAT, in thousandths of the amount; nothing is known of a fee without it.
    pub per_mille: Option<Decimal>,
    /// With VAT, for each approval.
    pub flat: Decimal,
    pub cycle: Cycle,
    pub payout_days: u32,
}

impl Rate {
    /// What holds where nothing was set.
    pub(super) fn unknown() -> Self {
        Self {
            method: ANY.into(),
            currency: ANY.into(),
            valid_from: Date::MIN,
            per_mille: None,
            flat: Decimal::ZERO,
            cycle: Cycle::Daily,
            payout_days: PAY_OUT_DAYS,
        }
    }

    /// The last day on which the payout of a sale of `day` is in time.
    pub fn due(&self, day: Date) -> Date {
        add_business_days(self.cycle.sold_on(day), self.payout_days)
    }
}

/// A line as people type it.
#[derive(Debug, Clone, Default)]
pub struct NewRate {
    pub method: String,
    pub currency: String,
    pub valid_from: String,
    /// Per cent, as contracts write it: `3.1`.
    pub per_cent: String,
    pub flat: String,
    pub cycle: String,
    pub payout_days: String,
}

/// What is wrong with it, by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    #[error("method: 1 to 30 characters")]
    Method,
    #[error("currency: three letters")]
    Currency,
    #[error("valid from: a day like 2026-11-01")]
    ValidFrom,
    #[error("rate: per cent between 0 and 20, like 3.1")]
    PerCent,
    #[error("flat: an amount of 0 or more")]
    Flat,
    #[error("cycle: daily, weekly or monthly")]
    Cycle,
    #[error("payout days: 0 to 60")]
    PayoutDays,
}

impl NewRate {
    fn parse(&self) -> Result<Rate, RateError> {
        let method = self.method.trim();
        if method.is_empty() || method.chars().count() > 30 || method.contains('\0') {
            return Err(RateError::Method);
        }
        let currency = self.currency.trim().to_uppercase();
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(RateError::Currency);
        }
        let per_cent: Decimal =
            self.per_cent.trim().trim_end_matches('%').trim().parse().map_err(|_| RateError::PerCent)?;
        if per_cent.is_sign_negative() || per_cent > Decimal::from(20) {
            return Err(RateError::PerCent);
        }
        let flat = match self.flat.trim() {
            "" => Decimal::ZERO,
            text => text.replace(',', "").parse().map_err(|_| RateError::Flat)?,
        };
        if flat.is_sign_negative() || flat > Decimal::from(1_000_000) {
            return Err(RateError::Flat);
        }
        let payout_days = self.payout_days.trim().parse().map_err(|_| RateError::PayoutDays)?;
        if payout_days > 60 {
            return Err(RateError::PayoutDays);
        }
        Ok(Rate {
            method: method.to_owned(),
            currency,
            valid_from: parse_date(self.valid_from.trim()).ok_or(RateError::ValidFrom)?,
            per_mille: Some(per_cent * Decimal::TEN),
            flat,
            cycle: Cycle::parse(self.cycle.trim()).ok_or(RateError::Cycle)?,
            payout_days,
        })
    }
}

/// Every line, by method; of one method the latest first.
pub async fn rates(backoffice: &Backoffice) -> Result<Vec<Rate>, Fault> {
    let rows = sqlx::query!(
        r#"select method, currency, valid_from, per_mille, flat, cycle as "cycle: Cycle", payout_days from contract_rates
           order by method = '*', method, currency, valid_from desc"#
    )
    .fetch_all(&backoffice.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Rate {
                cycle: row.cycle,
                method: row.method,
                currency: row.currency,
                valid_from: row.valid_from,
                per_mille: Some(row.per_mille),
                flat: row.flat,
                payout_days: u32::try_from(row.payout_days).unwrap_or_default(),
            })
        })
        .collect()
}

/// Adds a line, or replaces the one that began on the same day. The days since then are reconciled anew by the next run.
pub async fn set_rate(
    backoffice: &Backoffice,
    actor: &Actor,
    new: &NewRate,
) -> Result<Result<(), RateError>, Fault> {
    let rate = match new.parse() {
        Ok(rate) => rate,
        Err(error) => return Ok(Err(error)),
    };
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!(
        "insert into contract_rates (method, currency, valid_from, per_mille, flat, cycle, payout_days)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (method, currency, valid_from) do update
            set per_mille = excluded.per_mille, flat = excluded.flat, cycle = excluded.cycle,
                payout_days = excluded.payout_days",
        rate.method,
        rate.currency,
        rate.valid_from,
        rate.per_mille,
        rate.flat,
        rate.cycle.as_str(),
        i16::try_from(rate.payout_days).unwrap_or_default(),
    )
    .execute(&mut *tx)
    .await?;
    let detail = json!({ "currency": rate.currency, "validFrom": rate.valid_from.to_string(), "perMille": rate.per_mille,
                         "flat": rate.flat, "cycle": rate.cycle.as_str(), "payOutDays": rate.payout_days });
    let act = Act { action: "contract.changed", subject_kind: "method", subject: &rate.method, detail };
    audit::record(&mut tx, backoffice.clock.now(), actor, act).await?;
    tx.commit().await?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn rate(cycle: Cycle, payout_days: u32) -> Rate {
        Rate { cycle, payout_days, ..Rate::unknown() }
    }

    #[test]
    fn a_pay_out_is_due_by_the_cycle_and_passes_over_holidays() {
        for (cycle, days, sold, due) in [
            // Chuseok 2026: Thursday and Friday, and the weekend after
            (Cycle::Daily, 2, date!(2026 - 09 - 22), date!(2026 - 09 - 28)),
            (Cycle::Daily, 5, date!(2026 - 11 - 23), date!(2026 - 11 - 30)),
            // counted as sold on the Sunday
            (Cycle::Weekly, 3, date!(2026 - 11 - 23), date!(2026 - 12 - 02)),
            (Cycle::Weekly, 3, date!(2026 - 11 - 29), date!(2026 - 12 - 02)),
            // on the last day of a leap February; 1 March is a holiday
            (Cycle::Monthly, 1, date!(2028 - 02 - 03), date!(2028 - 03 - 02)),
            // over the turn of the year
            (Cycle::Daily, 1, date!(2026 - 12 - 31), date!(2027 - 01 - 04)),
        ] {
            assert_eq!(rate(cycle, days).due(sold), due, "{cycle:?} {sold}");
        }
    }

    #[test]
    fn for_three_years_a_pay_out_falls_on_a_business_day_and_never_before_an_earlier_sale_s() {
        for cycle in Cycle::ALL {
            let rate = rate(cycle, 5);
            let (mut day, mut before) = (date!(2026 - 01 - 01), Date::MIN);
            while day < date!(2029 - 01 - 01) {
                let due = rate.due(day);
                assert!(toss::calendar::is_business_day(due), "{cycle:?} {day}: {due}");
                assert!(due >= before && due > day, "{cycle:?} {day}: {due}");
                assert_eq!(
                    toss::calendar::business_days_between(cycle.sold_on(day), due),
                    5,
                    "{cycle:?} {day}: {due}"
                );
                before = due;
                day = day.next_day().unwrap();
            }
        }
    }

    #[test]
    fn what_is_typed_is_read_or_said_to_be_wrong() {
        let new = NewRate {
            method: "카드".into(),
            currency: "krw".into(),
            valid_from: "2026-01-01".into(),
            per_cent: "3.1%".into(),
            flat: String::new(),
            cycle: "daily".into(),
            payout_days: "5".into(),
        };
        let rate = new.parse().unwrap();
        assert_eq!((rate.per_mille, rate.currency.as_str()), (Some(Decimal::from(31)), "KRW"));
        let wrong = |change: &dyn Fn(&mut NewRate)| {
            let mut new = new.clone();
            change(&mut new);
            new.parse().unwrap_err()
        };
        assert_eq!(wrong(&|n| n.per_cent = "31".into()), RateError::PerCent);
        assert_eq!(wrong(&|n| n.per_cent = "-1".into()), RateError::PerCent);
        assert_eq!(wrong(&|n| n.flat = "-300".into()), RateError::Flat);
        assert_eq!(wrong(&|n| n.currency = "w0n".into()), RateError::Currency);
        assert_eq!(wrong(&|n| n.currency = "원화".into()), RateError::Currency);
        assert_eq!(wrong(&|n| n.valid_from = "어제".into()), RateError::ValidFrom);
        assert_eq!(wrong(&|n| n.payout_days = "61".into()), RateError::PayoutDays);
        assert_eq!(wrong(&|n| n.cycle = "yearly".into()), RateError::Cycle);
    }
}
