//! What a confirm and the application of a webhook cost: `trade COUNT CLIENTS` on the database of `DATABASE_URL`, with a Toss to
//! practise with in this very process. Confirms and their seconds, applied deliveries and theirs, to standard output. Used by
//! `cargo xtask bench log`.

#![expect(clippy::print_stdout, reason = "its answer")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use backoffice::{
    Actor, Backoffice, Decimal,
    audit::seal,
    orders::{self, NewOrder},
    payments::{Confirm, confirm},
    webhooks::{self, Incoming},
};
use sandbox::{Options, PUBLIC_TEST_KEYS, World};
use serde_json::{Value, json};
use server::{
    Jangbu,
    settings::{Settings, Source},
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    server::install_crypto();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |at: usize| args.get(at).and_then(|n| n.parse::<usize>().ok()).context("trade COUNT CLIENTS");
    let (count, clients) = (number(0)?, number(1)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let toss = format!("http://{}", listener.local_addr()?);
    tokio::spawn(World::new(Options::default())?.run(listener));
    let mut source = Source::from_machine()?;
    source.0.insert("TOSS_PAYMENTS_URL".to_owned(), toss.clone());
    source.0.insert("TOSS_PAYMENTS_SECRET_KEY".to_owned(), PUBLIC_TEST_KEYS[0].to_owned());
    let settings = Settings::read(&source)?;
    let url = settings.database_url.clone().context("DATABASE_URL")?;
    let backoffice = Jangbu::start(settings, &url).await?.backoffice;
    let sealing = backoffice.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            drop(seal::seal_all(&sealing).await);
        }
    });

    let http = reqwest::Client::new();
    let payments: Vec<Confirm> =
        at_once(count, clients, |n| pay(backoffice.clone(), http.clone(), toss.clone(), n)).await?.1;
    let payments = Arc::new(payments);
    let (confirmed, _) = at_once(count, clients, |n| {
        let (backoffice, payments) = (backoffice.clone(), Arc::clone(&payments));
        async move {
            let payment = payments.get(n).context("a payment is missing")?;
            confirm(&backoffice, &Actor::MerchantApi, payment).await?;
            Ok(())
        }
    })
    .await?;
    let ids = deliver(&backoffice, &payments).await?;
    let ids = Arc::new(ids);
    let (applied, _) = at_once(count, clients, |n| {
        let (backoffice, ids) = (backoffice.clone(), Arc::clone(&ids));
        async move {
            webhooks::apply(&backoffice, *ids.get(n).context("a delivery is missing")?).await?;
            Ok(())
        }
    })
    .await?;
    println!("{count} {} {count} {}", confirmed.as_secs_f64(), applied.as_secs_f64());
    Ok(())
}

/// Does it for each number, so many at once; how long it took, and what came of it.
async fn at_once<T, F>(
    count: usize,
    clients: usize,
    work: impl Fn(usize) -> F,
) -> anyhow::Result<(Duration, Vec<T>)>
where
    T: Send + 'static,
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let (next, begun) = (AtomicUsize::new(0), Instant::now());
    let client = async || -> anyhow::Result<Vec<(usize, T)>> {
        let mut done = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return Ok(done);
            }
            done.push((n, tokio::spawn(work(n)).await??));
        }
    };
    let done = futures::future::try_join_all((0..clients).map(|_| client())).await?;
    let took = begun.elapsed();
    let mut done: Vec<(usize, T)> = done.into_iter().flatten().collect();
    done.sort_by_key(|(n, _)| *n);
    Ok((took, done.into_iter().map(|(_, of)| of).collect()))
}

/// An order, and a payment that its buyer has authenticated.
async fn pay(
    backoffice: Backoffice,
    http: reqwest::Client,
    toss: String,
    n: usize,
) -> anyhow::Result<Confirm> {
    let (order_id, amount) = (format!("trade-{n}"), Decimal::from(15_000));
    let order = NewOrder {
        order_id: order_id.clone(),
        amount,
        currency: "KRW".into(),
        order_name: "머그컵 세트".into(),
        customer_name: Some("김민지".into()),
        customer_mobile_phone: None,
        customer_email: None,
        user_key: None,
    };
    orders::register(&backoffice, &Actor::MerchantApi, &order).await?;
    let opening = json!({ "orderId": order_id, "orderName": order.order_name, "amount": 15_000 });
    let opened: Value =
        http.post(format!("{toss}/_sandbox/payments")).json(&opening).send().await?.json().await?;
    let payment_key = opened["paymentKey"].as_str().context("no payment was opened")?.to_owned();
    let paid = http
        .post(format!("{toss}/_sandbox/payments/{payment_key}/authenticate"))
        .json(&json!({ "method": "카드" }))
        .send()
        .await?;
    ensure!(paid.status().is_success(), "nobody could pay: {}", paid.status());
    Ok(Confirm { order_id, payment_key, amount })
}

/// A webhook for each payment, kept and not looked into yet.
async fn deliver(backoffice: &Backoffice, payments: &[Confirm]) -> anyhow::Result<Vec<uuid::Uuid>> {
    let mut ids = Vec::new();
    for payments in payments.chunks(200) {
        let incoming: Vec<Incoming> = payments
            .iter()
            .map(|payment| {
                let body = json!({ "eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2026-11-30T10:00:00.000000",
                                   "data": { "paymentKey": payment.payment_key, "orderId": payment.order_id, "status": "DONE" } });
                Incoming {
                    source_ip: None,
                    listed: None,
                    headers: Vec::new(),
                    body: body.to_string().into_bytes().into(),
                    read_at: Instant::now(),
                }
            })
            .collect();
        ids.extend(webhooks::keep(backoffice, &incoming).await?);
    }
    Ok(ids)
}
