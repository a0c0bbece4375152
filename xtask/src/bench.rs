//! `cargo xtask bench webhooks`: the intake of deliveries beside pgbench, which inserts the same row one per
//! transaction with as many clients, in turns on one PostgreSQL. Ratios, because machines differ.

use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

use crate::{
    report,
    run::{ask, cargo, root, run, target},
    stack::{SECRET_KEY, SECURITY_KEY},
};

/// As many as the load has.
const CONNECTIONS: u64 = 32;
/// Of one turn.
const SECONDS: u64 = 8;
const TURNS: usize = 3;

/// Ends with us.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if self.0.try_wait().ok().flatten().is_none() {
            drop(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status());
        }
        drop(self.0.wait());
    }
}

fn jangbu() -> Command {
    let mut command = Command::new(target().join("release").join("jangbu"));
    command.process_group(0);
    command
}

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

/// Inserts the same row, one per transaction; transactions a second.
fn pgbench(url: &str, script: &Path) -> anyhow::Result<f64> {
    let clients = CONNECTIONS.to_string();
    let said = ask(Command::new("pgbench")
        .args(["-n", "-M", "prepared", "-c", &clients, "-j", "2", "-T", &SECONDS.to_string(), "-f"])
        .arg(script)
        .arg(url))
    .context("pgbench: it comes with PostgreSQL")?;
    let tps =
        said.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
    tps.with_context(|| format!("pgbench said nothing of its rate:\n{said}"))
}

fn sql(url: &str, statement: &str) -> anyhow::Result<String> {
    ask(Command::new("psql").args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]))
        .with_context(|| format!("psql: {statement}"))
}

/// Every turn begins with the same tables, and with nothing left to write of the turn before.
fn empty(url: &str) -> anyhow::Result<()> {
    sql(url, "truncate jangbu.webhook_deliveries; delete from graphile_worker._private_jobs")?;
    sql(url, "checkpoint")?;
    Ok(())
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

struct Server {
    process: Process,
    port: u16,
}

fn serve(url: &str, work: bool) -> anyhow::Result<Server> {
    let port = free_port()?;
    let mut command = jangbu();
    command
        .arg("serve")
        .args((!work).then_some("--no-work"))
        .env("DATABASE_URL", url)
        .env("JANGBU_ADDR", format!("127.0.0.1:{port}"))
        .env("JANGBU_MODE", "sandbox")
        .env("RUST_LOG", "error")
        // Nobody is asked: these deliveries name nothing to ask about.
        .env("TOSS_PAYMENTS_URL", "http://127.0.0.1:9")
        .env("TOSS_PAYMENTS_SECRET_KEY", SECRET_KEY)
        .env("TOSS_PAYMENTS_SECURITY_KEY", SECURITY_KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let process = Process(command.spawn().context("jangbu serve")?);
    for _ in 0..400 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(Server { process, port });
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    bail!("jangbu serve did not come up")
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or_default()
}

/// Kills the server under full load, and looks for whatever it had accepted.
fn killed(url: &str) -> anyhow::Result<(usize, usize)> {
    let mut server = serve(url, true)?;
    let load = start_load(server.port, 30, 0.0)?;
    std::thread::sleep(Duration::from_secs(3));
    server.process.0.kill()?;
    end_load(load)?;
    let names = sql(
        url,
        "select substring(convert_from(body, 'UTF8') from '\"customerKey\":\"n(\\d+)\"') from jangbu.webhook_deliveries",
    )?;
    let stored: HashSet<&str> = names.lines().collect();
    let accepted = fs::read_to_string(accepted_file())?;
    let lost = accepted.lines().filter(|n| !stored.contains(n)).count();
    Ok((accepted.lines().count(), lost))
}

pub(crate) fn webhooks() -> anyhow::Result<()> {
    report::step("building for release", || {
        run(cargo().args(["build", "--release", "--workspace", "--bin", "jangbu", "--example", "load"]))
    })?;
    let data = target().join("bench-postgres");
    let mut postgres = jangbu()
        .args(["database", "--data-dir"])
        .arg(&data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("jangbu database")?;
    let mut url = String::new();
    BufReader::new(postgres.stdout.take().context("no stdout")?).read_line(&mut url)?;
    let _postgres = Process(postgres);
    let (server, _) = url.trim().rsplit_once('/').context("the PostgreSQL did not start")?;
    let url = format!("{server}/bench");
    sql(&format!("{server}/postgres"), "drop database if exists bench with (force)")?;
    sql(&format!("{server}/postgres"), "create database bench")?;
    run(jangbu()
        .arg("migrate")
        .env("DATABASE_URL", &url)
        .env("JANGBU_MODE", "sandbox")
        .env("RUST_LOG", "error")
        .env("TOSS_PAYMENTS_URL", "http://127.0.0.1:9")
        .env("TOSS_PAYMENTS_SECRET_KEY", SECRET_KEY)
        .stdout(Stdio::null()))?;
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
        theirs.push(report::step(&format!("pgbench, turn {turn}"), || pgbench(&url, &script))?);
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
