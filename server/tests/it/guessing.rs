//! Log-in under attack: a guesser gets few tries however many come at once, whoever was here before comes in all the same, and
//! what happened is written down without what was typed.

use std::{collections::BTreeSet, sync::LazyLock, time::Instant};

use backoffice::{
    Actor,
    security::{self, Filter, Kind},
    staff::{
        Caller, LoginRefused, Role, log_in,
        password::Password,
        sessions,
        throttle::{self, Purpose, Wait},
    },
};
use futures::future::join_all;

use crate::{
    log::LOG,
    support::{PASSWORD, Person, Shop, cookie},
};

/// Behind a proxy, so that a test can come from many addresses.
async fn shop() -> Shop {
    Shop::open_with(&[("JANGBU_TRUSTED_PROXIES", "127.0.0.1")]).await
}

struct Answer {
    status: u16,
    location: String,
    session: Option<String>,
    device: Option<String>,
}

impl Answer {
    fn came_in(&self) -> bool {
        self.status == 302 && self.location == "/orders"
    }

    fn has_to_wait(&self) -> bool {
        self.status == 302 && self.location.contains("&wait=")
    }
}

fn device(response: &reqwest::Response) -> Option<String> {
    let all = response.headers().get_all("set-cookie").iter().filter_map(|v| v.to_str().ok());
    all.filter(|line| line.starts_with("jangbu_device="))
        .find_map(|line| Some(line.split(';').next()?.to_owned()))
}

/// Posts the form of the log-in from an address, with a cookie or none.
async fn post(shop: &Shop, from: &str, cookies: Option<&str>, email: &str, password: &str) -> Answer {
    let mut request = shop
        .http
        .post(format!("{}/fn/log_in", shop.url))
        .header("accept", "text/html")
        .header("sec-fetch-site", "same-origin")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
        .header("x-forwarded-for", from)
        .form(&[("email", email), ("password", password), ("next", "/orders")]);
    if let Some(cookies) = cookies {
        request = request.header("cookie", cookies);
    }
    let response = request.send().await.unwrap();
    let location = response.headers().get("location").and_then(|v| v.to_str().ok()).unwrap_or_default();
    Answer {
        status: response.status().as_u16(),
        location: location.to_owned(),
        session: cookie(&response),
        device: device(&response),
    }
}

fn from(n: usize) -> String {
    format!("10.{}.{}.{}", n / 62_500, n / 250 % 250, n % 250 + 1)
}

async fn count(shop: &Shop, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&shop.backoffice().pool).await.unwrap()
}

async fn tried(shop: &Shop) -> i64 {
    count(shop, "select count(*) from security_events where kind = 'log_in_wrong'").await
}

/// Time goes by for all that was counted.
async fn later(shop: &Shop, seconds: f64) {
    sqlx::query(
        "update throttle set open_at = open_at - make_interval(secs => $1),
                             forgotten_at = forgotten_at - make_interval(secs => $1)",
    )
    .bind(seconds)
    .execute(&shop.backoffice().pool)
    .await
    .unwrap();
}

/// How many tries of an account get through in so many seconds: five are free, each next one waits twice as long as the one
/// before.
fn allowed(seconds: f64) -> i64 {
    5 + (0..10).take_while(|n| f64::from((1 << (n + 1)) - 1) <= seconds).count() as i64
}

/// Whatever waits now waits for as long as the test goes on.
async fn hold(shop: &Shop) {
    sqlx::query("update throttle set open_at = now() + interval '99.5 seconds' where account is not null")
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
}

/// Wrong ones from addresses that change, until one has to wait.
async fn guess_until_it_waits(shop: &Shop, email: &str) {
    for n in 0..20 {
        if post(shop, &from(40_000 + n), None, email, "a guess").await.has_to_wait() {
            return hold(shop).await;
        }
    }
    panic!("twenty guesses got through");
}

async fn page_from(shop: &Shop, path: &str, person: &Person) -> String {
    let (status, html) = shop.page(path, Some(&person.cookie)).await;
    assert_eq!(status, 200, "{path}");
    html
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_guesses_at_once_few_are_tried_and_the_person_still_comes_in() {
    let shop = shop().await;
    let person = shop.log_in(Role::Support).await;
    let first = post(&shop, "192.0.2.1", None, &person.email, PASSWORD).await;
    assert!(first.came_in());
    let device = first.device.expect("a device that is known from now on");

    let began = Instant::now();
    let (shop, person) = (&shop, &person);
    let guesses = (0..1_000).map(async |n| {
        if n == 500 {
            // In the middle of the crowd, from where somebody has come in before.
            return post(shop, "192.0.2.1", Some(&device), &person.email, PASSWORD).await;
        }
        post(shop, &from(n), None, &person.email, &format!("guess number {n}")).await
    });
    let answers = join_all(guesses).await;
    assert!(answers[500].came_in(), "{} {}", answers[500].status, answers[500].location);
    let strangers = || answers.iter().enumerate().filter(|(n, _)| *n != 500).map(|(_, answer)| answer);
    assert!(strangers().all(|answer| !answer.came_in()));
    // Some have to wait, most are told that there is a crowd; nobody meets a fault.
    let odd: BTreeSet<_> = strangers()
        .filter(|a| a.status != 302 || !a.location.starts_with("/login?next="))
        .map(|a| (a.status, a.location.clone()))
        .collect();
    assert!(odd.is_empty(), "{odd:?}");

    let allowed = allowed(began.elapsed().as_secs_f64());
    let tried = tried(shop).await;
    assert!((5..=allowed).contains(&tried), "{tried} of {allowed}");
    let rows = count(shop, "select count(*) from security_events where kind = 'log_in_throttled'").await;
    assert!((1..=4).contains(&rows), "turned away once a minute on paper: {rows}");

    // A stranger who has the right password waits like everybody else.
    hold(shop).await;
    let right = post(shop, "198.51.100.1", None, &person.email, PASSWORD).await;
    assert!(right.has_to_wait(), "{}", right.location);
    let (_, html) = shop.page(&right.location, None).await;
    assert!(html.contains("초 뒤에 다시 해 주세요"), "{html}");
    assert!(post(shop, "198.51.100.2", Some(&device), &person.email, PASSWORD).await.came_in());
}

#[tokio::test]
async fn whoever_waits_comes_in_later_or_when_somebody_unlocks_the_account() {
    let shop = shop().await;
    let person = shop.log_in(Role::Support).await;
    guess_until_it_waits(&shop, &person.email).await;
    assert!(post(&shop, "192.0.2.7", None, &person.email, PASSWORD).await.has_to_wait());
    throttle::unlock(shop.backoffice(), &Actor::CommandLine, &person.email.to_uppercase()).await.unwrap();
    let right = post(&shop, "192.0.2.7", None, &person.email, PASSWORD).await;
    assert!(right.came_in(), "{}", right.location);
    let acts = backoffice::audit::of_subject(&shop.backoffice().pool, "staff", &person.id.to_string())
        .await
        .unwrap();
    assert!(acts.iter().any(|row| row.action == "staff.unlocked" && row.actor == "command-line"));

    // Without anybody's help: the next one is looked at when its time has come.
    guess_until_it_waits(&shop, &person.email).await;
    later(&shop, 900.0).await;
    assert!(post(&shop, "192.0.2.7", None, &person.email, PASSWORD).await.came_in());
    // Whoever was right is not delayed by what was wrong before.
    assert_eq!(count(&shop, "select count(*) from throttle where account is not null").await, 0);
}

#[tokio::test]
async fn an_account_that_does_not_exist_makes_one_wait_just_the_same() {
    let shop = shop().await;
    let person = shop.log_in(Role::Support).await;
    let mut answers: Vec<Vec<String>> = Vec::new();
    for email in [person.email.as_str(), "nobody@example.com", ""] {
        let mut said = Vec::new();
        for n in 0..5 {
            let answer = post(&shop, &from(n), None, email, "a guess").await;
            said.push(answer.location);
        }
        hold(&shop).await;
        let answer = post(&shop, &from(9), None, email, "a guess").await;
        let (place, seconds) = answer.location.rsplit_once('=').unwrap();
        assert!((1..=100).contains(&seconds.parse().unwrap()), "{seconds}");
        said.push(place.to_owned());
        answers.push(said);
    }
    assert!(answers[0][5].ends_with("&wait") && !answers[0][4].contains("wait"), "{answers:?}");
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");

    // A program is told when to come again.
    let request = shop.http.post(format!("{}/fn/log_in", shop.url)).header("x-forwarded-for", "10.1.1.1");
    let response = request.form(&[("email", "nobody@example.com")]).send().await.unwrap();
    assert_eq!(response.status(), 429);
    let seconds: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let said: serde_json::Value = response.json().await.unwrap();
    assert!((1..=100).contains(&seconds) && said["seconds"] == seconds && said["kind"] == "wait", "{said}");
}

#[tokio::test]
async fn what_one_address_tries_delays_that_address_and_no_device_that_is_known() {
    let shop = shop().await;
    let person = shop.log_in(Role::Support).await;
    let office = "203.0.113.5";
    let known = post(&shop, office, None, &person.email, PASSWORD).await.device.unwrap();
    let mut waits = None;
    for n in 0..75 {
        let answer = post(&shop, office, None, &format!("{n}@example.com"), "a guess").await;
        if answer.has_to_wait() {
            waits = Some(n);
            break;
        }
    }
    assert!(waits.is_some_and(|n| n >= 50), "{waits:?}");
    sqlx::query("update throttle set open_at = now() + interval '1 minute' where forgotten_at > now() + interval '16 minutes'")
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    assert!(post(&shop, office, None, &person.email, PASSWORD).await.has_to_wait(), "a stranger from there");
    assert!(
        post(&shop, office, Some(&known), &person.email, PASSWORD).await.came_in(),
        "somebody of the office"
    );
    assert!(post(&shop, "203.0.113.6", None, &person.email, PASSWORD).await.came_in(), "another address");
    // What the address was refused for counted for no account.
    assert_eq!(
        count(&shop, "select count(*) from throttle where account is not null and open_at > now()").await,
        0
    );

    // Where no address is known nobody shares one.
    for n in 0..70 {
        let email = format!("none-{n}@example.com");
        let found =
            log_in(shop.backoffice(), &email, Password::typed("a guess"), &Caller::at("")).await.unwrap();
        assert_eq!(found.unwrap_err(), LoginRefused::Wrong, "{n}");
    }
}

#[tokio::test]
async fn wrong_codes_of_a_second_factor_count_for_their_account() {
    let shop = shop().await;
    let person = shop.log_in(Role::Support).await;
    let (backoffice, id) = (shop.backoffice(), person.id.to_string());
    let caller = Caller::at("192.0.2.1");
    let attempt = async || throttle::attempt(backoffice, Purpose::Factor, &id, &caller).await.unwrap();
    let began = Instant::now();
    let all = join_all((0..40).map(|_| attempt())).await;
    let through = all.iter().filter(|one| one.is_ok()).count() as i64;
    assert!((5..=allowed(began.elapsed().as_secs_f64())).contains(&through), "{through}");
    hold(&shop).await;
    assert!(matches!(attempt().await, Err(Wait { seconds: 1..=100 })));
    // Passwords are another matter.
    assert!(post(&shop, "192.0.2.1", None, &person.email, PASSWORD).await.came_in());
    later(&shop, 100.0).await;
    let pass = attempt().await.expect("the next one");
    hold(&shop).await;
    assert!(attempt().await.is_err());
    let mut tx = backoffice.pool.begin().await.unwrap();
    throttle::succeeded(&mut tx, pass).await.unwrap();
    tx.commit().await.unwrap();
    assert!(attempt().await.is_ok(), "a right one forgets the wrong ones");
}

#[tokio::test]
async fn a_rush_is_told_to_come_again_before_anything_is_looked_at() {
    let shop = shop().await;
    let person = shop.log_in(Role::Support).await;
    let known = post(&shop, "192.0.2.1", None, &person.email, PASSWORD).await.device.unwrap();
    let turns = &shop.backoffice().turns;
    let at_work = join_all((0..4).map(|_| turns.place(false).unwrap().turn())).await;
    let line: Vec<_> = (0..64).map(|_| turns.place(false).unwrap()).collect();

    let before = count(&shop, "select count(*) from throttle").await;
    let answer = post(&shop, "192.0.2.2", None, &person.email, PASSWORD).await;
    assert!(answer.status == 302 && answer.location.ends_with("&busy=1"), "{}", answer.location);
    let (_, html) = shop.page(&answer.location, None).await;
    assert!(html.contains("로그인하려는 사람이 너무 많아요"), "{html}");
    let request = shop.http.post(format!("{}/fn/log_in", shop.url)).form(&[("email", &person.email)]);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(count(&shop, "select count(*) from throttle").await, before, "it counts for nothing");
    assert_eq!(count(&shop, "select count(*) from security_events where kind = 'log_in_busy'").await, 1);

    // Whoever was here before has a line of their own.
    let came = post(&shop, "192.0.2.1", Some(&known), &person.email, PASSWORD).await;
    assert!(came.came_in(), "{}", came.location);
    drop((at_work, line));
    assert!(post(&shop, "192.0.2.2", None, &person.email, PASSWORD).await.came_in());
}

#[tokio::test]
async fn what_is_typed_as_an_address_is_cut_before_anything_is_done_with_it() {
    let shop = shop().await;
    let long = format!("{}@example.com", "가".repeat(6_000));
    let answer = post(&shop, "192.0.2.1", None, &long, "a guess").await;
    let (_, html) = shop.page(&answer.location, answer.session.as_deref()).await;
    assert!(html.contains(&"가".repeat(254)) && !html.contains(&"가".repeat(255)), "{html}");
    for query in [
        "select max(length(t::text)) from throttle t",
        "select max(length(e::text)) from security_events e",
        "select max(length(s::text)) from staff_sessions s",
        // Sealed, and in base64: 254 characters of three bytes each.
        "select max(length(answer::text)) from form_answers",
    ] {
        let most: Option<i32> = sqlx::query_scalar(query).fetch_one(&shop.backoffice().pool).await.unwrap();
        assert!(most.unwrap_or_default() < 1_600, "{query}: {most:?}");
    }
    // Everything behind the 254th character is the same address.
    for n in 0..5 {
        post(&shop, &from(n), None, &format!("{}{n}", "나".repeat(254)), "a guess").await;
    }
    hold(&shop).await;
    assert!(post(&shop, "192.0.2.1", None, &"나".repeat(300), "a guess").await.has_to_wait());
}

#[tokio::test]
async fn what_happens_at_the_door_is_written_down_without_what_was_typed() {
    LazyLock::force(&LOG);
    let shop = shop().await;
    let (admin, viewer) = (shop.log_in(Role::Admin).await, shop.log_in(Role::Viewer).await);
    const TYPED: [&str; 3] =
        ["MarkedPassword-as-address-zq", "marked-guess-zq", "marked.nobody.zq@example.com"];
    shop.form(
        "change_password",
        Some(&viewer.cookie),
        &[("current", PASSWORD), ("password", "다섯 마리 토끼가 뛰어요")],
    )
    .await;
    post(&shop, "192.0.2.33", None, TYPED[0], TYPED[1]).await;
    for _ in 0..12 {
        post(&shop, "192.0.2.33", None, TYPED[2], TYPED[1]).await;
        post(&shop, "192.0.2.34", None, &viewer.email, TYPED[1]).await;
    }
    assert_eq!(shop.page("/staff", Some(&viewer.cookie)).await.0, 403);
    let request = shop.http.post(format!("{}/fn/disable_staff", shop.url)).header("cookie", &viewer.cookie);
    assert_eq!(request.form(&[("id", "x")]).send().await.unwrap().status(), 403);
    shop.form("end_other_sessions", Some(&viewer.cookie), &[]).await;
    shop.form("log_out", Some(&viewer.cookie), &[]).await;

    let rows = security::list(shop.backoffice(), &Filter::default(), None, 500).await.unwrap().rows;
    let of = |kind: Kind| rows.iter().filter(|row| row.kind == kind).collect::<Vec<_>>();
    assert_eq!(of(Kind::LogIn).len(), 2);
    assert!(of(Kind::LogInWrong).iter().any(|row| row.staff_id == Some(viewer.id) && row.ip == "192.0.2.34"));
    assert!(of(Kind::LogInWrong).iter().any(|row| row.staff_id.is_none() && row.ip == "192.0.2.33"));
    assert!(of(Kind::LogInWrong).iter().all(|row| row.agent.contains("Firefox")));
    let throttled = of(Kind::LogInThrottled);
    assert_eq!(throttled.len(), 2, "once a minute for each account");
    assert!(throttled.iter().all(|row| row.detail["by"] == "account" && row.detail["count"] == 1));
    let refused: BTreeSet<_> =
        of(Kind::Refused).iter().map(|row| row.detail["path"].as_str().unwrap()).collect();
    assert_eq!(refused, BTreeSet::from(["/staff", "/fn/disable_staff"]));
    for kind in [Kind::PasswordChanged, Kind::LogOut] {
        assert_eq!(
            of(kind).iter().map(|row| row.staff_id).collect::<Vec<_>>(),
            [Some(viewer.id)],
            "{kind:?}"
        );
    }

    // Found by person, by an address that nobody has, by where it came from, and by kind.
    let find = async |query: &str| page_from(&shop, &format!("/security?{query}"), &admin).await;
    let html = find("").await;
    for said in
        ["틀린 로그인", "너무 잦은 로그인", "권한 없음", "비밀번호를 바꿈", "192.0.2.33", "Firefox · Linux"]
    {
        assert!(html.contains(said), "{said}: {html}");
    }
    let by_person = find(&format!("person={}", viewer.email)).await;
    assert!(by_person.contains("192.0.2.34") && !by_person.contains("192.0.2.33"), "{by_person}");
    let by_typed = find(&format!("person={}", TYPED[2])).await;
    assert!(by_typed.contains("없는 계정") && !by_typed.contains("192.0.2.34"), "{by_typed}");
    let by_address = find("ip=192.0.2.34").await;
    assert!(by_address.contains("192.0.2.34") && !by_address.contains("<code>192.0.2.33"), "{by_address}");
    let by_kind = find("kind=refused").await;
    assert!(by_kind.contains("/fn/disable_staff") && !by_kind.contains("<code>192.0.2.33"), "{by_kind}");
    // Only for those who manage staff.
    let finance = shop.log_in(Role::Finance).await;
    assert_eq!(shop.page("/security", Some(&finance.cookie)).await.0, 403);

    let log = LOG.text();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("security: at the door")).collect();
    let has = |parts: &[&str]| lines.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    let staff = format!("staff={}", viewer.id);
    assert!(has(&["kind=\"log_in_wrong\"", &staff, "ip=\"192.0.2.34\"", "agent=\"Mozilla"]), "{lines:#?}");
    assert!(has(&["kind=\"refused\"", &staff, "path=\"/fn/disable_staff\""]), "{lines:#?}");
    for typed in TYPED.iter().chain([&PASSWORD]) {
        let line = lines.iter().find(|line| line.contains(typed) || line.contains(&typed.to_lowercase()));
        assert_eq!(line, None);
    }
    let dump: Vec<String> = sqlx::query_scalar(
        "select e::text from security_events e union all select t::text from throttle t
         union all select d::text from staff_devices d union all select s::text from staff_sessions s
         union all select f::text from form_answers f",
    )
    .fetch_all(&shop.backoffice().pool)
    .await
    .unwrap();
    assert!(dump.len() > 20);
    for typed in TYPED.iter().chain([&PASSWORD, &viewer.email.as_str()]) {
        let kept = dump.iter().find(|row| row.to_lowercase().contains(&typed.to_lowercase()));
        assert_eq!(kept, None, "{typed}");
    }
}

#[tokio::test]
async fn events_are_written_once_kept_a_year_and_do_not_fill_the_disk() {
    let shop = shop().await;
    let (pool, owner) = (&shop.backoffice().pool, &shop.owner().await);
    let person = shop.log_in(Role::Support).await;
    for n in 0..45 {
        post(&shop, &from(n), None, &format!("{n}@example.com"), "a guess").await;
    }
    assert_eq!(tried(&shop).await, 30, "the log has the rest");
    let edit = sqlx::query("update security_events set ip = ''").execute(owner).await.unwrap_err();
    assert!(edit.to_string().contains("append-only"));
    assert!(sqlx::query("delete from security_events").execute(owner).await.is_err());
    assert!(sqlx::query("truncate security_events").execute(owner).await.is_err());

    // What is over is told, and what is old enough goes.
    for (age, ip) in [("366 days", "old"), ("300 days", "kept")] {
        sqlx::query(
            "insert into security_events (at, kind, staff_id, ip, agent, detail)
             values (now() - $1::interval, 'log_in', $2, $3, '', '{}')",
        )
        .bind(sqlx::postgres::types::PgInterval {
            days: age.split(' ').next().unwrap().parse().unwrap(),
            months: 0,
            microseconds: 0,
        })
        .bind(person.id)
        .bind(ip)
        .execute(pool)
        .await
        .unwrap();
    }
    later(&shop, 86_400.0).await;
    sqlx::query("update staff_sessions set expires_at = now() where staff_id is not null")
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("update staff_devices set last_seen_at = now() - interval '181 days'")
        .execute(pool)
        .await
        .unwrap();
    sessions::delete_expired(shop.backoffice()).await.unwrap();
    backoffice::retention::job::destroy(shop.backoffice()).await.unwrap();
    let left: Vec<String> = sqlx::query_scalar("select ip from security_events where ip in ('old', 'kept')")
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(left, ["kept"]);
    assert_eq!(count(&shop, "select count(*) from throttle").await, 0);
    assert_eq!(count(&shop, "select count(*) from staff_devices").await, 0);
    assert_eq!(count(&shop, "select count(*) from security_events where kind = 'session_expired'").await, 1);
}

#[tokio::test]
async fn a_new_device_is_said_on_the_others_until_it_was_seen_there() {
    const NEWS: &str = "새 기기에서 내 계정으로 로그인했어요";
    let shop = shop().await;
    let person = shop.log_in(Role::Support).await;
    let laptop = post(&shop, "192.0.2.1", None, &person.email, PASSWORD).await;
    let (laptop, device) = (laptop.session.unwrap(), laptop.device.unwrap());
    let html = async |session: &str| shop.page("/orders", Some(session)).await.1;
    shop.form("confirm_device", Some(&person.cookie), &[("id", "no device"), ("back", "//evil.example")])
        .await;
    assert!(html(&person.cookie).await.contains(NEWS), "said on the first device");
    assert!(!html(&laptop).await.contains(NEWS), "not on the new one");

    // The same device again is no news.
    assert!(post(&shop, "192.0.2.2", Some(&device), &person.email, PASSWORD).await.came_in());
    assert!(!html(&laptop).await.contains(NEWS));
    let phone = post(&shop, "198.51.100.77", None, &person.email, PASSWORD).await.session.unwrap();
    let said = html(&laptop).await;
    assert!(
        said.contains(NEWS) && said.contains("198.51.100.77") && said.contains("Firefox · Linux"),
        "{said}"
    );
    let newest = said.split("confirm_device").nth(1).unwrap().split("value=\"").nth(1).unwrap();
    let newest = newest.split('"').next().unwrap();
    // Whoever came in cannot take it from the screens of the others, and nobody else can.
    let other = shop.log_in(Role::Admin).await;
    for session in [&phone, &other.cookie] {
        shop.form("confirm_device", Some(session), &[("id", newest), ("back", "/orders")]).await;
    }
    assert!(html(&laptop).await.contains(NEWS));
    let seen = shop.form("confirm_device", Some(&laptop), &[("id", newest), ("back", "/orders")]).await;
    assert_eq!(seen.headers()["location"], "/orders");
    assert!(!html(&laptop).await.contains(NEWS));
    assert!(html(&person.cookie).await.contains(NEWS), "each device for itself");

    // It was somebody else: their device is forgotten, and they are out.
    shop.form("forget_device", Some(&other.cookie), &[("id", newest)]).await;
    assert_eq!(shop.page("/orders", Some(&phone)).await.0, 200, "nobody forgets a device of somebody else");
    let (_, account) = shop.page("/account", Some(&laptop)).await;
    assert!(account.contains("198.51.100.77") && account.matches("forget_device").count() == 3, "{account}");
    shop.form("forget_device", Some(&laptop), &[("id", newest)]).await;
    assert_eq!(shop.page("/orders", Some(&phone)).await.0, 303);
    assert_eq!(shop.page("/orders", Some(&laptop)).await.0, 200);
    let kinds = async |kind| {
        let filter = Filter { kind: Some(kind), ..Filter::default() };
        security::list(shop.backoffice(), &filter, None, 50).await.unwrap().rows.len()
    };
    assert_eq!((kinds(Kind::NewDevice).await, kinds(Kind::DeviceForgotten).await), (2, 1));
}

#[tokio::test]
async fn a_device_is_a_cookie_of_which_only_the_hash_is_kept_and_a_planted_one_is_not_taken() {
    let shop = shop().await;
    let person = shop.log_in(Role::Support).await;
    let fields = [("email", person.email.as_str()), ("password", PASSWORD)];
    let response = shop.form("log_in", None, &fields).await;
    let all: Vec<&str> =
        response.headers().get_all("set-cookie").iter().filter_map(|v| v.to_str().ok()).collect();
    let line = all.iter().find(|line| line.starts_with("jangbu_device=")).unwrap();
    for part in ["Path=/;", "Max-Age=15552000", "SameSite=Lax", "HttpOnly"] {
        assert!(line.contains(part), "{line}");
    }
    let value = line.split(['=', ';']).nth(1).unwrap().to_owned();
    assert_eq!(value.len(), 43 + 1 + 32);
    let kept: Vec<String> = sqlx::query_scalar(
        "select d::text || encode(device_hash, 'escape') from staff_devices d union all select s::text from staff_sessions s",
    )
    .fetch_all(&shop.backoffice().pool)
    .await
    .unwrap();
    assert!(kept.len() >= 4 && kept.iter().all(|row| !row.contains(&value)), "{kept:?}");

    for planted in
        [format!("jangbu_device={}", "A".repeat(43)), "jangbu_device=x".into(), "jangbu_device=".into()]
    {
        let made = post(&shop, "192.0.2.1", Some(&planted), &person.email, PASSWORD).await.device.unwrap();
        assert_ne!(made, planted);
    }
    let again =
        post(&shop, "192.0.2.1", Some(&format!("jangbu_device={value}")), &person.email, PASSWORD).await;
    assert_eq!(again.device, Some(format!("jangbu_device={value}")), "kept for another 180 days");
}
