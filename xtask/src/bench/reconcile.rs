//! `cargo xtask bench reconcile`: a month of a million transactions against a million settlements, among five millions of
//! each, beside a plain hash join of the same rows in psql as the floor; then a day's page.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use super::{Process, fresh_database, jangbu, median, serve, sql};
use crate::{
    report,
    run::{cargo, run, target},
    stack::{CONTRACT, PASSWORD, SECRET_KEY},
};

/// Payments of five months; with their cancels and issued accounts five million transactions.
const PAYMENTS: u64 = 4_020_000;
const DAYS: u64 = 140;
const FIRST: &str = "2026-01-05";
/// Four weeks of them: a million.
const WINDOW: (&str, &str) = ("2026-03-02", "2026-03-30");
const TURNS: usize = 3;
const PAGES: usize = 40;

fn books(url: &str) -> Command {
    let mut command = jangbu();
    command
        .env("DATABASE_URL", url)
        .env("JANGBU_MODE", "sandbox")
        .env("RUST_LOG", "error")
        .env("TOSS_PAYMENTS_URL", "http://127.0.0.1:9")
        .env("TOSS_PAYMENTS_SECRET_KEY", SECRET_KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn fill(url: &str) -> anyhow::Result<()> {
    for (method, currency, per_cent, flat) in CONTRACT {
        run(books(url)
            .args([
                "contract",
                "set",
                "--method",
                method,
                "--currency",
                currency,
                "--valid-from",
                "2026-01-01",
            ])
            .args(["--per-cent", per_cent, "--flat", flat, "--payout-days", "5"]))?;
    }
    let trade = Command::new(target().join("release/examples/trade"))
        .args([PAYMENTS.to_string(), DAYS.to_string(), FIRST.to_owned()])
        .stdout(Stdio::piped())
        .spawn()
        .context("the made-up trade")?;
    run(Command::new("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url])
        .env("PGOPTIONS", "-c search_path=jangbu")
        .stdin(trade.stdout.context("no trade")?)
        .stdout(Stdio::null()))?;
    sql(url, "vacuum analyze jangbu.transactions")?;
    sql(url, "vacuum analyze jangbu.settlements")?;
    Ok(())
}

/// What the same rows cost as nothing but a join.
fn plain_join(url: &str) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let (from, to) = WINDOW;
    let said = sql(
        url,
        &format!(
            "select count(*), sum(t.listed_amount), sum(s.amount) from jangbu.transactions t
             full join jangbu.settlements s on s.transaction_key = t.transaction_key
             where t.transaction_at >= '{from} 00:00+09' and t.transaction_at < '{to} 00:00+09'"
        ),
    )?;
    ensure!(
        said.split('|').next().and_then(|n| n.parse::<u64>().ok()).is_some_and(|n| n > 990_000),
        "{said}"
    );
    Ok(begun.elapsed().as_secs_f64())
}

/// Anonymous memory of a process, in kilobytes.
fn memory(pid: u64) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or_default()
}

/// Seconds, and the most memory that the command and its connections to PostgreSQL held together.
fn one_run(url: &str, from: &str, to: &str) -> anyhow::Result<(f64, u64)> {
    let begun = Instant::now();
    let mut child = Process(books(url).args(["reconcile", "--from", from, "--to", to]).spawn()?);
    let (ended, most) = (AtomicBool::new(false), AtomicU64::new(0));
    let pid = u64::from(child.0.id());
    let status = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let backends = sql(url, "select string_agg(pid::text, ' ') from pg_stat_activity where application_name = 'jangbu'");
                let backends: u64 =
                    backends.unwrap_or_default().split_whitespace().filter_map(|pid| pid.parse().ok()).map(memory).sum();
                most.fetch_max(memory(pid) + backends, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let status = child.0.wait();
        ended.store(true, Ordering::Relaxed);
        status
    })?;
    ensure!(status.success(), "jangbu reconcile ended with {status}");
    Ok((begun.elapsed().as_secs_f64(), most.load(Ordering::Relaxed) / 1024))
}

/// A request with nothing but the standard library; the whole answer.
fn ask_http(port: u16, request: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn log_in(url: &str, port: u16) -> anyhow::Result<String> {
    let mut add = books(url)
        .args([
            "staff",
            "add",
            "--email",
            "bench@jangbu.test",
            "--name",
            "bench",
            "--role",
            "finance",
            "--password-stdin",
        ])
        .stdin(Stdio::piped())
        .spawn()?;
    add.stdin.take().context("no stdin")?.write_all(PASSWORD.as_bytes())?;
    ensure!(add.wait()?.success(), "staff add");
    let body = format!("email=bench%40jangbu.test&password={PASSWORD}");
    let answer = ask_http(
        port,
        &format!(
            "POST /fn/log_in HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nAccept: text/html\r\n\
             Sec-Fetch-Site: same-origin\r\nReferer: http://127.0.0.1:{port}/login\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )?;
    let cookies = answer
        .lines()
        .filter_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")));
    let cookie = cookies.filter_map(|(_, value)| value.split(';').next()).rfind(|c| c.contains("session="));
    cookie.map(str::to_owned).context("nobody was logged in")
}

/// Milliseconds of the median and of the slowest.
fn page(port: u16, cookie: &str, path: &str) -> anyhow::Result<(f64, f64)> {
    let mut times = Vec::new();
    for _ in 0..PAGES {
        let begun = Instant::now();
        let answer = ask_http(
            port,
            &format!(
                "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n"
            ),
        )?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{path}: {}", answer.lines().next().unwrap_or_default());
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    let slowest = times.iter().copied().fold(0.0, f64::max);
    Ok((median(times), slowest))
}

pub(crate) fn reconcile() -> anyhow::Result<()> {
    report::step("building for release", || {
        run(cargo().args(["build", "--release", "--workspace", "--bin", "jangbu", "--example", "trade"]))
    })?;
    let (url, _postgres) = fresh_database("bench_reconcile")?;
    report::step("five million transactions and their settlements", || fill(&url))?;
    let (mut floor, mut ours, mut memory) = (Vec::new(), Vec::new(), 0);
    let (from, to) = WINDOW;
    for turn in 1..=TURNS {
        floor.push(report::step(&format!("a plain join, turn {turn}"), || plain_join(&url))?);
        let (seconds, megabytes) =
            report::step(&format!("jangbu reconcile, turn {turn}"), || one_run(&url, from, to))?;
        ours.push(seconds);
        memory = memory.max(megabytes);
    }
    report::step("the other months", || one_run(&url, FIRST, "2026-05-25"))?;
    let alarms = sql(&url, "select count(*) from jangbu.differences")?;
    let rows = sql(&url, "select sum(rows) from jangbu.reconciled_days")?;
    let server = serve(&url, false)?;
    let cookie = log_in(&url, server.port)?;
    let day = "/reconciliation/2026-03-11";
    let (sums, sums_worst) = report::step("a day's page", || page(server.port, &cookie, day))?;
    let listed = format!("{day}?class=matched");
    let (list, list_worst) =
        report::step("a day's page with its rows", || page(server.port, &cookie, &listed))?;
    let (month, month_worst) =
        report::step("a month's calendar", || page(server.port, &cookie, "/reconciliation?month=2026-03"))?;
    let (floor, ours) = (median(floor), median(ours));
    for line in [
        format!("medians of {TURNS} turns; {} rows in the books", rows.trim()),
        format!("  a plain join of a million against a million   {floor:6.1} s"),
        format!(
            "  jangbu reconcile of the same                  {ours:6.1} s   ratio {:.1}   at most {memory} MiB",
            ours / floor
        ),
        format!("  false alarms in {}: {}", rows.trim(), alarms.trim()),
        format!("  a day's page            median {sums:6.1} ms   slowest of {PAGES} {sums_worst:6.1} ms"),
        format!("  with 50 rows of it      median {list:6.1} ms   slowest of {PAGES} {list_worst:6.1} ms"),
        format!("  a month's calendar      median {month:6.1} ms   slowest of {PAGES} {month_worst:6.1} ms"),
    ] {
        report::line(&line);
    }
    ensure!(alarms.trim() == "0", "clean books raised an alarm");
    Ok(())
}
