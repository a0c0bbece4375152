//! `cargo xtask bench events`: events to a receiver beside the intake of webhooks, in turns on one PostgreSQL; and the same
//! receiver while another one never answers in time. Ratios, because machines differ.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use super::{Process, fresh_database, jangbu, median, serve, sql, webhooks};
use crate::{
    report,
    run::{ask, cargo, run, target},
    stack::SECRET_KEY,
};

/// Of one turn, five of each order.
const EVENTS: u64 = 30_000;
/// Of the intake.
const SECONDS: u64 = 8;
const TURNS: usize = 3;
/// Longer than anybody waits for an answer.
const NEVER_MS: u64 = 60_000;

struct Receiver {
    port: u16,
    _process: Process,
}

/// `server/examples/receive.rs`
fn receive(ms: u64) -> anyhow::Result<Receiver> {
    let mut process = Command::new(target().join("release/examples/receive"))
        .arg(ms.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the receiver")?;
    let mut port = String::new();
    BufReader::new(process.stdout.take().context("no stdout")?).read_line(&mut port)?;
    Ok(Receiver { port: port.trim().parse()?, _process: Process(process) })
}

fn add(url: &str, name: &str, receiver: &Receiver) -> anyhow::Result<()> {
    ask(jangbu()
        .args(["events", "add", "--name", name, "--url", &format!("http://127.0.0.1:{}/", receiver.port)])
        .env("DATABASE_URL", url)
        .env("JANGBU_MODE", "sandbox")
        .env("RUST_LOG", "error")
        .env("TOSS_PAYMENTS_URL", "http://127.0.0.1:9")
        .env("TOSS_PAYMENTS_SECRET_KEY", SECRET_KEY))
    .map(drop)
    .context("jangbu events add")
}

/// Events as changes write them, for every endpoint.
fn fill(url: &str) -> anyhow::Result<()> {
    sql(url, "truncate jangbu.events, jangbu.event_queue, jangbu.event_attempts")?;
    sql(
        url,
        &format!(
            "insert into jangbu.events (id, kind, subject, at, data)
             select gen_random_uuid(), 'order.paid', 'order:bench-' || n % {orders}, now(), jsonb_build_object(
                 'orderId', 'bench-' || n % {orders}, 'orderName', '머그컵 세트', 'rail', 'toss_payments', 'status', 'DONE',
                 'amount', 15000, 'balanceAmount', 15000, 'currency', 'KRW', 'method', '카드', 'paymentKey', 'pay-' || n,
                 'userKey', null, 'approvedAt', '2026-11-30T09:00:00+09:00')
             from generate_series(1, {EVENTS}) n",
            orders = EVENTS / 5
        ),
    )?;
    sql(
        url,
        "insert into jangbu.event_queue (endpoint_id, seq, subject, next_at)
         select p.id, e.seq, e.subject, e.at from jangbu.events e, jangbu.event_endpoints p",
    )?;
    sql(url, "vacuum analyze jangbu.events, jangbu.event_queue")?;
    sql(url, "checkpoint")?;
    Ok(())
}

/// Events a second to this endpoint.
fn told(url: &str, endpoint: &str) -> anyhow::Result<f64> {
    let _server = serve(url, true)?;
    let left = || -> anyhow::Result<u64> {
        let left = sql(
            url,
            &format!(
                "select count(*) from jangbu.event_queue q join jangbu.event_endpoints p on p.id = q.endpoint_id where p.name = '{endpoint}'"
            ),
        )?;
        Ok(left.trim().parse()?)
    };
    // From the first that was told on.
    while left()? == EVENTS {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (begun, from) = (Instant::now(), left()?);
    loop {
        let now = left()?;
        if now == 0 {
            break;
        }
        ensure!(begun.elapsed() < Duration::from_secs(300), "{now} events are never told");
        std::thread::sleep(Duration::from_millis(100));
    }
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let from = from as f64;
    Ok(from / begun.elapsed().as_secs_f64())
}

pub(crate) fn events() -> anyhow::Result<()> {
    report::step("building for release", || {
        let examples = ["--example", "load", "--example", "receive"];
        run(cargo().args(["build", "--release", "--workspace", "--bin", "jangbu"]).args(examples))
    })?;
    let (url, _postgres) = fresh_database("bench_events")?;
    sql(
        &url,
        "select jangbu.add_webhook_month(now()), jangbu.add_webhook_month(now() + interval '31 days')",
    )?;
    let quick = receive(0)?;
    add(&url, "quick", &quick)?;
    let (mut taken_in, mut alone, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 1..=TURNS {
        taken_in.push(webhooks::intake(&url, SECONDS, turn)?);
        fill(&url)?;
        alone.push(report::step(&format!("events out, turn {turn}"), || told(&url, "quick"))?);
    }
    let slow = receive(NEVER_MS)?;
    add(&url, "slow", &slow)?;
    for turn in 1..=TURNS {
        fill(&url)?;
        sql(&url, "update jangbu.event_endpoints set retry_at = null, failures = 0")?;
        beside.push(report::step(&format!("beside one that never answers, turn {turn}"), || {
            told(&url, "quick")
        })?);
    }
    let (taken_in, alone, beside) = (median(taken_in), median(alone), median(beside));
    for line in [
        format!("medians of {TURNS} turns, {EVENTS} events of {} orders", EVENTS / 5),
        format!("  webhooks taken in       {taken_in:8.0} a second"),
        format!("  events out              {alone:8.0} a second   ratio {:.2}", alone / taken_in),
        format!(
            "  beside a slow receiver  {beside:8.0} a second   ratio {:.2} of the line above",
            beside / alone
        ),
    ] {
        report::line(&line);
    }
    Ok(())
}
