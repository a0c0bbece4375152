//! The log: found by any id, replayed, kept for years and no longer, and watched.

use backoffice::{
    Actor,
    audit::{self, access},
    events,
    staff::Role,
    webhooks::{Filter, Incoming, ReplayState},
};
use serde_json::json;
use time::{Duration, macros::datetime};

use crate::support::{Person, Shop};

fn billing(n: i64) -> Incoming {
    Incoming {
        source_ip: None,
        listed: None,
        headers: vec![],
        body: json!({ "eventType": "BILLING_DELETED", "createdAt": "x", "data": { "billingKey": format!("b_{n}") } })
            .to_string()
            .into(),
        read_at: std::time::Instant::now(),
    }
}

async fn rows(shop: &Shop, action: &str) -> Vec<audit::Row> {
    let filter = audit::Filter { action: Some(action.into()), ..audit::Filter::default() };
    audit::list(&shop.backoffice().pool, &filter, None, 50).await.unwrap().rows
}

#[tokio::test]
async fn one_is_looked_into_again_and_brings_the_books_up_to_date() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let key = shop.paid("ord_again", 10_000).await;
    shop.quiet().await;
    shop.sandbox.outbox().urls.clear();
    shop.refund_behind_our_back(&key, 4_000);
    let delivery = shop.deliveries(&Filter { q: Some(key.clone()), ..Filter::default() }).await.remove(0);
    let path = format!("/webhooks/{}", delivery.id);
    let (_, page) = shop.page(&path, Some(&agent.cookie)).await;
    assert!(page.contains("재처리"), "{page}");
    let posted = shop.form("replay_webhook", Some(&agent.cookie), &[("id", &delivery.id.to_string())]).await;
    assert_eq!(posted.headers()["location"].to_str().unwrap(), path);
    assert_eq!(shop.status_of("ord_again").await, "PARTIAL_CANCELED");
    let (_, page) = shop.page(&path, Some(&agent.cookie)).await;
    assert!(page.contains("늦게 온 이전 상태") && page.contains("balanceAmount"), "{page}");
    // Again and again: nothing more happens.
    for _ in 0..3 {
        assert!(
            !backoffice::webhooks::replay::replay(shop.backoffice(), &agent.actor(), delivery.id)
                .await
                .unwrap()
        );
    }
    let by = rows(&shop, "webhook.replayed").await;
    assert_eq!((by.len(), by[0].actor_name.as_str()), (4, "support 사람"));
    let changes = rows(&shop, "payment.changed").await;
    assert_eq!(changes.len(), 2, "the approval and the refund, once each");
    // Toss is away: nothing is lost, and a person is told.
    let before = backoffice::webhooks::get(shop.backoffice(), delivery.id).await.unwrap().unwrap().delivery;
    shop.fault(json!({ "on": "payment", "kind": "error", "code": "FAILED_INTERNAL_SYSTEM_PROCESSING" }))
        .await;
    shop.form("replay_webhook", Some(&agent.cookie), &[("id", &delivery.id.to_string())]).await;
    let (_, page) = shop.page(&path, Some(&agent.cookie)).await;
    assert!(page.contains("토스 응답이 없어요"), "{page}");
    let kept = backoffice::webhooks::get(shop.backoffice(), delivery.id).await.unwrap().unwrap().delivery;
    assert_eq!((kept.state, kept.error, kept.badges), (before.state, None, before.badges));
}

async fn begin(shop: &Shop, agent: &Person, fields: &[(&str, &str)]) -> uuid::Uuid {
    let posted = shop.form("start_replay", Some(&agent.cookie), fields).await;
    let location = posted.headers()["location"].to_str().unwrap().to_owned();
    location.rsplit('/').next().unwrap().parse().unwrap_or_else(|_| panic!("{location}"))
}

#[tokio::test]
async fn what_a_filter_finds_is_looked_into_again_by_a_job_that_can_be_stopped() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    for n in 0..70 {
        shop.paid(&format!("ord_many_{n}"), 10_000).await;
    }
    shop.quiet().await;
    shop.sandbox.outbox().urls.clear();
    let keys: Vec<String> =
        shop.sandbox.with_books(|books| books.payments().map(|r| r.payment.payment_key.0.clone()).collect());
    for key in keys.iter().take(10) {
        shop.refund_behind_our_back(key, 1_000);
    }
    let fields = [("event", "PAYMENT_STATUS_CHANGED"), ("badge", "secret_matched")];
    let (_, page) = shop
        .page("/webhooks/replays?event=PAYMENT_STATUS_CHANGED&badge=secret_matched", Some(&agent.cookie))
        .await;
    assert!(page.contains("웹훅 70건을 재처리해요"), "{page}");

    // Toss does not answer: it waits, says so, and can be stopped.
    shop.fault(json!({ "on": "payment", "kind": "error", "code": "FAILED_INTERNAL_SYSTEM_PROCESSING", "times": 100_000 })).await;
    let id = begin(&shop, &agent, &fields).await;
    shop.eventually("it holds back", || async {
        backoffice::webhooks::replay::get(shop.backoffice(), id).await.unwrap().unwrap().error.is_some()
    })
    .await;
    let path = format!("/webhooks/replays/{id}");
    let (_, page) = shop.page(&path, Some(&agent.cookie)).await;
    assert!(page.contains("토스 응답이 없어 잠시 기다려요") && page.contains("중지<!></button>"), "{page}");
    shop.form("stop_replay", Some(&agent.cookie), &[("id", &id.to_string())]).await;
    shop.sandbox.faults().clear();
    let stopped = backoffice::webhooks::replay::get(shop.backoffice(), id).await.unwrap().unwrap();
    assert_eq!((stopped.state, stopped.done), (ReplayState::Stopped, 0));

    shop.form("go_on_with_replay", Some(&agent.cookie), &[("id", &id.to_string())]).await;
    shop.eventually("it has ended", || async {
        backoffice::webhooks::replay::get(shop.backoffice(), id).await.unwrap().unwrap().state
            == ReplayState::Finished
    })
    .await;
    let ended = backoffice::webhooks::replay::get(shop.backoffice(), id).await.unwrap().unwrap();
    assert_eq!((ended.total, ended.done, ended.changed), (70, 70, 10), "{ended:?}");
    for key in keys.iter().take(10) {
        assert_eq!(
            backoffice::payments::get(shop.backoffice(), key).await.unwrap().unwrap().balance_amount,
            9_000.into()
        );
    }
    let actions: Vec<String> = audit::of_subject(&shop.backoffice().pool, "webhook_replay", &id.to_string())
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.action)
        .collect();
    assert_eq!(actions.len(), 4, "started, stopped, started, finished: {actions:?}");
    let viewer = shop.log_in(Role::Viewer).await;
    assert_eq!(shop.form("start_replay", Some(&viewer.cookie), &[]).await.status(), 403);
    assert_eq!(
        backoffice::webhooks::replay::list(shop.backoffice()).await.unwrap().len(),
        1,
        "a viewer starts none"
    );
}

#[tokio::test]
async fn a_replay_goes_on_where_a_dead_process_left_it() {
    let shop = Shop::open().await;
    let all: Vec<Incoming> = (0..120).map(billing).collect();
    let ids = backoffice::webhooks::keep(shop.backoffice(), &all).await.unwrap();
    shop.quiet().await;
    let id = backoffice::webhooks::replay::start(shop.backoffice(), &Actor::CommandLine, &Filter::default())
        .await
        .unwrap();
    shop.eventually("it has ended", || async {
        backoffice::webhooks::replay::get(shop.backoffice(), id).await.unwrap().unwrap().state
            == ReplayState::Finished
    })
    .await;
    // As a process that died behind the hundredth left it: running, with its job gone.
    sqlx::query("update webhook_replays set state = 'running', done = 100, at_id = $2 where id = $1")
        .bind(id)
        .bind(ids[99])
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    backoffice::worker::requeue_orphaned(shop.backoffice()).await.unwrap();
    shop.eventually("it has ended again", || async {
        backoffice::webhooks::replay::get(shop.backoffice(), id).await.unwrap().unwrap().state
            == ReplayState::Finished
    })
    .await;
    assert_eq!(backoffice::webhooks::replay::get(shop.backoffice(), id).await.unwrap().unwrap().done, 120);
}

#[tokio::test]
async fn a_delivery_without_a_job_gets_one() {
    let shop = Shop::open().await;
    let ids = backoffice::webhooks::keep(shop.backoffice(), &[billing(1), billing(2)]).await.unwrap();
    shop.quiet().await;
    sqlx::query("update webhook_deliveries set state = 'received' where id = $1")
        .bind(ids[1])
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    backoffice::worker::requeue_orphaned(shop.backoffice()).await.unwrap();
    shop.quiet().await;
}

#[tokio::test]
async fn months_beyond_the_years_are_dropped_while_others_read() {
    let shop = Shop::open().await;
    let mut backoffice = shop.backoffice().clone();
    let today = datetime!(2026-11-22 12:00 UTC);
    for days in [800, 400, 370, 40, 0] {
        backoffice.clock.set(today - Duration::days(days));
        backoffice::webhooks::keep(&backoffice, &[billing(days)]).await.unwrap();
    }
    assert_eq!(shop.deliveries(&Filter::default()).await.len(), 5);
    backoffice.retention.set("webhooks=5y").unwrap();
    backoffice::webhooks::rotate_partitions(&backoffice).await.unwrap();
    assert_eq!(shop.deliveries(&Filter::default()).await.len(), 5, "nothing is five years old");

    // Somebody is reading a long list meanwhile.
    let mut reader = backoffice.pool.begin().await.unwrap();
    let (seen,): (i64,) =
        sqlx::query_as("select count(*) from webhook_deliveries").fetch_one(&mut *reader).await.unwrap();
    assert_eq!(seen, 5);
    backoffice.retention.set("webhooks=2y").unwrap();
    let turning = tokio::spawn({
        let backoffice = backoffice.clone();
        async move { backoffice::webhooks::rotate_partitions(&backoffice).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let others = async {
        let list = shop.deliveries(&Filter::default()).await;
        backoffice::webhooks::keep(&backoffice, &[billing(-1)]).await.unwrap();
        list.len()
    };
    let listed = tokio::time::timeout(std::time::Duration::from_secs(3), others).await;
    assert!(listed.is_ok(), "reading and taking in go on while a month is dropped");
    reader.commit().await.unwrap();
    turning.await.unwrap().unwrap();
    assert_eq!(shop.deliveries(&Filter::default()).await.len(), 5, "one went, one came");
    let dropped = rows(&shop, "webhooks.month_dropped").await;
    assert_eq!(dropped.len(), 1);
    // Again: nothing more to do.
    backoffice::webhooks::rotate_partitions(&backoffice).await.unwrap();
    assert_eq!(rows(&shop, "webhooks.month_dropped").await.len(), 1);
    // A process died between detaching a month and dropping it: it goes the next time.
    let detach = "alter table webhook_deliveries detach partition webhook_deliveries_2025_10";
    sqlx::raw_sql(detach).execute(&shop.owner().await).await.unwrap();
    backoffice.retention.set("webhooks=1y").unwrap();
    backoffice::webhooks::rotate_partitions(&backoffice).await.unwrap();
    assert_eq!(rows(&shop, "webhooks.month_dropped").await[0].subject, "2025-10");
    // The month in which the year began is kept whole: 370 days ago is in it.
    assert_eq!(shop.deliveries(&Filter::default()).await.len(), 4);
}

#[tokio::test]
async fn the_days_of_a_filter_open_only_their_months() {
    let shop = Shop::open().await;
    let backoffice = shop.backoffice();
    let now = backoffice.clock.now();
    for days in [60, 30, 0] {
        backoffice.clock.set_offset(-Duration::days(days));
        backoffice::webhooks::keep(backoffice, &[billing(days)]).await.unwrap();
    }
    backoffice.clock.set_offset(Duration::ZERO);
    let between = Filter {
        from: Some(now - Duration::days(31)),
        to: Some(now - Duration::days(29)),
        ..Filter::default()
    };
    assert_eq!(shop.deliveries(&between).await.len(), 1);
    let plan: Vec<(String,)> = sqlx::query_as(
        "explain select id from webhook_deliveries where id >= webhook_floor(now() - interval '31 days')
         and id < webhook_floor(now() - interval '29 days') order by id desc limit 50",
    )
    .fetch_all(&backoffice.pool)
    .await
    .unwrap();
    let scanned = plan.iter().filter(|(line,)| line.contains("webhook_deliveries_20")).count();
    assert!((1..=4).contains(&scanned), "{plan:?}");
}

#[tokio::test]
async fn a_stream_more_silent_than_its_habit_is_said() {
    let shop = Shop::open().await;
    let (backoffice, now) = (shop.backoffice(), shop.backoffice().clock.now());
    // Two weeks with a delivery every ten minutes; the last one came four hours ago.
    for days in (1..=14).rev() {
        for minutes in (0..1440).step_by(10) {
            let at = now - Duration::days(days) + Duration::minutes(minutes);
            if at <= now - Duration::hours(4) {
                backoffice.clock.set(at);
                backoffice::webhooks::keep(backoffice, &[billing(minutes)]).await.unwrap();
            }
        }
    }
    backoffice.clock.set_offset(Duration::ZERO);
    let health = backoffice::webhooks::health(backoffice).await.unwrap();
    let silence = health.silence.expect("it is silent");
    assert!((20.0..30.0).contains(&silence.usual), "{silence:?}");
    let viewer = shop.log_in(Role::Viewer).await;
    let (_, home) = shop.page("/", Some(&viewer.cookie)).await;
    assert!(home.contains("웹훅이 평소와 달리 조용해요"));
    let (_, list) = shop.page("/webhooks", Some(&viewer.cookie)).await;
    assert!(list.contains("웹훅이 오지 않아요"), "{list}");
    let metrics = shop.page("/metrics", None).await.1;
    assert!(metrics.contains("jangbu_webhooks_silent 1"), "{metrics}");
    // The merchant's own systems are told, once.
    for _ in 0..2 {
        backoffice::webhooks::tell_silence(backoffice).await.unwrap();
    }
    let filter = events::Filter { kind: Some(events::Kind::WebhookSilent), ..events::Filter::default() };
    assert_eq!(events::list(backoffice, &filter, None, 10).await.unwrap().rows.len(), 1);
    // A stranger's post is no sign of life, and days of silence do not become a habit.
    assert_eq!(shop.hook(&[], "no webhook").await, 200);
    shop.eventually("it was looked into", || async {
        !backoffice::webhooks::any_waiting(shop.backoffice()).await.unwrap()
    })
    .await;
    assert!(backoffice::webhooks::health(backoffice).await.unwrap().silence.is_some());
    backoffice.clock.set_offset(Duration::days(3));
    assert!(
        backoffice::webhooks::health(backoffice).await.unwrap().silence.is_some(),
        "three days later it is silent still"
    );
    backoffice.clock.set_offset(Duration::ZERO);
    // One comes: all is well.
    backoffice::webhooks::keep(backoffice, &[billing(0)]).await.unwrap();
    assert_eq!(backoffice::webhooks::health(backoffice).await.unwrap().silence, None);
}

#[tokio::test]
async fn a_night_that_is_always_quiet_is_no_silence() {
    let shop = Shop::open().await;
    let (backoffice, now) = (shop.backoffice(), shop.backoffice().clock.now());
    // Every day the stream rests in the hours before now.
    for days in (0..=14).rev() {
        for minutes in (0..600).step_by(10) {
            backoffice
                .clock
                .set(now - Duration::days(days) - Duration::hours(16) + Duration::minutes(minutes));
            backoffice::webhooks::keep(backoffice, &[billing(minutes)]).await.unwrap();
        }
    }
    backoffice.clock.set_offset(Duration::ZERO);
    let health = backoffice::webhooks::health(backoffice).await.unwrap();
    assert_eq!(health.silence, None, "{health:?}");
}

#[tokio::test]
async fn retries_that_did_not_reach_us_are_drawn_and_counted() {
    let shop = Shop::open().await;
    let viewer = shop.log_in(Role::Viewer).await;
    let key = shop.paid("ord_series", 10_000).await;
    shop.quiet().await;
    let body = json!({ "eventType": "PAYMENT_STATUS_CHANGED", "data": { "paymentKey": key, "orderId": "ord_series", "status": "DONE" } });
    let headers = [
        ("tosspayments-webhook-transmission-id", "whtrans_1"),
        ("tosspayments-webhook-transmission-retried-count", "3"),
        ("authorization", "Basic c2VjcmV0"),
    ];
    assert_eq!(shop.hook(&headers, body.to_string()).await, 200);
    shop.quiet().await;
    let filter = Filter { q: Some("whtrans_1".into()), ..Filter::default() };
    let delivery = shop.deliveries(&filter).await.remove(0);
    let (_, page) = shop.page(&format!("/webhooks/{}", delivery.id), Some(&viewer.cookie)).await;
    assert!(page.contains("앞선 시도 3번은 여기에 오지 않았거나"), "{page}");
    assert_eq!(page.matches("class=\"lost\"").count(), 3, "{page}");
    assert!(!page.contains("c2VjcmV0"), "secrets of headers are masked");
    assert_eq!(backoffice::webhooks::health(shop.backoffice()).await.unwrap().retried, 1);
    let (_, list) = shop.page("/webhooks?q=whtrans_1", Some(&viewer.cookie)).await;
    assert!(list.contains("하루 동안 토스가 다시 보낸 웹훅 1건"), "{list}");
}

#[tokio::test]
async fn a_body_that_is_no_json_is_shown_to_whoever_says_why_and_nobody_else() {
    let shop = Shop::open().await;
    assert_eq!(shop.hook(&[], "phone=01012345678&name=김하준".to_owned()).await, 200);
    shop.quiet().await;
    let id = shop.deliveries(&Filter::default()).await[0].id;
    let (agent, viewer) = (shop.log_in(Role::Support).await, shop.log_in(Role::Viewer).await);
    let path = format!("/webhooks/{id}");
    let shown =
        async |person: &Person| shop.page(&path, Some(&person.cookie)).await.1.contains("01012345678");
    assert!(!shown(&agent).await);
    let id = id.to_string();
    let reveal = async |person: &Person, why: &str| {
        shop.form("reveal_webhook", Some(&person.cookie), &[("id", &id), ("why", why)]).await
    };
    reveal(&agent, " ").await;
    assert!(!shown(&agent).await, "no reason, no body");
    reveal(&viewer, "궁금해서").await;
    assert!(!shown(&viewer).await, "a viewer reveals nothing");
    reveal(&agent, "형식이 다른 웹훅 확인").await;
    assert!(shown(&agent).await && !shown(&viewer).await);
    let filter = access::Filter { subject: Some(id.clone()), ..access::Filter::default() };
    let records = access::list(&shop.backoffice().pool, &filter, None, 10).await.unwrap().rows;
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].kind, records[0].staff_id), (access::Kind::Revealed, agent.id));
    assert_eq!(records[0].reason.as_deref(), Some("형식이 다른 웹훅 확인"));
    shop.backoffice().clock.set_offset(Duration::minutes(6));
    assert!(!shown(&agent).await, "five minutes later it is over");
}
