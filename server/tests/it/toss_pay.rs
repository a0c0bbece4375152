//! Toss Pay through the merchant's API and our refunds, where there is no idempotency key.

use backoffice::refunds::{RefundError, Refused};
use backoffice::refunds::{State, WhyNot};
use backoffice::staff::Role;
use serde_json::json;

use crate::support::{Shop, refund};

#[tokio::test]
async fn a_payment_is_made_once_and_executed_once() {
    let shop = Shop::open().await;
    let user = shop.user().await;
    let new = json!({ "orderNo": "tp-1", "userKey": user, "productDesc": "토끼 인형", "amount": 12_000, "amountTaxFree": 0 });
    let (status, made) = shop.api("toss-pay/payments", &new).await;
    assert_eq!((status, made["isTestPayment"].as_bool()), (200, Some(true)), "{made}");
    let token = made["payToken"].as_str().unwrap();
    assert_eq!(shop.api("toss-pay/payments", &new).await.1["payToken"], made["payToken"], "the same again");
    let mut other = new.clone();
    other["amount"] = json!(12_001);
    assert_eq!(shop.api("toss-pay/payments", &other).await.0, 409);

    let (status, said) = shop.execute("tp-1", token).await;
    assert_eq!(
        (status, said["code"].as_str()),
        (409, Some("NOT_EXECUTABLE_PAYMENT")),
        "not authenticated yet"
    );
    shop.control(&format!("apps-in-toss/payments/{token}/authenticate"), &json!({})).await;
    assert_eq!(shop.execute("tp-1", "another").await.1["code"], "INVALID_PAY_TOKEN");
    // The answer is lost, and the status tells.
    shop.fault(json!({ "on": "execute-payment", "kind": "lose_after" })).await;
    let (status, order) = shop.execute("tp-1", token).await;
    assert_eq!(
        (status, order["status"].as_str(), order["rail"].as_str()),
        (200, Some("PAY_COMPLETE"), Some("toss_pay"))
    );
    assert_eq!(shop.execute("tp-1", token).await.0, 200, "asked again it answers like the first time");
    assert_eq!(shop.calls(token).iter().filter(|call| *call == "execute-payment").count(), 1);
    let order = backoffice::orders::get(shop.backoffice(), "tp-1").await.unwrap().unwrap();
    assert_eq!((order.balance_amount, order.method.as_deref()), (Some(12_000.into()), Some("TOSS_MONEY")));
    let rows = backoffice::transactions::of_order(shop.backoffice(), "tp-1").await.unwrap();
    assert_eq!((rows.len(), rows[0].status.as_str(), rows[0].amount), (1, "PAY_COMPLETE", 12_000.into()));
    // The other rail's call does not touch it.
    assert_eq!(shop.confirm("tp-1", "another_key", 12_000).await.0, 404);
    assert_eq!(shop.status_of("tp-1").await, "PAY_COMPLETE");
}

#[tokio::test]
async fn what_was_asked_for_and_lost_is_found_not_made_again() {
    let shop = Shop::open().await;
    let user = shop.user().await;
    let new = |order_no: &str| json!({ "orderNo": order_no, "userKey": user.to_string(), "productDesc": "x", "amount": 10, "amountTaxFree": 0 });
    shop.fault(json!({ "on": "make-payment", "kind": "lose_after" })).await;
    let (status, made) = shop.api("toss-pay/payments", &new("tp-lost")).await;
    assert_eq!(status, 200, "{made}");
    shop.fault(json!({ "on": "make-payment", "kind": "lose_before" })).await;
    assert_eq!(shop.api("toss-pay/payments", &new("tp-never")).await.0, 504);
    assert_eq!(shop.api("toss-pay/payments", &new("tp-never")).await.0, 200);
    // The answer to the execution and every look after it are lost: nobody says that nothing was sent.
    let slow = shop.toss_pay("tp-silent", 3_000, json!({})).await;
    shop.fault(
        json!({ "on": "get-payment-status", "kind": "error", "code": "4095", "after": 1, "times": 9 }),
    )
    .await;
    assert_eq!(shop.execute("tp-silent", &slow).await.0, 504);
    shop.sandbox.faults().clear();
    assert_eq!(shop.execute("tp-silent", &slow).await.0, 200);
    // A number that was used elsewhere, for other money, is not handed out as this order's.
    let body = json!({ "orderNo": "tp-elsewhere", "productDesc": "x", "amount": 1_000, "amountTaxFree": 0, "isTestPayment": true });
    let now = shop.sandbox.clock.now();
    shop.sandbox.with_mini_app(|app| app.make_payment(Some(&user.to_string()), &body, now)).unwrap();
    assert_eq!(shop.api("toss-pay/payments", &new("tp-elsewhere")).await.0, 409);
    let refused = async |change: fn(&mut serde_json::Value)| {
        let mut body = new("tp-bad");
        change(&mut body);
        let (status, said) = shop.api("toss-pay/payments", &body).await;
        assert_eq!(status, 400, "{said}");
        said["message"].as_str().unwrap().to_owned()
    };
    assert!(refused(|b| b["amount"] = json!(10_000_000)).await.contains("amount"));
    assert!(refused(|b| b["orderNo"] = json!("띄어 쓰기")).await.contains("orderNo"));
    assert!(refused(|b| b["userKey"] = json!("toss-user-key-abc123")).await.contains("userKey"));
    assert!(refused(|b| b["productDesc"] = json!("a\\b")).await.contains("productDesc"));
    let (status, _) = shop.execute("tp-lost", &"x".repeat(31)).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_refund_is_read_sent_once_and_read_again() {
    let shop = Shop::open().await;
    let token = shop.paid_by_toss_pay("tp-refund", 12_000, json!({})).await;
    let agent = shop.log_in(Role::Support).await;
    let part = backoffice::refunds::request(shop.backoffice(), &agent.actor(), &refund("tp-refund", "5000"))
        .await
        .unwrap_err();
    assert!(matches!(part, RefundError::Refused(Refused::WholeOnly)), "{part:?}");
    let mut long = refund("tp-refund", "12000");
    long.reason = "가".repeat(56);
    let error = backoffice::refunds::request(shop.backoffice(), &agent.actor(), &long).await.unwrap_err();
    assert!(matches!(error, RefundError::Refused(Refused::ReasonTooLongFor { most: 55 })), "{error:?}");
    long.reason = "별★".into();
    let error = backoffice::refunds::request(shop.backoffice(), &agent.actor(), &long).await.unwrap_err();
    let RefundError::Refused(Refused::ReasonCharacters { not_taken, sent }) = error else {
        panic!("{error:?}")
    };
    assert_eq!((not_taken.as_str(), sent.as_str()), ("★", "별"));

    let before = shop.calls(&token).len();
    let done = backoffice::refunds::request(shop.backoffice(), &agent.actor(), &refund("tp-refund", "12000"))
        .await
        .unwrap();
    assert_eq!((done.state, shop.refunds_at_toss_pay(&token)), (State::Succeeded, 1));
    let calls = shop.calls(&token).split_off(before);
    assert_eq!(calls, ["get-payment-status", "get-payment-status", "refund-payment", "get-payment-status"]);
    let order = backoffice::orders::get(shop.backoffice(), "tp-refund").await.unwrap().unwrap();
    assert_eq!((order.status.as_str(), order.balance_amount), ("REFUND_SUCCESS", Some(0.into())));
    let again =
        backoffice::refunds::request(shop.backoffice(), &agent.actor(), &refund("tp-refund", "12000"))
            .await
            .unwrap_err();
    assert!(matches!(again, RefundError::Refused(Refused::NotPossible(WhyNot::NothingLeft))), "{again:?}");
}

#[tokio::test]
async fn a_lost_refund_is_asked_about_before_anything_is_sent_again() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await.actor();
    for (n, kind) in [
        json!({ "kind": "lose_after" }),
        json!({ "kind": "lose_before" }),
        json!({ "kind": "result_type", "word": "HTTP_TIMEOUT" }),
        json!({ "kind": "result_type_after", "word": "NETWORK_ERROR" }),
        json!({ "kind": "garbage" }),
    ]
    .into_iter()
    .enumerate()
    {
        let order_no = format!("tp-unknown-{n}");
        let token = shop.paid_by_toss_pay(&order_no, 3_000, json!({})).await;
        let mut fault = kind.clone();
        fault["on"] = json!("refund-payment");
        shop.fault(fault).await;
        let asked = backoffice::refunds::request(shop.backoffice(), &agent, &refund(&order_no, "3000"))
            .await
            .unwrap();
        assert_eq!(asked.state, State::Unknown, "{kind}");
        // Nothing is sent again while the first request may still be on its way.
        backoffice::refunds::execute(shop.backoffice(), asked.id).await.unwrap();
        let sent = shop.calls(&token).iter().filter(|call| *call == "refund-payment").count();
        assert_eq!(sent, 1, "{kind}");
        // A lease later it is quiet.
        sqlx::query("update refunds set last_attempt_at = now() - interval '1 hour', lease_until = null where id = $1")
            .bind(asked.id)
            .execute(&shop.backoffice().pool)
            .await
            .unwrap();
        backoffice::refunds::execute(shop.backoffice(), asked.id).await.unwrap();
        let settled = backoffice::refunds::get(shop.backoffice(), asked.id).await.unwrap().unwrap();
        assert_eq!((settled.state, shop.refunds_at_toss_pay(&token)), (State::Succeeded, 1), "{kind}");
    }
}

#[tokio::test]
async fn what_toss_refuses_or_is_still_doing_is_told_as_it_is() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await.actor();
    shop.paid_by_toss_pay("tp-daily", 3_000, json!({})).await;
    shop.fault(json!({ "on": "refund-payment", "kind": "error", "code": "REFUND_EXCEED_DAILY" })).await;
    let failed =
        backoffice::refunds::request(shop.backoffice(), &agent, &refund("tp-daily", "3000")).await.unwrap();
    assert_eq!((failed.state, failed.error_code.as_deref()), (State::Failed, Some("REFUND_EXCEED_DAILY")));
    assert_eq!(
        backoffice::refunds::request(shop.backoffice(), &agent, &refund("tp-daily", "3000"))
            .await
            .unwrap()
            .state,
        State::Succeeded
    );

    let slow = shop.paid_by_toss_pay("tp-slow", 3_000, json!({ "slowRefund": true })).await;
    let under_way =
        backoffice::refunds::request(shop.backoffice(), &agent, &refund("tp-slow", "3000")).await.unwrap();
    assert_eq!(under_way.state, State::Unknown);
    assert_eq!(shop.status_of("tp-slow").await, "REFUND_PROGRESS");
    shop.control(&format!("apps-in-toss/payments/{slow}/move"), &json!({ "to": "REFUND_SUCCESS" })).await;
    shop.eventually("the refund is known", || async {
        drop(backoffice::refunds::execute(shop.backoffice(), under_way.id).await);
        backoffice::refunds::get(shop.backoffice(), under_way.id).await.unwrap().unwrap().state
            == State::Succeeded
    })
    .await;
    assert_eq!(shop.refunds_at_toss_pay(&slow), 1);

    let settled = shop.paid_by_toss_pay("tp-settled", 3_000, json!({ "payMethod": "CARD" })).await;
    shop.control(&format!("apps-in-toss/payments/{settled}/move"), &json!({ "to": "SETTLEMENT_COMPLETE" }))
        .await;
    let error = backoffice::refunds::request(shop.backoffice(), &agent, &refund("tp-settled", "3000"))
        .await
        .unwrap_err();
    assert!(matches!(error, RefundError::Refused(Refused::NotPossible(WhyNot::Settled))), "{error:?}");

    // Executing takes a while: the look-ups find out.
    let waiting = shop.toss_pay("tp-progress", 3_000, json!({ "slowPayment": true })).await;
    assert_eq!(shop.execute("tp-progress", &waiting).await.0, 504);
    shop.control(&format!("apps-in-toss/payments/{waiting}/move"), &json!({ "to": "PAY_COMPLETE" })).await;
    backoffice::payments::toss_pay::poll(shop.backoffice()).await.unwrap();
    assert_eq!(shop.status_of("tp-progress").await, "PAY_COMPLETE");

    let declined = shop.toss_pay("tp-declined", 3_000, json!({ "decline": "CARD_LIMIT" })).await;
    assert_eq!(shop.execute("tp-declined", &declined).await.1["code"], "NOT_EXECUTABLE_PAYMENT");
    assert_eq!(shop.status_of("tp-declined").await, "PAY_CANCEL");
}
