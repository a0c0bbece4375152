//! What Toss posts: kept before it is believed.

use serde_json::json;

use crate::support::Shop;

async fn post(shop: &Shop, body: impl Into<reqwest::Body>) -> u16 {
    shop.hook(&[], body).await
}

async fn deliveries(shop: &Shop) -> Vec<backoffice::webhooks::Delivery> {
    shop.deliveries(&Default::default()).await
}

#[tokio::test]
async fn a_deposit_reaches_the_books_by_webhook_alone() {
    let shop = Shop::open().await;
    let key =
        shop.paid_by("ord_va_hook", 50_000, json!({ "method": "가상계좌", "customerName": "홍길동" })).await;
    assert_eq!(shop.status_of("ord_va_hook").await, "WAITING_FOR_DEPOSIT");
    shop.control(&format!("payments/{key}/deposit"), &json!(null)).await;
    shop.eventually("the deposit is in the books", || async {
        shop.status_of("ord_va_hook").await == "DONE"
    })
    .await;
    shop.quiet().await;
    let all = deliveries(&shop).await;
    assert!(all.iter().any(|d| d.event_type.as_deref() == Some("DEPOSIT_CALLBACK")
        && d.badges.contains(&"secret_matched".to_owned())));
    assert!(all.iter().any(|d| d.event_type.as_deref() == Some("PAYMENT_STATUS_CHANGED")));
}

#[tokio::test]
async fn whatever_is_posted_is_kept_and_answered_with_200() {
    let shop = Shop::open().await;
    let deep = "[".repeat(100_000);
    let bodies: [&[u8]; 7] = [
        b"",
        b"\xff\xfe\x00\x01",
        b"{",
        deep.as_bytes(),
        b"null",
        b"{\"eventType\":7}",
        "{\"a\":\"\\u0000\"}".as_bytes(),
    ];
    for body in bodies {
        assert_eq!(post(&shop, body.to_vec()).await, 200);
    }
    shop.quiet().await;
    let all = deliveries(&shop).await;
    assert_eq!(all.len(), bodies.len());
    assert!(all.iter().all(|d| d.state == "ignored"), "{all:?}");
    let second = all.get(bodies.len() - 2).unwrap().id;
    let kept = backoffice::webhooks::get(shop.backoffice(), second).await.unwrap().unwrap();
    assert_eq!(kept.body, b"\xff\xfe\x00\x01", "the very bytes are kept");

    assert_eq!(post(&shop, vec![b'x'; (1 << 20) + 1]).await, 413);
    for verb in [reqwest::Method::GET, reqwest::Method::PUT, reqwest::Method::DELETE] {
        let request = shop.http.request(verb, format!("{}/hooks/toss-payments", shop.url));
        assert_eq!(request.send().await.unwrap().status(), 405);
    }
    assert_eq!(deliveries(&shop).await.len(), bodies.len());
}

#[tokio::test]
async fn a_forged_delivery_changes_nothing() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_forged", 24_000).await;
    shop.quiet().await;
    let forged = json!({ "eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2026-01-01T00:00:00.000000",
        "data": { "paymentKey": key, "orderId": "ord_forged", "status": "CANCELED", "totalAmount": 1, "balanceAmount": 0 } });
    assert_eq!(post(&shop, forged.to_string()).await, 200);
    let unheard = json!({ "eventType": "PAYMENT_STATUS_CHANGED",
        "data": { "paymentKey": "pay_unheard", "orderId": "ord_unheard", "status": "DONE" } });
    assert_eq!(post(&shop, unheard.to_string()).await, 200);
    let deposit = json!({ "createdAt": "x", "secret": "ps_guessed", "status": "CANCELED", "transactionKey": "t", "orderId": "ord_forged" });
    assert_eq!(post(&shop, deposit.to_string()).await, 200);
    shop.quiet().await;
    let badges: Vec<_> = deliveries(&shop).await.into_iter().take(3).map(|d| d.badges).collect();
    // A card payment has a secret too: Toss's answer carried it.
    assert_eq!(
        badges,
        [vec!["secret_wrong", "fetched_different"], vec!["unknown_to_toss"], vec!["fetched_different"]]
    );
    let order = backoffice::orders::get(shop.backoffice(), "ord_forged").await.unwrap().unwrap();
    assert_eq!((order.status.as_str(), order.balance_amount), ("DONE", Some(24_000.into())));
    assert!(backoffice::orders::get(shop.backoffice(), "ord_unheard").await.unwrap().is_none());
}

#[tokio::test]
async fn copies_and_late_comers_change_nothing_twice() {
    let shop = Shop::open().await;
    shop.fault(json!({ "on": "webhook", "kind": "duplicate", "copies": 10 })).await;
    shop.paid("ord_copies", 24_000).await;
    shop.eventually("ten copies arrived", || async { deliveries(&shop).await.len() == 10 }).await;
    shop.quiet().await;
    let all = deliveries(&shop).await;
    assert!(all.iter().filter(|d| d.duplicate_of.is_some()).count() == 9, "{all:?}");
    let changes =
        backoffice::audit::of_subject(&shop.backoffice().pool, "order", "ord_copies").await.unwrap();
    assert_eq!(changes.iter().filter(|row| row.action == "payment.changed").count(), 1);
}

#[tokio::test]
async fn a_delivery_that_toss_cannot_be_asked_about_waits() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_waits", 24_000).await;
    shop.quiet().await;
    shop.fault(json!({ "on": "payment", "kind": "error", "code": "FAILED_INTERNAL_SYSTEM_PROCESSING" }))
        .await;
    let event = json!({ "eventType": "PAYMENT_STATUS_CHANGED", "data": { "paymentKey": key, "orderId": "ord_waits", "status": "DONE" } });
    assert_eq!(post(&shop, event.to_string()).await, 200);
    shop.eventually("it was tried and waits", || async { deliveries(&shop).await[0].error.is_some() }).await;
    shop.quiet().await;
    assert_eq!(deliveries(&shop).await[0].error, None);
}

#[tokio::test]
async fn a_signed_event_is_verified() {
    let shop = Shop::open().await;
    let body = json!({ "eventType": "payout.changed", "entityType": "payout", "entityBody": { "id": "FPA_1", "status": "COMPLETED" } });
    shop.control("events", &body).await;
    shop.eventually("the payout arrived", || async { !deliveries(&shop).await.is_empty() }).await;
    shop.quiet().await;
    let verified = deliveries(&shop).await.remove(0);
    assert_eq!(verified.badges, ["signature_verified"]);
    assert_eq!(verified.proof, Some(json!({ "value": 1, "reading": "decoded_bytes" })));
    let forged = json!({ "eventType": "payout.changed", "eventId": "e", "entityBody": {} }).to_string();
    assert_eq!(shop.hook(&[("tosspayments-webhook-signature", "v1:AAAA")], forged).await, 200);
    shop.quiet().await;
    assert_eq!(deliveries(&shop).await[0].badges, ["signature_wrong"]);
}
