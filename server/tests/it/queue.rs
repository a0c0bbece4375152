//! What is planned and lost is planned again as it was.

use std::collections::BTreeMap;

use backoffice::{
    exports::{Request, What, sheet::Format},
    messages::NewTemplate,
    promotions::NewCampaign,
    refunds::{self, batch},
    staff::Role,
    webhooks::{Filter, Incoming},
};
use serde_json::{Value, json};

use crate::support::{Shop, refund};

/// How one job is planned: what it is, its queue, priority, attempts and what it knows.
type Planned = (String, Option<String>, i16, i16, Value);

/// Jobs of one thing each; those by the clock and those that the requeueing has no say in are left out.
async fn planned(shop: &Shop) -> BTreeMap<String, Planned> {
    let rows: Vec<(String, String, Option<String>, i16, i16, Value)> = sqlx::query_as(
        "select v.key, v.task_identifier, v.queue_name, v.priority, v.max_attempts, j.payload::jsonb
         from graphile_worker.jobs v join graphile_worker._private_jobs j using (id)
         where v.key ~ '^(refund|batch|webhook|webhook-replay|grant|grants|message|export):'",
    )
    .fetch_all(&shop.backoffice().pool)
    .await
    .unwrap();
    rows.into_iter()
        .map(|(key, name, queue, priority, attempts, payload)| {
            (key, (name, queue, priority, attempts, payload))
        })
        .collect()
}

#[tokio::test]
async fn work_that_lost_its_job_is_planned_again_as_it_was() {
    let shop = Shop::open().await;
    let (agent, finance) =
        (shop.log_in(Role::Support).await.actor(), shop.log_in(Role::Finance).await.actor());
    let user = shop.user().await;
    for order in ["ord_queue_1", "ord_queue_2"] {
        shop.paid(order, 10_000).await;
    }
    let campaign = NewCampaign {
        promotion_code: "QUEUE".into(),
        name: "첫 구매".into(),
        amount: "100".into(),
        user_cap: "1000".into(),
        budget: "100000".into(),
        starts_on: "2020-01-01".into(),
        ends_on: "2199-12-30".into(),
        approval_above: String::new(),
    };
    shop.control("apps-in-toss/promotions", &json!({ "promotionCode": "QUEUE" })).await;
    assert!(
        backoffice::promotions::campaigns::add(shop.backoffice(), &backoffice::Actor::CommandLine, &campaign)
            .await
            .unwrap()
            .is_ok()
    );
    let template = NewTemplate {
        code: "reward_granted".into(),
        name: "포인트".into(),
        fields: "amount".into(),
        follows: "grant".into(),
    };
    backoffice::messages::templates::add(shop.backoffice(), &finance, &template).await.unwrap();
    shop.quiet().await;

    // From here on no job has its turn.
    sqlx::raw_sql(
        "create function tomorrow() returns trigger language plpgsql as
             $$ begin new.run_at := now() + interval '1 day'; return new; end $$;
         create trigger tomorrow before insert or update on graphile_worker._private_jobs
             for each row execute function tomorrow()",
    )
    .execute(&shop.owner().await)
    .await
    .unwrap();

    refunds::create_intent(shop.backoffice(), &agent, &refund("ord_queue_1", "4000")).await.unwrap();
    let file = batch::preview(shop.backoffice(), &agent, "a.csv", b"ord_queue_2,4000\n", "defect", "불량")
        .await
        .unwrap();
    batch::start(shop.backoffice(), &agent, file).await.unwrap();
    for (n, listed) in [(1, Some(true)), (2, Some(false))] {
        let delivery = Incoming {
            source_ip: None,
            listed,
            headers: vec![],
            body: json!({ "eventType": "BILLING_DELETED", "createdAt": "x", "data": { "billingKey": n.to_string() } })
                .to_string()
                .into(),
            read_at: std::time::Instant::now(),
        };
        backoffice::webhooks::keep(shop.backoffice(), &[delivery]).await.unwrap();
    }
    backoffice::webhooks::replay::start(shop.backoffice(), &agent, &Filter::default()).await.unwrap();
    let grant = |event: &str| backoffice::promotions::Form {
        intent: refunds::new_intent(),
        promotion_code: "QUEUE".into(),
        user_key: user.to_string(),
        event: event.into(),
        ..Default::default()
    };
    // This one is paid, and its message planned; the other waits to be paid.
    let paid = backoffice::promotions::grant(shop.backoffice(), &agent, &grant("paid")).await.unwrap();
    assert_eq!(paid.state, backoffice::promotions::State::Succeeded);
    backoffice::promotions::create_intent(shop.backoffice(), &agent, &grant("open")).await.unwrap();
    let users = format!("{user}\n");
    let grants = backoffice::promotions::batch::preview(
        shop.backoffice(),
        &agent,
        "QUEUE",
        "file",
        "a.csv",
        users.as_bytes(),
    )
    .await
    .unwrap();
    backoffice::promotions::batch::start(shop.backoffice(), &agent, grants).await.unwrap();
    let export = Request {
        headers: What::MissingEvents.columns().iter().map(|column| (*column).to_owned()).collect(),
        what: What::MissingEvents,
        format: Format::Csv,
        reason: "시험".into(),
        is_masked: true,
        title: "주문".into(),
        words: [].into(),
    };
    backoffice::exports::request(shop.backoffice(), &finance, &export).await.unwrap();

    let before = planned(&shop).await;
    let kinds: Vec<_> = before.values().map(|(name, ..)| name.as_str()).collect();
    for kind in [
        "settle_refund",
        "run_refund_batch",
        "run_webhook_replay",
        "settle_grant",
        "run_grant_batch",
        "send_message",
        "run_export",
    ] {
        assert!(kinds.contains(&kind), "{kind} is not planned: {kinds:?}");
    }
    sqlx::query("delete from graphile_worker._private_jobs").execute(&shop.backoffice().pool).await.unwrap();
    backoffice::worker::requeue_orphaned(shop.backoffice()).await.unwrap();
    let mut after = planned(&shop).await;
    // Deliveries are planned as a batch and come back one by one, those of strangers in their own slow queue.
    let deliveries: Vec<_> = after.extract_if(.., |key, _| key.starts_with("webhook:")).collect();
    let queues: Vec<_> = deliveries
        .iter()
        .map(|(_, (name, queue, priority, ..))| (name.as_str(), queue.as_deref(), *priority))
        .collect();
    assert_eq!(queues, [("apply_webhook", None, 0), ("apply_webhook", Some("webhooks-unlisted"), 10)]);
    assert_eq!(after, before);
}
