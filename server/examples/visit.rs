//! Somebody who looks at one page again and again: `visit URL PATH EMAIL PASSWORD SECONDS CONNECTIONS`. How many pages in how
//! many seconds, and the median and 99th percentile of one in milliseconds, to standard output. Used by `cargo xtask bench pages`.

#![expect(clippy::print_stdout, reason = "its answer")]

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use reqwest::{Client, header, redirect::Policy};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    server::install_crypto();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, path, email, password, seconds, connections] = args.as_slice() else {
        anyhow::bail!("visit URL PATH EMAIL PASSWORD SECONDS CONNECTIONS")
    };
    let time = Duration::from_secs(seconds.parse()?);
    let cookie = log_in(url, email, password).await?;
    let begun = Instant::now();
    let visitors = (0..connections.parse::<u32>()?).map(|_| {
        let (page, cookie) = (format!("{url}{path}"), cookie.clone());
        tokio::spawn(async move { visit(&page, &cookie, begun + time).await })
    });
    let mut took = Vec::new();
    for visitor in visitors.collect::<Vec<_>>() {
        took.extend(visitor.await??);
    }
    let passed = begun.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |percent: usize| {
        took.get(took.len() * percent / 100).copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    println!("{} {passed} {} {}", took.len(), at(50), at(99));
    Ok(())
}

async fn log_in(url: &str, email: &str, password: &str) -> anyhow::Result<String> {
    let client = Client::builder().redirect(Policy::none()).build()?;
    let request = client
        .post(format!("{url}/fn/log_in"))
        .header(header::ORIGIN, url)
        .header(header::ACCEPT, "text/html")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(format!("email={email}&password={}", password.replace(' ', "+")));
    let answer = request.send().await?;
    let cookies: Vec<&str> = answer
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .collect();
    ensure!(!cookies.is_empty(), "nobody could log in: {}", answer.status());
    Ok(cookies.join("; "))
}

async fn visit(page: &str, cookie: &str, until: Instant) -> anyhow::Result<Vec<Duration>> {
    // A connection each.
    let client = Client::builder().redirect(Policy::none()).build()?;
    let mut took = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        let request = client.get(page).header(header::COOKIE, cookie).header(header::ACCEPT, "text/html");
        let answer = request.send().await?;
        ensure!(answer.status().is_success(), "{page}: {}", answer.status());
        answer.bytes().await.context("a page broke off")?;
        took.push(began.elapsed());
    }
    Ok(took)
}
