//! The dashboard inside a host, at a path of the host's choosing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::http::{header, request::Parts};
use backoffice::staff::{self, Role};
use server::{Identified, Identify};

use crate::support::{Shop, cookie};

#[tokio::test]
async fn everything_works_below_the_hosts_path() {
    let shop = Shop::open_at("/back/office").await;
    let key = shop.paid("ord_mounted", 10_000).await;
    let agent = shop.log_in(Role::Support).await;
    assert!(agent.cookie.starts_with("jangbu_session="));
    let (status, html) = shop.page("/orders/ord_mounted", Some(&agent.cookie)).await;
    assert_eq!(status, 200);
    assert!(
        html.contains("action=\"/back/office/fn/refund\"") && html.contains("data-base=\"/back/office\""),
        "{html}"
    );
    assert!(!html.contains("href=\"/orders") && !html.contains("src=\"/pkg"), "no link leaves the mount");

    let intent = backoffice::refunds::new_intent();
    let fields =
        [("order_id", "ord_mounted"), ("intent", &intent), ("amount", "10,000"), ("reason_code", "defect")];
    let response = shop.form("refund", Some(&agent.cookie), &fields).await;
    assert_eq!(response.headers()["location"], "/back/office/orders/ord_mounted");
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);

    let (status, _) = shop.page("", Some(&agent.cookie)).await;
    assert_eq!(status, 200);
    let slash = shop.http.get(format!("{}/", shop.url)).send().await.unwrap();
    assert_eq!(slash.headers()["location"], "/back/office");
    let stranger = shop.http.get(format!("{}/orders?status=DONE", shop.url)).send().await.unwrap();
    assert_eq!(stranger.headers()["location"], "/back/office/login?next=%2Forders%3Fstatus%3DDONE");

    let host = shop.url.trim_end_matches("/back/office");
    let own = shop.http.get(format!("{host}/host")).send().await.unwrap();
    assert_eq!(own.text().await.unwrap(), "the host's own page");
    assert_eq!(shop.http.get(format!("{host}/orders")).send().await.unwrap().status(), 404);
}

/// A host with a cookie of its own: whose it is, by its value.
#[derive(Debug, Default)]
struct Host(Mutex<BTreeMap<String, Identified>>);

impl Host {
    fn knows(&self, cookie: &str, role: Role, change: impl FnOnce(&mut Identified)) {
        let mut person = Identified {
            subject: format!("id of {cookie}"),
            name: "민지 (본사)".into(),
            email: format!("{cookie}@host.example"),
            role,
            second_factor_proven: true,
        };
        change(&mut person);
        self.0.lock().unwrap().insert(format!("host={cookie}"), person);
    }

    fn forgets(&self, cookie: &str) {
        self.0.lock().unwrap().remove(&format!("host={cookie}"));
    }
}

#[async_trait::async_trait]
impl Identify for Host {
    async fn identify(&self, parts: &Parts) -> anyhow::Result<Option<Identified>> {
        let given = parts.headers.get(header::COOKIE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if given.contains("host=broken") {
            anyhow::bail!("the host cannot tell");
        }
        let people = self.0.lock().unwrap();
        Ok(given.split("; ").find_map(|pair| people.get(pair)).cloned())
    }

    fn log_in_url(&self, back: &str) -> String {
        format!("/host/log-in?back={}", app::routes::encode(back))
    }

    fn log_out_url(&self) -> String {
        "/host/log-out".into()
    }
}

async fn hosted(more: &[(&str, &str)]) -> (Shop, Arc<Host>) {
    let host = Arc::new(Host::default());
    let mut settings = vec![("JANGBU_BASE_PATH", "/back")];
    settings.extend(more);
    let identify = Arc::clone(&host);
    (Shop::open_as(&settings, |jangbu| jangbu.with_identify(identify)).await, host)
}

async fn location(shop: &Shop, path: &str, cookie: &str) -> String {
    let request = shop.http.get(format!("{}{path}", shop.url)).header("accept", "text/html");
    let response = request.header("cookie", cookie).send().await.unwrap();
    response.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn whom_the_host_knows_is_in_and_whom_it_does_not_know_sees_nothing() {
    let (shop, host) = hosted(&[]).await;
    let key = shop.paid("ord_hosted", 10_000).await;
    for path in ["", "/orders/ord_hosted", "/staff", "/nothing"] {
        let to = location(&shop, path, "host=stranger").await;
        let back = app::routes::encode(&format!("/back{}", if path.is_empty() { "/" } else { path }));
        assert_eq!(to, format!("/host/log-in?back={back}"), "{path}");
    }
    assert_eq!(shop.page("/orders", Some("host=broken")).await.0, 503);
    let none = [("order_id", "ord_hosted"), ("amount", "10,000"), ("reason_code", "defect"), ("intent", "x")];
    let request = shop.http.post(format!("{}/fn/refund", shop.url)).header("cookie", "host=stranger");
    assert_eq!(request.form(&none).send().await.unwrap().status(), 401);

    host.knows("minji", Role::Support, |_| {});
    let (status, html) = shop.page("/orders/ord_hosted", Some("host=minji")).await;
    assert_eq!(status, 200);
    assert!(html.contains("민지 (본사)"), "{html}");
    let intent = backoffice::refunds::new_intent();
    let fields =
        [("order_id", "ord_hosted"), ("intent", &intent), ("amount", "10,000"), ("reason_code", "defect")];
    let response = shop.form("refund", Some("host=minji"), &fields).await;
    assert_eq!(response.headers()["location"], "/back/orders/ord_hosted");
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
    // The answer to the form waits in a session of ours.
    let session = cookie(&response).unwrap();
    let both = format!("host=minji; {session}");
    let (_, html) = shop.page("/orders/ord_hosted", Some(&both)).await;
    assert!(html.contains("10,000원 환불을 마쳤어요"), "{html}");
    // Without the host the session opens nothing.
    assert!(location(&shop, "/orders", &session).await.starts_with("/host/log-in"));

    let rows = backoffice::audit::of_subject(&shop.backoffice().pool, "order", "ord_hosted").await.unwrap();
    let asked = rows.iter().find(|row| row.action == "refund.requested").unwrap();
    let minji = staff::get_by_email(shop.backoffice(), "minji@host.example").await.unwrap().unwrap();
    assert_eq!(
        (asked.actor_name.as_str(), asked.actor.as_str()),
        ("민지 (본사)", &*format!("staff:{}", minji.id))
    );
    host.forgets("minji");
    assert!(location(&shop, "/orders", &both).await.starts_with("/host/log-in"));
}

#[tokio::test]
async fn role_and_name_are_those_that_the_host_gives_with_each_request() {
    let (shop, host) = hosted(&[]).await;
    host.knows("boss", Role::Admin, |_| {});
    assert_eq!(shop.page("/staff", Some("host=boss")).await.0, 200);
    host.knows("minji", Role::Viewer, |_| {});
    assert_eq!(shop.page("/audit", Some("host=minji")).await.0, 403);
    let id = staff::get_by_email(shop.backoffice(), "minji@host.example").await.unwrap().unwrap().id;
    host.knows("minji", Role::Finance, |person| {
        person.name = "새 이름".into();
        person.email = "new@host.example".into();
    });
    let (status, html) = shop.page("/audit", Some("host=minji")).await;
    assert_eq!(status, 200);
    assert!(html.contains("새 이름"));
    let minji = staff::get(shop.backoffice(), id).await.unwrap().unwrap();
    assert_eq!(
        (minji.role, minji.name.as_str(), minji.email.as_str()),
        (Role::Finance, "새 이름", "new@host.example")
    );
    let rows =
        backoffice::audit::of_subject(&shop.backoffice().pool, "staff", &id.to_string()).await.unwrap();
    let count =
        |action: &str| rows.iter().filter(|row| row.action == action && row.actor == "job:host").count();
    assert_eq!((count("staff.added"), count("staff.changed")), (1, 1), "{rows:?}");

    // A disabled account stays so, and the last administrator stays one.
    staff::disable(shop.backoffice(), &backoffice::Actor::CommandLine, id).await.unwrap();
    let (status, html) = shop.page("/orders", Some("host=minji")).await;
    assert_eq!(status, 403);
    assert!(html.contains("중지됐어요"), "{html}");
    host.knows("boss", Role::Viewer, |_| {});
    assert_eq!(shop.page("/orders", Some("host=boss")).await.0, 403);
}

#[tokio::test]
async fn where_the_host_says_who_is_there_our_own_ways_in_are_closed() {
    let (shop, host) = hosted(&[]).await;
    host.knows("boss", Role::Admin, |_| {});
    assert_eq!(location(&shop, "/login?next=%2Forders", "").await, "/host/log-in?back=");
    assert_eq!(location(&shop, "/login", "host=boss").await, "/back");
    assert_eq!(location(&shop, "/invitation?t=abc", "").await, "/host/log-in?back=");
    let person = shop_account(&shop).await;
    let fields = [("email", person.as_str()), ("password", crate::support::PASSWORD)];
    assert_eq!(shop.form("log_in", None, &fields).await.status(), 403);
    let invite = [("email", "a@b.example"), ("name", "x"), ("role", "admin")];
    assert_eq!(shop.form("invite_staff", Some("host=boss"), &invite).await.status(), 403);
    let response = shop.form("log_out", Some("host=boss"), &[]).await;
    assert_eq!(response.headers()["location"], "/host/log-out");
    let (_, html) = shop.page("/account", Some("host=boss")).await;
    assert!(!html.contains("change_password") && !html.contains("end_session"), "{html}");
}

async fn shop_account(shop: &Shop) -> String {
    let email = "old@example.com".to_owned();
    let new = staff::NewStaff { email: email.clone(), name: "전부터".into(), role: Role::Admin };
    let by = backoffice::Actor::CommandLine;
    staff::add(shop.backoffice(), &by, new, crate::support::PASSWORD.into()).await.unwrap();
    email
}

#[tokio::test]
async fn what_waits_for_one_person_is_not_said_to_the_next() {
    let (shop, host) = hosted(&[]).await;
    shop.paid("ord_two", 10_000).await;
    host.knows("minji", Role::Support, |_| {});
    host.knows("haneul", Role::Support, |_| {});
    let intent = backoffice::refunds::new_intent();
    let fields =
        [("order_id", "ord_two"), ("intent", &intent), ("amount", "77,777"), ("reason_code", "defect")];
    let response = shop.form("refund", Some("host=minji"), &fields).await;
    let session = cookie(&response).unwrap();
    let (_, html) = shop.page("/orders/ord_two", Some(&format!("host=haneul; {session}"))).await;
    assert!(!html.contains("77,777"), "{html}");
}

#[tokio::test]
async fn a_host_that_has_not_seen_a_second_factor_leaves_it_to_us() {
    let (shop, host) = hosted(&[("JANGBU_SECOND_FACTOR", "roles")]).await;
    host.knows("proven", Role::Support, |_| {});
    assert_eq!(shop.page("/orders", Some("host=proven")).await.0, 200);
    host.knows("minji", Role::Support, |person| person.second_factor_proven = false);
    assert_eq!(location(&shop, "/orders", "host=minji").await, "/back/account/factors");
}
