//! Security events leave the house as lines of JSON.

use std::{
    collections::BTreeSet,
    net::UdpSocket,
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

/// Ids of the events that are kept, and of those in these lines.
async fn kept(shop: &Shop) -> BTreeSet<String> {
    let ids: Vec<i64> = sqlx::query_scalar("select id from security_events")
        .fetch_all(&shop.backoffice().pool)
        .await
        .unwrap();
    ids.iter().map(ToString::to_string).collect()
}

fn told<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    // The last one of a file may be half written.
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.map(|line| line["event"]["id"].as_str().unwrap().to_owned()).collect()
}

async fn all_noted(shop: &Shop, places: i64) {
    let noted = || async {
        let found: i64 = sqlx::query_scalar("select count(*) from security_places")
            .fetch_one(&shop.backoffice().pool)
            .await
            .unwrap();
        found == places
    };
    shop.eventually("all places are noted", noted).await;
}

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
    all_noted(&shop, 2).await;

    // Somebody writes an event and takes their time, while others come and go.
    let mut slow = pool.begin().await.unwrap();
    let person = shop.account(Role::Viewer).await.0;
    security::record(&mut slow, backoffice, Event::of(Kind::Unlocked, person, "192.0.2.7", "slow"))
        .await
        .unwrap();
    let agent = shop.log_in(Role::Support).await;
    assert_eq!(shop.page("/audit", Some(&agent.cookie)).await.0, 403);
    slow.commit().await.unwrap();

    let text = || std::fs::read_to_string(&path).unwrap_or_default();
    shop.eventually("all are in the file", || async { told(text().lines()) == kept(&shop).await }).await;
    let lines: Vec<Value> = text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
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
    let there = || told(taken.lock().unwrap().iter().map(String::as_str));
    shop.eventually("all are there", || async { there() == kept(&shop).await }).await;
}

#[tokio::test]
async fn by_syslog_every_event_is_a_datagram() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_nonblocking(true).unwrap();
    let place = format!("syslog://{}", receiver.local_addr().unwrap());
    let shop = Shop::open_with(&[("JANGBU_SECURITY_EVENTS", &place)]).await;
    all_noted(&shop, 1).await;
    let agent = shop.log_in(Role::Support).await;
    assert_eq!(shop.page("/audit", Some(&agent.cookie)).await.0, 403);

    let taken = Mutex::new(Vec::<String>::new());
    let lines = || -> Vec<(String, String)> {
        let mut taken = taken.lock().unwrap();
        let mut datagram = [0; 8_192];
        while let Ok(length) = receiver.recv(&mut datagram) {
            taken.push(String::from_utf8(datagram[..length].to_vec()).unwrap());
        }
        let parts = |line: &String| {
            let line = line.strip_prefix("<86>1 - - jangbu - ").expect("facility 10, severity 6");
            let (id, line) = line.split_once(" - ").unwrap();
            (id.to_owned(), line.to_owned())
        };
        taken.iter().map(parts).collect()
    };
    let all = || async { told(lines().iter().map(|(_, line)| line.as_str())) == kept(&shop).await };
    shop.eventually("each has arrived", all).await;
    let lines = lines();
    for (id, line) in &lines {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["event"]["action"].as_str(), Some(id.as_str()), "{line}");
    }
    assert!(
        lines.iter().any(|(id, line)| id == "refused" && line.contains(&agent.id.to_string())),
        "{lines:?}"
    );
}

/// A backup in another PostgreSQL says what transactions of the one before had counted up to.
#[tokio::test]
async fn after_a_restore_places_begin_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("security.jsonl");
    let shop = Shop::open_with(&[("JANGBU_SECURITY_EVENTS", &format!("file:{}", path.display()))]).await;
    all_noted(&shop, 1).await;
    let text = || std::fs::read_to_string(&path).unwrap_or_default();
    shop.log_in(Role::Support).await;
    shop.eventually("what came before is told", || async { told(text().lines()) == kept(&shop).await }).await;

    let owner = shop.owner().await;
    sqlx::query(
        "update security_places set xact = (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000000)::text::xid8",
    )
    .execute(&owner)
    .await
    .unwrap();
    let here = || async {
        sqlx::query_scalar::<_, bool>(
            "select xact <= pg_snapshot_xmax(pg_current_snapshot()) from security_places",
        )
        .fetch_one(&owner)
        .await
        .unwrap()
    };
    shop.eventually("it stands where transactions are", here).await;
    shop.log_in(Role::Finance).await;
    shop.eventually("what comes is told", || async { told(text().lines()) == kept(&shop).await }).await;
}
