//! `cargo xtask bench log`: registering orders, each with its row of the audit log, beside pgbench, which inserts the same order
//! row alone with as many clients; confirms and applied webhooks, each a call to a Toss to practise with, beside pgbench, which
//! writes the rows that they leave in the books; then sealing, checking and proving on a long log.

use std::{fs, process::Command};

use anyhow::Context;

use super::{fresh_database, median, pgbench, sql};
use crate::{
    report,
    run::{ask, cargo, run, target},
    stack::SECRET_KEY,
};

const CLIENTS: u64 = 16;
/// Of one turn.
const SECONDS: u64 = 8;
const TURNS: usize = 5;
const PROOFS: u64 = 200;

/// Confirms, and webhooks, of one turn.
const TRADE: u64 = 4_000;

/// An order with its payment and its transaction, as a confirm leaves them.
const CONFIRMED: &str = "\\set n random(1, 1000000000)
begin;
insert into jangbu.orders (order_id, origin, order_name, amount, currency, customer_name, status, created_at, updated_at)
    values ('sale-' || :n, 'merchant', '머그컵 세트', 15000, 'KRW', '김민지', 'READY', now(), now()) on conflict do nothing;
insert into jangbu.payments (payment_key, order_id, status, method, currency, total_amount, balance_amount, raw, fetch_seq, fetched_at)
    values ('pay-' || :n, 'sale-' || :n, 'DONE', '카드', 'KRW', 15000, 15000, '{}', 1, now()) on conflict do nothing;
insert into jangbu.transactions (transaction_key, payment_key, order_id, status, currency, amount, transaction_at)
    values ('tx-' || :n, 'pay-' || :n, 'sale-' || :n, 'DONE', 'KRW', 15000, now()) on conflict do nothing;
update jangbu.orders set status = 'DONE', payment_key = 'pay-' || :n, paid_at = now(), updated_at = now() where order_id = 'sale-' || :n;
commit;
";

/// A delivery that was looked into, and its payment, of those that [`TRADE`] has left.
const APPLIED: &str = "\\set n random(0, 3999)
begin;
update jangbu.webhook_deliveries set state = 'unchanged', processed_at = now(), badges = array['fetched_equal']
    where id = (select id from jangbu.webhook_deliveries where order_id = 'trade-' || :n limit 1);
update jangbu.payments set fetched_at = now(), fetch_seq = fetch_seq + 1 where order_id = 'trade-' || :n;
commit;
";

/// `server/examples/book.rs`, which tells what the figures mean.
fn book(url: &str, args: &[&str]) -> anyhow::Result<Vec<f64>> {
    example("book", url, args)
}

fn example(name: &str, url: &str, args: &[&str]) -> anyhow::Result<Vec<f64>> {
    let said = ask(Command::new(target().join("release/examples").join(name))
        .args(args)
        .env("DATABASE_URL", url)
        .env("JANGBU_MODE", "sandbox")
        .env("JANGBU_DATABASE_CONNECTIONS", (CLIENTS + 2).to_string())
        .env("RUST_LOG", "error")
        .env("TOSS_PAYMENTS_URL", "http://127.0.0.1:9")
        .env("TOSS_PAYMENTS_SECRET_KEY", SECRET_KEY))
    .context("an example of the server's")?;
    Ok(said.split_whitespace().filter_map(|figure| figure.parse().ok()).collect())
}

fn rate(figures: &[f64]) -> anyhow::Result<f64> {
    let (count, seconds) = (figures.first().context("no figures")?, figures.get(1).context("no figures")?);
    Ok(count / seconds)
}

/// Every turn begins with the same tables, and with nothing left to write of the turn before.
fn empty(url: &str) -> anyhow::Result<()> {
    let tables = "orders, webhook_deliveries, audit, audit_unsealed, audit_leaves, audit_tiles, audit_head, audit_checkpoints";
    let tables = tables.split(", ").map(|table| format!("jangbu.{table}")).collect::<Vec<_>>().join(", ");
    // A log that can be emptied is none: this one is only measured.
    sql(url, &format!("set session_replication_role = replica; truncate {tables} cascade"))?;
    sql(url, "checkpoint")?;
    Ok(())
}

/// Medians a second.
struct Trade {
    rows_of_a_confirm: f64,
    confirms: f64,
    rows_of_a_webhook: f64,
    webhooks: f64,
}

fn trade(url: &str) -> anyhow::Result<Trade> {
    let scripts = [("bench-confirm.sql", CONFIRMED), ("bench-webhook.sql", APPLIED)];
    let [confirmed, applied] = scripts.map(|(name, text)| (target().join(name), text));
    for (path, text) in [&confirmed, &applied] {
        fs::write(path, text)?;
    }
    let [mut rows_of_a_confirm, mut confirms, mut rows_of_a_webhook, mut webhooks] =
        [const { Vec::new() }; 4];
    for turn in 1..=TURNS {
        empty(url)?;
        rows_of_a_confirm.push(report::step(&format!("pgbench, rows of confirms, turn {turn}"), || {
            pgbench(url, &confirmed.0, CLIENTS, SECONDS)
        })?);
        empty(url)?;
        let (count, clients) = (TRADE.to_string(), CLIENTS.to_string());
        let figures = report::step(&format!("confirms and webhooks, turn {turn}"), || {
            example("trade", url, &[&count, &clients])
        })?;
        confirms.push(rate(&figures)?);
        webhooks.push(rate(figures.get(2..).unwrap_or_default())?);
        rows_of_a_webhook.push(report::step(&format!("pgbench, rows of webhooks, turn {turn}"), || {
            pgbench(url, &applied.0, CLIENTS, SECONDS)
        })?);
    }
    Ok(Trade {
        rows_of_a_confirm: median(rows_of_a_confirm),
        confirms: median(confirms),
        rows_of_a_webhook: median(rows_of_a_webhook),
        webhooks: median(webhooks),
    })
}

pub(crate) fn log(rows: u64) -> anyhow::Result<()> {
    report::step("building for release", || {
        run(cargo().args([
            "build",
            "--release",
            "--workspace",
            "--bin",
            "jangbu",
            "--example",
            "book",
            "--example",
            "trade",
        ]))
    })?;
    let (url, _postgres) = fresh_database("bench")?;
    let script = target().join("bench-log.sql");
    fs::write(
        &script,
        "insert into jangbu.orders (order_id, origin, order_name, amount, currency, customer_name, status, created_at, updated_at)
         values ('book-' || substr(md5(random()::text || clock_timestamp()), 1, 12), 'merchant', '머그컵 세트', 15000, 'KRW', '김민지',
                 'READY', now(), now()) on conflict (order_id) do nothing;",
    )?;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    let (seconds, clients) = (SECONDS.to_string(), CLIENTS.to_string());
    for turn in 1..=TURNS {
        empty(&url)?;
        theirs.push(report::step(&format!("pgbench, turn {turn}"), || {
            pgbench(&url, &script, CLIENTS, SECONDS)
        })?);
        empty(&url)?;
        let register = || rate(&book(&url, &["register", &seconds, &clients])?);
        ours.push(report::step(&format!("registering, turn {turn}"), register)?);
    }
    let (theirs, ours) = (median(theirs), median(ours));
    let trade = trade(&url)?;
    empty(&url)?;
    let sealed =
        report::step(&format!("sealing {rows} rows"), || rate(&book(&url, &["fill", &rows.to_string()])?))?;
    sql(&url, "vacuum analyze")?;
    let checked: Vec<f64> = (1..=3)
        .map(|turn| report::step(&format!("checking them, turn {turn}"), || rate(&book(&url, &["verify"])?)))
        .collect::<anyhow::Result<_>>()?;
    let mut proofs = report::step("proving rows", || book(&url, &["prove", &PROOFS.to_string()]))?;
    proofs.sort_by(f64::total_cmp);
    let at = |percent: usize| proofs.get(proofs.len() * percent / 100).copied().unwrap_or_default();
    for line in [
        format!("medians of {TURNS} turns of {SECONDS} s, {CLIENTS} clients each"),
        format!("  pgbench, one insert of the order row     {theirs:8.0} per second"),
        format!(
            "  registering an order, sealed meanwhile   {ours:8.0} per second   ratio {:.2}",
            ours / theirs
        ),
        format!(
            "confirms and webhooks, {TRADE} a turn; each asks a Toss to practise with, which runs on the same cores"
        ),
        format!("  pgbench, the rows that a confirm leaves  {:8.0} per second", trade.rows_of_a_confirm),
        format!(
            "  confirming                               {:8.0} per second   ratio {:.2}",
            trade.confirms,
            trade.confirms / trade.rows_of_a_confirm
        ),
        format!("  pgbench, the rows that a webhook changes {:8.0} per second", trade.rows_of_a_webhook),
        format!(
            "  applying a webhook                       {:8.0} per second   ratio {:.2}",
            trade.webhooks,
            trade.webhooks / trade.rows_of_a_webhook
        ),
        format!("a log of {rows} rows"),
        format!("  sealing                                  {sealed:8.0} per second"),
        format!("  checking                                 {:8.0} per second", median(checked)),
        format!("  a proof: median {:.1} ms, p99 {:.1} ms", at(50), at(99)),
    ] {
        report::line(&line);
    }
    Ok(())
}
