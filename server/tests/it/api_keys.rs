//! Keys of the merchant's own servers: what each opens, how it ends, what it may do by itself, and what was called with it.

use backoffice::{
    Actor,
    api_keys::{self, Change, Filter, Invalid, KeyError, Limits, Scope, Which},
    leaving, refunds,
    staff::{Permission, Role},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use crate::support::{MERCHANT_KEY, Person, Shop};

const CLI: Actor = Actor::CommandLine;

fn change(name: &str, scopes: &[Scope]) -> Change {
    Change { name: name.into(), scopes: scopes.to_vec(), ..Change::default() }
}

async fn add(shop: &Shop, new: &Change) -> (Uuid, SecretString) {
    api_keys::add(shop.backoffice(), &CLI, new).await.unwrap()
}

/// A call with a key: its status and what was answered.
async fn get(shop: &Shop, secret: &SecretString, path: &str) -> (u16, Value) {
    let url = format!("{}/api/v1/{path}", shop.url);
    let response = shop.http.get(url).bearer_auth(secret.expose_secret()).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
}

async fn post(
    shop: &Shop,
    secret: &SecretString,
    path: &str,
    idempotency: &str,
    body: Value,
) -> (u16, Value) {
    let url = format!("{}/api/v1/{path}", shop.url);
    let request =
        shop.http.post(url).bearer_auth(secret.expose_secret()).header("Idempotency-Key", idempotency);
    let response = request.json(&body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
}

fn code((_, said): &(u16, Value)) -> &str {
    said["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_key_opens_what_its_scopes_say_and_nothing_else() {
    let shop = Shop::open().await;
    let (_, reads) = add(&shop, &change("통계", &[Scope::OrdersRead, Scope::EventsRead])).await;
    assert!(reads.expose_secret().starts_with("jangbu_"));
    shop.paid("ord_scoped", 10_000).await;
    assert_eq!(get(&shop, &reads, "orders/ord_scoped").await.0, 200);
    assert_eq!(get(&shop, &reads, "orders").await.1["orders"][0]["orderId"], "ord_scoped");
    assert_eq!(get(&shop, &reads, "events").await.0, 200);
    for path in ["transactions", "refunds", "iap/orders", "users", "promotions/P/grants"] {
        let said = get(&shop, &reads, path).await;
        assert_eq!((said.0, code(&said)), (403, "MISSING_SCOPE"), "{path}");
    }
    let said = post(&shop, &reads, "orders/ord_scoped/refunds", "k", json!({ "cancelReason": "변심" })).await;
    assert_eq!((said.0, code(&said)), (403, "MISSING_SCOPE"));
    assert!(said.1["message"].as_str().unwrap().contains("refunds:write"));
    assert!(said.1["documentationUrl"].as_str().unwrap().ends_with("/api/v1/errors#MISSING_SCOPE"));
    // A call of another method at the same address asks for another scope.
    let new = json!({ "orderId": "ord_scoped_2", "amount": 1000, "orderName": "책" });
    assert_eq!(post(&shop, &reads, "orders", "k", new).await.0, 403);
    // The key of the settings opens everything.
    let first = SecretString::from(MERCHANT_KEY);
    assert_eq!(get(&shop, &first, "transactions").await.0, 200);
    // A beginning of a key, or its hash, is no key.
    for wrong in [&reads.expose_secret()[..20], "jangbu_", ""] {
        assert_eq!(get(&shop, &SecretString::from(wrong), "orders").await.0, 401);
    }
}

#[tokio::test]
async fn a_key_is_changed_over_within_a_day_and_ends_when_it_is_taken_back_or_expires() {
    let shop = Shop::open().await;
    let clock = &shop.backoffice().clock;
    let (id, first) = add(&shop, &change("주문 서버", &[Scope::OrdersRead])).await;
    let second = api_keys::rotate(shop.backoffice(), &CLI, id).await.unwrap();
    for secret in [&first, &second] {
        assert_eq!(get(&shop, secret, "orders").await.0, 200, "both work");
    }
    assert_eq!(api_keys::get(shop.backoffice(), id).await.unwrap().unwrap().secrets.len(), 2);
    // Replaced once more, the first one is over: two at once, never three.
    let third = api_keys::rotate(shop.backoffice(), &CLI, id).await.unwrap();
    assert_eq!(get(&shop, &first, "orders").await.0, 401);
    assert_eq!(get(&shop, &second, "orders").await.0, 200);
    clock.set_offset(Duration::hours(25));
    assert_eq!(get(&shop, &second, "orders").await.0, 401);
    assert_eq!(get(&shop, &third, "orders").await.0, 200);
    leaving::revoke_api_key(shop.backoffice(), &CLI, id).await.unwrap();
    assert_eq!(get(&shop, &third, "orders").await.0, 401, "from this moment on");
    assert!(matches!(api_keys::rotate(shop.backoffice(), &CLI, id).await, Err(KeyError::NotFound)));

    let ends = Change { days: Some(30), ..change("잠깐", &[Scope::OrdersRead]) };
    let (_, secret) = add(&shop, &ends).await;
    assert_eq!(get(&shop, &secret, "orders").await.0, 200);
    clock.set_offset(Duration::days(32));
    let said = get(&shop, &secret, "orders").await;
    assert_eq!((said.0, code(&said)), (401, "API_KEY_EXPIRED"));
    // Only hashes are kept.
    let dump: Vec<String> = sqlx::query_scalar("select row_to_json(s)::text from api_key_secrets s")
        .fetch_all(&shop.owner().await)
        .await
        .unwrap();
    assert!(!dump.is_empty() && !dump.iter().any(|row| row.contains(&secret.expose_secret()[7..])));
}

#[tokio::test]
async fn nobody_gives_a_key_more_than_they_may_do_themselves() {
    let shop = Shop::open().await;
    shop.limit("support", "100000", "300000").await;
    let (person, _) = shop
        .log_in_as(Role::Support, &[Permission::ViewTrade, Permission::Refund, Permission::ManageApiKeys])
        .await;
    let actor = person.actor();
    let try_it = async |new: &Change| api_keys::add(shop.backoffice(), &actor, new).await.map(drop);
    let refused = |outcome: Result<(), KeyError>| match outcome {
        Err(KeyError::Invalid(invalid)) => invalid,
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(
        refused(try_it(&change("지급", &[Scope::PromotionsWrite])).await),
        Invalid::Scope(Scope::PromotionsWrite)
    );
    assert_eq!(
        refused(try_it(&change("거래", &[Scope::TransactionsRead])).await),
        Invalid::Scope(Scope::TransactionsRead)
    );
    let with = |one: i64, day: i64| Change {
        limits: Limits { one_refund: Some(one.into()), per_day: Some(day.into()), grants_per_day: None },
        ..change("환불", &[Scope::RefundsWrite])
    };
    assert_eq!(
        refused(try_it(&change("환불", &[Scope::RefundsWrite])).await),
        Invalid::Limit { which: Which::OneRefund, own: 100_000.into() },
        "no limit is above every limit"
    );
    assert_eq!(
        refused(try_it(&with(100_001, 300_000)).await),
        Invalid::Limit { which: Which::OneRefund, own: 100_000.into() }
    );
    assert_eq!(
        refused(try_it(&with(100_000, 300_001)).await),
        Invalid::Limit { which: Which::PerDay, own: 300_000.into() }
    );
    try_it(&with(100_000, 300_000)).await.unwrap();
    // Ten keys are not ten days.
    let more = Change { name: "환불 2".into(), ..with(100_000, 1) };
    assert_eq!(refused(try_it(&more).await), Invalid::Limit { which: Which::PerDay, own: 0.into() });
    let nothing = Change { name: "환불".into(), ..with(1, 0) };
    assert_eq!(refused(try_it(&nothing).await), Invalid::NameTaken);
    // Nor do they see a new secret of a key that can do more.
    let (strong, _) = add(&shop, &change("전부", &Scope::ALL)).await;
    assert!(matches!(
        api_keys::rotate(shop.backoffice(), &actor, strong).await,
        Err(KeyError::Invalid(Invalid::Scope(_)))
    ));
    // The permission alone opens the pages.
    let admin = shop.log_in(Role::Admin).await;
    for (role, status) in [(Role::Viewer, 403), (Role::Support, 403), (Role::Finance, 403)] {
        let other = shop.log_in(role).await;
        assert_eq!(shop.page("/api-keys", Some(&other.cookie)).await.0, status, "{role:?}");
    }
    assert_eq!(shop.page("/api-keys", Some(&admin.cookie)).await.0, 200);
}

#[tokio::test]
async fn refunds_by_a_key_are_the_same_intents_with_limits_of_its_own_and_a_second_person() {
    let shop = Shop::open().await;
    let limits =
        Limits { one_refund: Some(30_000.into()), per_day: Some(40_000.into()), grants_per_day: None };
    let new = Change { limits, ..change("환불 서버", &[Scope::RefundsWrite, Scope::RefundsRead]) };
    let (id, secret) = add(&shop, &new).await;
    let key = shop.paid("ord_by_key", 90_000).await;
    let part = json!({ "cancelAmount": 20_000, "cancelReason": "단순 변심", "reasonCode": "changed_mind" });
    let path = "orders/ord_by_key/refunds";
    let first = post(&shop, &secret, path, "return-1", part.clone()).await;
    assert_eq!(
        (first.0, &first.1["state"], &first.1["cancelAmount"]),
        (201, &json!("succeeded"), &json!(20_000))
    );
    let again = post(&shop, &secret, path, "return-1", part.clone()).await;
    assert_eq!((again.0, &again.1["refundId"]), (200, &first.1["refundId"]));
    assert_eq!(shop.cancels_at_toss(&key).len(), 1, "sent again, it is the same refund");
    let other =
        post(&shop, &secret, path, "return-1", json!({ "cancelAmount": 1, "cancelReason": "단순 변심" }))
            .await;
    assert_eq!((other.0, code(&other)), (422, "IDEMPOTENCY_KEY_REUSED"));
    let without =
        shop.http.post(format!("{}/api/v1/{path}", shop.url)).bearer_auth(secret.expose_secret()).json(&part);
    let without = without.send().await.unwrap();
    assert_eq!(without.status(), 400);
    assert_eq!(without.json::<Value>().await.unwrap()["code"], "IDEMPOTENCY_KEY_REQUIRED");

    // Above what it may refund at once, and above its day.
    let waits =
        post(&shop, &secret, path, "return-2", json!({ "cancelAmount": 30_001, "cancelReason": "하자" }))
            .await;
    assert_eq!((waits.0, &waits.1["state"]), (202, &json!("waiting_for_approval")));
    let open =
        post(&shop, &secret, path, "return-3", json!({ "cancelAmount": 1_000, "cancelReason": "하자" }))
            .await;
    assert_eq!((open.0, code(&open)), (409, "REFUND_IN_PROGRESS"));
    let finance = shop.log_in(Role::Finance).await;
    let refund: Uuid = waits.1["refundId"].as_str().unwrap().parse().unwrap();
    refunds::approve(shop.backoffice(), &finance.actor(), refund).await.unwrap();
    let now = get(&shop, &secret, &format!("refunds/{refund}")).await;
    assert_eq!((now.0, &now.1["state"]), (200, &json!("succeeded")));
    let day =
        post(&shop, &secret, path, "return-4", json!({ "cancelAmount": 20_001, "cancelReason": "하자" }))
            .await;
    assert_eq!(&day.1["state"], "waiting_for_approval", "20,000 before and 20,001 are above its day");
    let listed = get(&shop, &secret, "refunds?orderId=ord_by_key").await.1;
    assert_eq!(listed["refunds"].as_array().unwrap().len(), 3);

    // What was meant by a key stays what it is: another reason, another amount, all instead of a part.
    for changed in [
        json!({ "cancelAmount": 20_000, "cancelReason": "단순 변심", "reasonCode": "defect" }),
        json!({ "cancelReason": "단순 변심", "reasonCode": "changed_mind" }),
    ] {
        let said = post(&shop, &secret, path, "return-1", changed.clone()).await;
        assert_eq!((said.0, code(&said)), (422, "IDEMPOTENCY_KEY_REUSED"), "{changed}");
    }
    let card = json!({ "cancelAmount": 1, "cancelReason": "카드 4111 1111 1111 1111 오류" });
    assert_eq!(post(&shop, &secret, path, "return-5", card).await.0, 400);
    // A key that is taken back asks for nothing any more, either.
    leaving::revoke_api_key(shop.backoffice(), &CLI, id).await.unwrap();
    let waited: Uuid = day.1["refundId"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        refunds::get(shop.backoffice(), waited).await.unwrap().unwrap().state,
        refunds::State::Declined
    );

    // The log says which key it was, and from where.
    let story = backoffice::audit::of_subject(&shop.backoffice().pool, "order", "ord_by_key").await.unwrap();
    let asked: Vec<_> = story.iter().filter(|row| row.action == "refund.requested").collect();
    assert!(
        asked.iter().all(|row| row.actor == format!("api-key:{id}") && row.actor_name == "환불 서버"),
        "{asked:?}"
    );
    let (_, page) = shop.page("/orders/ord_by_key", Some(&finance.cookie)).await;
    assert!(page.contains("환불 서버 (API 키)"));
}

#[tokio::test]
async fn all_that_is_left_goes_back_once_and_refusals_say_why() {
    let shop = Shop::open().await;
    let (_, secret) = add(&shop, &change("환불 서버", &[Scope::RefundsWrite])).await;
    let key = shop.paid("ord_rest", 15_000).await;
    let path = "orders/ord_rest/refunds";
    let all = json!({ "cancelReason": "품절" });
    let at_once = (0..6).map(|_| post(&shop, &secret, path, "all", all.clone()));
    let at_once = futures::future::join_all(at_once).await;
    assert!(at_once.iter().all(|said| [200, 201, 202].contains(&said.0)), "{at_once:?}");
    assert!(at_once.iter().all(|said| said.1["refundId"] == at_once[0].1["refundId"]), "{at_once:?}");
    shop.eventually("it is back", || async { shop.cancels_at_toss(&key).len() == 1 }).await;
    let again = post(&shop, &secret, path, "all", all.clone()).await;
    assert_eq!(
        (again.0, &again.1["cancelAmount"]),
        (200, &json!(15_000)),
        "asked again when nothing is left"
    );
    let more = post(&shop, &secret, path, "more", all.clone()).await;
    assert_eq!((more.0, code(&more)), (403, "NOT_CANCELABLE_PAYMENT"));
    assert!(more.1["message"].as_str().unwrap().contains("nothing_left"));
    shop.paid("ord_bad_forms", 15_000).await;
    for (body, status, word) in [
        (json!({ "cancelReason": "" }), 400, "INVALID_REQUEST"),
        (json!({ "cancelReason": "변심", "reasonCode": "because" }), 400, "INVALID_REQUEST"),
        (json!({ "cancelReason": "변심", "cancelAmount": -1 }), 400, "INVALID_REQUEST"),
        (json!({ "cancelReason": "변심", "cancelAmount": "1,000" }), 400, "INVALID_REQUEST"),
        (json!({}), 400, "INVALID_REQUEST"),
    ] {
        let said = post(&shop, &secret, "orders/ord_bad_forms/refunds", "bad", body.clone()).await;
        assert_eq!((said.0, code(&said)), (status, word), "{body}");
    }
    let said = post(&shop, &secret, "orders/ord_unheard/refunds", "bad", all.clone()).await;
    assert_eq!((said.0, code(&said)), (404, "NOT_FOUND_ORDER"));
    // What Toss refuses is refused in Toss's words, now and asked again.
    shop.paid("ord_refused", 15_000).await;
    shop.fault(json!({ "on": "cancel", "kind": "error", "code": "NOT_CANCELABLE_PAYMENT" })).await;
    for _ in 0..2 {
        let said = post(&shop, &secret, "orders/ord_refused/refunds", "refused", all.clone()).await;
        assert_eq!((said.0, code(&said)), (403, "NOT_CANCELABLE_PAYMENT"));
    }
    // An answer that is lost is found out: not sent twice, and never under another key.
    let lost = shop.paid("ord_lost", 15_000).await;
    shop.fault(json!({ "on": "cancel", "kind": "lose_after" })).await;
    let said = post(&shop, &secret, "orders/ord_lost/refunds", "lost", all.clone()).await;
    assert_eq!((said.0, &said.1["state"]), (202, &json!("unknown")));
    shop.eventually("its outcome is known", || async {
        post(&shop, &secret, "orders/ord_lost/refunds", "lost", all.clone()).await.1["state"] == "succeeded"
    })
    .await;
    assert_eq!(shop.cancels_at_toss(&lost).len(), 1);
}

#[tokio::test]
async fn a_key_that_calls_too_often_waits_and_nobody_else_does() {
    let shop = Shop::open().await;
    let slow = Change { per_minute: Some(3), ..change("느린 서버", &[Scope::OrdersRead]) };
    let (_, slow) = add(&shop, &slow).await;
    let (_, other) = add(&shop, &change("다른 서버", &[Scope::OrdersRead])).await;
    for _ in 0..3 {
        assert_eq!(get(&shop, &slow, "orders").await.0, 200);
    }
    let url = format!("{}/api/v1/orders", shop.url);
    let response = shop.http.get(&url).bearer_auth(slow.expose_secret()).send().await.unwrap();
    assert_eq!(response.status(), 429);
    let wait: u32 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "TOO_MANY_REQUESTS");
    assert_eq!(get(&shop, &other, "orders").await.0, 200);
}

#[tokio::test]
async fn every_call_is_in_the_log_without_anything_that_was_in_it() {
    let shop = Shop::open().await;
    let (id, secret) = add(&shop, &change("주문 서버", &[Scope::OrdersWrite, Scope::OrdersRead])).await;
    let order = json!({ "orderId": "ord_logged_1", "amount": 1000, "orderName": "아주 비밀스러운 책", "customerName": "김하준",
                        "customerMobilePhone": "01098765432" });
    let url = format!("{}/api/v1/orders", shop.url);
    let request =
        shop.http.post(&url).bearer_auth(secret.expose_secret()).header("x-request-id", "req-of-the-shop-1");
    assert_eq!(request.json(&order).send().await.unwrap().status(), 201);
    assert_eq!(get(&shop, &secret, "orders?userKey=of-somebody").await.0, 200);
    assert_eq!(get(&shop, &secret, "orders/ord_nobody").await.0, 404);
    assert_eq!(get(&shop, &secret, "transactions").await.0, 403);
    assert_eq!(get(&shop, &SecretString::from("jangbu_wrong"), "orders").await.0, 401);
    let rows =
        || async { api_keys::requests(shop.backoffice(), &Filter::default(), None, 50).await.unwrap().rows };
    shop.eventually("all are written", || async { rows().await.len() == 5 }).await;
    let mut rows = rows().await;
    rows.sort_by_key(|row| row.id);
    let said: Vec<_> = rows
        .iter()
        .map(|row| (row.method.as_str(), row.route.as_str(), row.status, row.code.as_deref()))
        .collect();
    assert_eq!(
        said,
        [
            ("POST", "/api/v1/orders", 201, None),
            ("GET", "/api/v1/orders", 200, None),
            ("GET", "/api/v1/orders/{orderId}", 404, Some("NOT_FOUND_ORDER")),
            ("GET", "/api/v1/transactions", 403, Some("MISSING_SCOPE")),
            ("GET", "/api/v1/orders", 401, Some("UNAUTHORIZED")),
        ]
    );
    assert_eq!((rows[0].key_id, rows[0].request_id.as_str()), (Some(id), "req-of-the-shop-1"));
    assert!(
        rows[..4].iter().all(|row| row.key_name.as_deref() == Some("주문 서버"))
            && rows[4].key_name.is_none()
    );
    let dump: Vec<String> = sqlx::query_scalar("select row_to_json(r)::text from api_requests r")
        .fetch_all(&shop.owner().await)
        .await
        .unwrap();
    for secret in ["비밀", "김하준", "01098765432", "of-somebody", "ord_nobody", secret.expose_secret()]
    {
        assert!(!dump.iter().any(|row| row.contains(secret)), "{secret}");
    }
    let admin = shop.log_in(Role::Admin).await;
    let (_, page) = shop.page(&format!("/api-keys/requests?key={id}&refused=1"), Some(&admin.cookie)).await;
    assert!(
        page.contains("MISSING_SCOPE") && page.contains("NOT_FOUND_ORDER") && !page.contains("UNAUTHORIZED")
    );
    let (_, page) = shop.page("/api-keys/requests?request=req-of-the-shop-1", Some(&admin.cookie)).await;
    assert!(page.contains("req-of-the-shop-1") && !page.contains("MISSING_SCOPE"));
}

fn location(response: &reqwest::Response) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_administrator_makes_changes_and_revokes_a_key_by_forms() {
    let shop = Shop::open().await;
    let admin: Person = shop.log_in(Role::Admin).await;
    let cookie = Some(admin.cookie.as_str());
    for (field, value, sentence) in [
        ("name", " ", "이름은 1~60자로 입력하세요"),
        ("days", "0", "1일부터 3,650일까지 입력하세요"),
        ("days", "4000", "1일부터 3,650일까지 입력하세요"),
        ("per_minute", "70000", "1번부터 60,000번까지 입력하세요"),
        ("scopes[]", "orders:paint", "할 수 있는 일을 하나 이상 고르세요"),
    ] {
        let mut fields = vec![("name", "주문 서버"), ("scopes[]", "orders:read")];
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let response = shop.form("add_api_key", cookie, &fields).await;
        assert_eq!(location(&response), "/api-keys#new", "{field}");
        let (_, html) = shop.page("/api-keys", cookie).await;
        assert!(html.contains(sentence), "{field}: {sentence}");
    }
    let fields = [
        ("name", "주문 서버"),
        ("scopes[]", "orders:read"),
        ("scopes[]", "refunds:write"),
        ("one_refund", "50,000"),
        ("per_day", "0"),
    ];
    let page = location(&shop.form("add_api_key", cookie, &fields).await);
    let (_, first) = shop.page(&page, cookie).await;
    let shown = first.split("<code>jangbu_").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
    let secret = SecretString::from(format!("jangbu_{shown}"));
    let (_, second) = shop.page(&page, cookie).await;
    assert!(!second.contains("jangbu_") && second.contains("한 번에 50,000원 · 하루 환불 0원"), "shown once");
    assert_eq!(get(&shop, &secret, "orders").await.0, 200);
    let id = page.rsplit('/').next().unwrap();
    let fields = [("id", id), ("name", "통계 서버"), ("scopes[]", "events:read")];
    shop.form("change_api_key", cookie, &fields).await;
    assert_eq!(get(&shop, &secret, "orders").await.0, 403, "narrowed from now on");
    assert_eq!(get(&shop, &secret, "events").await.0, 200);
    shop.form("rotate_api_key", cookie, &[("id", id)]).await;
    let (_, rotated) = shop.page(&page, cookie).await;
    assert!(rotated.contains("<code>jangbu_") && rotated.contains("까지 함께 사용"));
    shop.form("revoke_api_key", cookie, &[("id", id)]).await;
    assert_eq!(get(&shop, &secret, "events").await.0, 401);
    let (_, html) = shop.page(&page, cookie).await;
    assert!(html.contains("폐기됨") && !html.contains("/fn/change_api_key"));
    for action in ["added", "changed", "secret_rotated", "revoked"] {
        let (_, log) = shop.page(&format!("/audit?action=api_key.{action}"), cookie).await;
        assert!(log.contains(&page), "{action}");
    }
}

#[tokio::test]
async fn grants_messages_users_and_store_orders_are_there_as_well() {
    let shop = Shop::open().await;
    let (_, secret) = add(&shop, &change("미니앱 서버", &Scope::ALL)).await;
    let user = shop.user().await;
    let none =
        post(&shop, &secret, "promotions/NONE/grants", "g-0", json!({ "userKey": user, "event": "첫 구매" }))
            .await;
    assert_eq!((none.0, code(&none)), (404, "NOT_FOUND_PROMOTION"));
    let finance = shop.log_in(Role::Finance).await;
    shop.control("apps-in-toss/promotions", &json!({ "promotionCode": "FIRST" })).await;
    let campaign = backoffice::promotions::NewCampaign {
        promotion_code: "FIRST".into(),
        name: "첫 구매 포인트".into(),
        amount: "1000".into(),
        user_cap: "1500".into(),
        budget: "100000".into(),
        starts_on: "2020-01-01".into(),
        ends_on: "2199-12-30".into(),
        approval_above: String::new(),
    };
    backoffice::promotions::campaigns::add(shop.backoffice(), &finance.actor(), &campaign)
        .await
        .unwrap()
        .unwrap();
    let grant = json!({ "userKey": user, "event": "첫 구매" });
    let early = post(&shop, &secret, "promotions/FIRST/grants", "g-1", grant.clone()).await;
    assert_eq!((early.0, code(&early)), (409, "PROMOTION_NOT_OPEN"), "nobody has approved the campaign");
    let second = shop.log_in(Role::Admin).await;
    backoffice::promotions::campaigns::approve(shop.backoffice(), &second.actor(), "FIRST").await.unwrap();
    let first = post(&shop, &secret, "promotions/FIRST/grants", "g-1", grant.clone()).await;
    assert_eq!((first.0, &first.1["amount"]), (201, &json!(1000)), "{first:?}");
    let again = post(&shop, &secret, "promotions/FIRST/grants", "g-1", grant.clone()).await;
    assert_eq!((again.0, &again.1["grantId"]), (200, &first.1["grantId"]));
    let twice = post(&shop, &secret, "promotions/FIRST/grants", "g-2", grant).await;
    assert_eq!((twice.0, code(&twice)), (409, "ALREADY_GRANTED"), "once for each user and event");
    let above =
        post(&shop, &secret, "promotions/FIRST/grants", "g-3", json!({ "userKey": user, "event": "재구매" }))
            .await;
    assert_eq!((above.0, code(&above)), (409, "USER_CAP_EXCEEDED"));
    assert_eq!(shop.sandbox.with_mini_app(|app| app.promotion("FIRST").unwrap().paid_out), 1000);
    let listed = get(&shop, &secret, "promotions/FIRST/grants").await.1;
    assert_eq!(listed["grants"].as_array().unwrap().len(), 1);
    let grant = first.1["grantId"].as_str().unwrap();
    assert_eq!(get(&shop, &secret, &format!("grants/{grant}")).await.1["state"], "succeeded");

    let said =
        post(&shop, &secret, "messages", "m-1", json!({ "templateCode": "none", "userKey": user })).await;
    assert_eq!((said.0, code(&said)), (404, "NOT_FOUND_TEMPLATE"));
    assert_eq!(get(&shop, &secret, "users/1").await.0, 404);
    assert_eq!(get(&shop, &secret, "users").await.1["users"], json!([]));
    let unlinked = post(&shop, &secret, &format!("users/{user}/unlink"), "u-1", json!({})).await;
    assert_eq!((unlinked.0, &unlinked.1["userKey"]), (200, &json!(user)));
    assert_eq!(get(&shop, &secret, &format!("users/{user}")).await.1["unlinkReferrer"], "PARTNER");
    assert_eq!(get(&shop, &secret, "iap/orders").await.1["orders"], json!([]));
    assert_eq!(get(&shop, &secret, &format!("iap/orders/{}", Uuid::new_v4())).await.0, 404);
}

#[tokio::test]
async fn lists_are_read_page_by_page_to_their_end() {
    let shop = Shop::open().await;
    let first = SecretString::from(MERCHANT_KEY);
    for n in 0..7 {
        shop.paid(&format!("ord_page_{n}"), 1_000 + n).await;
    }
    let mut seen = Vec::new();
    let mut path = "orders?limit=3&status=DONE".to_owned();
    loop {
        let (status, page) = get(&shop, &first, &path).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(page["orders"].as_array().unwrap().iter().map(|order| order["orderId"].to_string()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("orders?limit=3&status=DONE&cursor={next}");
    }
    assert_eq!(seen.len(), 7);
    seen.dedup();
    assert_eq!(seen.len(), 7);
    shop.quiet().await;
    assert_eq!(get(&shop, &first, "transactions?of=ord_page_3").await.1["transactions"][0]["amount"], 1_003);
    for path in [
        "orders?limit=0",
        "orders?limit=101",
        "orders?cursor=x",
        "orders?from=yesterday",
        "orders?limit=-1",
        "refunds?state=gone",
        "refunds?from=2026-13-01",
        "transactions?outgoing=maybe",
        "users?cursor=%00",
    ] {
        let said = get(&shop, &first, path).await;
        assert_eq!((said.0, code(&said)), (400, "INVALID_REQUEST"), "{path}");
    }
}

#[tokio::test]
async fn why_an_attempt_came_to_nothing_is_written_down_once() {
    let shop = Shop::open().await;
    let first = SecretString::from(MERCHANT_KEY);
    let order = json!({ "orderId": "ord_closed_1", "amount": 1000, "orderName": "책" });
    assert_eq!(shop.api("orders", &order).await.0, 201);
    let closed = json!({ "code": "PAY_PROCESS_CANCELED", "message": "사용자가 결제를 취소하였습니다" });
    for _ in 0..2 {
        assert_eq!(post(&shop, &first, "orders/ord_closed_1/failures", "", closed.clone()).await.0, 204);
    }
    assert_eq!(post(&shop, &first, "orders/ord_unheard/failures", "", closed).await.0, 404);
    let wrong = json!({ "code": "<script>" });
    assert_eq!(post(&shop, &first, "orders/ord_closed_1/failures", "", wrong).await.0, 400);
    assert_eq!(shop.status_of("ord_closed_1").await, "READY", "Toss alone says how it stands");
    let admin = shop.log_in(Role::Admin).await;
    let (_, page) = shop.page("/orders/ord_closed_1", Some(&admin.cookie)).await;
    assert_eq!(page.matches("결제창에서 실패 PAY_PROCESS_CANCELED").count(), 1);
}

#[tokio::test]
async fn the_document_names_every_call_and_every_code_has_its_explanation() {
    let shop = Shop::open().await;
    let document = shop.http.get(format!("{}/api/v1/openapi.json", shop.url)).send().await.unwrap();
    let document: Value = document.json().await.unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 20, "{}", paths.len());
    for (path, calls) in paths {
        for (method, call) in calls.as_object().unwrap() {
            assert!(call["security"][0]["merchantKey"][0].is_string(), "{method} {path} names no scope");
            for status in ["401", "403", "429", "500"] {
                assert!(call["responses"][status].is_object(), "{method} {path} {status}");
            }
            // It is a call: without a key it is closed, and not missing.
            let url = format!("{}{}", shop.url, path.replace(['{', '}'], ""));
            let answer = shop.http.request(method.to_uppercase().parse().unwrap(), url).send().await.unwrap();
            assert_eq!(answer.status(), 401, "{method} {path}");
        }
    }
    let page =
        shop.http.get(format!("{}/api/v1/errors", shop.url)).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("id=\"MISSING_SCOPE\"") && page.contains("id=\"IDEMPOTENCY_KEY_REUSED\""));
    assert_eq!(document["webhooks"].as_object().unwrap().len(), backoffice::events::Kind::ALL.len());
}

#[tokio::test]
async fn whoever_has_seen_a_key_is_not_the_second_person_for_what_it_asks() {
    let shop = Shop::open().await;
    let (maker, rotator, other) =
        (shop.log_in(Role::Admin).await, shop.log_in(Role::Admin).await, shop.log_in(Role::Finance).await);
    for role in ["admin", "finance"] {
        shop.limit(role, "none", "none").await;
    }
    let limits = Limits { one_refund: Some(0.into()), ..Limits::default() };
    let new = Change { limits, ..change("환불 서버", &[Scope::RefundsWrite]) };
    let (id, _) = api_keys::add(shop.backoffice(), &maker.actor(), &new).await.unwrap();
    let secret = api_keys::rotate(shop.backoffice(), &rotator.actor(), id).await.unwrap();
    shop.paid("ord_four_eyes", 10_000).await;
    let asked =
        post(&shop, &secret, "orders/ord_four_eyes/refunds", "k", json!({ "cancelReason": "변심" })).await;
    assert_eq!(&asked.1["state"], "waiting_for_approval");
    let refund: Uuid = asked.1["refundId"].as_str().unwrap().parse().unwrap();
    for person in [&maker, &rotator] {
        let refused = refunds::approve(shop.backoffice(), &person.actor(), refund).await;
        assert!(
            matches!(
                refused,
                Err(refunds::RefundError::Refused(refunds::Refused::NotSecond(backoffice::NotSecond::Own)))
            ),
            "{refused:?}"
        );
    }
    let approved = refunds::approve(shop.backoffice(), &other.actor(), refund).await.unwrap();
    assert_eq!(approved.state, refunds::State::Succeeded);
    // It is theirs, where they leave.
    let open = leaving::open(shop.backoffice(), rotator.id).await.unwrap();
    assert!(
        open.iter().any(|item| item.kind == leaving::Kind::ApiKey && item.what == "환불 서버"),
        "{open:?}"
    );
}
