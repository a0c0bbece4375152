//! How far each kind of delivery is believed, honest, altered and forged.

use backoffice::webhooks::{Delivery, Filter};
use sandbox::{SANDBOX_SECURITY_KEY, signature::sign};
use serde_json::{Value, json};
use toss::payments::webhook::{SIGNATURE, TRANSMISSION_TIME};

use crate::support::Shop;

const AT: &str = "2026-11-22T12:00:00+09:00";

/// Posts a body, and gives what became of it.
async fn told(shop: &Shop, headers: &[(&str, &str)], body: &Value) -> Delivery {
    assert_eq!(shop.hook(headers, body.to_string()).await, 200);
    shop.quiet().await;
    shop.deliveries(&Filter::default()).await.remove(0)
}

async fn signed(shop: &Shop, is_ascii: bool, body: &Value) -> Delivery {
    let mac = sign(SANDBOX_SECURITY_KEY, is_ascii, body.to_string().as_bytes(), AT).unwrap();
    // The first value is made with the key before: seven days long there are two.
    let header = format!("v1:{},v1:{mac}", mac.chars().rev().collect::<String>());
    told(shop, &[(SIGNATURE, &header), (TRANSMISSION_TIME, AT)], body).await
}

fn payout(status: &str, at: &str) -> Value {
    json!({ "eventType": "payout.changed", "createdAt": at, "version": "2022-11-16", "eventId": format!("e-{status}-{at}"),
            "entityType": "payout", "entityBody": { "id": "FPA_1", "refPayoutId": "my-payout-1", "status": status } })
}

#[tokio::test]
async fn a_signature_is_believed_under_either_reading_of_the_key_and_says_what_matched() {
    let shop = Shop::open().await;
    for (n, reading) in ["decoded_bytes", "ascii"].into_iter().enumerate() {
        let at = format!("2026-11-2{n}T10:00:00+09:00");
        let delivery = signed(&shop, reading == "ascii", &payout(["REQUESTED", "COMPLETED"][n], &at)).await;
        assert_eq!(delivery.badges, ["signature_verified"]);
        assert_eq!(delivery.proof, Some(json!({ "value": 2, "reading": reading })));
        assert_eq!(delivery.state, "applied");
        assert_eq!(
            (delivery.subject.as_deref(), delivery.subject_id.as_deref()),
            (Some("payout"), Some("FPA_1"))
        );
    }
    // One that came late does not bring the payout back.
    let late = signed(&shop, false, &payout("FAILED", "2026-11-20T09:00:00+09:00")).await;
    assert_eq!((late.state.as_str(), late.changed), ("unchanged", Some(json!({}))));
    let (now, _) = backoffice::webhooks::get(shop.backoffice(), late.id).await.unwrap().unwrap().now.unwrap();
    assert_eq!(now["status"], "COMPLETED");
    // Whatever id somebody is given finds it.
    for q in ["FPA_1", "my-payout-1", "e-COMPLETED-2026-11-21T10:00:00+09:00"] {
        let found = shop.deliveries(&Filter { q: Some(q.into()), ..Filter::default() }).await;
        assert!(!found.is_empty(), "{q}");
    }
}

#[tokio::test]
async fn a_signed_event_is_not_believed_altered_unsigned_or_signed_for_another_time() {
    let shop = Shop::open().await;
    let body = payout("COMPLETED", "2026-11-21T10:00:00+09:00");
    let mac = sign(SANDBOX_SECURITY_KEY, false, body.to_string().as_bytes(), AT).unwrap();
    let header = format!("v1:{mac}");
    let mut altered = body.clone();
    altered["entityBody"]["status"] = json!("FAILED");
    let bare = told(&shop, &[], &body).await;
    let changed = told(&shop, &[(SIGNATURE, &header), (TRANSMISSION_TIME, AT)], &altered).await;
    let moved =
        told(&shop, &[(SIGNATURE, &header), (TRANSMISSION_TIME, "2026-11-23T12:00:00+09:00")], &body).await;
    assert_eq!(bare.badges, ["signature_missing"]);
    assert_eq!(changed.badges[0], "signature_wrong");
    assert_eq!(moved.badges[0], "signature_wrong");
    for delivery in [bare, changed, moved] {
        assert_eq!(delivery.state, "ignored");
        assert!(
            backoffice::webhooks::get(shop.backoffice(), delivery.id).await.unwrap().unwrap().now.is_none(),
            "nothing is told"
        );
    }
    let home = backoffice::home::overview(shop.backoffice()).await.unwrap();
    assert_eq!(home.webhooks.untrusted, 3, "it is loud");
}

#[tokio::test]
async fn forged_and_altered_deliveries_of_every_type_change_nothing() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_true", 24_000).await;
    let va = shop.paid_by("ord_va", 5_000, json!({ "method": "가상계좌" })).await;
    shop.quiet().await;
    let at_toss = |key: &str| {
        shop.sandbox.with_books(|books| serde_json::to_value(&books.record(key).unwrap().payment).unwrap())
    };
    let (card, account) = (at_toss(&key), at_toss(&va));
    let event = |name: &str, data: &Value| json!({ "eventType": name, "createdAt": AT, "data": data });
    let with = |payment: &Value, changes: Value| {
        let mut payment = payment.clone();
        for (name, value) in changes.as_object().unwrap() {
            payment[name] = value.clone();
        }
        payment
    };
    let name = "PAYMENT_STATUS_CHANGED";
    let link = "ORDER_PAYMENT_STATUS_CHANGED";
    let secret = &account["secret"];
    let forged = [
        // Another amount, another state, another order, under the true key and secret.
        (event(name, &with(&card, json!({ "totalAmount": 1 }))), "fetched_different"),
        (event(name, &with(&card, json!({ "balanceAmount": 0 }))), "fetched_different"),
        (event(name, &with(&card, json!({ "status": "CANCELED", "balanceAmount": 0 }))), "fetched_different"),
        (event(name, &with(&card, json!({ "currency": "USD" }))), "fetched_different"),
        (
            event(name, &with(&card, json!({ "paymentKey": "pay_forged", "orderId": "ord_forged" }))),
            "unknown_to_toss",
        ),
        (event(name, &with(&account, json!({ "status": "DONE", "secret": "ps_guessed" }))), "secret_wrong"),
        (
            event(link, &json!({ "orderKey": "x", "payment": with(&card, json!({ "status": "CANCELED" })) })),
            "fetched_different",
        ),
        (
            json!({ "createdAt": AT, "secret": "ps_guessed", "status": "DONE", "transactionKey": "t", "orderId": "ord_va" }),
            "secret_wrong",
        ),
        (
            json!({ "createdAt": AT, "secret": secret, "status": "CANCELED", "transactionKey": "t", "orderId": "ord_va" }),
            "fetched_different",
        ),
        (
            event(
                "CANCEL_STATUS_CHANGED",
                &json!({ "transactionKey": card["lastTransactionKey"], "cancelStatus": "DONE", "cancelAmount": 24_000 }),
            ),
            "fetched_different",
        ),
        (
            event("CANCEL_STATUS_CHANGED", &json!({ "transactionKey": "t_unheard", "cancelStatus": "DONE" })),
            "not_verifiable",
        ),
        (event("BILLING_DELETED", &json!({ "billingKey": "b_1", "reason": "삭제" })), "not_verifiable"),
        (
            event("METHOD_UPDATED", &json!({ "customerKey": "c_1", "methodKey": "m", "status": "DISABLED" })),
            "not_verifiable",
        ),
        (
            event("CUSTOMER_STATUS_CHANGED", &json!({ "customerKey": "c_1", "status": "REMOVED" })),
            "not_verifiable",
        ),
        (
            event("PAYMENT_DONE", &json!({ "paymentKey": key, "orderId": "ord_true", "status": "CANCELED" })),
            "fetched_different",
        ),
    ];
    let before = backoffice::audit::list(&shop.backoffice().pool, &Default::default(), None, 500)
        .await
        .unwrap()
        .rows
        .len();
    for (body, badge) in &forged {
        let delivery = told(&shop, &[], body).await;
        assert!(delivery.badges.contains(&(*badge).to_owned()), "{badge}: {:?} for {body}", delivery.badges);
        assert_ne!(delivery.state, "applied", "{body}");
    }
    let after =
        backoffice::audit::list(&shop.backoffice().pool, &Default::default(), None, 500).await.unwrap().rows;
    assert_eq!(after.len(), before, "nothing was done: {:?}", after.first());
    assert_eq!(shop.status_of("ord_true").await, "DONE");
    assert_eq!(shop.status_of("ord_va").await, "WAITING_FOR_DEPOSIT");
    assert!(backoffice::orders::get(shop.backoffice(), "ord_forged").await.unwrap().is_none());
    let honest = shop.deliveries(&Filter { q: Some(key), ..Filter::default() }).await.pop().unwrap();
    let series = backoffice::webhooks::get(shop.backoffice(), honest.id).await.unwrap().unwrap().series;
    assert_eq!(series.len(), 1, "a forgery is no attempt of Toss's: {series:?}");
    let untrusted = Filter { badge: Some(backoffice::webhooks::UNTRUSTED.into()), ..Filter::default() };
    let loud = shop.deliveries(&untrusted).await;
    assert_eq!(loud.len(), forged.iter().filter(|(_, badge)| *badge != "not_verifiable").count());
}

#[tokio::test]
async fn what_cannot_be_asked_about_is_settled_and_holds_nobody_up() {
    let shop = Shop::open().await;
    shop.paid("ord_odd", 24_000).await;
    shop.quiet().await;
    let event = |key: &str| {
        json!({ "eventType": "PAYMENT_STATUS_CHANGED",
                "data": { "paymentKey": key, "orderId": "ord_odd", "status": "DONE", "secret": "x", "totalAmount": 1 } })
    };
    for key in ["a\u{0}", "..", ".", "a/../b", "%00", "?", "\u{7f}"] {
        let delivery =
            told(&shop, &[("tosspayments-webhook-transmission-retried-count", "2147483647")], &event(key))
                .await;
        assert_ne!(delivery.state, "applied", "{key:?}");
        assert_eq!(delivery.error, None, "{key:?}");
        assert!(!delivery.badges.is_empty(), "{key:?}: {delivery:?}");
        assert_eq!(delivery.retried_count, None, "no attempt of Toss's has that number");
    }
    let id = backoffice::webhooks::replay::start(
        shop.backoffice(),
        &backoffice::Actor::CommandLine,
        &Filter::default(),
    )
    .await
    .unwrap();
    shop.eventually("the replay has ended", || async {
        backoffice::webhooks::replay::get(shop.backoffice(), id).await.unwrap().unwrap().state
            == backoffice::webhooks::ReplayState::Finished
    })
    .await;
}

#[tokio::test]
async fn a_forged_cancel_does_not_hide_that_the_true_one_never_came() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_hidden", 24_000).await;
    shop.quiet().await;
    let forged = json!({ "eventType": "PAYMENT_STATUS_CHANGED",
        "data": { "paymentKey": key, "orderId": "ord_hidden", "status": "CANCELED" } });
    assert_eq!(told(&shop, &[], &forged).await.badges, ["fetched_different"]);
    shop.sandbox.outbox().urls.clear();
    shop.refund_behind_our_back(&key, 24_000);
    let now = shop.sandbox.clock.now();
    let (from, to) = (now - time::Duration::hours(1), now + time::Duration::minutes(5));
    shop.backoffice().clock.set_offset(time::Duration::hours(2));
    backoffice::transactions::sync(shop.backoffice(), &backoffice::Actor::CommandLine, from, to)
        .await
        .unwrap();
    assert_eq!(shop.status_of("ord_hidden").await, "CANCELED");
    assert_eq!(backoffice::webhooks::missing::list(shop.backoffice(), None, 10).await.unwrap().rows.len(), 1);
}

#[tokio::test]
async fn every_shape_of_an_honest_event_is_understood() {
    let shop = Shop::open().await;
    let va = shop.paid_by("ord_shapes", 5_000, json!({ "method": "가상계좌" })).await;
    shop.quiet().await;
    shop.sandbox.outbox().urls.clear();
    let now = shop.sandbox.clock.now();
    let payment = shop.sandbox.with_books(|books| books.deposit(&va, now)).unwrap();
    let (secret, transaction) =
        (payment.secret.clone().unwrap().0, payment.last_transaction_key.clone().unwrap().0);
    // The guide wraps the callback in `data`; it is applied all the same.
    let wrapped = json!({ "createdAt": "2026-11-22T12:00:00.000000",
        "data": { "secret": secret, "status": "DONE", "transactionKey": transaction, "orderId": "ord_shapes" } });
    let delivery = told(&shop, &[], &wrapped).await;
    assert_eq!(
        (delivery.event_type.as_deref(), delivery.state.as_str()),
        (Some("DEPOSIT_CALLBACK"), "applied")
    );
    assert_eq!(delivery.badges, ["secret_matched"]);
    assert_eq!(shop.status_of("ord_shapes").await, "DONE");
    // 2022: three members, no secret.
    let old = json!({ "eventType": "PAYMENT_STATUS_CHANGED", "data": { "paymentKey": va, "orderId": "ord_shapes", "status": "DONE" } });
    assert_eq!(told(&shop, &[], &old).await.badges, ["fetched_equal"]);
    // What was true once.
    let late = json!({ "eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "x",
        "data": { "paymentKey": va, "orderId": "ord_shapes", "status": "WAITING_FOR_DEPOSIT", "totalAmount": 5_000 } });
    let late = told(&shop, &[], &late).await;
    assert_eq!((late.badges, late.state.as_str()), (vec!["out_of_order".to_owned()], "unchanged"));
    // The same again, ten times.
    for _ in 0..10 {
        assert_eq!(told(&shop, &[], &old).await.badges, ["fetched_equal", "duplicate"]);
    }
    // What Toss adds tomorrow.
    let tomorrow = json!({ "eventType": "MOON_CHANGED", "data": { "phase": "full" } });
    let delivery = told(&shop, &[], &tomorrow).await;
    assert_eq!(
        (delivery.event_type.as_deref(), delivery.badges[0].as_str()),
        (Some("MOON_CHANGED"), "not_verifiable")
    );
}

#[tokio::test]
async fn an_overseas_cancel_is_linked_by_its_own_transaction() {
    let shop = Shop::open().await;
    let key =
        shop.paid_by("ord_paypal", 24_000, json!({ "method": "해외간편결제", "provider": "ALIPAY" })).await;
    shop.quiet().await;
    let agent = shop.log_in(backoffice::staff::Role::Support).await;
    let refund = backoffice::refunds::request(
        shop.backoffice(),
        &agent.actor(),
        &crate::support::refund("ord_paypal", "24000"),
    )
    .await
    .unwrap();
    let cancel = shop.cancels_at_toss(&key).remove(0);
    let transaction = cancel.transaction_key.unwrap().0;
    shop.control(&format!("cancels/{transaction}"), &json!({ "status": "DONE" })).await;
    shop.quiet().await;
    let filter = Filter { event_type: Some("CANCEL_STATUS_CHANGED".into()), ..Filter::default() };
    let delivery = shop.deliveries(&filter).await.remove(0);
    assert_eq!(delivery.order_id.as_deref(), Some("ord_paypal"), "{delivery:?}");
    assert!(delivery.badges.contains(&"fetched_equal".to_owned()), "{delivery:?}");
    assert_eq!(shop.status_of("ord_paypal").await, "CANCELED", "{:?}", refund.state);
}

#[tokio::test]
async fn an_address_that_is_not_tosss_is_remarked_and_waits_behind_the_others() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_far", 24_000).await;
    shop.quiet().await;
    let body = json!({ "eventType": "PAYMENT_STATUS_CHANGED", "data": { "paymentKey": key, "orderId": "ord_far", "status": "DONE" } });
    let from = |ip: &str| backoffice::webhooks::Incoming {
        source_ip: ip.parse().ok(),
        listed: Some(ip == "13.124.18.147"),
        headers: vec![],
        body: body.to_string().into(),
        read_at: std::time::Instant::now(),
    };
    let both = [from("203.0.113.9"), from("13.124.18.147")];
    backoffice::webhooks::keep(shop.backoffice(), &both).await.unwrap();
    shop.quiet().await;
    let all = shop.deliveries(&Filter::default()).await;
    let (listed, stranger) = (&all[0], &all[1]);
    assert_eq!(listed.source_ip.as_deref(), Some("13.124.18.147"));
    assert!(!listed.badges.contains(&"address_unlisted".to_owned()), "{listed:?}");
    assert!(stranger.badges.contains(&"address_unlisted".to_owned()), "{stranger:?}");
    // It is believed for what Toss says, not for where it came from.
    assert!(stranger.badges.contains(&"fetched_equal".to_owned()), "{stranger:?}");
}
