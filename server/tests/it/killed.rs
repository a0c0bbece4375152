//! A process is killed while deliveries come in: whatever it has answered with 200 is there.

use std::{
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sandbox::{PUBLIC_TEST_KEYS, SANDBOX_SECURITY_KEY};
use sqlx::Connection;

use crate::support::database;

/// Ends with the test, also with one that fails.
struct Process(Child);

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
    let stored: std::collections::HashSet<String> =
        stored.into_iter().map(|(body,)| String::from_utf8(body).unwrap()).collect();
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
