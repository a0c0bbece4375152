//! Our client against the sandbox: every call, over HTTP.

use futures::TryStreamExt;
use sandbox::PUBLIC_TEST_KEYS;
use serde_json::json;
use time::{Duration, macros::datetime};
use toss::payments::{
    BillingChargeRequest, BillingIssueRequest, CancelRequest, CashReceiptRequest, Client, Config, Error,
    OrderId, PaymentKey, PaymentStatus, RefundAccount, RetryClass, SettlementDate, VirtualAccountRequest,
};

use crate::support::Shop;

fn client(shop: &Shop, key: &str) -> Client {
    Client::new(Config::new(shop.sandbox_url.clone(), key)).unwrap()
}

fn code(error: &Error) -> &str {
    &error.refusal().unwrap_or_else(|| panic!("not a refusal: {error}")).code
}

fn cancel(amount: Option<i64>) -> CancelRequest {
    CancelRequest {
        cancel_reason: "고객 변심".into(),
        cancel_amount: amount.map(Into::into),
        ..Default::default()
    }
}

#[tokio::test]
async fn cancels_follow_the_documented_table() {
    let shop = Shop::open().await;
    let toss = client(&shop, PUBLIC_TEST_KEYS[0]);
    let key = PaymentKey(shop.paid("ord_table_1", 10_000).await);
    let refused = async |request: CancelRequest, idempotency: &str| {
        let error = toss.cancel(&key, &request, idempotency).await.unwrap_err();
        code(&error).to_owned()
    };
    assert_eq!(refused(cancel(Some(10_001)), "a").await, "NOT_CANCELABLE_AMOUNT");
    assert_eq!(refused(cancel(Some(0)), "b").await, "INVALID_REQUEST");
    let stale = CancelRequest { refundable_amount: Some(9_000.into()), ..cancel(Some(1_000)) };
    assert_eq!(refused(stale, "c").await, "NOT_MATCHES_REFUNDABLE_AMOUNT");

    let part = toss.cancel(&key, &cancel(Some(4_000)), "d").await.unwrap().value;
    assert_eq!((part.status.as_str(), part.balance_amount), ("PARTIAL_CANCELED", 6_000.into()));
    let again = toss.cancel(&key, &cancel(Some(4_000)), "d").await.unwrap();
    assert_eq!(again.value.cancels().len(), 1, "the same key is the same cancel");
    assert!(again.trace_id.unwrap().contains(", "), "a replay names both traces");
    let rest = toss.cancel(&key, &cancel(None), "e").await.unwrap().value;
    assert_eq!((rest.status, rest.balance_amount), (PaymentStatus::PartialCanceled, 0.into()));
    assert!(toss.payment(&key).await.unwrap().value.is_fully_refunded());
    assert_eq!(refused(cancel(None), "f").await, "NOT_CANCELABLE_AMOUNT");

    let whole = PaymentKey(shop.paid("ord_table_2", 5_000).await);
    assert_eq!(toss.cancel(&whole, &cancel(None), "g").await.unwrap().value.status, PaymentStatus::Canceled);
    let error = toss.cancel(&whole, &cancel(None), "h").await.unwrap_err();
    assert_eq!((code(&error), error.retry_class()), ("ALREADY_CANCELED_PAYMENT", RetryClass::LookUp));
}

#[tokio::test]
async fn keys_and_test_codes_are_refused_as_documented() {
    let shop = Shop::open().await;
    let unknown = PaymentKey::from("nobody");
    let error = client(&shop, "test_sk_somebody_else").payment(&unknown).await.unwrap_err();
    assert_eq!((code(&error), error.refusal().unwrap().status), ("UNAUTHORIZED_KEY", 401));
    let toss = client(&shop, PUBLIC_TEST_KEYS[0]);
    assert!(toss.payment(&unknown).await.unwrap_err().is_not_found());
    assert!(toss.payment_by_order(&OrderId::from("nobody")).await.unwrap_err().is_not_found());
    let error = toss.with_test_code("REJECT_CARD_COMPANY").payment(&unknown).await.unwrap_err();
    assert_eq!((code(&error), error.refusal().unwrap().status), ("REJECT_CARD_COMPANY", 403));
    assert_eq!(
        code(&toss.with_test_code("NO_SUCH_CODE").payment(&unknown).await.unwrap_err()),
        "INVALID_TEST_CODE"
    );
    let long = "k".repeat(301);
    assert_eq!(
        code(&toss.cancel(&unknown, &cancel(None), &long).await.unwrap_err()),
        "INVALID_IDEMPOTENCY_KEY"
    );
    assert!(
        Client::new(Config::new(shop.sandbox_url.clone(), "live_sk_real")).is_err(),
        "a live key goes to Toss only"
    );
}

#[tokio::test]
async fn what_was_lost_is_told_apart_from_what_was_never_sent() {
    let shop = Shop::open().await;
    let toss = client(&shop, PUBLIC_TEST_KEYS[0]);
    let key = PaymentKey(shop.paid("ord_lost_1", 10_000).await);
    shop.fault(json!({ "on": "cancel", "kind": "lose_after" })).await;
    let error = toss.cancel(&key, &cancel(Some(1_000)), "lost").await.unwrap_err();
    assert!(error.is_unknown() && error.retry_class() == RetryClass::SameKey, "{error}");
    shop.fault(json!({ "on": "cancel", "kind": "garbage" })).await;
    let error = toss.cancel(&key, &cancel(Some(1_000)), "garbage").await.unwrap_err();
    assert!(error.is_unknown() && error.retry_class() == RetryClass::LookUp, "{error}");
    let nobody = Client::new(Config::new("http://127.0.0.1:9", PUBLIC_TEST_KEYS[0])).unwrap();
    assert!(matches!(nobody.payment(&key).await.unwrap_err(), Error::NotSent(_)));
}

#[tokio::test]
async fn lists_page_by_themselves() {
    let shop = Shop::open().await;
    let toss = client(&shop, PUBLIC_TEST_KEYS[0]);
    shop.control("clock", &json!({ "now": "2026-03-02T10:00:00+09:00" })).await;
    for n in 0..3 {
        shop.paid(&format!("ord_list_{n}"), 1_000 + n).await;
    }
    let key = PaymentKey(shop.paid("ord_list_9", 9_000).await);
    toss.cancel(&key, &cancel(Some(2_000)), "part").await.unwrap();
    let (from, to) = (datetime!(2026-03-02 00:00 +9), datetime!(2026-03-03 00:00 +9));
    let rows: Vec<_> = toss.transactions(from, to).try_collect().await.unwrap();
    assert_eq!(rows.len(), 5);
    assert!(rows.is_sorted_by_key(|(row, _)| row.transaction_at));
    let none: Vec<_> = toss.transactions(to, to + Duration::DAY).try_collect().await.unwrap();
    assert!(none.is_empty());

    shop.control("close-day", &json!({ "day": "2026-03-02" })).await;
    let day = from.date();
    let rows: Vec<_> = toss.settlements(day, day, SettlementDate::Sold).try_collect().await.unwrap();
    assert_eq!(rows.len(), 5);
    for (row, _) in rows {
        assert_eq!(row.pay_out_amount.unwrap(), row.amount - row.fee.unwrap());
        assert_eq!(row.fee.unwrap(), row.supply_amount.unwrap() + row.vat.unwrap());
        assert_eq!(row.cancel.is_some(), row.amount.is_sign_negative());
    }
    toss.settle(&key, "settle").await.unwrap();
}

#[tokio::test]
async fn accounts_billing_and_receipts_work() {
    let shop = Shop::open().await;
    let toss = client(&shop, PUBLIC_TEST_KEYS[0]);
    let request = VirtualAccountRequest {
        amount: 30_000.into(),
        order_id: "ord_va_00001".into(),
        order_name: "예약금".into(),
        customer_name: "홍길동".into(),
        bank: "신한".into(),
        account_key: None,
        valid_hours: Some(24),
        due_date: None,
        customer_email: None,
        customer_mobile_phone: None,
        tax_free_amount: None,
        use_escrow: None,
    };
    let issued = toss.issue_virtual_account(&request, "va").await.unwrap().value;
    assert_eq!(issued.status, PaymentStatus::WaitingForDeposit);
    let part = toss.cancel(&issued.payment_key, &cancel(Some(1_000)), "va-part").await.unwrap_err();
    assert_eq!(code(&part), "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT");
    shop.control(&format!("payments/{}/deposit", issued.payment_key), &json!(null)).await;
    let bare = toss.cancel(&issued.payment_key, &cancel(None), "va-bare").await.unwrap_err();
    assert_eq!(code(&bare), "INVALID_REFUND_ACCOUNT_INFO");
    let account = RefundAccount {
        bank: "88".into(),
        account_number: "110123456789".into(),
        holder_name: "홍길동".into(),
    };
    let with = CancelRequest { refund_receive_account: Some(account), ..cancel(Some(10_000)) };
    assert_eq!(
        toss.cancel(&issued.payment_key, &with, "va-with").await.unwrap().value.balance_amount,
        20_000.into()
    );

    let issue = BillingIssueRequest { auth_key: "auth".into(), customer_key: "customer-1".into() };
    let billing = toss.issue_billing_key(&issue, "bi").await.unwrap().value;
    let charge = |customer: &str, order: &str| BillingChargeRequest {
        amount: 9_900.into(),
        customer_key: customer.into(),
        order_id: order.into(),
        order_name: "월 구독".into(),
        customer_email: None,
        customer_name: None,
        card_installment_plan: None,
        tax_free_amount: None,
    };
    let wrong =
        toss.charge_billing_key(&billing.billing_key, &charge("customer-2", "sub_000001"), "bc").await;
    assert_eq!(code(&wrong.unwrap_err()), "NOT_MATCHES_CUSTOMER_KEY");
    let paid = toss
        .charge_billing_key(&billing.billing_key, &charge("customer-1", "sub_000001"), "bd")
        .await
        .unwrap();
    assert_eq!(paid.value.kind.unwrap().as_str(), "BILLING");
    toss.delete_billing_key(&billing.billing_key).await.unwrap();
    let gone = toss.charge_billing_key(&billing.billing_key, &charge("customer-1", "sub_000002"), "be").await;
    assert_eq!(code(&gone.unwrap_err()), "ALREADY_REMOVED_BILLING_KEY");

    let receipt = CashReceiptRequest {
        amount: 5_000.into(),
        order_id: "ord_cash_001".into(),
        order_name: "책".into(),
        customer_identity_number: "01012345678".into(),
        kind: "소득공제".into(),
        tax_free_amount: None,
    };
    let issued = toss.issue_cash_receipt(&receipt, "cr").await.unwrap().value;
    let back = toss.cancel_cash_receipt(&issued.receipt_key.unwrap(), None, "cc").await.unwrap().value;
    assert!(back.receipt_key.unwrap().starts_with("c_"));
    let today = shop.sandbox.clock.now().date();
    assert_eq!(toss.cash_receipts(today).try_collect::<Vec<_>>().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_minute_holds_a_hundred_calls_when_the_limit_is_on() {
    let shop = Shop::open().await;
    let toss = client(&shop, PUBLIC_TEST_KEYS[0]);
    shop.control("limit", &json!({ "on": true })).await;
    let unknown = PaymentKey::from("nobody");
    for _ in 0..100 {
        assert!(toss.payment(&unknown).await.unwrap_err().is_not_found());
    }
    let error = toss.payment(&unknown).await.unwrap_err();
    assert_eq!((error.refusal().unwrap().status, error.retry_class()), (429, RetryClass::NewKey));
}

#[tokio::test]
async fn a_sandbox_takes_no_live_key_and_no_malformed_one() {
    let shop = Shop::open().await;
    let ask = async |user: &str, password: Option<&str>| {
        let request =
            shop.http.get(format!("{}/v1/payments/nobody", shop.sandbox_url)).basic_auth(user, password);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<serde_json::Value>().await.unwrap()["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(ask("live_sk_real", Some("")).await, (403, "LIVE_KEY_AT_SANDBOX".to_owned()));
    assert_eq!(ask("test_sk_x", Some("a password")).await, (403, "INCORRECT_BASIC_AUTH_FORMAT".to_owned()));
}
