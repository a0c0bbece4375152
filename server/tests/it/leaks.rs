//! What Toss sends may carry a payment's secret, a phone number, an account. None of it reaches a log, an error, a job, an
//! audit row or a page, however its answers are broken.

use std::{collections::BTreeSet, sync::LazyLock};

use backoffice::{refunds::Form, staff::Role};
use serde_json::{Value, json};

use crate::{
    log::LOG,
    support::{Shop, refund},
};

/// Everything this process logs. The sandbox shares the process, and may say what it likes.
const NAME: &str = "MarkedBuyerZQ";
const PHONE: &str = "01077316482";
const ACCOUNT: &str = "9031775524081";
const HOLDER: &str = "MarkedHolderZQ";
const MAIL: &str = "marked.zq@example.com";
const FREE_TEXT: &str = "marked free text of Toss";

/// Where these may rest: what Toss said as it said it, and what a form has to carry to Toss.
const RESTS: &[(&str, &str)] = &[
    ("payments", "secret"),
    ("payments", "raw"),
    ("payments", "refund_receive_account"),
    ("source_rows", "raw"),
    ("event_snapshots", "body"),
    ("webhook_deliveries", "body"),
    ("orders", "customer_name"),
    ("orders", "customer_mobile_phone"),
    ("orders", "customer_email"),
    ("refunds", "refund_account"),
];

/// The columns outside of [`RESTS`] in which one of the marks stands, and how many columns were looked at.
async fn columns_with(shop: &Shop, marks: &[String]) -> (BTreeSet<String>, usize) {
    let pool = &shop.backoffice().pool;
    let columns: Vec<(String, String, String, String)> = sqlx::query_as(
        "select c.table_schema::text, c.table_name::text, c.column_name::text, c.data_type::text
         from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
         where c.table_schema in ('jangbu', 'graphile_worker') and t.table_type = 'BASE TABLE'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let patterns: Vec<String> = marks.iter().map(|mark| format!("%{mark}%")).collect();
    let mut found = BTreeSet::new();
    for (schema, table, column, kind) in &columns {
        // Deliveries are kept by month; a month is named after its table.
        let name = table.split("_p20").next().unwrap_or(table);
        if RESTS.iter().any(|(t, c)| (name == *t || table.starts_with(t)) && c == column) {
            continue;
        }
        let text = if kind == "bytea" {
            format!("encode(\"{column}\", 'escape')")
        } else {
            format!("\"{column}\"::text")
        };
        let query = format!("select count(*) from {schema}.\"{table}\" where {text} like any($1)");
        let count: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(&patterns).fetch_one(pool).await.unwrap();
        if count > 0 {
            found.insert(format!("{table}.{column}"));
        }
    }
    (found, columns.len())
}

async fn count(shop: &Shop, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&shop.backoffice().pool).await.unwrap()
}

/// An answer, broken: a text instead of an object, half of it, another type, a page of a gateway, free text as an error.
fn breakages() -> Vec<Value> {
    let error = |status: u16, body: &str| json!({ "status": status, "body": body });
    vec![
        json!({ "body": "{quoted}" }),
        json!({ "body": "[{answer}]" }),
        json!({ "body": "{half}" }),
        json!({ "body": "<html>{answer}</html>" }),
        error(502, "<html>{answer}</html>"),
        error(500, "{quoted}"),
        json!({ "set": { "/totalAmount": NAME, "/amount": NAME, "/success/amount": NAME } }),
        json!({ "set": { "/approvedAt": PHONE, "/transactionAt": PHONE, "/success/approvalTime": PHONE } }),
        json!({ "set": { "/status": PHONE, "/success/payStatus": PHONE, "/success": PHONE } }),
        json!({ "set": { "/orderId": NAME, "/success/orderNo": NAME, "/success/orderId": NAME } }),
        json!({ "set": { "/paymentKey": ACCOUNT, "/success/payToken": ACCOUNT, "/success/key": ACCOUNT } }),
        // More left than there was: PostgreSQL refuses the row, and quotes it.
        json!({ "set": { "/balanceAmount": 99_000_000, "/success/amount": -5 } }),
        json!({ "set": { "/cancels": [{ "cancelReason": NAME }], "/failure": { "code": PHONE, "message": FREE_TEXT } } }),
        error(400, "{\"code\":\"INVALID_REQUEST\",\"message\":{quoted}}"),
        error(400, "{\"code\":{quoted},\"message\":\"marked free text of Toss\"}"),
        error(400, "{\"error\":{quoted}}"),
        json!({ "body": "{\"resultType\":{quoted},\"error\":{\"reason\":\"marked free text of Toss\"}}" }),
        json!({ "body": "{\"resultType\":\"FAIL\",\"error\":{\"errorCode\":{quoted},\"reason\":{quoted}}}" }),
    ]
}

async fn spoil(shop: &Shop, on: &str, about: &str, breakage: &Value, times: u32) {
    let mut fault = breakage.clone();
    fault["on"] = json!(on);
    fault["kind"] = json!("spoilt");
    fault["times"] = json!(times);
    fault["about"] = json!(about);
    shop.fault(fault).await;
}

async fn forget_faults(shop: &Shop) {
    shop.http.delete(format!("{}/_sandbox/faults", shop.sandbox_url)).send().await.unwrap();
}

/// Lets every planned job run now, again and again.
async fn hurry(shop: &Shop) {
    for _ in 0..8 {
        sqlx::query("update graphile_worker._private_jobs set run_at = now() where run_at > now() and locked_at is null")
            .execute(&shop.backoffice().pool)
            .await
            .unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_broken_answer_is_kept_where_it_cannot_be_removed() {
    LazyLock::force(&LOG);
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let mut marks: Vec<String> = [NAME, PHONE, ACCOUNT, HOLDER, MAIL, FREE_TEXT].map(str::to_owned).to_vec();
    let mut said: Vec<String> = Vec::new();
    let (mut errors_of_jobs, mut errors_of_refunds) = (0, 0);

    for (n, breakage) in breakages().iter().enumerate() {
        // An account that was paid into, and a card.
        for method in ["가상계좌", "카드"] {
            let order = format!("ord_leak_{n}_{}", if method == "카드" { "c" } else { "v" });
            // The buyer of the account is its holder: nobody has to approve it.
            let name = if method == "가상계좌" { HOLDER } else { NAME };
            let choice = json!({ "method": method, "customerName": name, "customerMobilePhone": PHONE });
            let key = shop.paid_by(&order, 50_000, choice).await;
            if method == "가상계좌" {
                shop.control(&format!("payments/{key}/deposit"), &json!(null)).await;
                shop.eventually("deposited", || async { shop.status_of(&order).await == "DONE" }).await;
            }
            let secret = shop.sandbox.with_books(|books| books.record(&key).unwrap().payment.secret.clone());
            marks.extend(secret.map(|secret| secret.0));
            spoil(&shop, "cancel", &key, breakage, 40).await;
            spoil(&shop, "payment", &key, breakage, 40).await;
            let form = Form {
                bank: "20".into(),
                account_number: ACCOUNT.into(),
                holder_name: HOLDER.into(),
                ..refund(&order, "4000")
            };
            let outcome = backoffice::refunds::request(shop.backoffice(), &agent.actor(), &form).await;
            said.push(format!("{outcome:?}"));
            shop.form("look_up", Some(&agent.cookie), &[("order_id", &order)]).await;
        }
        // A confirm, and the mini-app.
        let order = format!("ord_leak_{n}_w");
        let choice = json!({ "customerName": NAME, "customerMobilePhone": PHONE });
        let key = shop.authenticated(&order, 9_000, choice).await;
        spoil(&shop, "confirm", &key, breakage, 40).await;
        // Asked by its order, a payment tells us its key: there is none to hold it against.
        if breakage.pointer("/set/~1paymentKey").is_none() {
            spoil(&shop, "order", &order, breakage, 40).await;
        }
        said.push(shop.confirm(&order, &key, 9_000).await.1.to_string());
        let user = shop.user().await;
        let code = shop.control(&format!("apps-in-toss/users/{user}/authorize"), &json!({})).await;
        for on in ["generate-token", "login-me"] {
            spoil(&shop, on, "", breakage, 2).await;
            let login = json!({ "authorizationCode": code["authorizationCode"], "referrer": "sandbox" });
            said.push(shop.api("login", &login).await.1.to_string());
        }
        let order_no = format!("tp-leak-{n}");
        let token = shop.toss_pay(&order_no, 10_000, json!({})).await;
        spoil(&shop, "execute-payment", "", breakage, 1).await;
        spoil(&shop, "get-payment-status", "", breakage, 20).await;
        said.push(shop.execute(&order_no, &token).await.1.to_string());
        let bought =
            shop.control("apps-in-toss/orders", &json!({ "userKey": user, "platform": "ANDROID" })).await;
        spoil(&shop, "get-order-status", "", breakage, 20).await;
        let iap = json!({ "orderId": bought["orderId"], "userKey": user });
        said.push(shop.api("iap/orders", &iap).await.1.to_string());
        // Lists.
        for on in ["transactions", "settlements"] {
            spoil(&shop, on, "", breakage, 1).await;
        }
        let today = shop.backoffice().clock.today();
        let now = shop.backoffice().clock.now();
        let read = backoffice::transactions::sync(
            shop.backoffice(),
            &agent.actor(),
            now - time::Duration::hours(1),
            now,
        )
        .await;
        said.push(format!("{:?}", read.err()));
        said.push(format!(
            "{:?}",
            backoffice::settlements::sync(shop.backoffice(), &agent.actor(), today).await.err()
        ));
        hurry(&shop).await;
        // What failed is still there to be read.
        errors_of_jobs +=
            count(&shop, "select count(*) from graphile_worker._private_jobs where last_error is not null")
                .await;
        errors_of_refunds +=
            count(&shop, "select count(*) from refunds where error_message <> '' or error_code is not null")
                .await;
        let (found, _) = columns_with(&shop, &marks).await;
        assert!(found.is_empty(), "{breakage}: {found:?}");
        forget_faults(&shop).await;
    }
    assert!(
        errors_of_jobs > 5 && errors_of_refunds > 5,
        "nothing failed: {errors_of_jobs}, {errors_of_refunds}"
    );

    // Deliveries that are no object, or say more than Toss documents.
    let body = json!({ "eventType": "PAYMENT_STATUS_CHANGED", "data": { "paymentKey": "k", "orderId": "o",
        "status": "DONE", "secret": "ps_marked_secret_zq", "customerMobilePhone": PHONE, "tomorrow": FREE_TEXT } });
    marks.push("ps_marked_secret_zq".to_owned());
    let text = body.to_string();
    for body in [
        text.clone(),
        Value::from(text.as_str()).to_string(),
        json!({ "eventType": "PAYMENT_STATUS_CHANGED", "data": text }).to_string(),
        text.chars().take(text.len() / 2).collect(),
        format!("<html>{text}</html>"),
        json!({ "eventType": FREE_TEXT, "createdAt": PHONE, "data": { "status": PHONE } }).to_string(),
    ] {
        assert_eq!(shop.hook(&[("x-marked", MAIL), ("cookie", MAIL)], body).await, 200);
    }
    hurry(&shop).await;
    let (found, looked_at) = columns_with(&shop, &marks).await;
    // The headers of a delivery are kept as they were, and shown masked.
    let kept: BTreeSet<String> = found.into_iter().filter(|c| !c.ends_with(".headers")).collect();
    assert!(kept.is_empty(), "{kept:?}");
    assert!(looked_at > 200, "{looked_at} columns");

    let admin = shop.log_in(Role::Admin).await;
    let mut pages: Vec<String> =
        ["/", "/orders", "/refunds", "/webhooks", "/audit", "/iap", "/users", "/transactions", "/toss-calls"]
            .map(str::to_owned)
            .to_vec();
    let orders: Vec<String> =
        sqlx::query_scalar("select order_id from orders").fetch_all(&shop.backoffice().pool).await.unwrap();
    pages.extend(orders.iter().map(|order| app::routes::order(order)));
    let deliveries = shop.deliveries(&backoffice::webhooks::Filter::default()).await;
    pages.extend(deliveries.iter().map(|delivery| app::routes::webhook(&delivery.id)));
    for path in pages {
        let (_, html) = shop.page(&path, Some(&admin.cookie)).await;
        for mark in &marks {
            assert!(!html.contains(mark), "{mark} stands on {path}");
        }
    }
    let log = LOG.text();
    assert!(log.contains("toss") && log.len() > 10_000, "the log was read");
    for mark in &marks {
        let line = log.lines().find(|line| line.contains(mark.as_str()));
        assert_eq!(line, None, "{mark} stands in the log");
        for answer in &said {
            assert!(!answer.contains(mark), "{mark} was answered: {answer}");
        }
    }
    // Where it may rest it does: these marks could be found.
    let rests = count(&shop, "select count(*) from payments where raw::text like '%MarkedHolderZQ%'").await;
    assert!(rests > 5, "{rests}");
}
