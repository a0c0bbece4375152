//! Prints the SQL of made-up trade in which every figure is right: `trade PAYMENTS DAYS FIRST-DAY`. For measuring.

use std::io::Write;

use anyhow::Context;
use time::Duration;
use toss::{calendar::add_business_days, timestamp::parse_date};

const TRADE: &str = include_str!("../tests/it/trade.sql");

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [payments, days, first] = arguments.as_slice() else {
        anyhow::bail!("trade PAYMENTS DAYS FIRST-DAY")
    };
    let (count, start) = (days.parse::<i64>()?, parse_date(first).context("a day like 2026-01-05")?);
    let pay_days: Vec<String> = (0..count)
        .map(|n| start + Duration::days(n))
        .map(|day| format!("(date '{day}', date '{}')", add_business_days(day, 5)))
        .collect();
    let trade = TRADE
        .replace("{rows}", payments)
        .replace("{days}", days)
        .replace("{first}", first)
        .replace("{until}", "2099-01-01")
        .replace("{pay_days}", &format!("(values {})", pay_days.join(", ")));
    writeln!(
        std::io::stdout(),
        "{trade};
         insert into sync_windows (source, starts_at, ends_at, read_at)
         select s, d, d + interval '1 day', timestamptz '2026-07-01' from unnest(array['transactions', 'settlements']) s,
                generate_series(timestamptz '{first} 00:00+09', timestamptz '2026-06-30 00:00+09', interval '1 day') d;"
    )?;
    Ok(())
}
