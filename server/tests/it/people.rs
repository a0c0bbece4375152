//! People: how an account begins, whose password it is, and where somebody is logged in.

use backoffice::{
    Actor,
    staff::{
        self, Caller, Invalid, LinkEnded, LoginRefused, NewStaff, Role, StaffError, Token, invitations,
        password::Password,
    },
};
use time::Duration;

use crate::support::{PASSWORD, Person, Shop, cookie};

const OWN: &str = "우리 가게는 열두시에 닫아요";

fn new(email: &str, role: Role) -> NewStaff {
    NewStaff { email: email.into(), name: "초대한 이름".into(), role }
}

async fn refused(shop: &Shop, token: &Token, name: &str, password: &str) -> Invalid {
    let caller = Caller::at("192.0.2.9");
    match invitations::accept(shop.backoffice(), token, name, password.into(), &caller).await.unwrap_err() {
        StaffError::Invalid(invalid) => invalid,
        StaffError::Fault(fault) => panic!("{fault}"),
    }
}

async fn comes_in(shop: &Shop, email: &str, password: &str) -> Result<Role, LoginRefused> {
    let caller = Caller::at("192.0.2.9");
    let found = staff::log_in(shop.backoffice(), email, Password::typed(password), &caller).await.unwrap();
    found.map(|staff| staff.role)
}

/// The link that the page of staff shows, as a path of ours.
async fn shown_link(shop: &Shop, admin: &Person) -> Option<String> {
    let (_, html) = shop.page("/staff", Some(&admin.cookie)).await;
    let at = html.find("/invitation?t=")?;
    Some(html[at..].split(['<', '"', '&']).next().unwrap().to_owned())
}

#[tokio::test]
async fn whoever_is_invited_chooses_the_password_and_nobody_else_knows_it() {
    let shop = Shop::open().await;
    let admin = shop.log_in(Role::Admin).await;
    let fields = [("email", "minji@example.com"), ("name", "김 민지"), ("role", "support")];
    let response = shop.form("invite_staff", Some(&admin.cookie), &fields).await;
    assert_eq!(response.status(), 302);
    let link = shown_link(&shop, &admin).await.expect("the link stands on the page");
    assert_eq!(shown_link(&shop, &admin).await, None, "it is shown once");
    assert_eq!(comes_in(&shop, "minji@example.com", "").await, Err(LoginRefused::Wrong));

    let (status, html) = shop.page(&link, None).await;
    assert_eq!(status, 200);
    assert!(html.contains("minji@example.com") && html.contains("autocomplete=\"new-password\""), "{html}");
    let token = link.split_once('=').unwrap().1;
    // What is wrong is said beside the field, and nothing is used up.
    for (password, sentence) in
        [("short", "12~128자"), ("password1234", "쉽게 짐작할"), ("minji@example.com", "쉽게 짐작할")]
    {
        let fields = [("token", token), ("name", "김민지"), ("password", password)];
        let response = shop.form("accept_invitation", None, &fields).await;
        let (_, html) = shop.page(&link, cookie(&response).as_deref()).await;
        assert!(
            html.contains(sentence) && !html.contains(password) || password.contains('@'),
            "{password}: {html}"
        );
    }
    let fields = [("token", token), ("name", "김민지"), ("password", OWN)];
    let response = shop.form("accept_invitation", None, &fields).await;
    assert_eq!(response.headers()["location"], "/login");
    let (_, html) = shop.page("/login", cookie(&response).as_deref()).await;
    assert!(html.contains("비밀번호를 정했어요") && html.contains("minji@example.com"), "{html}");
    assert_eq!(comes_in(&shop, "minji@example.com", OWN).await, Ok(Role::Support));
    let joined = staff::get_by_email(shop.backoffice(), "minji@example.com").await.unwrap().unwrap();
    assert_eq!(joined.name, "김민지");

    let (_, html) = shop.page(&link, None).await;
    assert!(html.contains("이미 쓴 링크예요"), "{html}");
    // Neither the link nor the password stands anywhere in the database.
    let (kept,): (i64,) = sqlx::query_as(
        "select (select count(*) from staff_invitations i where i::text like '%' || $1 || '%')
              + (select count(*) from audit a where a::text like '%' || $1 || '%' or a::text like '%' || $2 || '%')
              + (select count(*) from form_answers f where f::text like '%' || $1 || '%')",
    )
    .bind(token)
    .bind(OWN)
    .fetch_one(&shop.backoffice().pool)
    .await
    .unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn a_link_opens_once_for_a_day_and_only_the_newest() {
    let shop = Shop::open().await;
    let backoffice = shop.backoffice();
    let (id, first, _) =
        invitations::invite(backoffice, &Actor::CommandLine, new("a@example.com", Role::Viewer))
            .await
            .unwrap();
    assert_eq!(refused(&shop, &Token::typed("nonsense"), "가", OWN).await, Invalid::Link(LinkEnded::Unknown));
    assert_eq!(refused(&shop, &first, " ", OWN).await, Invalid::Name);
    let second = invitations::invite_again(backoffice, &Actor::CommandLine, id).await.unwrap();
    assert_eq!(refused(&shop, &first, "가", OWN).await, Invalid::Link(LinkEnded::Withdrawn));

    backoffice.clock.set_offset(Duration::hours(24));
    assert_eq!(refused(&shop, &second, "가", OWN).await, Invalid::Link(LinkEnded::Expired));
    let third = invitations::invite_again(backoffice, &Actor::CommandLine, id).await.unwrap();
    // Two tabs at once: one of them sets the password.
    let tabs = ["한 사람의 첫째 암호예요", "한 사람의 둘째 암호예요"];
    let caller = Caller::at("192.0.2.9");
    let both = futures::future::join_all(
        tabs.map(|password| invitations::accept(backoffice, &third, "가", password.into(), &caller)),
    )
    .await;
    let won: Vec<usize> = (0..2).filter(|n| both[*n].is_ok()).collect();
    assert_eq!(won.len(), 1, "{both:?}");
    assert_eq!(comes_in(&shop, "a@example.com", tabs[won[0]]).await, Ok(Role::Viewer));
    assert_eq!(comes_in(&shop, "a@example.com", tabs[1 - won[0]]).await, Err(LoginRefused::Wrong));

    let fourth = invitations::invite_again(backoffice, &Actor::CommandLine, id).await.unwrap();
    assert_eq!(
        comes_in(&shop, "a@example.com", tabs[won[0]]).await,
        Err(LoginRefused::Wrong),
        "the old one is gone"
    );
    staff::disable(backoffice, &Actor::CommandLine, id).await.unwrap();
    assert_eq!(refused(&shop, &fourth, "가", OWN).await, Invalid::Link(LinkEnded::Withdrawn));
}

#[tokio::test]
async fn an_administrator_who_never_came_is_not_the_last_one() {
    let shop = Shop::open().await;
    let admin = shop.log_in(Role::Admin).await;
    let backoffice = shop.backoffice();
    let invited = new("later@example.com", Role::Admin);
    let (id, token, _) = invitations::invite(backoffice, &admin.actor(), invited).await.unwrap();
    assert!(matches!(
        staff::disable(backoffice, &Actor::CommandLine, admin.id).await,
        Err(StaffError::Invalid(Invalid::LastAdmin))
    ));
    assert!(matches!(
        invitations::invite_again(backoffice, &admin.actor(), admin.id).await,
        Err(StaffError::Invalid(Invalid::Yourself))
    ));
    invitations::accept(backoffice, &token, "나중", OWN.into(), &Caller::at("")).await.unwrap();
    staff::disable(backoffice, &Actor::CommandLine, admin.id).await.unwrap();
    assert!(matches!(
        staff::disable(backoffice, &Actor::CommandLine, id).await,
        Err(StaffError::Invalid(Invalid::LastAdmin))
    ));
}

#[tokio::test]
async fn ones_own_password_takes_the_old_one_and_ends_every_other_session() {
    let shop = Shop::open().await;
    let person = shop.log_in(Role::Support).await;
    let elsewhere = shop.again(&person).await;
    let change = async |current: &str, password: &str| {
        let fields = [("current", current), ("password", password)];
        let response = shop.form("change_password", Some(&person.cookie), &fields).await;
        assert_eq!(response.status(), 302);
        shop.page("/account", Some(&person.cookie)).await.1
    };
    assert!(change("not the password", OWN).await.contains("지금 비밀번호가 맞지 않아요"));
    assert!(change(PASSWORD, "password1234").await.contains("쉽게 짐작할"));
    assert_eq!(shop.page("/orders", Some(&elsewhere)).await.0, 200);

    assert!(change(PASSWORD, OWN).await.contains("비밀번호를 바꿨어요"));
    assert_eq!(shop.page("/orders", Some(&elsewhere)).await.0, 303);
    assert_eq!(shop.page("/orders", Some(&person.cookie)).await.0, 200);
    assert_eq!(comes_in(&shop, &person.email, PASSWORD).await, Err(LoginRefused::Wrong));
    assert_eq!(comes_in(&shop, &person.email, OWN).await, Ok(Role::Support));
    // An open session is no place to guess the password from.
    let mut waits = false;
    for _ in 0..20 {
        waits = waits || change("a guess of many", OWN).await.contains("초 뒤에 다시 해 주세요");
    }
    assert!(waits);
}

#[tokio::test]
async fn somebody_sees_where_they_are_logged_in_and_ends_it() {
    let shop = Shop::open().await;
    let (person, other) = (shop.log_in(Role::Support).await, shop.log_in(Role::Support).await);
    let elsewhere = shop.again(&person).await;
    let (_, html) = shop.page("/account", Some(&person.cookie)).await;
    let open = html.split("id=\"devices\"").next().unwrap().split("<h2>로그인한 곳").nth(1).unwrap();
    assert_eq!(open.matches("127.0.0.1").count(), 2, "{html}");
    let id = |html: &str| {
        let form = html.split("end_session").nth(1).expect("the other session can be ended");
        form.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let theirs = id(&html);
    // Nobody ends a session of somebody else.
    shop.form("end_session", Some(&other.cookie), &[("id", &theirs)]).await;
    assert_eq!(shop.page("/orders", Some(&elsewhere)).await.0, 200);
    shop.form("end_session", Some(&person.cookie), &[("id", &theirs)]).await;
    assert_eq!(shop.page("/orders", Some(&elsewhere)).await.0, 303);
    assert_eq!(shop.page("/orders", Some(&person.cookie)).await.0, 200);

    let (third, fourth) = (shop.again(&person).await, shop.again(&person).await);
    shop.form("end_other_sessions", Some(&person.cookie), &[]).await;
    for cookie in [&third, &fourth] {
        assert_eq!(shop.page("/orders", Some(cookie)).await.0, 303);
    }
    let admin = shop.log_in(Role::Admin).await;
    shop.form("log_out_staff", Some(&admin.cookie), &[("id", &person.id.to_string())]).await;
    assert_eq!(shop.page("/orders", Some(&person.cookie)).await.0, 303);
    assert_eq!(shop.page("/orders", Some(&other.cookie)).await.0, 200);
}

#[tokio::test]
async fn a_page_that_asks_by_itself_does_not_keep_a_session_alive() {
    let shop = Shop::open().await;
    let person = shop.log_in(Role::Support).await;
    let age = async || {
        sqlx::query("update staff_sessions set last_seen_at = now() - interval '5 minutes', expires_at = now() + interval '10 minutes'")
            .execute(&shop.backoffice().pool)
            .await
            .unwrap();
    };
    let left = async || {
        let (seconds,): (f64,) = sqlx::query_as(
            "select extract(epoch from expires_at - now())::float8 from staff_sessions where staff_id = $1",
        )
        .bind(person.id)
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
        seconds
    };
    age().await;
    for poll in ["progress", "deliveries_since"] {
        let asked = shop.http.post(format!("{}/fn/{poll}", shop.url)).header("cookie", &person.cookie);
        asked.header("content-type", "application/json").body("{}").send().await.unwrap();
    }
    assert!(left().await <= 600.0);
    shop.page("/orders", Some(&person.cookie)).await;
    assert!((840.0..=900.0).contains(&left().await), "a quarter of an hour from the last use");
    // However much it is used, it ends twelve hours after the log-in.
    sqlx::query("update staff_sessions set created_at = now() - interval '11 hours 55 minutes', last_seen_at = now() - interval '1 hour'")
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    shop.page("/orders", Some(&person.cookie)).await;
    assert!(left().await <= 300.0);
}

#[tokio::test]
async fn what_was_typed_is_not_lost_when_the_log_in_was_over() {
    let shop = Shop::open().await;
    shop.paid("ord_unsent", 10_000).await;
    let person = shop.log_in(Role::Support).await;
    staff::disable(shop.backoffice(), &Actor::CommandLine, person.id).await.unwrap();
    let typed = [("order_id", "ord_unsent"), ("amount", "1000"), ("reason", "흠집 <b>이 있어요")];
    let answer = shop.form("refund", Some(&person.cookie), &typed).await;
    assert_eq!(answer.status(), 200);
    let html = answer.text().await.unwrap();
    assert!(html.contains("보내지 않았어요") && html.contains("흠집 &lt;b&gt;이 있어요"), "{html}");
    assert!(html.contains("action=\"/fn/refund\"") && html.contains("다시 보내기"), "{html}");
    assert_eq!(shop.status_of("ord_unsent").await, "DONE");
    // Secrets do not come back.
    let typed = [("current", "old secret words"), ("password", "new secret words")];
    let html = shop.form("change_password", Some(&person.cookie), &typed).await.text().await.unwrap();
    assert!(html.contains("보내지 않았어요") && !html.contains("new secret words"), "{html}");
    // Logged in again, the same form goes through.
    let other = shop.log_in(Role::Support).await;
    let intent = backoffice::refunds::new_intent().to_string();
    let typed = [
        ("order_id", "ord_unsent"),
        ("amount", "1000"),
        ("reason", "흠집"),
        ("reason_code", "defect"),
        ("intent", intent.as_str()),
    ];
    assert_eq!(shop.form("refund", Some(&other.cookie), &typed).await.status(), 302);
    shop.eventually("refunded", || async { shop.status_of("ord_unsent").await == "PARTIAL_CANCELED" }).await;
}

/// A mail server that keeps what it is given, over real SMTP.
async fn mail_server() -> (String, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let letters = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = letters.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 mail.test\r\n").await.unwrap();
            let (mut line, mut letter, mut in_data) = (String::new(), String::new(), false);
            while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                let said = std::mem::take(&mut line);
                let answer: &[u8] = match said.trim_end() {
                    "." if in_data => {
                        in_data = false;
                        kept.lock().unwrap().push(std::mem::take(&mut letter));
                        b"250 kept\r\n"
                    }
                    _ if in_data => {
                        letter.push_str(&said);
                        continue;
                    }
                    "DATA" => {
                        in_data = true;
                        b"354 go on\r\n"
                    }
                    "QUIT" => b"221 bye\r\n",
                    _ => b"250 ok\r\n",
                };
                stream.write_all(answer).await.unwrap();
            }
        }
    });
    (url, letters)
}

#[tokio::test]
async fn with_a_mail_server_the_link_goes_by_mail_and_no_page_shows_it() {
    let (url, letters) = mail_server().await;
    let shop = Shop::with_mail(&url).await;
    let admin = shop.log_in(Role::Admin).await;
    let invite = |email: &'static str| [("email", email), ("name", "김 민지"), ("role", "support")];
    shop.form("invite_staff", Some(&admin.cookie), &invite("minji@example.com")).await;
    let (_, html) = shop.page("/staff", Some(&admin.cookie)).await;
    assert!(html.contains("메일로 보냈어요") && !html.contains("/invitation?t="), "{html}");
    let letter = letters.lock().unwrap().pop().expect("a letter");
    let body = letter.split("\r\n\r\n").nth(1).unwrap().replace("\r\n", "");
    let text = match base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &body) {
        Ok(bytes) => String::from_utf8(bytes).unwrap(),
        Err(_) => letter.replace("=\r\n", "").replace("=3D", "="),
    };
    assert!(letter.contains("To: minji@example.com"), "{letter}");
    let at = text.find("/invitation?t=").expect("the link is in the letter");
    let link = text[at..].split_whitespace().next().unwrap();
    let (status, html) = shop.page(link, None).await;
    assert!(status == 200 && html.contains("minji@example.com"), "{html}");

    // A server that is not there: the link is shown, as without one.
    let shop = Shop::with_mail("smtp://127.0.0.1:1").await;
    let admin = shop.log_in(Role::Admin).await;
    shop.form("invite_staff", Some(&admin.cookie), &invite("minji@example.com")).await;
    let (_, html) = shop.page("/staff", Some(&admin.cookie)).await;
    assert!(html.contains("메일을 보내지 못했어요") && html.contains("/invitation?t="), "{html}");
}
