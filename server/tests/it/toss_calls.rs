//! Every call to Toss leaves a row, with the trace id that Toss's support asks for, and nothing of anybody's in it.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode, header},
};
use backoffice::{
    Actor,
    refunds::{Form, State},
    retention::{Class, job::destroy},
    staff::{Permission, Role},
    toss_calls::{self, Filter, Outcome, Row},
};
use sandbox::PUBLIC_TEST_KEYS;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Shop, refund};

const CANCEL: &str = "/v1/payments/{paymentKey}/cancel";
const PAYMENT: &str = "/v1/payments/{paymentKey}";
const CONFIRM: &str = "/v1/payments/confirm";

/// Newest first.
async fn calls(shop: &Shop, filter: Filter) -> Vec<Row> {
    shop.jangbu.write_down_calls().await;
    toss_calls::list(shop.backoffice(), &filter, None, 500).await.unwrap().rows
}

fn of_path(path: &str) -> Filter {
    Filter { path: Some(path.to_owned()), ..Filter::default() }
}

fn of_order(order: &str) -> Filter {
    Filter { order: Some(order.to_owned()), ..Filter::default() }
}

async fn give_back(shop: &Shop, form: &Form) -> State {
    backoffice::refunds::request(shop.backoffice(), &Actor::CommandLine, form).await.unwrap().state
}

#[tokio::test]
async fn a_refund_leaves_its_calls_with_the_traces_that_toss_asks_for() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_calls_1", 10_000).await;
    shop.paid("ord_calls_2", 10_000).await;
    assert_eq!(give_back(&shop, &refund("ord_calls_1", "4000")).await, State::Succeeded);

    let rows = calls(&shop, of_order("ord_calls_1")).await;
    let asked: Vec<&str> = rows.iter().map(|row| row.path.as_str()).collect();
    // Also those that name the payment only.
    assert!([CONFIRM, PAYMENT, CANCEL].iter().all(|path| asked.contains(path)), "{asked:?}");
    for row in &rows {
        assert_eq!(
            (row.outcome, row.status, row.failure.as_deref()),
            (Outcome::Ok, Some(200), None),
            "{row:?}"
        );
        assert_eq!(
            (row.payment_key.as_deref(), row.is_other_version),
            (Some(key.as_str()), false),
            "{row:?}"
        );
        assert!(row.trace_id.is_some(), "{row:?}");
        assert_eq!(row.version.as_deref(), Some(toss_calls::VERSION));
    }
    let cancel = rows.iter().find(|row| row.path == CANCEL).unwrap();
    assert_eq!(cancel.method, "POST");

    // Toss's support names a trace.
    let trace = Filter { trace_id: cancel.trace_id.clone(), ..Filter::default() };
    let found = calls(&shop, trace).await;
    assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [cancel.id]);
    let opened = toss_calls::get(shop.backoffice(), cancel.id).await.unwrap().unwrap();
    let request = opened.request.unwrap();
    assert_eq!(request["cancelAmount"], 4000);
    assert_eq!(request.get("cancelReason"), None, "people write into it");
    let answer = opened.answer.unwrap();
    assert_eq!((&answer["status"], &answer["balanceAmount"]), (&json!("PARTIAL_CANCELED"), &json!(6000)));
    assert_eq!((&answer["paymentKey"], answer.get("orderName")), (&json!(key), None));

    // A refusal has Toss's code; what the same key is answered again has both traces.
    let key = toss::payments::PaymentKey(key);
    let request = toss::payments::CancelRequest {
        cancel_reason: "고객 변심".into(),
        cancel_amount: Some(99_999.into()),
        ..Default::default()
    };
    for _ in 0..2 {
        shop.backoffice().toss.cancel(&key, &request, "the same key").await.unwrap_err();
    }
    let code = Filter { code: Some("NOT_CANCELABLE_AMOUNT".to_owned()), ..Filter::default() };
    let refused = calls(&shop, code).await;
    assert_eq!(refused.len(), 2);
    assert!(refused.iter().all(|row| row.outcome == Outcome::Refused && row.status == Some(403)));
    assert_eq!((&refused[0].first_trace_id, &refused[1].first_trace_id), (&refused[1].trace_id, &None));
    let both = Filter { trace_id: refused[1].trace_id.clone(), ..Filter::default() };
    assert_eq!(calls(&shop, both).await.len(), 2);
}

#[tokio::test]
async fn a_mini_app_s_calls_say_how_they_ended() {
    let shop = Shop::open().await;
    let token = shop.paid_by_toss_pay("tp-calls-1", 10_000, json!({})).await;
    let rows = calls(&shop, of_order("tp-calls-1")).await;
    let asked: Vec<&str> = rows.iter().map(|row| row.path.trim_start_matches(toss_calls::PREFIX)).collect();
    for path in ["/pay/make-payment", "/pay/execute-payment"] {
        assert!(asked.contains(&path), "{asked:?}");
    }
    let executed = rows.iter().find(|row| row.path.ends_with("/pay/execute-payment")).unwrap();
    assert_eq!((executed.outcome, executed.payment_key.as_deref()), (Outcome::Ok, Some(token.as_str())));
    // Its envelope decides, whatever HTTP says.
    let apps = &shop.backoffice().apps_in_toss.as_ref().unwrap().client;
    let nobody = toss::apps_in_toss::PayToken::from("nobody");
    apps.payment_status(toss::apps_in_toss::UserKey(1), Some(&nobody), None).await.unwrap_err();
    let refused = Filter { outcome: Some(Outcome::Refused), ..Filter::default() };
    let rows = calls(&shop, refused).await;
    let row = rows.iter().find(|row| row.payment_key.as_deref() == Some("nobody")).unwrap();
    assert_eq!((row.result_type.as_deref(), row.code.is_some()), (Some("FAIL"), true), "{row:?}");
}

#[tokio::test]
async fn no_answer_leaves_a_row_that_says_why() {
    let shop = Shop::open().await;
    let key = toss::payments::PaymentKey(shop.paid("ord_calls_silent", 10_000).await);
    for kind in ["lose_before", "garbage"] {
        shop.fault(json!({ "on": "payment", "kind": kind })).await;
        shop.backoffice().toss.payment(&key).await.unwrap_err();
    }
    let silent = Filter { outcome: Some(Outcome::NoAnswer), ..of_order("ord_calls_silent") };
    let rows = calls(&shop, silent).await;
    let failures: Vec<_> = rows.iter().map(|row| row.failure.as_deref().unwrap()).collect();
    assert_eq!(failures, ["unreadable", "broke_off"]);
    assert!(rows.iter().all(|row| row.why.as_ref().is_some_and(|why| !why.is_empty())), "{rows:?}");

    // Nobody is there at all.
    let dark = Shop::open_with(&[("TOSS_PAYMENTS_URL", "http://127.0.0.1:9")]).await;
    dark.backoffice().toss.payment(&key).await.unwrap_err();
    let rows = calls(&dark, of_path(PAYMENT)).await;
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(
        (row.outcome, row.failure.as_deref(), row.status),
        (Outcome::NoAnswer, Some("no_connection"), None)
    );
}

#[tokio::test]
async fn nothing_of_anybody_and_no_secret_stands_in_a_row() {
    const NAME: &str = "MarkedBuyerZQ";
    const HOLDER: &str = "MarkedHolderZQ";
    const PHONE: &str = "01077316482";
    const MAIL: &str = "marked.zq@example.com";
    const ACCOUNT: &str = "9031775524081";
    let shop = Shop::open().await;
    let order = json!({ "orderId": "ord_calls_own", "amount": 50_000, "orderName": NAME, "customerName": NAME,
        "customerMobilePhone": PHONE, "customerEmail": MAIL });
    assert_eq!(shop.api("orders", &order).await.0, 201);
    let opening = json!({ "orderId": "ord_calls_own", "orderName": NAME, "amount": 50_000 });
    let key = shop.control("payments", &opening).await["paymentKey"].as_str().unwrap().to_owned();
    let choice = json!({ "method": "가상계좌", "customerName": HOLDER, "customerMobilePhone": PHONE });
    shop.control(&format!("payments/{key}/authenticate"), &choice).await;
    assert_eq!(shop.confirm("ord_calls_own", &key, 50_000).await.0, 200);
    shop.control(&format!("payments/{key}/deposit"), &Value::Null).await;
    shop.eventually("deposited", || async { shop.status_of("ord_calls_own").await == "DONE" }).await;
    let form = Form {
        bank: "20".into(),
        account_number: ACCOUNT.into(),
        holder_name: HOLDER.into(),
        reason: format!("{NAME} {PHONE}"),
        ..refund("ord_calls_own", "4000")
    };
    assert_eq!(give_back(&shop, &form).await, State::Succeeded);
    let receipt = toss::payments::CashReceiptRequest {
        amount: 1000.into(),
        order_id: "ord_calls_own".into(),
        order_name: NAME.into(),
        customer_identity_number: PHONE.into(),
        kind: "소득공제".into(),
        tax_free_amount: None,
    };
    drop(shop.backoffice().toss.issue_cash_receipt(&receipt, "receipt").await);
    let billing =
        toss::payments::BillingIssueRequest { auth_key: "marked-auth".into(), customer_key: MAIL.into() };
    drop(shop.backoffice().toss.issue_billing_key(&billing, "billing").await);
    drop(shop.backoffice().toss.delete_billing_key("marked-billing-key").await);
    // A member that says something else than it is for.
    let odd = json!({ "on": "payment", "kind": "spoilt", "times": 1, "about": key,
        "set": { "/status": PHONE, "/orderId": NAME, "/method": NAME, "/failure": { "code": PHONE, "message": NAME } } });
    shop.fault(odd).await;
    drop(shop.backoffice().toss.payment(&toss::payments::PaymentKey(key.clone())).await);
    // The mini-app: a log-in with its tokens and its profile.
    let user = shop.user().await;
    let code = shop.control(&format!("apps-in-toss/users/{user}/authorize"), &json!({})).await;
    let login = json!({ "authorizationCode": code["authorizationCode"], "referrer": "sandbox" });
    let (status, tokens) = shop.api("login", &login).await;
    assert_eq!(status, 200, "{tokens}");

    let all = calls(&shop, Filter::default()).await;
    for path in [CANCEL, "/v1/cash-receipts", "/v1/billing/{billingKey}", "/v1/billing/authorizations/issue"]
    {
        assert!(all.iter().any(|row| row.path == path), "{path} left no row");
    }
    assert!(all.iter().any(|row| row.path.ends_with("/login-me")));
    let secret = shop.sandbox.with_books(|books| books.record(&key).unwrap().payment.secret.clone()).unwrap();
    let mut marks = [NAME, HOLDER, PHONE, MAIL, ACCOUNT, "김하준", "marked-auth", "marked-billing-key"]
        .map(str::to_owned)
        .to_vec();
    marks.extend([secret.0, PUBLIC_TEST_KEYS[0].to_owned(), user.to_string()]);
    for secret in [&code["authorizationCode"], &tokens["accessToken"], &tokens["refreshToken"]] {
        marks.push(secret.as_str().unwrap().to_owned());
    }
    let rows: Vec<String> = sqlx::query_scalar("select c::text from toss_calls c")
        .fetch_all(&shop.backoffice().pool)
        .await
        .unwrap();
    assert!(rows.len() >= all.len() && rows.iter().any(|row| row.contains("PARTIAL_CANCELED")), "{rows:?}");
    for mark in &marks {
        let row = rows.iter().find(|row| row.contains(mark.as_str()));
        assert_eq!(row, None, "{mark} is kept");
    }
}

#[tokio::test]
async fn the_pages_show_calls_to_whoever_may_see_orders() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_calls_page", 10_000).await;
    shop.paid("ord_calls_other", 10_000).await;
    assert_eq!(give_back(&shop, &refund("ord_calls_page", "4000")).await, State::Succeeded);
    let cancel = calls(&shop, of_path(CANCEL)).await.remove(0);
    let agent = shop.log_in(Role::Support).await;
    let page = async |path: &str| shop.page(path, Some(&agent.cookie)).await;

    let (status, order) = page("/orders/ord_calls_page").await;
    assert_eq!(status, 200);
    assert!(order.contains("href=\"/toss-calls?order=ord_calls_page\""), "{order}");
    let (status, list) = page("/toss-calls?order=ord_calls_page").await;
    assert_eq!(status, 200);
    assert!(list.contains(CANCEL) && list.contains("ord_calls_page") && !list.contains("ord_calls_other"));
    let trace = cancel.trace_id.clone().unwrap();
    let (_, one) = page(&format!("/toss-calls?trace={trace}&outcome=ok&api=toss_payments")).await;
    assert!(one.contains(&format!("/toss-calls/{}\"", cancel.id)), "{one}");
    let (_, none) = page(&format!("/toss-calls?trace={trace}&outcome=refused")).await;
    assert!(none.contains("맞는 호출이 없어요"), "{none}");

    let detail = format!("/toss-calls/{}", cancel.id);
    let (status, html) = page(&detail).await;
    assert_eq!(status, 200);
    for shown in [trace.as_str(), &key, "PARTIAL_CANCELED", "cancelAmount", CANCEL] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    for missing in ["/toss-calls/x", "/toss-calls/0", "/toss-calls/99999999999999999999"] {
        assert_eq!(page(missing).await.0, 404, "{missing}");
    }
    // Whoever may not see orders sees no call about one.
    let (other, _) = shop.log_in_as(Role::Viewer, &[Permission::ViewAudit]).await;
    for path in ["/toss-calls", &detail] {
        assert_eq!(shop.page(path, Some(&other.cookie)).await.0, 403, "{path}");
        assert_eq!(shop.page(path, None).await.0, 303, "{path}");
    }
}

#[tokio::test]
async fn pages_of_calls_neither_lose_nor_repeat_one() {
    let shop = Shop::open().await;
    let key = toss::payments::PaymentKey(shop.paid("ord_calls_many", 10_000).await);
    for _ in 0..12 {
        shop.backoffice().toss.payment(&key).await.unwrap();
    }
    // Nothing comes in between.
    shop.quiet().await;
    let filter = of_order("ord_calls_many");
    let all: Vec<i64> = calls(&shop, filter.clone()).await.iter().map(|row| row.id).collect();
    assert!(all.len() > 12 && all.is_sorted_by(|a, b| a > b), "{all:?}");
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = toss_calls::list(shop.backoffice(), &filter, cursor.as_ref(), 5).await.unwrap();
        seen.extend(page.rows.iter().map(|row| row.id));
        cursor = page.older;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn calls_are_kept_for_thirty_days() {
    let shop = Shop::open().await;
    shop.paid("ord_calls_old", 10_000).await;
    // What Toss posts meanwhile is asked about on the day to which the clock is turned.
    let confirms = async || calls(&shop, of_path(CONFIRM)).await.len();
    assert_eq!(confirms().await, 1);
    let backoffice = shop.backoffice();
    backoffice.clock.set_offset(time::Duration::days(29));
    destroy(backoffice).await.unwrap();
    assert_eq!(confirms().await, 1);
    backoffice.clock.set_offset(time::Duration::days(31));
    destroy(backoffice).await.unwrap();
    assert_eq!(confirms().await, 0);
    let runs = backoffice::retention::list(backoffice).await.unwrap();
    let run = runs.iter().find(|run| run.class == Class::TossCalls).unwrap();
    assert!(run.total > 0, "{run:?}");
    let rows = backoffice::audit::of_subject(&backoffice.pool, "retention", "toss_calls").await.unwrap();
    assert_eq!(rows.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["retention.destroyed"]);
}

#[tokio::test]
async fn another_version_of_the_api_is_noticed_with_when_it_came() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_calls_version", 10_000).await;
    shop.jangbu.write_down_calls().await;
    let viewer = shop.log_in(Role::Viewer).await;
    let settings = async || shop.page("/settings", Some(&viewer.cookie)).await.1;
    assert!(!settings().await.contains("다른 API 버전"));
    let other = json!({ "on": "payment", "kind": "spoilt", "times": 1, "about": key, "set": { "/version": "2024-06-01" } });
    shop.fault(other).await;
    shop.backoffice().toss.payment(&toss::payments::PaymentKey(key)).await.unwrap();
    let rows = calls(&shop, of_order("ord_calls_version")).await;
    assert_eq!(rows.iter().filter(|row| row.is_other_version).count(), 1);
    let seen = toss_calls::other_version(shop.backoffice()).await.unwrap().unwrap();
    assert_eq!(seen.version, "2024-06-01");
    let html = settings().await;
    assert!(html.contains("다른 API 버전(2024-06-01)") && html.contains(toss_calls::VERSION), "{html}");
    // The day of the change outlives the calls.
    sqlx::query("delete from toss_calls").execute(&shop.backoffice().pool).await.unwrap();
    assert_eq!(toss_calls::other_version(shop.backoffice()).await.unwrap(), Some(seen));
}

#[tokio::test]
async fn errors_are_rehearsed_with_a_code_that_stands_in_the_settings() {
    let shop = Shop::open_with(&[("JANGBU_TOSS_TEST_CODE", "REJECT_CARD_COMPANY")]).await;
    let key = shop.authenticated("ord_calls_rehearsed", 10_000, json!({ "method": "카드" })).await;
    let (status, said) = shop.confirm("ord_calls_rehearsed", &key, 10_000).await;
    assert_eq!(
        (status >= 400, said["code"].as_str()),
        (true, Some("REJECT_CARD_COMPANY")),
        "{status} {said}"
    );
    let row = calls(&shop, of_path(CONFIRM)).await.remove(0);
    assert_eq!((row.outcome, row.code.as_deref()), (Outcome::Refused, Some("REJECT_CARD_COMPANY")));
    let viewer = shop.log_in(Role::Viewer).await;
    let (_, html) = shop.page("/settings", Some(&viewer.cookie)).await;
    assert!(html.contains("REJECT_CARD_COMPANY") && html.contains("JANGBU_TOSS_TEST_CODE"), "{html}");
}

#[tokio::test]
async fn toss_is_asked_in_korean() {
    let heard: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let keep = Arc::clone(&heard);
    let toss = Router::new().fallback(async move |headers: HeaderMap| {
        keep.lock().unwrap().push(headers);
        (
            StatusCode::NOT_FOUND,
            Json(json!({ "code": "NOT_FOUND_PAYMENT", "message": "존재하지 않는 결제 정보 입니다." })),
        )
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, toss).await.unwrap() });
    let shop = Shop::open_with(&[("TOSS_PAYMENTS_URL", &url)]).await;
    let nobody = toss::payments::PaymentKey::from("nobody");
    assert!(shop.backoffice().toss.payment(&nobody).await.unwrap_err().is_not_found());
    let heard = heard.lock().unwrap();
    assert!(!heard.is_empty());
    for headers in heard.iter() {
        assert_eq!(headers.get(header::ACCEPT_LANGUAGE).map(|v| v.to_str().unwrap()), Some("ko"));
        assert_eq!(headers.get("tosspayments-test-code"), None);
    }
}
