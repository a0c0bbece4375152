//! Orders as a merchant's server registers and confirms them.

use serde_json::{Value, json};

use crate::support::{MERCHANT_KEY, Shop};

fn order(order_id: &str, amount: Value) -> Value {
    json!({ "orderId": order_id, "amount": amount, "orderName": "머그컵 세트", "customerName": "김하준" })
}

#[tokio::test]
async fn registering_is_idempotent_and_contradictions_are_refused() {
    let shop = Shop::open().await;
    let new = order("ord_same_1", json!(24_000));
    assert_eq!(shop.api("orders", &new).await.0, 201);
    assert_eq!(shop.api("orders", &new).await.0, 200);
    let (status, said) = shop.api("orders", &order("ord_same_1", json!(25_000))).await;
    assert_eq!((status, said["code"].as_str()), (409, Some("DUPLICATED_ORDER_ID")));
}

#[tokio::test]
async fn bad_orders_get_a_400_that_names_the_member() {
    let shop = Shop::open().await;
    for (body, member) in [
        (order("ord_bad_1", json!(0)), "amount"),
        (order("ord_bad_1", json!(-5)), "amount"),
        (order("ord_bad_1", json!(0.5)), "amount"),
        (order("ord_bad_1", json!(1_000_000_000_000_000_000i64)), "amount"),
        (order("ord_bad_1", json!("1,000")), "amount"),
        (order("ord_bad_1", json!(null)), "amount"),
        (order("x", json!(1_000)), "orderId"),
        (order("quote'\"--;", json!(1_000)), "orderId"),
        (order("line\nbreak", json!(1_000)), "orderId"),
        (order("emoji🙂🙂🙂🙂", json!(1_000)), "orderId"),
        (order("ord%2fslash", json!(1_000)), "orderId"),
        (order(&"x".repeat(10_000), json!(1_000)), "orderId"),
        (json!({ "orderId": "ord_bad_1", "amount": 1_000, "orderName": "" }), "orderName"),
        (
            json!({ "orderId": "ord_bad_1", "amount": 1_000, "orderName": "책", "currency": "WON" }),
            "currency",
        ),
        (
            json!({ "orderId": "ord_bad_1", "amount": 1_000, "orderName": "책", "customerName": "a\u{0}b" }),
            "customerName",
        ),
        (json!([]), ""),
    ] {
        let (status, said) = shop.api("orders", &body).await;
        assert_eq!(status, 400, "{body}");
        assert!(said["message"].as_str().unwrap().contains(member), "{said}");
    }
    assert!(backoffice::orders::get(shop.backoffice(), "ord_bad_1").await.unwrap().is_none());
}

#[tokio::test]
async fn without_the_key_nothing_is_said() {
    let shop = Shop::open().await;
    for key in ["", "wrong", &MERCHANT_KEY[1..]] {
        let response =
            shop.http.get(format!("{}/api/v1/orders/ord_1", shop.url)).bearer_auth(key).send().await.unwrap();
        assert_eq!(response.status(), 401);
    }
    let document = shop.http.get(format!("{}/api/v1/openapi.json", shop.url)).send().await.unwrap();
    let document: Value = document.json().await.unwrap();
    for path in ["/api/v1/orders", "/api/v1/orders/{orderId}", "/api/v1/orders/{orderId}/confirm"] {
        assert!(document["paths"][path].is_object(), "{path} is not documented");
    }
}

#[tokio::test]
async fn a_second_confirm_answers_like_the_first() {
    let shop = Shop::open().await;
    let key = shop.authenticated("ord_twice_1", 24_000, json!({})).await;
    let first = shop.confirm("ord_twice_1", &key, 24_000).await;
    let second = shop.confirm("ord_twice_1", &key, 24_000).await;
    assert_eq!((first.0, first.1["status"].as_str()), (200, Some("DONE")));
    assert_eq!(first, second);
    let (status, said) = shop.confirm("ord_twice_1", "another_payment", 24_000).await;
    assert_eq!((status, said["code"].as_str()), (409, Some("ALREADY_PROCESSED_PAYMENT")));
}

#[tokio::test]
async fn ten_confirms_at_once_take_the_money_once() {
    let shop = Shop::open().await;
    let key = shop.authenticated("ord_crowd_1", 24_000, json!({})).await;
    let all = futures::future::join_all((0..10).map(|_| shop.confirm("ord_crowd_1", &key, 24_000))).await;
    assert!(all.iter().all(|(status, body)| *status == 200 && body["status"] == "DONE"), "{all:?}");
    let booked = shop.sandbox.with_books(|books| books.all_transactions().len());
    assert_eq!(booked, 1);
}

#[tokio::test]
async fn a_changed_amount_is_refused_and_shown_to_staff() {
    let shop = Shop::open().await;
    let key = shop.authenticated("ord_tamper_1", 24_000, json!({})).await;
    let (status, said) = shop.confirm("ord_tamper_1", &key, 2_400).await;
    assert_eq!((status, said["code"].as_str()), (400, Some("AMOUNT_MISMATCH")));
    let order = backoffice::orders::get(shop.backoffice(), "ord_tamper_1").await.unwrap().unwrap();
    assert_eq!((order.status.as_str(), order.attention.as_deref()), ("READY", Some("amount_differs")));
    assert_eq!(backoffice::home::waiting(shop.backoffice()).await.unwrap().orders_to_look_at, 1);
}

#[tokio::test]
async fn a_confirm_without_an_answer_is_looked_up() {
    let shop = Shop::open().await;
    for (n, fault) in ["lose_after", "lose_before", "garbage"].into_iter().enumerate() {
        let id = format!("ord_lost_{n}");
        let key = shop.authenticated(&id, 24_000, json!({})).await;
        shop.fault(json!({ "on": "confirm", "kind": fault })).await;
        let (status, said) = shop.confirm(&id, &key, 24_000).await;
        assert_eq!((status, said["status"].as_str()), (200, Some("DONE")), "{fault}: {said}");
    }
}

#[tokio::test]
async fn a_refusal_of_toss_reaches_the_merchant_in_tosss_words() {
    let shop = Shop::open().await;
    let key = shop.authenticated("ord_declined", 24_000, json!({ "decline": "REJECT_CARD_COMPANY" })).await;
    let (status, said) = shop.confirm("ord_declined", &key, 24_000).await;
    assert_eq!((status, said["code"].as_str()), (403, Some("REJECT_CARD_COMPANY")));
    assert_eq!(shop.status_of("ord_declined").await, "ABORTED");

    assert_eq!(shop.api("orders", &order("ord_nokey_1", json!(1_000))).await.0, 201);
    let (status, said) = shop.confirm("ord_nokey_1", "no_such_payment", 1_000).await;
    assert_eq!((status, said["code"].as_str()), (404, Some("NOT_FOUND_PAYMENT")));
    assert_eq!(shop.status_of("ord_nokey_1").await, "READY");

    assert_eq!(shop.confirm("ord_unheard", &key, 24_000).await.0, 404);
    let body = json!({ "orderId": "ord_other_1", "paymentKey": key, "amount": 24_000 });
    assert_eq!(shop.api("orders/ord_declined/confirm", &body).await.0, 400);
}

#[tokio::test]
async fn a_slow_approval_is_not_lost_behind_a_quicker_look_up() {
    let shop = Shop::open().await;
    let key = shop.authenticated("ord_slow_1", 24_000, json!({})).await;
    shop.fault(json!({ "on": "confirm", "kind": "delay", "ms": 900 })).await;
    let first = shop.confirm("ord_slow_1", &key, 24_000);
    let second = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        shop.confirm("ord_slow_1", &key, 24_000).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.0, first.1["status"].as_str()), (200, Some("DONE")), "{first:?}");
    assert!(second.0 == 200 || second.0 == 504, "{second:?}");
    assert_eq!(shop.status_of("ord_slow_1").await, "DONE");
}

#[tokio::test]
async fn a_passing_refusal_does_not_bind_the_next_confirm() {
    let shop = Shop::open().await;
    let key = shop.authenticated("ord_passing", 24_000, json!({})).await;
    let refusing = toss::payments::Client::new(toss::payments::Config::new(
        shop.sandbox_url.clone(),
        sandbox::PUBLIC_TEST_KEYS[0],
    ))
    .unwrap()
    .with_test_code("PROVIDER_ERROR");
    let mut jangbu = shop.backoffice().clone();
    jangbu.toss = refusing;
    let confirm = backoffice::payments::Confirm {
        order_id: "ord_passing".into(),
        payment_key: key.clone(),
        amount: 24_000.into(),
    };
    let refused =
        backoffice::payments::confirm(&jangbu, &backoffice::Actor::MerchantApi, &confirm).await.unwrap_err();
    assert!(refused.to_string().contains("PROVIDER_ERROR"), "{refused}");
    let (status, said) = shop.confirm("ord_passing", &key, 24_000).await;
    assert_eq!((status, said["status"].as_str()), (200, Some("DONE")), "{said}");
}

#[tokio::test]
async fn the_payment_of_another_order_is_neither_taken_nor_refunded() {
    let shop = Shop::open().await;
    let theirs = shop.authenticated("ord_theirs", 24_000, json!({})).await;
    let ours = shop.authenticated("ord_ours_1", 24_000, json!({})).await;
    let (status, _) = shop.confirm("ord_ours_1", &theirs, 24_000).await;
    assert_eq!(status, 400);
    let order = backoffice::orders::get(shop.backoffice(), "ord_ours_1").await.unwrap().unwrap();
    assert_eq!((order.status.as_str(), order.payment_key), ("READY", None));
    assert_eq!(shop.confirm("ord_theirs", &theirs, 24_000).await.0, 200);
    assert_eq!(shop.confirm("ord_ours_1", &ours, 24_000).await.0, 200);
}
