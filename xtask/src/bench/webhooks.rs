//! `cargo xtask bench webhooks`: the intake of deliveries beside pgbench, which inserts the same row one per
//! transaction with as many clients, in turns on one PostgreSQL. Ratios, because machines differ.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

use super::{fresh_database, median, pgbench, serve, sql};
use crate::{
    report,
    run::{cargo, root, run, target},
};

/// As many as the load has.
const CONNECTIONS: u64 = 32;
/// Of one turn.
const SECONDS: u64 = 8;
const TURNS: usize = 3;

const HEADERS: [(&str, &str); 5] = [
    ("content-type", "application/json"),
    ("user-agent", "TossPayments"),
    ("tosspayments-webhook-transmission-time", "2024-02-13T12:18:14+09:00"),
    ("tosspayments-webhook-transmission-retried-count", "0"),
    ("tosspayments-webhook-transmission-id", "whtrans_a01j70335nkqqeg0zwzz2r4py9z"),
];

/// What a load led to.
struct Load {
    accepted: f64,
    refused: u64,
    seconds: f64,
    median_ms: f64,
    p99_ms: f64,
}

impl Load {
    fn per_second(&self) -> f64 {
        self.accepted / self.seconds
    }
}

/// Where the load notes what was accepted.
fn accepted_file() -> PathBuf {
    target().join("bench-accepted")
}

/// `server/examples/load.rs`, which tells what the figures mean.
fn start_load(port: u16, seconds: u64, rate: f64) -> anyhow::Result<Child> {
    Command::new(target().join("release/examples/load"))
        .args([port.to_string(), seconds.to_string(), rate.to_string()])
        .arg(accepted_file())
        .stdout(Stdio::piped())
        .spawn()
        .context("the load")
}

fn end_load(load: Child) -> anyhow::Result<Load> {
    let said = String::from_utf8(load.wait_with_output()?.stdout)?;
    let figures: Vec<f64> = said.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
    let [accepted, refused, seconds, median_ms, p99_ms] = figures.as_slice() else {
        bail!("the load said {said:?}");
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let refused = *refused as u64;
    Ok(Load { accepted: *accepted, refused, seconds: *seconds, median_ms: *median_ms, p99_ms: *p99_ms })
}

fn load(port: u16, seconds: u64, rate: f64) -> anyhow::Result<Load> {
    end_load(start_load(port, seconds, rate)?)
}

/// Every turn begins with the same tables, and with nothing left to write of the turn before.
fn empty(url: &str) -> anyhow::Result<()> {
    sql(url, "truncate jangbu.webhook_deliveries; delete from graphile_worker._private_jobs")?;
    sql(url, "checkpoint")?;
    Ok(())
}

/// Kills the server under full load, and counts what it had accepted and what is stored.
fn killed(url: &str) -> anyhow::Result<(usize, usize)> {
    let mut server = serve(url, true)?;
    let load = start_load(server.port, 30, 0.0)?;
    std::thread::sleep(Duration::from_secs(3));
    server.process.0.kill()?;
    end_load(load)?;
    // What they say is sealed: each that was accepted is a row, and there may be more, whose 200 was cut off.
    let stored: usize = sql(url, "select count(*) from jangbu.webhook_deliveries")?.trim().parse()?;
    let accepted = fs::read_to_string(accepted_file())?;
    let lost = accepted.lines().count().saturating_sub(stored);
    Ok((accepted.lines().count(), lost))
}

/// Deliveries a second, into empty tables, nobody working on them.
pub(super) fn intake(url: &str, seconds: u64, turn: usize) -> anyhow::Result<f64> {
    empty(url)?;
    let server = serve(url, false)?;
    let load = report::step(&format!("webhooks taken in, turn {turn}"), || load(server.port, seconds, 0.0))?;
    ensure!(load.refused == 0, "{} deliveries were refused", load.refused);
    Ok(load.per_second())
}

pub(crate) fn webhooks() -> anyhow::Result<()> {
    report::step("building for release", || {
        run(cargo().args(["build", "--release", "--workspace", "--bin", "jangbu", "--example", "load"]))
    })?;
    let (url, _postgres) = fresh_database("bench")?;
    sql(
        &url,
        "select jangbu.add_webhook_month(now()), jangbu.add_webhook_month(now() + interval '31 days')",
    )?;
    let script = target().join("bench-webhooks.sql");
    let headers: Vec<String> = HEADERS.iter().map(|(n, v)| format!(r#"["{n}", "{v}"]"#)).collect();
    fs::write(
        &script,
        format!(
            "insert into jangbu.webhook_deliveries (id, received_at, source_ip, listed, headers, body) values (
             (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
              || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid,
             now(), '127.0.0.1', true, E'[{}]'::jsonb, convert_to(E'{}', 'UTF8'));",
            // A colon would begin a variable of pgbench's.
            headers.join(", ").replace(':', "\\072"),
            fs::read_to_string(root().join("server/examples/delivery.json"))?.trim().replace(':', "\\072"),
        ),
    )?;

    let (mut theirs, mut alone, mut working) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 1..=TURNS {
        empty(&url)?;
        theirs.push(report::step(&format!("pgbench, turn {turn}"), || {
            pgbench(&url, &script, CONNECTIONS, SECONDS)
        })?);
        for (work, rates) in [(true, &mut working), (false, &mut alone)] {
            empty(&url)?;
            let what = if work { "jangbu serve" } else { "jangbu serve --no-work" };
            let server = serve(&url, work)?;
            let load = report::step(&format!("{what}, turn {turn}"), || load(server.port, SECONDS, 0.0))?;
            ensure!(load.refused == 0, "{} deliveries were refused", load.refused);
            rates.push(load.per_second());
        }
    }
    let (theirs, working, alone) = (median(theirs), median(working), median(alone));
    empty(&url)?;
    let server = serve(&url, true)?;
    let calm = report::step("half of pgbench's rate", || load(server.port, SECONDS, theirs / 2.0))?;
    drop(server);
    empty(&url)?;
    let (accepted, lost) = report::step("kill -9 under full load", || killed(&url))?;

    for line in [
        format!("medians of {TURNS} turns of {SECONDS} s, {CONNECTIONS} connections each"),
        format!("  pgbench, one insert per transaction      {theirs:8.0} per second"),
        format!(
            "  jangbu serve, looking into them as well  {working:8.0} per second   ratio {:.2}",
            working / theirs
        ),
        format!(
            "  jangbu serve --no-work                   {alone:8.0} per second   ratio {:.2}",
            alone / theirs
        ),
        format!(
            "  at {:.0} per second: median {:.1} ms, p99 {:.1} ms, {} accepted, {} refused",
            theirs / 2.0,
            calm.median_ms,
            calm.p99_ms,
            calm.accepted,
            calm.refused
        ),
        format!("  kill -9: {accepted} accepted, {lost} of them lost"),
    ] {
        report::line(&line);
    }
    ensure!(lost == 0, "accepted deliveries were lost");
    Ok(())
}
