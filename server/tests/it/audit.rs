//! The log that cannot be changed quietly.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backoffice::{
    Actor,
    audit::{
        self, Act,
        note::{self, Signer, Verifier},
        proof::{self, NoProof, NotProved},
        seal,
        verify::{Finding, Report, verify},
    },
};
use futures::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{APPLICATION, AUDIT_KEY, Shop, as_role, refund};

async fn check(shop: &Shop, outside: &[String]) -> Report {
    verify(shop.backoffice(), outside).await.unwrap()
}

async fn found(shop: &Shop) -> Vec<Finding> {
    check(shop, &[]).await.findings
}

/// Somebody who owns the tables.
async fn behind_our_back(shop: &Shop, statement: &str) {
    let pool = shop.owner().await;
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

async fn waiting(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from audit_unsealed").fetch_one(pool).await.unwrap()
}

async fn write(pool: &PgPool, subject: &str) -> i64 {
    let mut tx = pool.begin().await.unwrap();
    let act = Act { action: "refund.noted", subject_kind: "order", subject, detail: json!({ "n": 1 }) };
    audit::record(&mut tx, backoffice::Clock::default().now(), &Actor::CommandLine, act).await.unwrap();
    tx.commit().await.unwrap();
    sqlx::query_scalar("select seq from audit where subject = $1")
        .bind(subject)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_a_crowd_does_is_sealed_at_once_and_every_change_of_it_is_named() {
    let shop = Shop::open().await;
    join_all((0..12).map(|n| {
        let shop = &shop;
        async move {
            let id = format!("ord_chain_{n}");
            shop.paid(&id, 10_000).await;
            backoffice::refunds::request(shop.backoffice(), &Actor::CommandLine, &refund(&id, "1000"))
                .await
                .unwrap();
        }
    }))
    .await;
    let pool = &shop.backoffice().pool;
    shop.eventually("everything is sealed", || async { waiting(pool).await == 0 }).await;
    let report = check(&shop, &[]).await;
    assert!(report.is_whole() && report.leaves >= 12 * 5 && report.checkpoints >= 1, "{report:?}");

    let owner = shop.owner().await;
    for statement in [
        "update audit set actor_name = 'nobody'",
        "delete from audit",
        "truncate audit",
        "delete from audit_leaves",
        "update audit_tiles set n = 5",
        "delete from audit_checkpoints",
    ] {
        let refused = sqlx::query(statement).execute(&owner).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
    let (seq, leaf): (i64, i64) =
        sqlx::query_as("select seq, leaf from audit_leaves where leaf = 7").fetch_one(pool).await.unwrap();
    let leaf = u64::try_from(leaf).unwrap();
    let change = format!("update audit set detail = '{{}}' where seq = {seq}");
    behind_our_back(&shop, &change).await;
    assert_eq!(found(&shop).await, [Finding::Changed { seq, leaf }]);
    assert!(matches!(proof::prove(shop.backoffice(), seq).await, Err(NoProof::Broken)));
    behind_our_back(&shop, &format!("delete from audit where seq = {seq}")).await;
    assert_eq!(found(&shop).await, [Finding::Removed { seq, leaf }]);
    behind_our_back(
        &shop,
        "insert into audit (at, actor, actor_name, action, subject_kind, subject, detail)
        values (now(), 'a', 'a', 'a', 'a', 'a', '{}')",
    )
    .await;
    let put_in: i64 = sqlx::query_scalar("select max(seq) from audit").fetch_one(pool).await.unwrap();
    assert_eq!(found(&shop).await, [Finding::Removed { seq, leaf }, Finding::Inserted { seq: put_in }]);
    // What was found is a task, and a metric.
    let report = check(&shop, &[]).await;
    backoffice::audit::job::note(shop.backoffice(), &report, 0).await.unwrap();
    let auditor = shop.log_in(backoffice::staff::Role::Finance).await;
    assert!(shop.page("/", Some(&auditor.cookie)).await.1.contains("감사 기록에서 확인할 것 2건"));
    let (_, html) = shop.page("/audit", Some(&auditor.cookie)).await;
    assert!(html.contains(&format!("{seq}번 기록이 봉인한 뒤에 사라졌어요")), "{html}");
    assert!(shop.page("/metrics", None).await.1.contains("jangbu_waiting{what=\"audit_log_findings\"} 2"));
}

#[tokio::test]
async fn a_row_is_sealed_while_another_one_takes_its_time() {
    let shop = Shop::open().await;
    let pool = &shop.backoffice().pool;
    let mut slow = pool.begin().await.unwrap();
    let act = Act { action: "refund.noted", subject_kind: "order", subject: "slow", detail: json!({}) };
    audit::record(&mut slow, backoffice::Clock::default().now(), &Actor::CommandLine, act).await.unwrap();
    let quick = write(pool, "quick").await;
    let sealed = async |seq: i64| {
        let found: Option<i64> = sqlx::query_scalar("select leaf from audit_leaves where seq = $1")
            .bind(seq)
            .fetch_optional(pool)
            .await
            .unwrap();
        found
    };
    shop.eventually("the quick one is sealed", || async { sealed(quick).await.is_some() }).await;
    slow.commit().await.unwrap();
    let slow: i64 =
        sqlx::query_scalar("select seq from audit where subject = 'slow'").fetch_one(pool).await.unwrap();
    assert!(slow < quick);
    shop.eventually("the slow one is sealed", || async { sealed(slow).await.is_some() }).await;
    assert!(sealed(slow).await > sealed(quick).await, "behind the one that began later");
    // A mark for a row that is sealed stops nobody.
    sqlx::query("insert into audit_unsealed (seq) values ($1), ($1), (0)")
        .bind(quick)
        .execute(pool)
        .await
        .unwrap();
    let last = write(pool, "last").await;
    shop.eventually("the last one is sealed", || async { sealed(last).await.is_some() }).await;
    shop.eventually("no mark is left", || async { waiting(pool).await == 0 }).await;
    assert!(check(&shop, &[]).await.is_whole());
}

/// 32 who write at once, some of whom change their mind, and some whose connection is cut; three who seal.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_committed_is_left_out_and_nothing_else_is_sealed() {
    let shop = Shop::open().await;
    let url = as_role(&shop.database_url, APPLICATION);
    let pool = server::database::connect(&url, 40).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let sealers = (0..3).map(|_| {
        let (backoffice, done) = (shop.backoffice().clone(), Arc::clone(&done));
        tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                // One that is cut off as well has sealed nothing.
                drop(seal::seal_all(&backoffice).await);
            }
        })
    });
    let sealers: Vec<_> = sealers.collect();
    let committed = Arc::new(Mutex::new(BTreeSet::new()));
    let writers = (0..32u64).map(|writer| {
        let (pool, committed) = (pool.clone(), Arc::clone(&committed));
        tokio::spawn(async move {
            let mut rng = StdRng::seed_from_u64(writer);
            for n in 0..25 {
                let subject = format!("w{writer}-{n}");
                let Ok(mut tx) = pool.begin().await else { continue };
                let act = Act {
                    action: "refund.noted",
                    subject_kind: "order",
                    subject: &subject,
                    detail: json!({ "n": n }),
                };
                let written =
                    audit::record(&mut tx, backoffice::Clock::default().now(), &Actor::CommandLine, act)
                        .await;
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..8))).await;
                if written.is_ok() && rng.random_bool(0.8) && tx.commit().await.is_ok() {
                    committed.lock().unwrap().insert(subject);
                }
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut rng = StdRng::seed_from_u64(99);
    while writers.iter().any(|writer| !writer.is_finished()) {
        // Whoever it hits, writer or sealer.
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and query ilike '%audit%'
             order by random() limit 1",
        )
        .execute(&shop.backoffice().pool)
        .await
        .ok();
        tokio::time::sleep(Duration::from_millis(rng.random_range(5..40))).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for sealer in sealers {
        sealer.await.unwrap();
    }
    let pool = &shop.backoffice().pool;
    shop.eventually("everything is sealed", || async { waiting(pool).await == 0 }).await;
    let sealed: Vec<String> = sqlx::query_scalar(
        "select a.subject from audit_leaves l join audit a on a.seq = l.seq where a.action = 'refund.noted'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let (count, sealed) = (sealed.len(), sealed.into_iter().collect::<BTreeSet<_>>());
    assert_eq!(count, sealed.len(), "each once");
    let committed = committed.lock().unwrap().clone();
    assert!(committed.len() > 300, "{}", committed.len());
    let lost: Vec<_> = committed.difference(&sealed).collect();
    assert!(lost.is_empty(), "{lost:?}");
    // Whose answer was cut off may have committed all the same; then the row is there.
    let rows: BTreeSet<String> =
        sqlx::query_scalar("select subject from audit where action = 'refund.noted'")
            .fetch_all(pool)
            .await
            .unwrap()
            .into_iter()
            .collect();
    assert_eq!(rows, sealed);
    let report = check(&shop, &[]).await;
    assert!(report.is_whole(), "{report:?}");
}

/// Takes what is posted, once it wants to.
async fn receiver() -> (String, Arc<Mutex<Vec<String>>>, Arc<AtomicBool>) {
    let (taken, wants) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let (into, willing) = (Arc::clone(&taken), Arc::clone(&wants));
    let take = axum::routing::post(move |body: String| {
        let is_wanted = willing.load(Ordering::Relaxed);
        if is_wanted {
            into.lock().unwrap().push(body);
        }
        async move {
            if is_wanted { axum::http::StatusCode::NO_CONTENT } else { axum::http::StatusCode::BAD_GATEWAY }
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/checkpoints", listener.local_addr().unwrap());
    tokio::spawn(async move {
        axum::serve(listener, axum::Router::new().route("/checkpoints", take)).await.unwrap()
    });
    (url, taken, wants)
}

#[tokio::test]
async fn checkpoints_leave_the_house_and_tell_a_tail_that_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoints");
    let (url, posted, wants) = receiver().await;
    let syslog = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let places = format!("file:{},{url},syslog://{}", file.display(), syslog.local_addr().unwrap());
    let shop = Shop::open_with(&[("JANGBU_AUDIT_CHECKPOINTS", &places)]).await;
    let pool = &shop.backoffice().pool;
    for n in 0..20 {
        write(pool, &format!("before-{n}")).await;
    }
    let mut line = [0; 1_024];
    let length = syslog.recv(&mut line).await.unwrap();
    let line = String::from_utf8_lossy(&line[..length]).into_owned();
    assert!(line.starts_with("<110>1 - - jangbu - checkpoint - jangbu.test/audit "), "{line}");
    let kept = || std::fs::read_to_string(&file).unwrap_or_default();
    shop.eventually("the file has one", || async { !kept().is_empty() }).await;
    // A place that says no is asked again, and what it missed meanwhile is not kept from the others.
    let failing = async || {
        let found: Option<String> = sqlx::query_scalar(
            "select error from audit_places where place = $1 and failing_since is not null",
        )
        .bind(&url)
        .fetch_optional(pool)
        .await
        .unwrap();
        found
    };
    shop.eventually("it is known that one fails", || async { failing().await.is_some() }).await;
    assert_eq!(failing().await.as_deref(), Some("502 Bad Gateway"));
    wants.store(true, Ordering::Relaxed);
    shop.eventually("it has one, too", || async { !posted.lock().unwrap().is_empty() }).await;
    shop.eventually("it fails no more", || async { failing().await.is_none() }).await;

    // The whole log, in the words of a place outside.
    shop.eventually("all is sealed", || async { waiting(pool).await == 0 }).await;
    let outside: String =
        sqlx::query_scalar("select checkpoint from audit_head").fetch_one(pool).await.unwrap();
    let mut notes = note::split(&kept());
    notes.push(outside.clone());
    assert!(check(&shop, &notes).await.is_whole());
    // Somebody cuts off the last rows with everything that tells of them, and puts an old head back.
    let (signer, keep) = (Signer::parse(&AUDIT_KEY.to_owned().into()).unwrap(), 5u64);
    let (size, _) = note::open(&outside, &[signer.verifier().clone()]).unwrap();
    let hashes: Vec<u8> =
        sqlx::query_scalar("select open_tiles[1] from audit_head").fetch_one(pool).await.unwrap();
    let root = tree_root(&hashes[..32 * 5]);
    let old = signer.checkpoint(keep, root).unwrap();
    behind_our_back(&shop, &format!(
        "delete from audit where seq in (select seq from audit_leaves where leaf >= 5);
         delete from audit_leaves where leaf >= 5; delete from audit_checkpoints where size > 5;
         update audit_head set size = 5, checkpoint = '{old}', open_tiles = array[substr(open_tiles[1], 1, 160)]"
    )).await;
    assert!(check(&shop, &[]).await.is_whole(), "nobody can tell from within");
    let report = check(&shop, &[outside]).await;
    assert_eq!(report.findings, [Finding::Cut { from: keep, to: size, is_outside: true }]);
    // And a checkpoint of another log is none of ours.
    let thief = Signer::parse(&Signer::generate("jangbu.test/audit").unwrap()).unwrap();
    let report = check(&shop, &[thief.checkpoint(3, root).unwrap()]).await;
    assert_eq!(report.findings, [Finding::Unsigned { size: 3, is_outside: true }]);
}

/// Of five leaves, by the rule of RFC 9162 2.1.1 and not by our code.
fn tree_root(hashes: &[u8]) -> tlog_tiles::Hash {
    let hash = |n: usize| tlog_tiles::Hash(hashes[32 * n..32 * (n + 1)].try_into().unwrap());
    let node = tlog_tiles::node_hash;
    node(node(node(hash(0), hash(1)), node(hash(2), hash(3))), hash(4))
}

#[tokio::test]
async fn a_row_is_proved_to_somebody_who_has_nothing_but_the_key() {
    let shop = Shop::open().await;
    let pool = &shop.backoffice().pool;
    // More than one tile.
    let mut rows = Vec::new();
    for n in 0..270 {
        rows.push(write(pool, &format!("row-{n}")).await);
    }
    assert!(matches!(proof::prove(shop.backoffice(), 1_000_000).await, Err(NoProof::NoRow)));
    seal::seal_all(shop.backoffice()).await.unwrap();
    shop.eventually("all is sealed", || async { waiting(pool).await == 0 }).await;
    let keys = [Signer::parse(&AUDIT_KEY.to_owned().into()).unwrap().verifier().clone()];
    for at in [0, 1, 255, 256, 269] {
        let text = proof::prove(shop.backoffice(), rows[at]).await.unwrap();
        let proved = proof::check(&text, &keys).unwrap();
        let row: Value = serde_json::from_str(&proved.row).unwrap();
        assert_eq!(
            (row["seq"].as_i64(), row["subject"].as_str()),
            (Some(rows[at]), Some(&*format!("row-{at}")))
        );
        let other =
            Verifier::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        assert!(matches!(proof::check(&text, &[other]), Err(NotProved::Checkpoint(_))));
        let index = format!("index {}", proved.leaf);
        for (from, to) in [(index.as_str(), "index 3"), ("extra e", "extra f"), ("@v1", "@v2")] {
            assert!(proof::check(&text.replacen(from, to, 1), &keys).is_err(), "{from}");
        }
    }
}

/// Twelve months, a checkpoint of each left outside: every one of them fits a year later, and a month that somebody rewrites with all
/// its hashes is named by those before and after it.
#[tokio::test]
async fn a_year_of_the_log_is_held_against_what_left_in_between() {
    let shop = Shop::open().await;
    let (backoffice, pool) = (shop.backoffice(), &shop.backoffice().pool);
    let mut outside = Vec::new();
    let mut sizes = Vec::new();
    for month in 0..12 {
        backoffice.clock.set_offset(time::Duration::days(30 * (month - 12)));
        for n in 0..(20 + 7 * month) {
            let mut tx = pool.begin().await.unwrap();
            let subject = format!("y{month}-{n}");
            let act =
                Act { action: "refund.noted", subject_kind: "order", subject: &subject, detail: json!({}) };
            audit::record(&mut tx, backoffice.clock.now(), &Actor::CommandLine, act).await.unwrap();
            tx.commit().await.unwrap();
        }
        seal::seal_all(backoffice).await.unwrap();
        let (size, checkpoint): (i64, String) =
            sqlx::query_as("select size, checkpoint from audit_head").fetch_one(pool).await.unwrap();
        outside.push(checkpoint);
        sizes.push(u64::try_from(size).unwrap());
    }
    backoffice.clock.set_offset(time::Duration::ZERO);
    let report = check(&shop, &outside).await;
    assert!(report.is_whole() && report.checkpoints >= 12, "{report:?}");
    // Of another order than they left, and a few of them only: the same.
    let some: Vec<String> = outside.iter().rev().step_by(3).cloned().collect();
    assert!(check(&shop, &some).await.is_whole());
    // A row of the sixth month is not what it was.
    let seq: i64 =
        sqlx::query_scalar("select seq from audit where subject = 'y5-3'").fetch_one(pool).await.unwrap();
    behind_our_back(&shop, &format!("update audit set actor_name = 'x' where seq = {seq}")).await;
    let report = check(&shop, &outside).await;
    let leaf = report
        .findings
        .iter()
        .find_map(|finding| match finding {
            Finding::Changed { seq: changed, leaf } if *changed == seq => Some(*leaf),
            _ => None,
        })
        .unwrap_or_else(|| panic!("{:?}", report.findings));
    assert!((sizes[4]..sizes[5]).contains(&leaf), "{leaf} of {sizes:?}");
}
