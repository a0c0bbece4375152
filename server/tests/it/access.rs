//! Who may open what: every page and every function, as every role and as nobody.

use app::access::{Access, FUNCTIONS, PAGES};
use backoffice::{
    Actor,
    events::Change,
    promotions::NewCampaign,
    staff::{Permission, Permissions, Role},
    webhooks::Filter,
};

use crate::support::{PASSWORD, Person, Shop};

fn allowed(access: Access, held: Option<Permissions>) -> bool {
    match (access, held) {
        (Access::Open, _) => true,
        (_, None) => false,
        (access, Some(held)) => access.permission().is_none_or(|permission| held.contains(permission)),
    }
}

/// Nobody, each of the four roles, and a role of the house's own with each single permission.
async fn everybody(shop: &Shop) -> Vec<(Option<Permissions>, Option<Person>)> {
    let mut all = vec![(None, None)];
    for role in Role::ALL {
        all.push((Some(role.permissions()), Some(shop.log_in(role).await)));
    }
    for permission in Permission::ALL {
        let (person, _) = shop.log_in_as(Role::Viewer, &[permission]).await;
        all.push((Some(Permissions::of(&[permission])), Some(person)));
    }
    all
}

/// A finished file of this person's.
async fn own_export(shop: &Shop, person: Option<&Person>) -> String {
    let id = uuid::Uuid::now_v7();
    sqlx::query(
        "insert into exports (id, what, title, headers, words, format, reason, is_masked, requested_by, requested_by_name, requested_at, state)
         values ($1, '{}', 'x', '[]', '{}', 'csv', 'x', true, $2, 'x', now(), 'done')",
    )
    .bind(id)
    .bind(person.map(|p| p.id))
    .execute(&shop.backoffice().pool)
    .await
    .unwrap();
    id.to_string()
}

#[tokio::test]
async fn every_page_as_every_role() {
    let shop = Shop::open().await;
    shop.paid("ord_access", 10_000).await;
    let batch = backoffice::refunds::batch::preview(
        shop.backoffice(),
        &Actor::CommandLine,
        "a.csv",
        b"ord_access,1000",
        "other",
        "시험",
    )
    .await
    .unwrap()
    .to_string();
    shop.quiet().await;
    let delivery = shop.deliveries(&Filter::default()).await[0].id.to_string();
    let replay =
        backoffice::webhooks::replay::start(shop.backoffice(), &Actor::CommandLine, &Filter::default())
            .await
            .unwrap()
            .to_string();
    shop.jangbu.write_down_calls().await;
    let call: i64 = sqlx::query_scalar("select min(id) from toss_calls")
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
    let call = call.to_string();
    let user = shop.user().await;
    shop.paid_by_toss_pay_of("tp-access", user).await;
    let campaign = NewCampaign {
        promotion_code: "ACCESS".into(),
        name: "시험".into(),
        amount: "1".into(),
        user_cap: "1".into(),
        budget: "1".into(),
        starts_on: "2020-01-01".into(),
        ends_on: "2199-12-30".into(),
        approval_above: String::new(),
    };
    assert!(
        backoffice::promotions::campaigns::add(shop.backoffice(), &Actor::CommandLine, &campaign)
            .await
            .unwrap()
            .is_ok()
    );
    let grants = backoffice::promotions::batch::preview(
        shop.backoffice(),
        &Actor::CommandLine,
        "ACCESS",
        "e",
        "a.csv",
        b"1,1",
    )
    .await
    .unwrap();
    let grants = grants.to_string();
    sqlx::query(
        "insert into differences (transaction_key, occurrence, day, rail, payment_key, order_id, currency, transaction_at, class, findings,
                                  ours, toss, settled, fee, payout, state, found_at, changed_at)
         values ('tx-access', 1, '2026-11-01', 'toss_payments', 'p', 'ord_access', 'KRW', now(), 'late', '{}', 1, 1, 0, 0, 0,
                 'open', now(), now())",
    )
    .execute(&shop.backoffice().pool)
    .await
    .unwrap();
    let somebody = shop.log_in(Role::Viewer).await.id.to_string();
    let endpoint =
        Change { name: "시험".into(), url: "https://shop.example/hook".into(), kinds: Vec::new() };
    let (endpoint, _) =
        backoffice::events::add(shop.backoffice(), &Actor::CommandLine, &endpoint).await.unwrap();
    let endpoint = endpoint.to_string();
    let key = backoffice::api_keys::Change {
        name: "시험".into(),
        scopes: vec![backoffice::api_keys::Scope::OrdersRead],
        ..Default::default()
    };
    let (key, _) = backoffice::api_keys::add(shop.backoffice(), &Actor::CommandLine, &key).await.unwrap();
    let key = key.to_string();
    let events = backoffice::events::list(shop.backoffice(), &Default::default(), None, 1).await.unwrap();
    let event = events.rows[0].event.id.to_string();
    for (role, person) in everybody(&shop).await {
        let cookie = person.as_ref().map(|p| p.cookie.as_str());
        let export = own_export(&shop, person.as_ref()).await;
        for (pattern, access) in PAGES {
            let id = match *pattern {
                "/promotions/batches/{id}" => &grants,
                "/webhooks/{id}" => &delivery,
                "/events/{id}" => &event,
                "/events/endpoints/{id}" => &endpoint,
                "/api-keys/{id}" => &key,
                "/toss-calls/{id}" => &call,
                "/webhooks/replays/{id}" => &replay,
                "/exports/{id}" | "/exports/file/{id}" => &export,
                "/staff/{id}" => &somebody,
                _ => &batch,
            };
            let path = pattern
                .replace("{order_id}", "ord_access")
                .replace("{promotion_code}", "ACCESS")
                .replace("{user_key}", &user.to_string())
                .replace("{day}", "2026-11-01")
                .replace("{key}", "tx-access")
                .replace("{seq}", "1")
                .replace("{id}", id);
            let (status, _) = shop.page(&path, cookie).await;
            let expected = match (allowed(*access, role), role) {
                (true, Some(_)) if *pattern == "/login" => 302,
                // Nobody has shown half of what there is to show.
                (true, _) if *pattern == "/login/factor" => 302,
                // Nothing waits for a proof, and nothing was left unsent.
                (true, _) if ["/proof", "/unsent"].contains(pattern) => 404,
                (true, _) => 200,
                (false, None) => 303,
                (false, Some(_)) => 403,
            };
            assert_eq!(status, expected, "{path} as {role:?}");
        }
    }
}

#[tokio::test]
async fn every_function_as_every_role() {
    let shop = Shop::open().await;
    for (role, person) in everybody(&shop).await {
        for (path, access) in FUNCTIONS {
            // Ends the session the others are tried with.
            if *path == "/fn/log_out" && role.is_some() {
                continue;
            }
            let mut request = shop.http.post(format!("{}{path}", shop.url)).form(&[("order_id", "ord_none")]);
            if let Some(person) = &person {
                request = request.header("cookie", &person.cookie);
            }
            let status = request.send().await.unwrap().status().as_u16();
            match (allowed(*access, role), role) {
                (true, _) => assert!(![401, 403, 500].contains(&status), "{path} as {role:?}: {status}"),
                (false, None) => assert_eq!(status, 401, "{path}"),
                (false, Some(_)) => assert_eq!(status, 403, "{path} as {role:?}"),
            }
        }
    }
}

#[tokio::test]
async fn there_is_no_way_around_the_gate() {
    let shop = Shop::open().await;
    for path in [
        "/orders/",
        "//orders",
        "/orders?x=1",
        "/%6frders",
        "/orders%2f",
        "/ORDERS",
        "/orders/%00",
        "/fn/unheard_of",
        "/nothing",
    ] {
        let response = shop.http.get(format!("{}{path}", shop.url)).send().await.unwrap();
        let status = response.status().as_u16();
        assert!([303, 403, 404, 405].contains(&status), "{path}: {status}");
        assert!(!response.text().await.unwrap().contains("<table"), "{path}");
    }
    // Whoever may post to a function cannot be made to by a link.
    let admin = shop.log_in(Role::Admin).await;
    for (path, _) in FUNCTIONS {
        let asked = shop.http.get(format!("{}{path}", shop.url)).header("cookie", &admin.cookie);
        let status = asked.send().await.unwrap().status().as_u16();
        // One that takes a file asks for its content type first.
        assert!([405, 415].contains(&status), "GET {path} changes nothing, but answered {status}");
    }
}

#[tokio::test]
async fn a_lenient_path_opens_nothing_that_the_table_closes() {
    let shop = Shop::open().await;
    let viewer = shop.log_in(Role::Viewer).await;
    for path in
        ["/staff/", "/audit/", "/staff//", "/x/%2e%2e/audit", "/x/../staff", "/./audit", "/staff/?a=b"]
    {
        let (status, html) = shop.page(path, Some(&viewer.cookie)).await;
        assert!([403, 404].contains(&status), "{path}: {status}");
        assert!(!html.contains(&viewer.email) && !html.contains("staff.logged_in"), "{path}");
    }
}

#[tokio::test]
async fn a_form_from_another_origin_is_refused() {
    let shop = Shop::open().await;
    let admin = shop.log_in(Role::Admin).await;
    let fields = [("email", "evil@example.com"), ("name", "x"), ("role", "admin")];
    for (header, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
    ] {
        let request = shop.http.post(format!("{}/fn/invite_staff", shop.url)).header("cookie", &admin.cookie);
        let response =
            request.header("accept", "text/html").header(header, value).form(&fields).send().await.unwrap();
        assert_eq!(response.status(), 403, "{header}: {value}");
    }
    assert!(backoffice::staff::get_by_email(shop.backoffice(), "evil@example.com").await.unwrap().is_none());
}

#[tokio::test]
async fn every_wrong_log_in_gets_the_same_answer() {
    let shop = Shop::open().await;
    let person = shop.log_in(Role::Viewer).await;
    let gone = shop.log_in(Role::Viewer).await;
    backoffice::staff::disable(shop.backoffice(), &backoffice::Actor::CommandLine, gone.id).await.unwrap();
    let mut answers = Vec::new();
    for (email, password) in [
        (person.email.as_str(), "wrong password"),
        ("nobody@example.com", "x"),
        ("", ""),
        (&gone.email, PASSWORD),
    ] {
        let response = shop.form("log_in", None, &[("email", email), ("password", password)]).await;
        assert_eq!(response.status(), 302);
        let cookie = crate::support::cookie(&response).unwrap();
        let (_, html) = shop.page("/login", Some(&cookie)).await;
        let notice = html.split("notice bad\">").nth(1).unwrap().split("</p>").next().unwrap().to_owned();
        answers.push(notice);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn sessions_end_when_they_should() {
    let shop = Shop::open().await;
    let person = shop.log_in(Role::Support).await;
    assert_eq!(shop.page("/orders", Some(&person.cookie)).await.0, 200);
    assert_eq!(shop.form("log_out", Some(&person.cookie), &[]).await.status(), 302);
    assert_eq!(shop.page("/orders", Some(&person.cookie)).await.0, 303);

    let idle = shop.log_in(Role::Support).await;
    sqlx::query("update staff_sessions set expires_at = now() - interval '1 second'")
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    assert_eq!(shop.page("/orders", Some(&idle.cookie)).await.0, 303);

    let disabled = shop.log_in(Role::Support).await;
    backoffice::staff::disable(shop.backoffice(), &backoffice::Actor::CommandLine, disabled.id)
        .await
        .unwrap();
    assert_eq!(shop.page("/orders", Some(&disabled.cookie)).await.0, 303);

    let (raw,): (i64,) =
        sqlx::query_as("select count(*) from staff_sessions where data::text like '%jangbu_session%'")
            .fetch_one(&shop.backoffice().pool)
            .await
            .unwrap();
    assert_eq!(raw, 0, "no cookie is stored");
}
