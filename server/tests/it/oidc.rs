//! The log-in of the house next door: who comes in with it, who does not, and how it ends.

use backoffice::staff::{self, Caller, NewStaff, Role, Staff, sessions};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    next_door::{CLIENT, House, Key, SECRET, message, now},
    support::{PASSWORD, Shop, cookie},
};

async fn account(shop: &Shop, email: &str) -> Option<Staff> {
    staff::get_by_email(shop.backoffice(), email).await.unwrap()
}

async fn acts(shop: &Shop, staff: &Staff) -> Vec<(String, String, Value)> {
    let rows = backoffice::audit::of_subject(&shop.backoffice().pool, "staff", &staff.id.to_string()).await;
    rows.unwrap().into_iter().rev().map(|row| (row.action, row.actor, row.detail)).collect()
}

async fn add(shop: &Shop, email: &str, role: Role) -> uuid::Uuid {
    let new = NewStaff { email: email.into(), name: "전부터 있던 사람".into(), role };
    let by = backoffice::Actor::CommandLine;
    staff::add(shop.backoffice(), &by, new, PASSWORD.into()).await.unwrap()
}

#[tokio::test]
async fn somebody_comes_in_with_the_role_of_their_groups_and_it_follows_them() {
    let (house, key) = House::open().await;
    let shop = house.shop(&[]).await;
    let (_, html) = shop.page("/login?next=%2Forders", None).await;
    assert!(html.contains("옆집 계정으로 로그인") && html.contains("/login/oidc?next=%2Forders"), "{html}");
    // The strongest of the groups counts.
    let mut claims = house.claims("minji", &["guests", "finance", "support-team"]);
    claims["amr"] = json!(["pwd", "otp"]);
    let (to, session) = shop.through(&house, &key, claims.clone()).await;
    assert_eq!(to, "/orders", "the page that they wanted");
    assert_eq!(shop.page("/audit", Some(&session)).await.0, 200);
    let minji = account(&shop, "minji@next.example").await.unwrap();
    assert_eq!((minji.role, minji.name.as_str(), minji.has_joined), (Role::Finance, "한 사람", true));
    let rows = acts(&shop, &minji).await;
    assert_eq!((rows[0].0.as_str(), rows[0].1.as_str()), ("staff.added", "job:oidc"));
    assert_eq!(
        (rows[0].2["issuer"].as_str(), rows[0].2["invited"].as_bool()),
        (Some(&*house.url), Some(false))
    );
    assert_eq!((rows[1].0.as_str(), rows[1].2["second_factor"].as_bool()), ("staff.logged_in", Some(true)));

    claims["groups"] = "support-team".into();
    claims["name"] = "김민지".into();
    let (_, next) = shop.through(&house, &key, claims.clone()).await;
    let minji = account(&shop, "minji@next.example").await.unwrap();
    assert_eq!((minji.role, minji.name.as_str()), (Role::Support, "김민지"));
    assert_eq!(shop.page("/audit", Some(&session)).await.0, 403, "in every session, at once");
    let rows = acts(&shop, &minji).await;
    let (action, actor, detail) = &rows[2];
    assert_eq!((action.as_str(), actor.as_str()), ("staff.changed", "job:oidc"));
    assert_eq!(detail["role"], json!({ "from": "finance", "to": "support" }));

    claims["groups"] = json!(["guests"]);
    let (to, refused) = shop.through(&house, &key, claims.clone()).await;
    assert_eq!(to, "/login");
    assert!(shop.says(&refused).await.contains("그룹에 들어 있지 않아요"));
    let cookies = [refused, next];
    assert_eq!(shop.page("/orders", Some(&cookies[0])).await.0, 303);

    staff::disable(shop.backoffice(), &backoffice::Actor::CommandLine, minji.id).await.unwrap();
    claims["groups"] = json!(["admins"]);
    let (_, refused) = shop.through(&house, &key, claims).await;
    assert!(shop.says(&refused).await.contains("중지됐어요"));
    let minji = account(&shop, "minji@next.example").await.unwrap();
    assert!(minji.disabled_at.is_some() && minji.role == Role::Support);
}

#[tokio::test]
async fn what_the_id_token_leaves_out_is_asked_of_the_provider() {
    let (house, key) = House::open().await;
    let shop = house.shop(&[("JANGBU_OIDC_GROUPS_CLAIM", "realm_access.roles")]).await;
    house.userinfo(json!({
        "sub": "haneul", "email": "haneul@next.example", "email_verified": true, "name": "하늘",
        "realm_access": { "roles": ["admins"] },
    }));
    let mut claims = house.claims("haneul", &[]);
    for name in ["groups", "email", "email_verified", "name"] {
        claims.as_object_mut().unwrap().remove(name);
    }
    let (to, _) = shop.through(&house, &key, claims.clone()).await;
    assert_eq!(to, "/orders");
    assert_eq!(account(&shop, "haneul@next.example").await.unwrap().role, Role::Admin);
    // It has to be about the same person.
    claims["sub"] = "somebody else".into();
    assert_eq!(shop.through(&house, &key, claims).await.0, "/login");
}

#[tokio::test]
async fn an_account_belongs_to_whoever_first_came_with_its_verified_address() {
    let (house, key) = House::open().await;
    let shop = house.shop(&[]).await;
    let id = add(&shop, "minji@next.example", Role::Viewer).await;
    let mut claims = house.claims("minji", &["support-team"]);
    claims["email_verified"] = false.into();
    let (_, refused) = shop.through(&house, &key, claims.clone()).await;
    assert!(shop.says(&refused).await.contains("확인된 이메일이 없어요"));
    claims["email_verified"] = true.into();
    claims["email"] = "Minji@Next.example".into();
    assert_eq!(shop.through(&house, &key, claims.clone()).await.0, "/orders");
    let minji = account(&shop, "minji@next.example").await.unwrap();
    assert_eq!((minji.id, minji.role), (id, Role::Support));
    let rows = acts(&shop, &minji).await;
    assert_eq!(rows[1].0, "staff.linked");

    // Somebody else who was given the address later.
    claims["sub"] = "minji the second".into();
    let (_, refused) = shop.through(&house, &key, claims.clone()).await;
    assert!(shop.says(&refused).await.contains("다른 사람과 이어져 있어요"));
    // Until an administrator opens the account anew.
    staff::invitations::invite_again(shop.backoffice(), &backoffice::Actor::CommandLine, id).await.unwrap();
    assert_eq!(shop.through(&house, &key, claims.clone()).await.0, "/orders");

    // An address may change, but not into somebody else's.
    add(&shop, "taken@next.example", Role::Viewer).await;
    for (email, kept) in
        [("taken@next.example", "minji@next.example"), ("kim@next.example", "kim@next.example")]
    {
        claims["email"] = email.into();
        assert_eq!(shop.through(&house, &key, claims.clone()).await.0, "/orders");
        assert_eq!(staff::get(shop.backoffice(), id).await.unwrap().unwrap().email, kept);
    }
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let (house, key) = House::open().await;
    let shop = house.shop(&[]).await;
    assert_eq!(shop.through(&house, &key, house.claims("first", &["admins"])).await.0, "/orders");
    let (_, refused) = shop.through(&house, &key, house.claims("first", &["finance"])).await;
    assert!(shop.says(&refused).await.contains("마지막 관리자"));
    assert_eq!(account(&shop, "first@next.example").await.unwrap().role, Role::Admin);
    // Whoever came over from next door is an administrator like any other.
    assert_eq!(shop.through(&house, &key, house.claims("second", &["admins"])).await.0, "/orders");
    assert_eq!(shop.through(&house, &key, house.claims("first", &["finance"])).await.0, "/orders");
    assert_eq!(account(&shop, "first@next.example").await.unwrap().role, Role::Finance);
}

#[tokio::test]
async fn an_answer_counts_once_in_the_browser_that_asked_and_for_ten_minutes() {
    let (house, key) = House::open().await;
    let shop = house.shop(&[]).await;
    let signed = |nonce: &str| {
        let mut claims = house.claims("minji", &["support-team"]);
        claims["nonce"] = nonce.into();
        key.sign(&claims)
    };
    // A link from elsewhere begins nothing: the page has a button.
    let lured =
        shop.http.get(format!("{}/login/oidc?next=/", shop.url)).header("sec-fetch-site", "cross-site");
    assert_eq!(lured.send().await.unwrap().headers()["location"], "/login?next=%2F");
    let (mine, theirs) =
        (shop.ask("/login/oidc?next=/", None).await, shop.ask("/login/oidc?next=/", None).await);
    let code = house.code(&mine, signed(&mine.nonce));
    // Whoever is lured to another one's answer does not become that person.
    for cookie in [&theirs.cookie, "jangbu_session=AAAAAAAAAAAAAAAAAAAAAA"] {
        let response = shop.come_back(cookie, &mine.state, &code).await;
        assert_eq!(response.headers()["location"], "/login");
    }
    assert!(shop.says(&theirs.cookie).await.contains("다른 창에서 시작됐어요"));
    let response = shop.come_back(&mine.cookie, &mine.state, &code).await;
    assert_eq!(response.headers()["location"], "/");
    let session = cookie(&response).unwrap();
    assert_ne!(session, mine.cookie, "a new cookie");
    assert_eq!(shop.page("/orders", Some(&mine.cookie)).await.0, 303);
    // Again: with the old cookie, and with the new one.
    for cookie in [&mine.cookie, &session] {
        let code = house.code(&mine, signed(&mine.nonce));
        let response = shop.come_back(cookie, &mine.state, &code).await;
        assert_ne!(response.headers()["location"], "/orders");
        assert_ne!(crate::support::cookie(&response).as_deref(), Some(session.as_str()));
    }
    // Too late.
    let late = shop.ask("/login/oidc?next=/", None).await;
    sqlx::query("update oidc_log_ins set expires_at = now()").execute(&shop.backoffice().pool).await.unwrap();
    let response = shop.come_back(&late.cookie, &late.state, &house.code(&late, signed(&late.nonce))).await;
    assert_eq!(response.headers()["location"], "/login");
    sessions::delete_expired(shop.backoffice()).await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from oidc_log_ins")
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
    assert_eq!(left, 0, "what never came back is forgotten");
    // A code that somebody else has asked for: its verifier is another one.
    let mine = shop.ask("/login/oidc?next=/", None).await;
    let code = house.code(&theirs, signed(&mine.nonce));
    let response = shop.come_back(&mine.cookie, &mine.state, &code).await;
    assert_eq!(response.headers()["location"], "/login");
    // The provider says no, or another one answers.
    for more in ["error=access_denied&error_description=%3Cb%3E", "code=x&iss=https%3A%2F%2Fother.example"] {
        let mine = shop.ask("/login/oidc?next=/", None).await;
        let path = format!("/login/oidc/callback?state={}&{more}", mine.state);
        assert_eq!(shop.page(&path, Some(&mine.cookie)).await.0, 303);
        assert!(!shop.says(&mine.cookie).await.contains("<b>"));
        assert_eq!(shop.page("/orders", Some(&mine.cookie)).await.0, 303);
    }
}

#[tokio::test]
async fn a_token_that_is_not_for_us_lets_nobody_in() {
    let (house, key) = House::open().await;
    let shop = house.shop(&[]).await;
    let mallory = Key::new("first");
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 9] = [
        ("another audience", |c| c["aud"] = "another shop".into()),
        ("one more audience", |c| c["aud"] = json!([CLIENT, "another shop"])),
        ("another issuer", |c| c["iss"] = "https://accounts.example".into()),
        ("another log-in", |c| c["nonce"] = "a nonce of somebody else".into()),
        ("no log-in", |c| c["nonce"] = Value::Null),
        ("over", |c| c["exp"] = (now() - 130).into()),
        ("to come", |c| c["iat"] = (now() + 130).into()),
        ("for another party", |c| c["azp"] = "another shop".into()),
        ("nobody", |c| c["sub"] = Value::Null),
    ];
    let refused = async |what: &str, token: &dyn Fn(&Value) -> String, change: Change| {
        let asked = shop.ask("/login/oidc?next=%2Forders", None).await;
        let mut claims = house.claims("minji", &["admins"]);
        claims["nonce"] = asked.nonce.clone().into();
        change(&mut claims);
        let code = house.code(&asked, token(&claims));
        let response = shop.come_back(&asked.cookie, &asked.state, &code).await;
        assert_eq!(response.headers()["location"], "/login", "{what}");
        let session = cookie(&response).unwrap_or(asked.cookie);
        assert_eq!(shop.page("/orders", Some(&session)).await.0, 303, "{what}");
    };
    for (what, change) in changes {
        refused(what, &|claims| key.sign(claims), change).await;
    }
    let same: Change = |_| {};
    refused("another key by the same name", &|claims| mallory.sign(claims), same).await;
    refused("an unknown key", &|claims| Key::new("second").sign(claims), same).await;
    refused("no signature", &|claims| format!("{}.", message(&json!({ "alg": "none" }), claims)), same).await;
    let by_secret = |claims: &Value| {
        let message = message(&json!({ "alg": "HS256" }), claims);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    refused("a secret that two know", &by_secret, same).await;
    refused("no token", &|_| "nonsense".into(), same).await;
    let another_kind =
        |claims: &Value| key.sign_as(&json!({ "alg": "ES256", "kid": "first", "typ": "logout+jwt" }), claims);
    refused("a token of another kind", &another_kind, same).await;
    assert!(account(&shop, "minji@next.example").await.is_none(), "and nothing was made");

    // Two minutes of difference between clocks are no lie, and a new key is asked for.
    let mut claims = house.claims("minji", &["support-team"]);
    claims["iat"] = (now() + 100).into();
    assert_eq!(shop.through(&house, &key, claims.clone()).await.0, "/orders");
    claims["iat"] = (now() - 400).into();
    claims["exp"] = (now() - 100).into();
    assert_eq!(shop.through(&house, &key, claims).await.0, "/orders");
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_asked_for() {
    let (house, key) = House::open().await;
    let shop = house.shop(&[]).await;
    assert_eq!(shop.through(&house, &key, house.claims("minji", &["finance"])).await.0, "/orders");
    let second = Key::new("second");
    house.publish(&[&second]);
    assert_eq!(shop.through(&house, &second, house.claims("minji", &["finance"])).await.0, "/orders");
    assert_eq!(shop.through(&house, &key, house.claims("minji", &["finance"])).await.0, "/login");
}

#[tokio::test]
async fn a_log_out_here_goes_on_at_the_provider() {
    let (house, key) = House::open().await;
    let shop = house.shop(&[("JANGBU_BASE_PATH", "/back")]).await;
    let (to, session) = shop.through(&house, &key, house.claims("minji", &["finance"])).await;
    assert_eq!(to, "/back/orders");
    // The database does not tell who is in the token.
    let data: String = sqlx::query_scalar("select data::text from staff_sessions where staff_id is not null")
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
    assert!(!data.contains("eyJ") && data.contains("sid-of-minji"), "{data}");

    let response = shop.form("log_out", Some(&session), &[]).await;
    assert_eq!(response.headers()["location"], "/back/login/oidc/left");
    let after = cookie(&response).unwrap();
    assert_eq!(shop.page("/orders", Some(&session)).await.0, 303);
    let (status, html) = shop.page("/login/oidc/left", Some(&after)).await;
    assert_eq!(status, 200);
    let there = format!("{}/end?a=b&amp;id_token_hint=eyJ", house.url);
    assert!(html.contains(&there) && html.contains("client_id=jangbu"), "{html}");
    let back = app::routes::encode(&format!("{}/login", shop.url));
    assert!(html.contains(&format!("post_logout_redirect_uri={back}")), "{html}");
    assert_eq!(shop.page("/login/oidc/left", Some(&after)).await.0, 303, "once");

    // Whoever came with a password goes nowhere else.
    let agent = shop.log_in(Role::Support).await;
    let response = shop.form("log_out", Some(&agent.cookie), &[]).await;
    assert_eq!(response.headers()["location"], "/back/login");
}

#[tokio::test]
async fn a_log_out_at_the_provider_ends_what_it_names() {
    let (house, key) = House::open().await;
    let shop = house.shop(&[]).await;
    let mut claims = house.claims("minji", &["support-team"]);
    let (_, laptop) = shop.through(&house, &key, claims.clone()).await;
    claims["sid"] = "sid-of-the-phone".into();
    let (_, phone) = shop.through(&house, &key, claims.clone()).await;
    let (_, other) = shop.through(&house, &key, house.claims("haneul", &["support-team"])).await;
    let is_in = async |cookie: &str| shop.page("/orders", Some(cookie)).await.0 == 200;
    let event = |jti: &str, more: Value| key.sign(&house.log_out(jti, more));

    let minji = json!({ "sub": "minji" });
    let forged = [
        ("another key", Key::new("first").sign(&house.log_out("f1", minji.clone()))),
        ("an ID token", key.sign(&claims)),
        ("with a nonce", event("f2", json!({ "sub": "minji", "nonce": "n" }))),
        ("with no nonce in words", event("f3", json!({ "sub": "minji", "nonce": null }))),
        ("for another", event("f4", json!({ "sub": "minji", "aud": "another shop" }))),
        ("of another", event("f5", json!({ "sub": "minji", "iss": "https://accounts.example" }))),
        ("another event", event("f6", json!({ "sub": "minji", "events": { "other": {} } }))),
        ("over", event("f7", json!({ "sub": "minji", "exp": now() - 130 }))),
        ("to come", event("f8", json!({ "sub": "minji", "iat": now() + 130 }))),
        ("without an end", event("f9", json!({ "sub": "minji", "exp": null }))),
        ("without an id", event("", minji.clone())),
        ("about nobody", event("f10", json!({}))),
        (
            "unsigned",
            format!("{}.", message(&json!({ "alg": "none" }), &house.log_out("f11", minji.clone()))),
        ),
        (
            "of another kind",
            key.sign_as(&json!({ "alg": "ES256", "typ": "at+jwt" }), &house.log_out("f12", minji.clone())),
        ),
        (
            "critical",
            key.sign_as(&json!({ "alg": "ES256", "crit": ["x"] }), &house.log_out("f13", minji.clone())),
        ),
        ("nonsense", "a.b.c".into()),
    ];
    for (what, token) in forged {
        assert_eq!(shop.tell(&token).await, 400, "{what}");
        assert!(is_in(&laptop).await && is_in(&phone).await, "{what}");
    }

    // A session; told twice, it counts once.
    let typ = json!({ "alg": "ES256", "kid": "first", "typ": "logout+jwt" });
    let token = key.sign_as(&typ, &house.log_out("one", json!({ "sid": "sid-of-the-phone" })));
    assert_eq!(shop.tell(&token).await, 200);
    assert!(is_in(&laptop).await && !is_in(&phone).await);
    assert_eq!(shop.tell(&token).await, 400);
    let nobody = event("two", json!({ "sid": "sid-of-the-phone", "sub": "minji" }));
    assert_eq!(shop.tell(&nobody).await, 200, "it had ended already");
    // A person.
    assert_eq!(shop.tell(&event("three", minji)).await, 200);
    assert!(!is_in(&laptop).await && is_in(&other).await);
    let staff = account(&shop, "minji@next.example").await.unwrap();
    let ended: Vec<_> =
        acts(&shop, &staff).await.into_iter().filter(|act| act.0 == "staff.sessions_ended").collect();
    assert_eq!(ended.len(), 2);
    assert_eq!((ended[0].1.as_str(), &ended[0].2), ("job:oidc", &json!({ "sessions": 1 })));
}

#[tokio::test]
async fn where_only_the_house_next_door_lets_people_in_no_password_does() {
    let (house, key) = House::open().await;
    let shop = house.shop(&[("JANGBU_OIDC_ONLY", "true")]).await;
    add(&shop, "minji@next.example", Role::Admin).await;
    let (_, html) = shop.page("/login", None).await;
    assert!(html.contains("/login/oidc") && !html.contains("password"), "{html}");
    let fields = [("email", "minji@next.example"), ("password", PASSWORD)];
    let response = shop.form("log_in", None, &fields).await;
    let session = cookie(&response).unwrap();
    assert_eq!(shop.page("/orders", Some(&session)).await.0, 303);
    assert!(shop.says(&session).await.contains("비밀번호로 로그인하지 않아요"));
    let (_, session) = shop.through(&house, &key, house.claims("minji", &["admins"])).await;
    let (_, html) = shop.page("/account", Some(&session)).await;
    assert!(html.contains("minji@next.example") && !html.contains("change_password"), "{html}");
    let fields = [("current", PASSWORD), ("password", "우리 가게는 열두시에 닫아요")];
    shop.form("change_password", Some(&session), &fields).await;
    let known = staff::password::Password::typed(PASSWORD);
    assert!(
        staff::log_in(shop.backoffice(), "minji@next.example", known, &Caller::at("")).await.unwrap().is_ok()
    );
}

#[tokio::test]
async fn somebody_who_is_in_shows_anew_who_they_are() {
    let (house, key) = House::open().await;
    let shop = house.shop(&[]).await;
    let (_, session) = shop.through(&house, &key, house.claims("minji", &["finance"])).await;
    // A link that lured them here asks nobody.
    let (status, _) = shop.page("/login/oidc?next=%2Forders", Some(&session)).await;
    assert_eq!(status, 303);
    let again = async |subject: &str, auth_time: Option<i64>| {
        let asked = shop.ask("/login/oidc?again=1&next=%2Frefunds", Some(&session)).await;
        assert_eq!((asked.query["prompt"].as_str(), asked.query["max_age"].as_str()), ("login", "0"));
        let mut claims = house.claims(subject, &["finance"]);
        claims["nonce"] = asked.nonce.clone().into();
        if let Some(at) = auth_time {
            claims["auth_time"] = at.into();
        }
        let code = house.code(&asked, key.sign(&claims));
        shop.come_back(&asked.cookie, &asked.state, &code).await.headers()["location"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(again("minji", None).await, "/", "nobody says that they have");
    assert_eq!(again("minji", Some(now() - 3_600)).await, "/", "that was before");
    assert_eq!(again("haneul", Some(now())).await, "/", "that is somebody else");
    assert!(account(&shop, "haneul@next.example").await.is_none());
    assert_eq!(again("minji", Some(now())).await, "/refunds");
}

#[tokio::test]
async fn without_its_settings_there_is_no_such_log_in_and_a_silent_provider_is_no_wall() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Admin).await;
    for path in ["/login/oidc", "/login/oidc/callback?state=a&code=b", "/login/oidc/left"] {
        assert_eq!(shop.page(path, None).await.0, 303, "{path}");
        assert_eq!(shop.page(path, Some(&agent.cookie)).await.0, 404, "{path}");
    }
    assert_eq!(shop.tell("a.b.c").await, 303);
    assert!(!shop.page("/login", None).await.1.contains("oidc"));

    let (mut house, _) = House::open().await;
    house.url = "http://127.0.0.1:9".into();
    let shop = house.shop(&[]).await;
    let response = shop.http.get(format!("{}/login/oidc", shop.url)).send().await.unwrap();
    assert_eq!(response.headers()["location"], "/login");
    assert!(shop.says(&cookie(&response).unwrap()).await.contains("지금 답하지 않아요"));
    let person = shop.log_in(Role::Viewer).await;
    assert_eq!(shop.page("/orders", Some(&person.cookie)).await.0, 200);
}
