//! Pages as a browser without JavaScript sees them.

use backoffice::{
    orders::Filter,
    page::{Cursor, Direction},
    staff::Role,
};
use serde_json::json;

use crate::support::Shop;

#[tokio::test]
async fn an_order_is_found_by_whatever_the_buyer_gives() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_found_1", 10_000).await;
    shop.paid("ord_other_1", 10_000).await;
    let transaction = backoffice::transactions::of_order(shop.backoffice(), "ord_found_1").await.unwrap()[0]
        .transaction_key
        .clone();
    for q in ["ord_found_1", "ord_found", &key, &transaction] {
        let found = backoffice::orders::search(shop.backoffice(), q, 10).await.unwrap();
        assert_eq!(found.iter().map(|o| o.order_id.as_str()).collect::<Vec<_>>(), ["ord_found_1"], "{q}");
    }
    assert_eq!(backoffice::orders::search(shop.backoffice(), "김하", 10).await.unwrap().len(), 2);
    for q in ["%", "_", "' or 1=1 --", "ord_found_1\\"] {
        assert!(backoffice::orders::search(shop.backoffice(), q, 10).await.unwrap().is_empty(), "{q}");
    }
    let agent = shop.log_in(Role::Support).await;
    let response = shop.http.get(format!("{}/orders?q={key}", shop.url)).header("cookie", &agent.cookie);
    let response = response.header("accept", "text/html").send().await.unwrap();
    assert_eq!(response.headers()["location"], "/orders/ord_found_1", "one exact hit is opened");
}

#[tokio::test]
async fn damaged_addresses_get_words_and_never_a_500() {
    let shop = Shop::open().await;
    shop.paid("ord_words_1", 10_000).await;
    let admin = shop.log_in(Role::Admin).await;
    for path in ["/orders", "/transactions", "/refunds", "/webhooks", "/toss-calls", "/events", "/audit"] {
        for at in ["x", "o", "oabc_x", "o99999999999999999999_x", "n-1_", "%00", "o1_%00"] {
            let (status, html) = shop.page(&format!("{path}?at={at}"), Some(&admin.cookie)).await;
            assert!(status == 400 || status == 200 && at.contains("%00"), "{path}?at={at}: {status}");
            assert!(status == 200 || html.contains("페이지 값을 읽을 수 없어요"));
        }
        let (status, _) = shop
            .page(
                &format!("{path}?q=%00&status=%27%22&from=yesterday&min=1e9&max=%F0%9F%99%82"),
                Some(&admin.cookie),
            )
            .await;
        assert_eq!(status, 200, "{path}");
    }
    let long = "x".repeat(10_000);
    for id in ["'\"", "a%0Ab", "%F0%9F%99%82", "a%2fb", &long, "%00"] {
        let (status, html) = shop.page(&format!("/orders/{id}"), Some(&admin.cookie)).await;
        assert_eq!(status, 404, "{id:.20}");
        assert!(html.contains("없는 "));
    }
    for id in ["x", "evt_", "00000000-0000-0000-0000-000000000000", "%00"] {
        for path in ["/events", "/events/endpoints"] {
            assert_eq!(shop.page(&format!("{path}/{id}"), Some(&admin.cookie)).await.0, 404, "{path}/{id}");
        }
    }
    for id in ["x", "-1", "99999999999999999999", "0"] {
        assert_eq!(shop.page(&format!("/webhooks/{id}"), Some(&admin.cookie)).await.0, 404, "{id}");
    }
}

#[tokio::test]
async fn pages_of_a_list_neither_lose_nor_repeat_a_row() {
    let shop = Shop::open().await;
    for n in 0..23 {
        let order = json!({ "orderId": format!("ord_page_{n:02}"), "amount": 1_000, "orderName": "책" });
        assert_eq!(shop.api("orders", &order).await.0, 201);
    }
    let filter = Filter::default();
    let (mut seen, mut cursor): (Vec<String>, Option<Cursor>) = (Vec::new(), None);
    loop {
        let page = backoffice::orders::list(shop.backoffice(), &filter, cursor.as_ref(), 5).await.unwrap();
        if let Some(cursor) = &cursor {
            let back = page.newer.clone().unwrap();
            assert_eq!(back.direction, Direction::Newer);
            let before = backoffice::orders::list(shop.backoffice(), &filter, Some(&back), 5).await.unwrap();
            assert_eq!(before.rows.last().map(|o| &o.order_id), seen.last(), "{cursor:?}");
        }
        seen.extend(page.rows.into_iter().map(|o| o.order_id));
        match page.older {
            Some(older) => cursor = Some(older),
            None => break,
        }
    }
    let expected: Vec<String> = (0..23).rev().map(|n| format!("ord_page_{n:02}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn personal_data_and_secrets_are_masked_on_every_page() {
    let shop = Shop::open().await;
    let key =
        shop.paid_by("ord_masked", 50_000, json!({ "method": "가상계좌", "customerName": "남궁태희" })).await;
    shop.control(&format!("payments/{key}/deposit"), &json!(null)).await;
    shop.eventually("deposited", || async { shop.status_of("ord_masked").await == "DONE" }).await;
    shop.eventually("handled", || async {
        !backoffice::webhooks::any_waiting(shop.backoffice()).await.unwrap()
    })
    .await;
    let secret = backoffice::payments::get(shop.backoffice(), &key).await.unwrap().unwrap().secret.unwrap();
    let admin = shop.log_in(Role::Admin).await;
    let newest =
        backoffice::webhooks::list(shop.backoffice(), &Default::default(), None, 9).await.unwrap().rows;
    let mut pages = vec![
        "/orders".to_owned(),
        "/orders/ord_masked".to_owned(),
        "/audit".to_owned(),
        "/webhooks".to_owned(),
    ];
    pages.extend(newest.iter().map(|d| format!("/webhooks/{}", d.id)));
    for path in pages {
        let (status, html) = shop.page(&path, Some(&admin.cookie)).await;
        assert_eq!(status, 200);
        for personal in ["남궁태희", "김하준", &secret] {
            assert!(!html.contains(personal), "{personal} is on {path}");
        }
    }
}

#[tokio::test]
async fn every_answer_carries_the_closed_policy() {
    let shop = Shop::open().await;
    let response = shop.http.get(format!("{}/login", shop.url)).send().await.unwrap();
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe-inline"), "{policy}");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let html = response.text().await.unwrap();
    let scripts: Vec<&str> = html.split("<script").skip(1).collect();
    assert!(!scripts.is_empty() && scripts.iter().all(|s| s.contains(&nonce)), "a script without the nonce");
    assert!(!html.contains(" style=") && !html.contains("<style"));
}

#[tokio::test]
async fn both_languages_are_whole() {
    let shop = Shop::open().await;
    shop.paid("ord_lang_1", 10_000).await;
    let admin = shop.log_in(Role::Admin).await;
    for path in [
        "/",
        "/orders",
        "/orders/ord_lang_1",
        "/transactions",
        "/refunds",
        "/webhooks",
        "/events",
        "/events/endpoints",
        "/staff",
        "/staff/roles",
        "/staff/rights",
        "/audit",
        "/settings",
    ] {
        let cookie = format!("{}; jangbu_lang=en", admin.cookie);
        let (_, html) = shop.page(path, Some(&cookie)).await;
        assert!(html.contains("<html lang=\"en\""));
        let text: String =
            html.split('<').filter_map(|piece| piece.split_once('>')).map(|(_, text)| text).collect();
        let text = ["장부", "한국어", "머그컵 세트", " 사람", "신한"]
            .iter()
            .fold(text, |t, known| t.replace(known, ""));
        let korean: String = text.chars().filter(|c| ('가'..='힣').contains(c)).collect();
        // What people and Toss wrote stays as it is: a masked name, a reason.
        assert!(korean.chars().count() <= 8, "{path}: {korean}");
    }
}
