//! `cargo xtask bench pages`: the list of orders and the page of one, looked at by sixteen at once; beside an older binary where
//! one is named, in turns on one PostgreSQL.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};

use super::{Server, database_of, median, serve_with, sql, start_postgres};
use crate::{
    report,
    run::{ask, cargo, run, target},
    stack::{PASSWORD, SECRET_KEY},
};

const VISITORS: u64 = 16;
/// Of one turn.
const SECONDS: u64 = 8;
const TURNS: usize = 5;
const EMAIL: &str = "bench@jangbu.test";
const PAGES: [(&str, &str); 2] = [("orders list", "/orders"), ("one order", "/orders/page-000123")];

/// Somebody of the staff, and orders to look at.
fn fill(binary: &Path, url: &str, orders: u64) -> anyhow::Result<()> {
    let mut add = Command::new(binary)
        .args(["staff", "add", "--email", EMAIL, "--name", "김민지", "--role", "support", "--password-stdin"])
        .env("DATABASE_URL", url)
        .env("JANGBU_MODE", "sandbox")
        .env("RUST_LOG", "error")
        .env("TOSS_PAYMENTS_URL", "http://127.0.0.1:9")
        .env("TOSS_PAYMENTS_SECRET_KEY", SECRET_KEY)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("jangbu staff add")?;
    add.stdin.take().context("no stdin")?.write_all(PASSWORD.as_bytes())?;
    ensure!(add.wait()?.success(), "nobody could be added");
    sql(
        url,
        &format!(
            "insert into jangbu.orders (order_id, origin, order_name, amount, currency, customer_name, status, method, balance_amount,
                                        created_at, updated_at, paid_at, payment_key)
             select 'page-' || lpad(n::text, 6, '0'), 'merchant', '머그컵 세트', 15000, 'KRW', '김민지', 'DONE', '카드', 15000,
                    now() - n * interval '1 second', now(), now(), 'pay-' || n from generate_series(1, {orders}) n"
        ),
    )?;
    sql(url, "vacuum analyze")?;
    Ok(())
}

/// `server/examples/visit.rs`, which tells what the figures mean: pages a second, and milliseconds of one.
fn visit(server: &Server, path: &str) -> anyhow::Result<(f64, f64)> {
    let said = ask(Command::new(target().join("release/examples/visit"))
        .args([&format!("http://127.0.0.1:{}", server.port), path, EMAIL, PASSWORD])
        .args([SECONDS.to_string(), VISITORS.to_string()]))
    .context("the visitors")?;
    let figures: Vec<f64> = said.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
    let [count, seconds, median_ms, _] = figures.as_slice() else {
        anyhow::bail!("the visitors said {said:?}");
    };
    Ok((count / seconds, *median_ms))
}

pub(crate) fn pages(orders: u64, beside: Option<&Path>) -> anyhow::Result<()> {
    report::step("building for release", || {
        run(cargo().args(["build", "--release", "--workspace", "--bin", "jangbu", "--example", "visit"]))
    })?;
    let (url, _postgres) = start_postgres()?;
    let mut binaries: Vec<(&str, PathBuf)> = vec![("this version", target().join("release/jangbu"))];
    if let Some(older) = beside {
        binaries.insert(0, ("the older one", older.to_owned()));
    }
    let mut servers = Vec::new();
    for (n, (name, binary)) in binaries.iter().enumerate() {
        let url = database_of(binary, &url, &format!("bench_pages_{n}"))?;
        report::step(&format!("{orders} orders for {name}"), || fill(binary, &url, orders))?;
        servers.push((*name, serve_with(binary, &url, false)?));
    }
    for (page, path) in PAGES {
        let mut rates = vec![Vec::new(); servers.len()];
        let mut times = vec![Vec::new(); servers.len()];
        for turn in 1..=TURNS {
            for (n, (name, server)) in servers.iter().enumerate() {
                let (rate, ms) =
                    report::step(&format!("{page}, {name}, turn {turn}"), || visit(server, path))?;
                if let (Some(rates), Some(times)) = (rates.get_mut(n), times.get_mut(n)) {
                    rates.push(rate);
                    times.push(ms);
                }
            }
        }
        report::line(&format!("{page}: medians of {TURNS} turns of {SECONDS} s, {VISITORS} connections"));
        let mut first = None;
        for ((name, _), (rates, times)) in servers.iter().zip(rates.into_iter().zip(times)) {
            let (rate, ms) = (median(rates), median(times));
            let ratio = first.map_or_else(String::new, |first: f64| format!("   ratio {:.2}", rate / first));
            first = first.or(Some(rate));
            report::line(&format!("  {name:14} {rate:8.0} pages a second, {ms:5.1} ms each{ratio}"));
        }
    }
    Ok(())
}
