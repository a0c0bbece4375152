//! `cargo xtask bench log`: registering orders, each with its row of the audit log, beside pgbench, which inserts the same order
//! row alone with as many clients; then sealing, checking and proving on a long log.

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

/// `server/examples/book.rs`, which tells what the figures mean.
fn book(url: &str, args: &[&str]) -> anyhow::Result<Vec<f64>> {
    let said = ask(Command::new(target().join("release/examples/book"))
        .args(args)
        .env("DATABASE_URL", url)
        .env("JANGBU_MODE", "sandbox")
        .env("JANGBU_DATABASE_CONNECTIONS", (CLIENTS + 2).to_string())
        .env("RUST_LOG", "error")
        .env("TOSS_PAYMENTS_URL", "http://127.0.0.1:9")
        .env("TOSS_PAYMENTS_SECRET_KEY", SECRET_KEY))
    .context("the book")?;
    Ok(said.split_whitespace().filter_map(|figure| figure.parse().ok()).collect())
}

fn rate(figures: &[f64]) -> anyhow::Result<f64> {
    let (count, seconds) = (figures.first().context("no figures")?, figures.get(1).context("no figures")?);
    Ok(count / seconds)
}

/// Every turn begins with the same tables, and with nothing left to write of the turn before.
fn empty(url: &str) -> anyhow::Result<()> {
    let tables = "orders, audit, audit_unsealed, audit_leaves, audit_tiles, audit_head, audit_checkpoints";
    let tables = tables.split(", ").map(|table| format!("jangbu.{table}")).collect::<Vec<_>>().join(", ");
    // A log that can be emptied is none: this one is only measured.
    sql(url, &format!("set session_replication_role = replica; truncate {tables} cascade"))?;
    sql(url, "checkpoint")?;
    Ok(())
}

pub(crate) fn log(rows: u64) -> anyhow::Result<()> {
    report::step("building for release", || {
        run(cargo().args(["build", "--release", "--workspace", "--bin", "jangbu", "--example", "book"]))
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
        format!("a log of {rows} rows"),
        format!("  sealing                                  {sealed:8.0} per second"),
        format!("  checking                                 {:8.0} per second", median(checked)),
        format!("  a proof: median {:.1} ms, p99 {:.1} ms", at(50), at(99)),
    ] {
        report::line(&line);
    }
    Ok(())
}
