//! A second factor: who has to have one, how it is shown, and what is asked for again before what hurts.

use app::access::{Access, BEFORE_A_FACTOR, FUNCTIONS, PAGES};
use backoffice::staff::Role;

use crate::support::{App, PASSWORD, Person, Shop, cookie};

/// The password alone, and the page that it leads to.
async fn half(shop: &Shop, person: &Person) -> (String, String) {
    let fields = [("email", person.email.as_str()), ("password", PASSWORD), ("next", "/orders")];
    let response = shop.form("log_in", None, &fields).await;
    let place = response.headers()["location"].to_str().unwrap().to_owned();
    (cookie(&response).unwrap(), place)
}

/// The cookies of a browser that this person has come in with, after the password.
async fn half_on_known_device(shop: &Shop, person: &Person) -> String {
    let fields = [("email", person.email.as_str()), ("password", PASSWORD), ("next", "/orders")];
    let session = cookie(&shop.form("log_in", Some(&person.device), &fields).await).unwrap();
    format!("{session}; {}", person.device)
}

async fn shows(shop: &Shop, cookie: &str, code: &str) -> reqwest::Response {
    shop.form("show_factor", Some(cookie), &[("proof_code", code)]).await
}

#[tokio::test]
async fn whoever_moves_money_sees_nothing_before_they_have_a_second_factor() {
    let shop = Shop::guarded().await;
    let person = shop.log_in(Role::Support).await;
    for path in ["/", "/orders", "/account", "/settings"] {
        let response = shop.http.get(format!("{}{path}", shop.url)).header("accept", "text/html");
        let response = response.header("cookie", &person.cookie).send().await.unwrap();
        assert_eq!(response.headers()["location"], "/account/factors", "{path}");
    }
    let (status, html) = shop.page("/account/factors", Some(&person.cookie)).await;
    assert!(status == 200 && html.contains("두 번째 확인이 필요해요"), "{html}");
    // Whoever only reads may go without.
    let viewer = shop.log_in(Role::Viewer).await;
    assert_eq!(shop.page("/orders", Some(&viewer.cookie)).await.0, 200);

    let (person, _) = shop.log_in_with_app(Role::Support).await;
    let (_, html) = shop.page("/account/factors", Some(&person.cookie)).await;
    assert_eq!(html.matches("<li><code>").count(), 10, "codes for bad days: {html}");
    assert_eq!(shop.page("/orders", Some(&person.cookie)).await.0, 200);
    // The last one stays.
    let id = html.split("remove_factor").nth(1).unwrap().split("value=\"").nth(1).unwrap();
    let id = id.split('"').next().unwrap();
    shop.form("remove_factor", Some(&person.cookie), &[("id", id)]).await;
    let (_, html) = shop.page("/account/factors", Some(&person.cookie)).await;
    assert!(html.contains("마지막 하나는 지울 수 없어요") && html.contains("휴대폰"), "{html}");
}

#[tokio::test]
async fn the_password_alone_lets_nobody_in_who_has_an_app() {
    let shop = Shop::guarded().await;
    let (person, app) = shop.log_in_with_app(Role::Support).await;
    let (halfway, place) = half(&shop, &person).await;
    assert_eq!(place, "/login/factor");
    assert_eq!(shop.page("/orders", Some(&halfway)).await.0, 303);
    assert_eq!(shop.page("/account/factors", Some(&halfway)).await.0, 303);

    let wrong = shows(&shop, &halfway, "000000").await;
    assert_eq!(wrong.headers()["location"], "/login/factor");
    assert!(shop.page("/login/factor", Some(&halfway)).await.1.contains("맞지 않아요"));
    // A clock two minutes off is said to be that; also where the next step of the code begins on the way.
    for (ahead, sentence) in [(-120, "2분 늦어요"), (150, "2분 빨라요")] {
        shows(&shop, &halfway, &app.code(ahead)).await;
        let (_, html) = shop.page("/login/factor", Some(&halfway)).await;
        assert!(html.contains(sentence), "{html}");
    }
    shop.next_code().await;
    let code = app.code(0);
    let right = shows(&shop, &halfway, &code).await;
    assert_eq!(right.headers()["location"], "/orders");
    let session = cookie(&right).expect("a new cookie");
    assert_ne!(session, halfway);
    assert_eq!(shop.page("/orders", Some(&session)).await.0, 200);

    // The same code again is none.
    let (halfway, _) = half(&shop, &person).await;
    shows(&shop, &halfway, &code).await;
    assert!(shop.page("/login/factor", Some(&halfway)).await.1.contains("이미 쓴 코드예요"));
}

#[tokio::test]
async fn five_wrong_codes_end_the_log_in_however_fast_they_come() {
    let shop = Shop::guarded().await;
    let (person, app) = shop.log_in_with_app(Role::Finance).await;
    let (halfway, _) = half(&shop, &person).await;
    let guesses = (0..40).map(|n| {
        let (shop, halfway) = (&shop, &halfway);
        async move { shows(shop, halfway, &format!("{:06}", 999_000 + n)).await }
    });
    futures::future::join_all(guesses).await;
    shop.next_code().await;
    let right = shows(&shop, &halfway, &app.code(0)).await;
    assert_eq!(right.headers()["location"], "/login", "the right one comes too late");

    // What others tried delays nobody on a browser that was here before, and five wrong ones end that log-in as well.
    let halfway = half_on_known_device(&shop, &person).await;
    for _ in 0..5 {
        shows(&shop, &halfway, "111111").await;
    }
    let sixth = shows(&shop, &halfway, &app.code(0)).await;
    assert_eq!(sixth.headers()["location"], "/login");
    let (_, html) = shop.page("/login", cookie(&sixth).as_deref()).await;
    assert!(html.contains("5번 틀려서"), "{html}");
}

#[tokio::test]
async fn a_code_for_bad_days_works_once_and_another_administrator_helps_when_all_is_lost() {
    let shop = Shop::guarded().await;
    let (person, _) = shop.log_in_with_app(Role::Support).await;
    let (_, html) = shop.page("/account/factors", Some(&person.cookie)).await;
    let code = html.split("<li><code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let (halfway, _) = half(&shop, &person).await;
    let typed = code.to_uppercase().replace('-', " ");
    let response = shop.form("show_factor", Some(&halfway), &[("proof_recovery", &typed)]).await;
    assert_eq!(response.headers()["location"], "/orders");
    let (halfway, _) = half(&shop, &person).await;
    shop.form("show_factor", Some(&halfway), &[("proof_recovery", &code)]).await;
    assert!(shop.page("/login/factor", Some(&halfway)).await.1.contains("이미 쓴 코드예요"));

    let (admin, _) = shop.log_in_with_app(Role::Admin).await;
    let (other, _) = shop.log_in_with_app(Role::Admin).await;
    let id = person.id.to_string();
    let reset = [("id", id.as_str()), ("why", "얼굴을 보고 확인했어요")];
    // Without saying how it was made sure that it is the person, nothing happens.
    shop.form("reset_factors", Some(&admin.cookie), &reset[..1]).await;
    assert_eq!(shop.page("/orders", Some(&person.cookie)).await.0, 200);
    shop.form("reset_factors", Some(&admin.cookie), &reset).await;
    assert_eq!(shop.page("/orders", Some(&person.cookie)).await.0, 303, "what was open has ended");
    let told = shop.page("/orders", Some(&other.cookie)).await.1;
    assert!(told.contains("admin 사람 님이") && told.contains("support 사람 님의 두 번째 확인을"), "{told}");
    let again = shop.again(&person).await;
    let (_, html) = shop.page("/account/factors", Some(&again)).await;
    assert!(html.contains("내 두 번째 확인을 초기화했어요"), "the person is told: {html}");
    assert!(html.contains("두 번째 확인이 필요해요"), "and sets up another one: {html}");
    // Nobody does that to themselves, and nothing of it stands in the clear.
    let own = admin.id.to_string();
    shop.form("reset_factors", Some(&admin.cookie), &[("id", &own), ("why", "나예요")]).await;
    assert_eq!(shop.page("/orders", Some(&admin.cookie)).await.0, 200);
    let (clear,): (i64,) = sqlx::query_as("select count(*) from staff_factors where secret not like 'v1.%'")
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
    assert_eq!(clear, 0);
}

#[tokio::test]
async fn what_hurts_asks_again_after_five_minutes_and_what_was_typed_goes_on() {
    let shop = Shop::guarded().await;
    let (admin, app) = shop.log_in_with_app(Role::Admin).await;
    let invite = [("email", "new@example.com"), ("name", "새 사람 <b>"), ("role", "support")];
    shop.proofs_grow_old().await;
    let asked = shop.form("invite_staff", Some(&admin.cookie), &invite).await;
    assert_eq!(asked.status(), 200);
    let html = asked.text().await.unwrap();
    assert!(html.contains("한 번 더 확인해요") && html.contains("/fn/invite_staff"), "{html}");
    assert!(html.contains("새 사람 &lt;b&gt;"), "what was typed comes along as text: {html}");
    let joined = async || {
        backoffice::staff::get_by_email(shop.backoffice(), "new@example.com").await.unwrap().is_some()
    };
    assert!(!joined().await, "nothing was done");

    let with = |code: &str| {
        let mut fields: Vec<(String, String)> =
            invite.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        fields.push(("proof_code".into(), code.into()));
        fields
    };
    let send = async |code: &str| {
        let fields = with(code);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        shop.form("invite_staff", Some(&admin.cookie), &fields).await
    };
    let wrong = send("123123").await.text().await.unwrap();
    assert!(wrong.contains("맞지 않아요") && wrong.contains("new@example.com"), "{wrong}");
    shop.next_code().await;
    assert_eq!(send(&app.code(0)).await.status(), 302);
    assert!(joined().await);
    // For five minutes nobody is asked again; a page is asked for like a form.
    assert_eq!(shop.page("/account/factors", Some(&admin.cookie)).await.1.matches("proof_code").count(), 0);
    shop.proofs_grow_old().await;
    let (_, html) = shop.page("/account/factors", Some(&admin.cookie)).await;
    assert!(html.contains("/fn/prove") && html.contains("value=\"/account/factors\""), "{html}");
    // Five wrong ones end the session: whoever sits there may be somebody else.
    for _ in 0..6 {
        send("123123").await;
    }
    assert_eq!(shop.page("/orders", Some(&admin.cookie)).await.0, 303);
}

#[tokio::test]
async fn taking_personal_data_out_asks_for_a_proof_and_a_masked_file_does_not() {
    let shop = Shop::guarded().await;
    let (finance, _) = shop.log_in_with_app(Role::Finance).await;
    shop.proofs_grow_old().await;
    let masked = [("list", "orders"), ("format", "csv"), ("reason", "월말")];
    assert_eq!(shop.form("ask_for_export", Some(&finance.cookie), &masked).await.status(), 302);
    let unmasked = [("list", "orders"), ("format", "csv"), ("reason", "월말"), ("unmasked", "1")];
    assert_eq!(shop.form("ask_for_export", Some(&finance.cookie), &unmasked).await.status(), 200);
}

#[tokio::test]
async fn whoever_knows_the_password_guesses_codes_no_faster_in_many_log_ins() {
    let shop = Shop::guarded().await;
    let (person, app) = shop.log_in_with_app(Role::Support).await;
    let mut looked_at = 0;
    for _ in 0..8 {
        let (halfway, _) = half(&shop, &person).await;
        for guess in ["100000", "200000", "300000"] {
            shows(&shop, &halfway, guess).await;
            let (_, html) = shop.page("/login/factor", Some(&halfway)).await;
            looked_at += usize::from(html.contains("맞지 않아요"));
        }
    }
    assert!((5..=7).contains(&looked_at), "five are free, whichever log-in they are in: {looked_at}");
    // Whoever waits loses no try, and the right one comes in on a browser that was here before.
    shop.next_code().await;
    let halfway = half_on_known_device(&shop, &person).await;
    let response = shows(&shop, &halfway, &app.code(0)).await;
    assert_eq!(response.headers()["location"], "/orders");
}

#[tokio::test]
async fn a_new_link_replaces_the_password_and_not_the_second_factor() {
    let shop = Shop::guarded().await;
    let (person, app) = shop.log_in_with_app(Role::Finance).await;
    let token = backoffice::staff::invitations::invite_again(
        shop.backoffice(),
        &backoffice::Actor::CommandLine,
        person.id,
    )
    .await
    .unwrap();
    let fields = [("token", token.expose()), ("name", "같은 사람"), ("password", PASSWORD)];
    shop.form("accept_invitation", None, &fields).await;
    let (halfway, place) = half(&shop, &person).await;
    assert_eq!(place, "/login/factor");
    shop.next_code().await;
    assert_eq!(shows(&shop, &halfway, &app.code(0)).await.headers()["location"], "/orders");
}

#[tokio::test]
async fn a_new_key_and_a_lost_one_end_what_is_open_elsewhere() {
    let shop = Shop::open().await;
    let person = shop.log_in(Role::Support).await;
    let elsewhere = shop.again(&person).await;
    let app = shop.connect_app(&person).await;
    assert_eq!(shop.page("/orders", Some(&elsewhere)).await.0, 303);
    assert_eq!(shop.page("/orders", Some(&person.cookie)).await.0, 200);
    shop.next_code().await;
    let (halfway, _) = half(&shop, &person).await;
    let elsewhere = cookie(&shows(&shop, &halfway, &app.code(0)).await).unwrap();
    assert_eq!(shop.page("/orders", Some(&elsewhere)).await.0, 200);
    let other = shop.log_in(Role::Support).await;
    let (_, html) = shop.page("/account/factors", Some(&person.cookie)).await;
    let id = html.split("remove_factor").nth(1).unwrap().split("value=\"").nth(1).unwrap();
    let id = id.split('"').next().unwrap();
    // Nobody takes away a key of somebody else.
    shop.form("remove_factor", Some(&other.cookie), &[("id", id)]).await;
    assert!(shop.page("/account/factors", Some(&person.cookie)).await.1.contains("remove_factor"));
    shop.form("remove_factor", Some(&person.cookie), &[("id", id)]).await;
    assert_eq!(shop.page("/orders", Some(&elsewhere)).await.0, 303);
    assert_eq!(shop.page("/orders", Some(&person.cookie)).await.0, 200);
}

/// What somebody has of a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    Nothing,
    OldProof,
    FreshProof,
}

/// Every role with and without a factor, with a fresh proof and an old one.
async fn everybody(shop: &Shop) -> Vec<(Role, Has, Person)> {
    let mut all = Vec::new();
    for role in Role::ALL {
        all.push((role, Has::OldProof, shop.log_in_with_app(role).await.0));
    }
    shop.proofs_grow_old().await;
    for role in Role::ALL {
        all.push((role, Has::FreshProof, shop.log_in_with_app(role).await.0));
        all.push((role, Has::Nothing, shop.log_in(role).await));
    }
    all
}

#[tokio::test]
async fn every_function_and_page_as_every_role_with_every_proof() {
    let shop = Shop::guarded().await;
    for (role, has, person) in everybody(&shop).await {
        // A viewer moves nothing, and may go without.
        let shut_out = has == Has::Nothing && role != Role::Viewer;
        for (path, access) in FUNCTIONS {
            if ["/fn/log_out", "/fn/end_other_sessions"].contains(path) {
                continue;
            }
            let form = [("order_id", "ord_none"), ("unmasked", "1")];
            let request = shop.http.post(format!("{}{path}", shop.url)).form(&form);
            let response = request.header("cookie", &person.cookie).send().await.unwrap();
            let status = response.status().as_u16();
            let may = access.permission().is_none_or(|permission| role.may(permission));
            let before = *access == Access::Open || BEFORE_A_FACTOR.contains(path);
            let proven = has != Has::OldProof || !access.may_want_proof();
            let expected = may && proven && (!shut_out || before);
            if expected {
                assert!(![401, 403, 500].contains(&status), "{path} as {role:?} with {has:?}: {status}");
            } else {
                assert_eq!(status, 403, "{path} as {role:?} with {has:?}");
                let said = response.text().await.unwrap();
                let kind = if may { "proof_needed" } else { "forbidden" };
                let shut = shut_out && !before;
                assert!(said.contains(kind) || shut, "{path} as {role:?} with {has:?}: {said}");
            }
        }
        for (path, access) in PAGES.iter().filter(|(path, _)| !path.contains('{')) {
            let (status, html) = shop.page(path, Some(&person.cookie)).await;
            let may = access.permission().is_none_or(|permission| role.may(permission));
            let asks = html.contains("/fn/prove\"");
            match () {
                () if *access == Access::Open || *path == "/proof" => {}
                () if shut_out && *path != "/account/factors" => {
                    assert_eq!(status, 303, "{path} as {role:?}")
                }
                () if !may => assert_eq!(status, 403, "{path} as {role:?}"),
                () => assert_eq!(
                    asks,
                    has == Has::OldProof && access.may_want_proof(),
                    "{path} as {role:?} with {has:?}"
                ),
            }
        }
    }
}

#[tokio::test]
async fn an_app_is_connected_by_its_first_code_only() {
    let shop = Shop::open().await;
    let person = shop.log_in(Role::Support).await;
    shop.form("begin_totp", Some(&person.cookie), &[]).await;
    let page = async || shop.page("/account/factors", Some(&person.cookie)).await.1;
    let first = page().await;
    assert!(first.contains("<svg") && !first.contains("<?xml"), "{first}");
    for (name, code, sentence) in
        [("", "000000", "1~80자"), ("휴대폰", "", "맞지 않아요"), ("휴대폰", "abcdef", "맞지 않아요")]
    {
        shop.form("confirm_totp", Some(&person.cookie), &[("name", name), ("code", code)]).await;
        let html = page().await;
        assert!(html.contains(sentence), "{name} {code}: {html}");
    }
    // Beginning again takes another key; the picture of before is worth nothing.
    shop.form("begin_totp", Some(&person.cookie), &[]).await;
    let secret = |html: &str| html.split("totp-secret\">").nth(1).map(|rest| rest[..39].to_owned());
    let second = page().await;
    assert_ne!(secret(&first), secret(&second));
    // An app of before, kept open in another tab.
    let old = App::of(&secret(&first).unwrap());
    shop.form("confirm_totp", Some(&person.cookie), &[("name", "x"), ("code", &old.code(0))]).await;
    assert!(!page().await.contains("remove_factor"));
    // In a rehearsal nobody has to have one, and whoever has one is asked for it.
    let (person, _) = shop.log_in_with_app(Role::Viewer).await;
    assert_eq!(half(&shop, &person).await.1, "/login/factor");
}

#[tokio::test]
async fn a_passkey_that_nobody_asked_for_opens_nothing() {
    let shop = Shop::guarded().await;
    let (person, _) = shop.log_in_with_app(Role::Support).await;
    let (halfway, _) = half(&shop, &person).await;
    for credential in ["{}", "nonsense", "\u{0}", &"x".repeat(60_000), r#"{"rawId":"AA","response":{}}"#] {
        let response = shop.form("show_factor", Some(&halfway), &[("proof_credential", credential)]).await;
        assert_ne!(response.status(), 500, "{}", &credential[..credential.len().min(20)]);
        let response = shop.form("log_in_with_passkey", None, &[("proof_credential", credential)]).await;
        assert_ne!(response.status(), 500);
    }
    assert_eq!(shop.page("/orders", Some(&halfway)).await.0, 303);
    // At a bare address there are no passkeys at all, and the page says what to use.
    let (_, html) = shop.page("/account/factors", Some(&person.cookie)).await;
    assert!(html.contains("https 주소(또는 localhost)"), "{html}");
}
