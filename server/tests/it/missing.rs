//! Webhooks that never came.

use backoffice::{Actor, audit, staff::Role};
use serde_json::json;
use time::Duration;

use crate::support::Shop;

/// Both clocks go on together.
async fn pass(shop: &Shop, time: Duration) {
    let offset = shop.sandbox.clock.offset() + time;
    shop.sandbox.clock.set_offset(offset);
    shop.backoffice().clock.set_offset(offset);
}

#[tokio::test]
async fn after_an_outage_of_an_hour_four_days_or_a_month_the_books_equal_tosss() {
    for (n, away) in [Duration::hours(1), Duration::days(4), Duration::days(29)].into_iter().enumerate() {
        let shop = Shop::open().await;
        let viewer = shop.log_in(Role::Viewer).await;
        let told = shop.paid(&format!("ord_told_{n}"), 10_000).await;
        let mut waiting = Vec::new();
        for i in 0..3 {
            let order = format!("ord_va_{n}_{i}");
            waiting.push((
                shop.paid_by(&order, 5_000, json!({ "method": "가상계좌", "validHours": 2160 })).await,
                order,
            ));
        }
        shop.quiet().await;
        // We are away: deposits come in and the console refunds, and nobody tells us.
        shop.fault(json!({ "on": "webhook", "kind": "drop", "times": 1000 })).await;
        for (key, _) in &waiting {
            let now = shop.sandbox.clock.now();
            shop.sandbox.with_books(|books| books.deposit(key, now)).unwrap();
        }
        shop.refund_behind_our_back(&told, 4_000);
        shop.sandbox.faults().clear();
        pass(&shop, away + Duration::minutes(90)).await;
        while !backoffice::transactions::sync_due(shop.backoffice()).await.unwrap() {}

        for (_, order) in &waiting {
            assert_eq!(shop.status_of(order).await, "DONE", "away for {away}");
        }
        let order =
            backoffice::orders::get(shop.backoffice(), &format!("ord_told_{n}")).await.unwrap().unwrap();
        assert_eq!(order.balance_amount, Some(6_000.into()));
        let missing = backoffice::webhooks::missing::list(shop.backoffice(), None, 50).await.unwrap().rows;
        assert_eq!(missing.len(), 4, "{missing:?}");
        assert!(missing.iter().all(|m| m.applied_at.is_some()));
        assert_eq!(
            backoffice::webhooks::missing::gap(shop.backoffice()).await.unwrap().map(|gap| gap.events),
            Some(4)
        );
        let theirs = shop.sandbox.with_books(|books| books.all_transactions().to_vec());
        for row in theirs {
            let ours =
                backoffice::transactions::of_order(shop.backoffice(), row.order_id.as_str()).await.unwrap();
            assert!(
                ours.iter()
                    .any(|r| r.transaction_key == row.transaction_key.0 && r.amount == row.amount.abs())
            );
        }
        let (status, html) = shop.page("/webhooks/missing", Some(&viewer.cookie)).await;
        assert_eq!(status, 200);
        assert!(html.contains("웹훅 4건이 누락됐어요"), "{html}");
        // Looking again finds nothing new.
        while !backoffice::transactions::sync_due(shop.backoffice()).await.unwrap() {}
        assert_eq!(
            backoffice::webhooks::missing::list(shop.backoffice(), None, 50).await.unwrap().rows.len(),
            4
        );
    }
}

#[tokio::test]
async fn what_came_late_is_said_to_have_come() {
    let shop = Shop::open().await;
    shop.fault(json!({ "on": "webhook", "kind": "hold", "seconds": 7200 })).await;
    shop.paid("ord_late_1", 10_000).await;
    pass(&shop, Duration::minutes(100)).await;
    while !backoffice::transactions::sync_due(shop.backoffice()).await.unwrap() {}
    let from = shop.backoffice().clock.now() - Duration::hours(12);
    backoffice::transactions::sync(
        shop.backoffice(),
        &Actor::CommandLine,
        from,
        shop.backoffice().clock.now(),
    )
    .await
    .unwrap();
    let filter = audit::Filter { action: Some("transactions.synced".into()), ..audit::Filter::default() };
    let rows = audit::list(&shop.backoffice().pool, &filter, None, 50).await.unwrap().rows;
    assert!(rows.iter().any(|row| row.actor == "command-line"), "who asked is written down");
    assert_eq!(backoffice::webhooks::missing::list(shop.backoffice(), None, 50).await.unwrap().rows.len(), 1);
    pass(&shop, Duration::minutes(60)).await;
    shop.eventually("it comes", || async {
        backoffice::webhooks::missing::list(shop.backoffice(), None, 50).await.unwrap().rows[0]
            .came_at
            .is_some()
    })
    .await;
    assert_eq!(backoffice::webhooks::missing::gap(shop.backoffice()).await.unwrap(), None);
}
