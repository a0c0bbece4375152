//! What stands between strangers and the shop: headers, figures that are nobody's business, and who asks too often.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::Router;
use reqwest::{Response, header::HeaderMap};
use serde_json::{Value, json};
use server::{
    Jangbu,
    quota::{Door, Quotas},
    settings::{Settings, Source},
};
use toss::payments::webhook::SOURCE_ADDRESSES;

use crate::{
    edge_listener::{Served, patient},
    support::{AUDIT_KEY, DATA_KEY, MERCHANT_KEY, Shop, database},
};

const TOKEN: &str = "a-token-of-the-tests-that-is-long";

/// A shop with real money, which no test sells in.
async fn live(more: &[(&str, &str)]) -> Jangbu {
    let given = [
        ("JANGBU_MODE", "live"),
        ("JANGBU_PUBLIC_URL", "https://shop.example"),
        ("JANGBU_DATA_KEY", DATA_KEY),
        ("JANGBU_AUDIT_KEY", AUDIT_KEY),
        ("JANGBU_TRUSTED_PROXIES", "none"),
        ("TOSS_PAYMENTS_SECRET_KEY", "live_sk_of_no_shop"),
    ];
    let values = given.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings = Settings::read(&Source(values.collect::<BTreeMap<_, _>>())).unwrap();
    Jangbu::start(settings, &database().await).await.unwrap()
}

async fn serve(router: Router) -> Served {
    Served::start(router, &[], patient()).await
}

async fn get(served: &Served, path: &str) -> Response {
    reqwest::get(format!("{}{path}", served.url)).await.unwrap()
}

fn told<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_answer_of_ours_closes_what_it_does_not_need() {
    let served = serve(live(&[]).await.router()).await;
    for path in ["/login", "/orders/none", "/pkg/none.js", "/health/live", "/metrics", "/api/v1/openapi.json"]
    {
        let headers = get(&served, path).await.headers().clone();
        assert_eq!(told(&headers, "strict-transport-security"), "max-age=63072000", "{path}");
        assert_eq!(told(&headers, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(told(&headers, "cross-origin-resource-policy"), "same-origin", "{path}");
        let policy = told(&headers, "content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!told(&headers, "referrer-policy").is_empty(), "{path}");
    }
    let page = get(&served, "/login").await.headers().clone();
    assert_eq!(told(&page, "cross-origin-opener-policy"), "same-origin");
    assert_eq!(told(&page, "x-frame-options"), "DENY");
    let permissions = told(&page, "permissions-policy");
    for allowed in
        ["publickey-credentials-get=(self)", "publickey-credentials-create=(self)", "clipboard-write=(self)"]
    {
        assert!(permissions.contains(allowed), "{permissions}");
    }
    assert_eq!(permissions.matches("=(self)").count(), 3, "{permissions}");
    assert!(permissions.contains("camera=()") && permissions.contains("payment=()"), "{permissions}");
}

#[tokio::test]
async fn a_host_keeps_its_own_headers_and_a_rehearsal_without_tls_promises_none() {
    let shop = Shop::open_at("/back/office").await;
    let host = shop.url.trim_end_matches("/back/office");
    for path in ["/host", "/nowhere"] {
        let theirs = reqwest::get(format!("{host}{path}")).await.unwrap().headers().clone();
        for ours in ["x-content-type-options", "content-security-policy", "cross-origin-resource-policy"] {
            assert!(!theirs.contains_key(ours), "{path}: {ours}");
        }
    }
    let ours = reqwest::get(format!("{}/login", shop.url)).await.unwrap().headers().clone();
    assert_eq!(told(&ours, "cross-origin-opener-policy"), "same-origin");
    assert!(!ours.contains_key("strict-transport-security"));
}

#[tokio::test]
async fn a_live_shop_tells_its_figures_to_nobody_unless_told_whom() {
    let jangbu = live(&[]).await;
    let served = serve(jangbu.router()).await;
    assert_eq!(get(&served, "/metrics").await.status(), 404);
    for path in ["/health/live", "/health/ready"] {
        let said = get(&served, path).await;
        assert_eq!((said.status().as_u16(), said.text().await.unwrap().as_str()), (200, "ok"));
    }
    let own = serve(jangbu.health_router()).await;
    let said = get(&own, "/metrics").await;
    assert_eq!(said.status(), 200);
    assert!(said.text().await.unwrap().contains("jangbu_waiting"));

    // When the database is gone, strangers hear one word.
    jangbu.backoffice.pool.close().await;
    let until_noticed = async |served: &Served| loop {
        let said = get(served, "/health/ready").await;
        if said.status() == 503 {
            return said.text().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(until_noticed(&served).await, "unavailable");
    assert_eq!(until_noticed(&own).await, "the database does not answer");
    assert_eq!(get(&served, "/health/live").await.status(), 200, "the process lives");
}

#[tokio::test]
async fn a_token_opens_the_figures_and_a_listener_of_their_own_closes_them_elsewhere() {
    let served = serve(live(&[("JANGBU_METRICS_TOKEN", TOKEN)]).await.router()).await;
    let ask = async |token: &str| {
        let request = reqwest::Client::new().get(format!("{}/metrics", served.url));
        request.header("authorization", format!("Bearer {token}")).send().await.unwrap()
    };
    assert_eq!(ask(TOKEN).await.status(), 200);
    for wrong in ["", "another", &TOKEN[1..]] {
        let said = ask(wrong).await;
        assert_eq!((said.status().as_u16(), told(said.headers(), "www-authenticate")), (401, "Bearer"));
    }
    assert_eq!(get(&served, "/metrics").await.status(), 401);
    assert_eq!(get(&served, "/health/ready").await.text().await.unwrap(), "ok");

    let shop = Shop::open_with(&[("JANGBU_METRICS_ADDR", "127.0.0.1:9")]).await;
    assert_eq!(shop.page("/metrics", None).await.0, 404);
    let shop = Shop::open().await;
    assert_eq!(shop.page("/metrics", None).await.0, 200, "a rehearsal shows what it has");
}

/// A rehearsal behind a proxy, at whose doors everybody may come twice.
async fn strict() -> (Shop, Served) {
    let shop = Shop::open_with(&[("JANGBU_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let door = |name| Door::new(name, Duration::from_secs(3600), 2);
    let quotas = Quotas {
        api: door("api"),
        hooks: door("hooks"),
        search: door("search"),
        entry: door("entry"),
        ..Quotas::default()
    };
    let mut jangbu = shop.jangbu.clone();
    jangbu.quotas = Arc::new(quotas);
    let served = serve(jangbu.router()).await;
    (shop, served)
}

async fn post(served: &Served, path: &str, ip: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let mut request = reqwest::Client::new().post(format!("{}{path}", served.url)).body(body.to_owned());
    if !ip.is_empty() {
        request = request.header("x-forwarded-for", ip);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// The third time is one too many, for that address and nobody else.
async fn refused(served: &Served, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    for _ in 0..2 {
        let said = post(served, path, "203.0.113.7", headers, body).await;
        assert_ne!(said.status(), 429, "{path}");
    }
    let third = post(served, path, "203.0.113.7", headers, body).await;
    assert_eq!(third.status(), 429, "{path}");
    let wait: u64 = told(third.headers(), "retry-after").parse().unwrap();
    assert!((1..=3600).contains(&wait), "{path}: {wait}");
    assert_ne!(post(served, path, "203.0.113.8", headers, body).await.status(), 429, "{path}");
    for _ in 0..4 {
        assert_ne!(
            post(served, path, "", headers, body).await.status(),
            429,
            "{path}: this machine rehearses"
        );
    }
    third
}

#[tokio::test]
async fn a_program_that_asks_too_often_hears_when_to_come_back() {
    let (_shop, served) = strict().await;
    let order = json!({ "orderId": "ord_often", "amount": 1_000, "orderName": "책" }).to_string();
    let key = format!("Bearer {MERCHANT_KEY}");
    let headers = [("authorization", key.as_str()), ("accept-language", "en")];
    let third = refused(&served, "/api/v1/orders", &headers, &order).await;
    let said: Value = third.json().await.unwrap();
    assert_eq!(said["code"], "TOO_MANY_REQUESTS");
    assert_eq!(said["message"], "Too many requests. Try again in a moment.");
    // Also before anybody has shown a key: nobody tries keys without end.
    let without = post(&served, "/api/v1/orders", "203.0.113.7", &[], &order).await;
    assert_eq!(without.status(), 429);
}

#[tokio::test]
async fn toss_may_post_as_much_as_it_has_to_and_strangers_may_not() {
    let (shop, served) = strict().await;
    refused(&served, "/hooks/toss-payments", &[], "{}").await;
    for _ in 0..4 {
        let of_toss = post(&served, "/hooks/toss-payments", SOURCE_ADDRESSES[0], &[], "{}").await;
        assert_eq!(of_toss.status(), 200);
    }
    // Two of a stranger, one of another, four of this machine, four of Toss.
    assert_eq!(shop.deliveries(&Default::default()).await.len(), 11);
}

#[tokio::test]
async fn people_who_ask_too_often_read_a_sentence() {
    let (_shop, served) = strict().await;
    let form = [
        ("accept", "text/html"),
        ("accept-language", "ko"),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let third = refused(&served, "/fn/log_in", &form, "email=a%40b.kr&password=guess").await;
    assert_eq!(told(third.headers(), "x-frame-options"), "DENY", "a page like every other");
    let page = third.text().await.unwrap();
    assert!(page.contains("<h1>요청이 너무 많아요."), "{page}");
    // The invitation is the same door.
    let fields = "token=x&password=y";
    assert_eq!(post(&served, "/fn/accept_invitation", "203.0.113.7", &form, fields).await.status(), 429);

    let island = [("sec-fetch-site", "same-origin"), ("content-type", "application/json")];
    let third = refused(&served, "/fn/find", &island, "{\"q\":\"x\"}").await;
    let said: Value = third.json().await.unwrap();
    assert_eq!(said["kind"], "invalid");
}
