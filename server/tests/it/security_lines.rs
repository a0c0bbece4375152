//! Security events leave the house as lines of JSON.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, http::StatusCode, routing::post};
use backoffice::{
    security::{self, Event, Kind},
    staff::Role,
};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::Shop;

#[tokio::test]
async fn every_event_reaches_each_place_as_a_line_of_json_whoever_commits_late() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("security.jsonl");
    let (taken, is_down) = (Arc::new(Mutex::new(Vec::<String>::new())), Arc::new(AtomicBool::new(true)));
    let (keep, down) = (Arc::clone(&taken), Arc::clone(&is_down));
    let receiver = Router::new().route(
        "/siem",
        post(move |body: String| async move {
            if down.load(Ordering::Relaxed) {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            keep.lock().unwrap().extend(body.lines().map(str::to_owned));
            StatusCode::ACCEPTED
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/siem?token=secret", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, receiver).await.unwrap() });
    let places = format!("file:{},{url}", path.display());
    let shop = Shop::open_with(&[("JANGBU_SECURITY_EVENTS", &places)]).await;
    let (backoffice, pool) = (shop.backoffice(), &shop.backoffice().pool);
    let noted = || async {
        let places: i64 =
            sqlx::query_scalar("select count(*) from security_places").fetch_one(pool).await.unwrap();
        places == 2
    };
    shop.eventually("both places are noted", noted).await;

    // Somebody writes an event and takes their time, while others come and go.
    let mut slow = pool.begin().await.unwrap();
    let person = shop.account(Role::Viewer).await.0;
    security::record(&mut slow, backoffice, Event::of(Kind::Unlocked, person, "192.0.2.7", "slow"))
        .await
        .unwrap();
    let agent = shop.log_in(Role::Support).await;
    assert_eq!(shop.page("/audit", Some(&agent.cookie)).await.0, 403);
    slow.commit().await.unwrap();

    let lines = || -> Vec<Value> {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let kept = async || -> BTreeSet<String> {
        let ids: Vec<i64> =
            sqlx::query_scalar("select id from security_events").fetch_all(pool).await.unwrap();
        ids.iter().map(ToString::to_string).collect()
    };
    let told = || -> BTreeSet<String> {
        lines().iter().map(|line| line["event"]["id"].as_str().unwrap().to_owned()).collect()
    };
    shop.eventually("all are in the file", || async { told() == kept().await }).await;
    let lines = lines();
    let refused = lines.iter().find(|line| line["event"]["action"] == "refused").unwrap();
    assert_eq!(refused["event"]["outcome"], "failure");
    assert_eq!(refused["user"]["id"], agent.id.to_string());
    assert_eq!(refused["source"]["ip"], "127.0.0.1");
    assert_eq!(refused["labels"]["path"], "/audit");
    assert!(refused["@timestamp"].as_str().unwrap().ends_with('Z'));
    assert!(lines.iter().any(|line| line["user_agent"]["original"] == "slow"));

    // The other place was down all the time: it gets all of them once it is back.
    assert!(taken.lock().unwrap().is_empty());
    let refused = || async {
        let error: Option<String> =
            sqlx::query_scalar("select error from security_places where place like 'http%'")
                .fetch_one(pool)
                .await
                .unwrap();
        error.is_some_and(|error| error.contains("503"))
    };
    shop.eventually("that it is down is kept", refused).await;
    let secret: i64 =
        sqlx::query_scalar("select count(*) from security_places p where p::text like '%secret%'")
            .fetch_one(pool)
            .await
            .unwrap();
    assert_eq!(secret, 0, "what stands behind an address is nobody's to read");
    is_down.store(false, Ordering::Relaxed);
    let there = || -> BTreeSet<String> {
        let lines = taken.lock().unwrap();
        let id = |line: &String| {
            serde_json::from_str::<Value>(line).unwrap()["event"]["id"].as_str().unwrap().to_owned()
        };
        lines.iter().map(id).collect()
    };
    shop.eventually("all are there", || async { there() == kept().await }).await;
}
