//! A month in figures: sales and refunds by day, fees by method, VAT.

use rust_decimal::Decimal;
use time::Date;

use crate::{
    Backoffice, Fault,
    clock::day_start,
    payments::{MOVES, OUTGOING},
    rail::Rail,
};

/// What was sold and what went back on a day, of one currency.
#[derive(Debug, Clone)]
pub struct DayOfSales {
    pub day: Date,
    pub currency: String,
    pub sales: Decimal,
    pub refunds: Decimal,
}

/// What Toss takes for a method in a month, by the day of sale.
#[derive(Debug, Clone)]
pub struct MethodFees {
    pub method: Option<String>,
    pub currency: String,
    pub rows: i64,
    pub amount: Decimal,
    pub fee: Decimal,
    pub fee_base: Decimal,
    pub fee_instalment: Decimal,
    pub fee_instalment_discount: Decimal,
    pub fee_point_saving: Decimal,
    pub fee_other: Decimal,
    /// Told beside the fee.
    pub interest_fee: Decimal,
    pub vat: Decimal,
}

/// A month's trade as a VAT return asks for it, of one rail and method.
#[derive(Debug, Clone)]
pub struct Vat {
    pub rail: Rail,
    pub method: Option<String>,
    pub currency: String,
    pub sales: i64,
    pub refunds: i64,
    /// Sales less refunds: `supply + vat + tax_free`.
    pub total: Decimal,
    pub supply: Decimal,
    pub vat: Decimal,
    pub tax_free: Decimal,
    /// Rows of which nobody told what of them is tax-free: they count as taxable.
    pub untold: i64,
}

/// Sales and refunds of each day of `[from, to)` on which there were any.
pub async fn sales(backoffice: &Backoffice, from: Date, to: Date) -> Result<Vec<DayOfSales>, Fault> {
    let query = format!(
        "select (t.transaction_at at time zone interval '9 hours')::date as day, t.currency,
                coalesce(sum(t.amount) filter (where not t.status = any($3)), 0) as sales,
                coalesce(sum(t.amount) filter (where t.status = any($3)), 0) as refunds
         from transactions t where t.transaction_at >= $1 and t.transaction_at < $2 and {MOVES}
         group by 1, 2 order by 1, 2"
    );
    let rows: Vec<(Date, String, Decimal, Decimal)> = sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(day_start(from))
        .bind(day_start(to))
        .bind(OUTGOING)
        .fetch_all(&backoffice.pool)
        .await?;
    let day = |(day, currency, sales, refunds)| DayOfSales { day, currency, sales, refunds };
    Ok(rows.into_iter().map(day).collect())
}

/// Fees of what was sold in `[from, to)`, dearest method first.
pub async fn fees(backoffice: &Backoffice, from: Date, to: Date) -> Result<Vec<MethodFees>, Fault> {
    let rows = sqlx::query_as!(
        MethodFees,
        r#"select method, currency, count(*) as "rows!", sum(amount) as "amount!", sum(fee) as "fee!",
                  sum(coalesce(fee_base, 0)) as "fee_base!", sum(coalesce(fee_instalment, 0)) as "fee_instalment!",
                  sum(coalesce(fee_instalment_discount, 0)) as "fee_instalment_discount!",
                  sum(coalesce(fee_point_saving, 0)) as "fee_point_saving!", sum(coalesce(fee_other, 0)) as "fee_other!",
                  sum(coalesce(interest_fee, 0)) as "interest_fee!", sum(coalesce(vat, 0)) as "vat!"
           from settlements where sold_date >= $1 and sold_date < $2 and gone_at is null
           group by method, currency order by currency <> 'KRW', currency, sum(fee) desc"#,
        from,
        to,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(rows)
}

/// What a VAT return asks for of `[from, to)`. VAT is reckoned row by row, as Toss does: an eleventh of what is taxable.
pub async fn vat(backoffice: &Backoffice, from: Date, to: Date) -> Result<Vec<Vat>, Fault> {
    let query = format!(
        "with moved as (
            select t.rail, t.method, t.currency,
                   -- What is free of tax is told by the payment, in the payment's currency.
                   t.tax_free is null or t.booked_currency <> t.currency as untold,
                   t.status = any($3) as is_out, case when t.status = any($3) then -t.amount else t.amount end as amount,
                   case when t.status = any($3) then -1 else 1 end 
                       * case when t.booked_currency <> t.currency then 0 else least(coalesce(t.tax_free, 0), t.amount) end
                       as tax_free
            from transactions t where t.transaction_at >= $1 and t.transaction_at < $2 and not t.is_estimate and {MOVES}
         ), taxed as (
            select *, round((amount - tax_free) / 11, case when currency in ('KRW', 'JPY') then 0 else 2 end) as vat from moved
         )
         select rail, method, currency, count(*) filter (where not is_out), count(*) filter (where is_out), sum(amount),
                sum(amount - tax_free - vat), sum(vat), sum(tax_free), count(*) filter (where untold)
         from taxed group by rail, method, currency order by currency <> 'KRW', currency, rail desc, method"
    );
    type Row = (Rail, Option<String>, String, i64, i64, Decimal, Decimal, Decimal, Decimal, i64);
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(day_start(from))
        .bind(day_start(to))
        .bind(OUTGOING)
        .fetch_all(&backoffice.pool)
        .await?;
    let vat = |(rail, method, currency, sales, refunds, total, supply, vat, tax_free, untold): Row| Vat {
        rail,
        method,
        currency,
        sales,
        refunds,
        total,
        supply,
        vat,
        tax_free,
        untold,
    };
    Ok(rows.into_iter().map(vat).collect())
}
