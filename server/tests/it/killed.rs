//! A process is killed: what it has answered with 200 is there, and what it was granting is granted once.

use std::{
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use backoffice::{Actor, promotions::NewCampaign, refunds::State};
use sandbox::{PUBLIC_TEST_KEYS, SANDBOX_SECURITY_KEY, apps_in_toss::login};
use serde_json::json;
use sqlx::{ConnectOptions, Connection};
use toss::payments::PaymentKey;

use crate::support::{AUDIT_KEY, DATA_KEY, Shop, certificate, database, refund};

/// Ends with the test, also with one that fails.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn serve(database_url: &str, port: u16) -> Process {
    let child = Command::new(env!("CARGO_BIN_EXE_jangbu"))
        .args(["serve", "--no-work"])
        .env("DATABASE_URL", database_url)
        .env("JANGBU_ADDR", format!("127.0.0.1:{port}"))
        .env("JANGBU_MODE", "sandbox")
        .env("JANGBU_DATA_KEY", DATA_KEY)
        .env("JANGBU_AUDIT_KEY", AUDIT_KEY)
        // Nobody is asked: this process only takes in.
        .env("TOSS_PAYMENTS_URL", "http://127.0.0.1:9")
        .env("TOSS_PAYMENTS_SECRET_KEY", PUBLIC_TEST_KEYS[0])
        .env("TOSS_PAYMENTS_SECURITY_KEY", SANDBOX_SECURITY_KEY)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Process(child)
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn is_up(http: &reqwest::Client, url: &str) {
    for _ in 0..400 {
        if http.get(format!("{url}/health/live")).send().await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the process did not come up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_is_stored_when_the_process_is_killed() {
    server::install_crypto();
    let database_url = database().await;
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let http = reqwest::Client::new();
    let mut process = serve(&database_url, port);
    is_up(&http, &url).await;

    let accepted = Arc::new(std::sync::Mutex::new(Vec::new()));
    let next = Arc::new(AtomicU64::new(0));
    let posting: Vec<_> = (0..32)
        .map(|_| {
            let (http, url, accepted, next) =
                (http.clone(), url.clone(), Arc::clone(&accepted), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let body =
                        format!(r#"{{"eventType":"BILLING_DELETED","data":{{"billingKey":"b_{n}"}}}}"#);
                    let posted = http.post(format!("{url}/hooks/toss-payments")).body(body).send().await;
                    match posted {
                        Ok(answer) if answer.status() == 200 => accepted.lock().unwrap().push(n),
                        Ok(answer) => panic!("{}", answer.status()),
                        // It is dead.
                        Err(_) => return,
                    }
                }
            })
        })
        .collect();
    while accepted.lock().unwrap().len() < 500 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.0.kill().unwrap();
    for task in posting {
        task.await.unwrap();
    }
    let accepted = accepted.lock().unwrap().clone();
    assert!(accepted.len() >= 500);

    let mut connection = sqlx::PgConnection::connect(&database_url).await.unwrap();
    let stored: Vec<(Vec<u8>,)> = sqlx::query_as("select body from jangbu.webhook_deliveries")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let pool = server::database::connect(&database_url, 2).await.unwrap();
    let key = backoffice::DataKey::parse(&DATA_KEY.to_owned().into()).unwrap();
    let keys = backoffice::keys::ring(&pool, key, Vec::new()).await.unwrap();
    let open = |body: &[u8]| keys.open_bytes("webhook_deliveries.body", body).unwrap();
    let stored: std::collections::HashSet<String> =
        stored.into_iter().map(|(body,)| String::from_utf8(open(&body)).unwrap()).collect();
    for n in &accepted {
        assert!(
            stored.iter().any(|body| body.contains(&format!("\"b_{n}\""))),
            "{n} was accepted and is lost"
        );
    }
    // Each of them has a job that will look into it.
    let (planned,): (i64,) = sqlx::query_as(
        "select count(distinct planned.id) from graphile_worker._private_jobs j, json_array_elements_text(j.payload -> 'ids') planned (id)
         join jangbu.webhook_deliveries d on d.id::text = planned.id",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(usize::try_from(planned).unwrap(), stored.len());
}

/// A process that works, with the sandbox's both sides.
pub fn work(database_url: &str, shop: &Shop) -> Process {
    let file = |name: &str| certificate(name).display().to_string();
    let child = Command::new(env!("CARGO_BIN_EXE_jangbu"))
        .arg("work")
        .env("DATABASE_URL", database_url)
        .env("JANGBU_MODE", "sandbox")
        .env("JANGBU_DATA_KEY", DATA_KEY)
        .env("JANGBU_AUDIT_KEY", AUDIT_KEY)
        .env("TOSS_PAYMENTS_URL", &shop.sandbox_url)
        .env("TOSS_PAYMENTS_SECRET_KEY", PUBLIC_TEST_KEYS[0])
        .env("APPS_IN_TOSS_URL", &shop.apps_url)
        .env("APPS_IN_TOSS_PAY_URL", &shop.pay_url)
        .env("APPS_IN_TOSS_CERT", file("client.pem"))
        .env("APPS_IN_TOSS_KEY", file("client.key"))
        .env("APPS_IN_TOSS_CA", file("ca.pem"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Process(child)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_grants_survive_a_kill_in_the_middle_without_a_point_too_many() {
    const USERS: i64 = 1_000;
    let shop = Shop::open().await;
    let backoffice = shop.backoffice();
    // Another database: the processes of this test alone work on it.
    let database_url = database().await;
    let mut own = backoffice.clone();
    own.pool = server::database::connect(&database_url, 4).await.unwrap();
    shop.control("apps-in-toss/promotions", &json!({ "promotionCode": "THOUSAND", "budget": 10_000_000 }))
        .await;
    let campaign = NewCampaign {
        promotion_code: "THOUSAND".into(),
        name: "천 명".into(),
        amount: "100".into(),
        user_cap: "100".into(),
        budget: (USERS * 100).to_string(),
        starts_on: "2020-01-01".into(),
        ends_on: "2199-12-30".into(),
        approval_above: String::new(),
    };
    assert!(
        backoffice::promotions::campaigns::add(&own, &Actor::CommandLine, &campaign).await.unwrap().is_ok()
    );
    let first = shop.user().await;
    shop.sandbox.with_mini_app(|app| {
        for _ in 1..USERS {
            app.add_user(login::User::default());
        }
    });
    let file: String = (first..first + USERS).map(|user| format!("{user}\n")).collect();
    let id = backoffice::promotions::batch::preview(
        &own,
        &Actor::CommandLine,
        "THOUSAND",
        "kill",
        "a.csv",
        file.as_bytes(),
    )
    .await
    .unwrap();
    backoffice::promotions::batch::start(&own, &Actor::CommandLine, id).await.unwrap();
    let mut process = work(&database_url, &shop);
    let succeeded = async || backoffice::promotions::batch::progress(&own, id).await.unwrap().succeeded;
    for share in [200, 500] {
        shop.eventually_within(60, "some are granted", || async { succeeded().await > share }).await;
        process.0.kill().unwrap();
        assert!(succeeded().await < USERS, "it was killed in the middle");
        process = work(&database_url, &shop);
    }
    shop.eventually_within(120, "all are granted", || async {
        // What the kill cut off waits for its lease, which nobody waits for here.
        sqlx::query("update grants set lease_until = null, sent_at = sent_at - interval '1 hour' where lease_until < now() + interval '140 seconds'")
            .execute(&own.pool)
            .await
            .unwrap();
        let open: Vec<(uuid::Uuid,)> = sqlx::query_as("select id from grants where state in ('sending', 'unknown', 'pending') and lease_until is null")
            .fetch_all(&own.pool)
            .await
            .unwrap();
        for (grant,) in open {
            drop(backoffice::promotions::execute(&own, grant).await);
        }
        succeeded().await == USERS
    })
    .await;
    let (paid, users) = shop.sandbox.with_mini_app(|app| {
        let users: std::collections::BTreeSet<i64> = app.payouts().map(|payout| payout.user_key).collect();
        (app.promotion("THOUSAND").unwrap().paid_out, users.len())
    });
    assert_eq!((paid, users), (USERS * 100, 1_000), "every user once");
    assert_eq!(backoffice::promotions::campaigns::get(&own, "THOUSAND").await.unwrap().unwrap().left(), 0);
}

fn sync_settlements(shop: &Shop, days: i64) -> Process {
    let database_url = shop.backoffice().pool.connect_options().to_url_lossy();
    let child = Command::new(env!("CARGO_BIN_EXE_jangbu"))
        .args(["sync", "settlements", "--last", &days.to_string()])
        .env("DATABASE_URL", database_url.as_str())
        .env("JANGBU_MODE", "sandbox")
        .env("JANGBU_DATA_KEY", DATA_KEY)
        .env("JANGBU_AUDIT_KEY", AUDIT_KEY)
        .env("TOSS_PAYMENTS_URL", &shop.sandbox_url)
        .env("TOSS_PAYMENTS_SECRET_KEY", PUBLIC_TEST_KEYS[0])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Process(child)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_is_killed_has_read_whole_days_and_goes_on() {
    const DAYS: i64 = 8;
    let shop = Shop::open().await;
    let now = shop.backoffice().clock.now();
    for back in 1..DAYS {
        let at = now - time::Duration::days(back);
        shop.control("clock", &json!({ "now": toss::timestamp::format(at) })).await;
        shop.backoffice().clock.set(at);
        shop.paid(&format!("ord_sync_{back}"), 10_000).await;
    }
    shop.quiet().await;
    shop.control("clock", &json!({ "offsetMs": 0 })).await;
    shop.backoffice().clock.set_offset(time::Duration::ZERO);
    shop.fault(json!({ "on": "settlements", "kind": "delay", "ms": 400, "times": 100 })).await;
    let read = || async {
        let (windows, rows, kept): (i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from sync_windows where source = 'settlements'),
                    (select coalesce(sum(rows), 0)::bigint from sync_windows where source = 'settlements'),
                    (select count(*) from settlements)",
        )
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
        (windows, rows, kept)
    };
    let mut process = sync_settlements(&shop, DAYS);
    shop.eventually_within(30, "a few days are read", || async { read().await.0 >= 2 }).await;
    process.0.kill().unwrap();
    process.0.wait().unwrap();
    let (windows, rows, kept) = read().await;
    assert!((2..DAYS).contains(&windows), "{windows} days");
    // What is kept besides is of the day that was broken off, which does not count as read.
    assert!((rows..=rows + 1).contains(&kept), "{rows} of {kept}");
    shop.http.delete(format!("{}/_sandbox/faults", shop.sandbox_url)).send().await.unwrap();
    assert!(sync_settlements(&shop, DAYS).0.wait().unwrap().success());
    assert_eq!(read().await, (DAYS, DAYS - 1, DAYS - 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_is_cut_off_is_known_again_when_its_lease_ends() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_cut", 10_000).await;
    shop.quiet().await;
    // Another database: the processes of this test alone work on it.
    let database_url = database().await;
    let mut own = shop.backoffice().clone();
    own.pool = server::database::connect(&database_url, 4).await.unwrap();
    backoffice::payments::look_up(&own, &Actor::CommandLine, &PaymentKey(key.clone())).await.unwrap();
    shop.fault(json!({ "on": "cancel", "kind": "delay", "ms": 3000 })).await;
    let id = backoffice::refunds::create_intent(&own, &Actor::CommandLine, &refund("ord_cut", "4000"))
        .await
        .unwrap();
    let job = format!("refund:{id}");
    sqlx::query("update graphile_worker._private_jobs set run_at = now() where key = $1")
        .bind(&job)
        .execute(&own.pool)
        .await
        .unwrap();
    let mut process = work(&database_url, &shop);
    shop.eventually_within(30, "it is being sent", || async {
        backoffice::refunds::get(&own, id).await.unwrap().unwrap().state == State::Sending
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    process.0.kill().unwrap();
    process.0.wait().unwrap();
    let apart: f64 = sqlx::query_scalar(
        "select abs(extract(epoch from j.run_at - r.lease_until))::float8 from jangbu.refunds r
         join graphile_worker.jobs j on j.key = 'refund:' || r.id where r.id = $1",
    )
    .bind(id)
    .fetch_one(&own.pool)
    .await
    .expect("the next attempt is planned although the process is dead");
    assert!(apart < 1.0, "planned {apart} s from the end of the lease");
    // The lease ends.
    sqlx::query(
        "with at as (update jangbu.refunds set last_attempt_at = last_attempt_at - (lease_until - now()), lease_until = now()
                     where id = $1)
         update graphile_worker._private_jobs set run_at = now() where key = $2",
    )
    .bind(id)
    .bind(&job)
    .execute(&own.pool)
    .await
    .unwrap();
    let _next = work(&database_url, &shop);
    shop.eventually_within(15, "it is known", || async {
        backoffice::refunds::get(&own, id).await.unwrap().unwrap().state == State::Succeeded
    })
    .await;
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
}
