//! What the audit log costs, and how quickly it is read: `book register SECONDS CLIENTS`, `book fill ROWS`, `book verify`,
//! `book prove COUNT`, each on the database of `DATABASE_URL`. The figures go to standard output. Used by `cargo xtask bench log`.

#![expect(clippy::print_stdout, reason = "its answer")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use backoffice::{
    Actor, Backoffice, Decimal,
    audit::{proof, seal, verify},
    orders::{self, NewOrder, Registered},
};
use server::{
    Jangbu,
    settings::{Settings, Source},
};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |at: usize| args.get(at).and_then(|text| text.parse::<u64>().ok()).context("a number is missing");
    let settings = Settings::read(&Source::from_machine()?)?;
    let url = settings.database_url.clone().context("DATABASE_URL")?;
    let backoffice = Jangbu::start(settings, &url).await?.backoffice;
    match args.first().map(String::as_str) {
        Some("register") => register(&backoffice, Duration::from_secs(number(1)?), number(2)?).await,
        Some("fill") => fill(&backoffice, number(1)?).await,
        Some("verify") => check(&backoffice).await,
        Some("prove") => prove(&backoffice, number(1)?).await,
        _ => bail!("register, fill, verify or prove"),
    }
}

fn order(n: u64) -> NewOrder {
    NewOrder {
        order_id: format!("book-{n}"),
        amount: Decimal::from(15_000),
        currency: "KRW".into(),
        order_name: "머그컵 세트".into(),
        customer_name: Some("김민지".into()),
        customer_mobile_phone: None,
        customer_email: None,
        user_key: None,
    }
}

/// As many orders as there is time for, sealed meanwhile: how many a second, and how many rows waited when it ended.
async fn register(backoffice: &Backoffice, time: Duration, clients: u64) -> anyhow::Result<()> {
    let (next, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let sealing = backoffice.clone();
    let sealer = tokio::spawn(async move {
        while begun.elapsed() < time {
            sleep(Duration::from_millis(500)).await;
            drop(seal::seal_all(&sealing).await);
        }
    });
    let clients = (0..clients).map(|_| {
        let (backoffice, next) = (backoffice.clone(), Arc::clone(&next));
        tokio::spawn(async move {
            let mut made = 0u64;
            while begun.elapsed() < time {
                let order = order(next.fetch_add(1, Ordering::Relaxed));
                let registered = orders::register(&backoffice, &Actor::MerchantApi, &order).await?;
                ensure!(matches!(registered, Registered::New(_)), "{} was there", order.order_id);
                made += 1;
            }
            Ok(made)
        })
    });
    let mut made = 0;
    for client in clients.collect::<Vec<_>>() {
        made += client.await??;
    }
    let took = begun.elapsed();
    sealer.await?;
    println!("{made} {}", took.as_secs_f64());
    Ok(())
}

/// Rows as an order leaves them, and how many a second are sealed.
async fn fill(backoffice: &Backoffice, rows: u64) -> anyhow::Result<()> {
    let mut took = Duration::ZERO;
    for from in (0..rows).step_by(200_000) {
        let to = (from + 200_000).min(rows);
        sqlx::query(
            r#"with written as (
                   insert into audit (at, actor, actor_name, role, ip, action, subject_kind, subject, detail)
                   select now(), 'staff:0199aa00-0000-7000-8000-000000000001', '김하늘', 'support', '192.0.2.7',
                          'refund.requested', 'order', 'book-' || n, '{"amount":"15000","currency":"KRW","reason":"단순 변심"}'
                   from generate_series($1::bigint, $2 - 1) n returning seq
               ) insert into audit_unsealed (seq) select seq from written"#,
        )
        .bind(i64::try_from(from)?)
        .bind(i64::try_from(to)?)
        .execute(&backoffice.pool)
        .await?;
        let begun = Instant::now();
        seal::seal_all(backoffice).await?;
        took += begun.elapsed();
    }
    println!("{rows} {}", took.as_secs_f64());
    Ok(())
}

async fn check(backoffice: &Backoffice) -> anyhow::Result<()> {
    let begun = Instant::now();
    let report = verify::verify(backoffice, &[]).await?;
    ensure!(report.is_whole(), "{:?}", report.findings.first());
    println!("{} {}", report.leaves, begun.elapsed().as_secs_f64());
    Ok(())
}

/// Proofs of rows here and there: the milliseconds of each.
async fn prove(backoffice: &Backoffice, count: u64) -> anyhow::Result<()> {
    let (first, last): (i64, i64) =
        sqlx::query_as("select min(seq), max(seq) from audit_leaves").fetch_one(&backoffice.pool).await?;
    for n in 0..i64::try_from(count)? {
        let seq = first + (last - first) / i64::try_from(count)? * n;
        let begun = Instant::now();
        drop(proof::prove(backoffice, seq).await?);
        println!("{}", begun.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(())
}
