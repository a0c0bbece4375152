//! What Toss pays out, by day, and whether it reached the bank.

use std::collections::BTreeMap;

use futures::stream::BoxStream;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};

use crate::{Backoffice, Fault, reconciliation::Sums};

text_enum! {
    /// How a payout stands beside the bank's statement.
    AtBank {
        /// Its day is still to come.
        Expected = "expected",
        /// No statement covers the day.
        NoStatement = "no_statement",
        Matched = "matched",
        Differs = "differs",
        Missing = "missing",
        /// Toss's name stands in the statement, and Toss pays nothing out.
        Unexplained = "unexplained",
    }
}

#[derive(Debug, Clone)]
pub struct Payout {
    pub day: Date,
    pub currency: String,
    pub sums: Sums,
    /// From Toss, in the statement.
    pub at_bank: Decimal,
    pub state: AtBank,
}

/// What one is made of: a day of sale and a method.
#[derive(Debug, Clone)]
pub struct Part {
    pub sold_date: Date,
    pub method: Option<String>,
    pub sums: Sums,
}

/// A settlement row.
#[derive(Debug, Clone)]
pub struct Settled {
    pub transaction_key: String,
    pub order_id: String,
    pub method: Option<String>,
    pub currency: String,
    pub amount: Decimal,
    pub discount: Decimal,
    pub points: Decimal,
    pub fee: Decimal,
    pub fee_base: Option<Decimal>,
    pub fee_instalment: Option<Decimal>,
    pub fee_instalment_discount: Option<Decimal>,
    pub fee_point_saving: Option<Decimal>,
    pub fee_other: Option<Decimal>,
    pub interest_fee: Option<Decimal>,
    pub supply_amount: Option<Decimal>,
    pub vat: Option<Decimal>,
    pub pay_out_amount: Decimal,
    pub transaction_at: OffsetDateTime,
    pub sold_date: Date,
}

fn state(day: Date, today: Date, covered: bool, payout: Decimal, at_bank: Decimal) -> AtBank {
    if payout == at_bank && !payout.is_zero() {
        return AtBank::Matched;
    }
    match (payout.is_zero(), at_bank.is_zero()) {
        (true, true) => AtBank::Matched,
        (true, false) => AtBank::Unexplained,
        (false, true) if day >= today => AtBank::Expected,
        (false, true) if !covered => AtBank::NoStatement,
        (false, true) => AtBank::Missing,
        (false, false) => AtBank::Differs,
    }
}

/// Payouts of `[from, to)`, each beside what the bank's statement says of Toss on that day.
pub async fn list(backoffice: &Backoffice, from: Date, to: Date) -> Result<Vec<Payout>, Fault> {
    let bank = sqlx::query!(
        "select day, currency, deposit, is_toss from bank_lines where day >= $1 and day < $2",
        from,
        to,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let covered = sqlx::query!(
        "select first_day, last_day from bank_statements where last_day >= $1 and first_day < $2",
        from,
        to
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let mut days: BTreeMap<(Date, String), (Sums, Decimal)> = BTreeMap::new();
    for (day, currency, part) in settled_parts(backoffice, from, to).await? {
        days.entry((day, currency)).or_default().0 += part.sums;
    }
    for line in &bank {
        let named = if line.is_toss { line.deposit } else { Decimal::ZERO };
        let key = (line.day, line.currency.clone());
        match days.get_mut(&key) {
            Some((_, at_bank)) => *at_bank += named,
            None if line.is_toss => drop(days.insert(key, (Sums::default(), named))),
            None => {}
        }
    }
    // A bank that does not write who paid still writes how much.
    for ((day, currency), (sums, at_bank)) in &mut days {
        let mut of_day = bank.iter().filter(|line| line.day == *day && line.currency == *currency);
        if at_bank.is_zero() && of_day.any(|line| line.deposit == sums.payout) {
            *at_bank = sums.payout;
        }
    }
    let today = backoffice.clock.today();
    let payouts = days.into_iter().rev().map(|((day, currency), (sums, at_bank))| {
        // Statements are of won accounts.
        let is_covered =
            currency == "KRW" && covered.iter().any(|s| (s.first_day..=s.last_day).contains(&day));
        Payout { day, currency, state: state(day, today, is_covered, sums.payout, at_bank), sums, at_bank }
    });
    Ok(payouts.collect())
}

/// What the payout of a day is made of.
pub async fn parts(backoffice: &Backoffice, day: Date, currency: &str) -> Result<Vec<Part>, Fault> {
    let parts = settled_parts(backoffice, day, day.next_day().unwrap_or(day)).await?;
    Ok(parts.into_iter().filter(|(_, of, _)| of == currency).map(|(.., part)| part).collect())
}

/// What is paid out in `[from, to)`, with its day and currency.
async fn settled_parts(
    backoffice: &Backoffice,
    from: Date,
    to: Date,
) -> Result<Vec<(Date, String, Part)>, Fault> {
    let rows = sqlx::query!(
        r#"select paid_out_date as day, currency, sold_date, method, count(*) as "rows!", sum(amount) as "settled!",
                  sum(discount) as "discount!", sum(points) as "points!", sum(fee) as "fee!",
                  sum(coalesce(fee_base, 0)) as "fee_base!", sum(coalesce(fee_instalment, 0)) as "fee_instalment!",
                  sum(coalesce(fee_instalment_discount, 0)) as "fee_instalment_discount!",
                  sum(coalesce(fee_point_saving, 0)) as "fee_point_saving!", sum(coalesce(fee_other, 0)) as "fee_other!",
                  sum(coalesce(interest_fee, 0)) as "interest_fee!", sum(coalesce(supply_amount, fee)) as "supply!",
                  sum(coalesce(vat, 0)) as "vat!", sum(pay_out_amount) as "payout!"
           from settlements where paid_out_date >= $1 and paid_out_date < $2 and gone_at is null
           group by paid_out_date, currency, sold_date, method order by paid_out_date, currency, sold_date, method"#,
        from,
        to,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let parts = rows.into_iter().map(|r| {
        let sums = Sums {
            rows: r.rows,
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
            ..Sums::default()
        };
        (r.day, r.currency, Part { sold_date: r.sold_date, method: r.method, sums })
    });
    Ok(parts.collect())
}

/// Every settlement row of a day's payout.
pub fn settlements(backoffice: &Backoffice, day: Date) -> BoxStream<'_, Result<Settled, sqlx::Error>> {
    sqlx::query_as!(
        Settled,
        "select transaction_key, order_id, method, currency, amount, discount, points, fee, fee_base, fee_instalment,
                fee_instalment_discount, fee_point_saving, fee_other, interest_fee, supply_amount, vat, pay_out_amount, transaction_at, sold_date
         from settlements where paid_out_date = $1 and gone_at is null order by currency, transaction_at, transaction_key",
        day
    )
    .fetch(&backoffice.pool)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn early_money_is_expected_and_never_missing() {
        let today = date!(2026 - 11 - 23);
        let of =
            |day, covered, payout: i64, bank: i64| state(day, today, covered, payout.into(), bank.into());
        assert_eq!(of(date!(2026 - 11 - 25), true, 1000, 0), AtBank::Expected);
        assert_eq!(of(today, true, 1000, 0), AtBank::Expected);
        assert_eq!(of(date!(2026 - 11 - 20), false, 1000, 0), AtBank::NoStatement);
        assert_eq!(of(date!(2026 - 11 - 20), true, 1000, 0), AtBank::Missing);
        assert_eq!(of(date!(2026 - 11 - 20), true, 1000, 1000), AtBank::Matched);
        assert_eq!(of(date!(2026 - 11 - 20), true, 1000, 999), AtBank::Differs);
        assert_eq!(of(date!(2026 - 11 - 20), true, 0, 999), AtBank::Unexplained);
        // More went back than was sold: Toss asks for it, nothing is paid in.
        assert_eq!(of(date!(2026 - 11 - 25), true, -500, 0), AtBank::Expected);
    }
}
