//! What the merchant's own systems hear: everything, at least once, of one order in its order, and nothing of anybody else's.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use backoffice::{
    Actor,
    events::{
        self, Change, Data, EndpointError, Filter, Invalid, Kind, Outcome, Resend, State as Standing, Unfit,
        Why,
    },
    refunds,
    staff::{Role, notices},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::{
    killed::work,
    support::{AUDIT_KEY, DATA_KEY, MERCHANT_KEY, Shop, refund},
};

/// What a receiver answers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mood {
    Takes,
    /// With this status.
    Refuses(u16),
    RefusesKind(&'static str),
    Redirects(String),
    /// Never, until it is told otherwise.
    Hangs,
}

struct Inside {
    mood: Mutex<Mood>,
    taken: Mutex<Vec<(HeaderMap, Bytes)>>,
    asked: Mutex<usize>,
}

/// A system of the merchant's.
#[derive(Clone)]
struct Receiver {
    url: String,
    inside: Arc<Inside>,
}

async fn receive(State(inside): State<Arc<Inside>>, headers: HeaderMap, body: Bytes) -> Response {
    *inside.asked.lock().unwrap() += 1;
    loop {
        let mood = inside.mood.lock().unwrap().clone();
        let refused = match mood {
            Mood::Takes => None,
            Mood::Refuses(status) => Some(status),
            Mood::RefusesKind(kind) => {
                let body: Value = serde_json::from_slice(&body).unwrap();
                (body["type"] == kind).then_some(500)
            }
            Mood::Redirects(to) => {
                return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response();
            }
            Mood::Hangs => {
                tokio::time::sleep(std::time::Duration::from_millis(25)).await;
                continue;
            }
        };
        return match refused {
            Some(status) => (StatusCode::from_u16(status).unwrap(), "서버 점검 중").into_response(),
            None => {
                inside.taken.lock().unwrap().push((headers, body));
                StatusCode::NO_CONTENT.into_response()
            }
        };
    }
}

impl Receiver {
    async fn open() -> Self {
        let inside = Arc::new(Inside {
            mood: Mutex::new(Mood::Takes),
            taken: Mutex::default(),
            asked: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let routes = Router::new().route("/events", post(receive)).with_state(Arc::clone(&inside));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, inside }
    }

    fn mood(&self, mood: Mood) {
        *self.inside.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> usize {
        *self.inside.asked.lock().unwrap()
    }

    /// As they came, with their ids.
    fn bodies(&self) -> Vec<(String, Value)> {
        let taken = self.inside.taken.lock().unwrap();
        let body = |(headers, body): &(HeaderMap, Bytes)| {
            let id = headers["webhook-id"].to_str().unwrap().to_owned();
            (id, serde_json::from_slice(body).unwrap())
        };
        taken.iter().map(body).collect()
    }

    /// What it has heard of one order, each event once, in the order in which they first came.
    fn of_order(&self, order_id: &str) -> Vec<String> {
        let mut seen = BTreeSet::new();
        self.bodies()
            .into_iter()
            .filter(|(id, body)| body["data"]["orderId"] == order_id && seen.insert(id.clone()))
            .map(|(_, body)| body["type"].as_str().unwrap().to_owned())
            .collect()
    }

    fn kinds(&self) -> Vec<String> {
        self.bodies().into_iter().map(|(_, body)| body["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Every request, by this secret.
    fn are_signed_with(&self, secret: &SecretString) -> bool {
        let webhook = Webhook::new(secret.expose_secret()).unwrap();
        let taken = self.inside.taken.lock().unwrap();
        !taken.is_empty() && taken.iter().all(|(headers, body)| webhook.verify(body, headers).is_ok())
    }

    fn forgets(&self) {
        self.inside.taken.lock().unwrap().clear();
    }
}

fn change(url: &str, kinds: &[Kind]) -> Change {
    Change { name: "쇼핑몰 서버".into(), url: url.into(), kinds: kinds.to_vec() }
}

async fn add(shop: &Shop, receiver: &Receiver, kinds: &[Kind]) -> (Uuid, SecretString) {
    events::add(shop.backoffice(), &Actor::CommandLine, &change(&receiver.url, kinds)).await.unwrap()
}

/// What an order goes through that is paid and refunded. The last two may be known in either order: Toss's answer to a look-up
/// that was under way may come before that to the refund.
const PAID_AND_REFUNDED: [&str; 4] = ["order.paid", "refund.requested", "order.canceled", "refund.succeeded"];

/// The receiver has heard all of it, in the order in which it was written.
async fn has_heard_all(shop: &Shop, receiver: &Receiver, order_id: &str) {
    let filter = Filter { subject: Some(events::data::order_subject(order_id)), ..Filter::default() };
    let mut written = events::list(shop.backoffice(), &filter, None, 50).await.unwrap().rows;
    written.sort_by_key(|told| told.event.seq);
    let written: Vec<&str> = written.iter().map(|told| told.event.kind.as_str()).collect();
    assert_eq!(receiver.of_order(order_id), written, "{order_id}");
    assert_eq!(sorted(&written), sorted(&PAID_AND_REFUNDED), "{order_id}");
}

fn sorted<T: AsRef<str>>(kinds: &[T]) -> Vec<&str> {
    let mut kinds: Vec<&str> = kinds.iter().map(AsRef::as_ref).collect();
    kinds.sort_unstable();
    kinds
}

async fn paid_and_refunded(shop: &Shop, order_id: &str) {
    shop.paid(order_id, 10_000).await;
    let form = refund(order_id, "10,000");
    refunds::request(shop.backoffice(), &Actor::CommandLine, &form).await.unwrap();
}

async fn endpoint(shop: &Shop, id: Uuid) -> events::Endpoint {
    events::endpoint(shop.backoffice(), id).await.unwrap().unwrap()
}

async fn waits_for_nothing(shop: &Shop, id: Uuid) {
    shop.eventually("everything is told", || async { endpoint(shop, id).await.waiting == 0 }).await;
}

#[tokio::test]
async fn a_sale_and_its_refund_are_told_in_order_signed_and_of_nobody() {
    let shop = Shop::open().await;
    let receiver = Receiver::open().await;
    let (id, secret) = add(&shop, &receiver, &[]).await;
    paid_and_refunded(&shop, "ord_told").await;
    waits_for_nothing(&shop, id).await;
    has_heard_all(&shop, &receiver, "ord_told").await;
    assert!(receiver.are_signed_with(&secret));
    let (message, paid) = receiver.bodies().remove(0);
    assert_eq!(paid["data"]["status"], "DONE");
    assert_eq!(paid["data"]["amount"], 10_000);
    assert_eq!(paid["data"]["balanceAmount"], 10_000);
    assert!(paid["timestamp"].as_str().unwrap().ends_with("+09:00"));
    let all = receiver.bodies().iter().map(|(_, body)| body.to_string()).collect::<String>();
    assert!(!all.contains("김하준"), "whose it is is nobody's to hear: {all}");

    // The log tells it, too.
    let told = events::event(shop.backoffice(), events::parse_id(&message).unwrap()).await.unwrap().unwrap();
    assert_eq!((told.waiting, told.delivered, told.given_up), (0, 1, 0));
    let attempts = events::attempts(shop.backoffice(), told.event.seq).await.unwrap();
    assert_eq!((attempts[0].outcome, attempts[0].status), (Outcome::Delivered, Some(204)));
    match told.event.typed().unwrap() {
        Data::Order(order) => assert_eq!(order.order_id, "ord_told"),
        other => panic!("{other:?}"),
    }
    let secrets: i64 =
        sqlx::query_scalar("select count(*) from event_secrets s where s::text like '%whsec%'")
            .fetch_one(&shop.backoffice().pool)
            .await
            .unwrap();
    assert_eq!(secrets, 0, "a dump is worth nothing");
}

#[tokio::test]
async fn what_does_not_commit_is_not_told_and_only_what_was_asked_for_is() {
    let shop = Shop::open().await;
    let receiver = Receiver::open().await;
    let (id, _) = add(&shop, &receiver, &[Kind::RefundSucceeded]).await;
    shop.paid("ord_picky", 10_000).await;
    // More than there is: nothing was changed, and nothing is told.
    let form = refund("ord_picky", "20,000");
    refunds::request(shop.backoffice(), &Actor::CommandLine, &form).await.unwrap_err();
    let form = refund("ord_picky", "4,000");
    refunds::request(shop.backoffice(), &Actor::CommandLine, &form).await.unwrap();
    shop.eventually("it is told", || async { !receiver.bodies().is_empty() }).await;
    waits_for_nothing(&shop, id).await;
    assert_eq!(receiver.kinds(), ["refund.succeeded"]);
    assert_eq!(receiver.bodies()[0].1["data"]["cancelAmount"], 4_000);
    let all = events::list(shop.backoffice(), &Filter::default(), None, 50).await.unwrap().rows;
    let kinds: Vec<Kind> = all.iter().rev().map(|told| told.event.kind).collect();
    let kinds: Vec<&str> = kinds.into_iter().map(Kind::as_str).collect();
    assert_eq!(
        sorted(&kinds),
        ["order.paid", "order.partially_canceled", "refund.requested", "refund.succeeded"]
    );
}

#[tokio::test]
async fn a_receiver_that_is_down_for_three_days_loses_nothing() {
    let shop = Shop::open().await;
    let receiver = Receiver::open().await;
    receiver.mood(Mood::Refuses(503));
    let admin = shop.log_in(Role::Admin).await;
    let (id, secret) =
        events::add(shop.backoffice(), &admin.actor(), &change(&receiver.url, &[])).await.unwrap();
    for n in 0..6 {
        paid_and_refunded(&shop, &format!("ord_down_{n}")).await;
    }
    shop.eventually("it is known to fail", || async { endpoint(&shop, id).await.retry_at.is_some() }).await;
    // Hour by hour; each time it is asked whether it is back.
    let clock = &shop.backoffice().clock;
    let begun = clock.now();
    let mut hours = 0;
    while endpoint(&shop, id).await.state == Standing::Active {
        hours += 2;
        assert!(hours < 100, "it is never paused");
        clock.set_offset(time::Duration::hours(hours));
        let before = receiver.asked();
        shop.eventually("it is asked again, or paused", || async {
            receiver.asked() > before || endpoint(&shop, id).await.state == Standing::Paused
        })
        .await;
        let rested = || async {
            let endpoint = endpoint(&shop, id).await;
            endpoint.state == Standing::Paused || endpoint.retry_at.is_some_and(|at| at > clock.now())
        };
        shop.eventually("it is left alone", rested).await;
    }
    assert!(clock.now() - begun >= time::Duration::days(3));
    let paused = endpoint(&shop, id).await;
    assert_eq!((paused.paused_because, paused.waiting), (Some(Why::Failing), 24));
    assert!(receiver.asked() < 150, "a receiver that is down is not hammered: {}", receiver.asked());
    let told = notices::unseen(shop.backoffice(), admin.id).await.unwrap();
    assert_eq!(told[0].kind, notices::Notice::EndpointPaused, "its owner is told");

    // What happens meanwhile is kept as well.
    paid_and_refunded(&shop, "ord_down_late").await;
    receiver.mood(Mood::Takes);
    assert!(events::enable(shop.backoffice(), &admin.actor(), id).await.unwrap());
    waits_for_nothing(&shop, id).await;
    for n in 0..6 {
        has_heard_all(&shop, &receiver, &format!("ord_down_{n}")).await;
    }
    has_heard_all(&shop, &receiver, "ord_down_late").await;
    assert!(receiver.are_signed_with(&secret), "the time in a signature is the real one");
    assert_eq!(endpoint(&shop, id).await.failing_since, None);
}

#[tokio::test]
async fn a_receiver_that_comes_back_gets_everything_at_once() {
    let shop = Shop::open().await;
    let receiver = Receiver::open().await;
    receiver.mood(Mood::Refuses(500));
    let (id, _) = add(&shop, &receiver, &[]).await;
    for n in 0..3 {
        paid_and_refunded(&shop, &format!("ord_back_{n}")).await;
    }
    let clock = &shop.backoffice().clock;
    let is_resting = || async { endpoint(&shop, id).await.retry_at.is_some() };
    shop.eventually("it is known to fail", is_resting).await;
    receiver.mood(Mood::Takes);
    // The endpoint's own pause is over; those of the events it has refused would be longer.
    clock.set_offset(time::Duration::seconds(30));
    waits_for_nothing(&shop, id).await;
    for n in 0..3 {
        has_heard_all(&shop, &receiver, &format!("ord_back_{n}")).await;
    }
}

#[tokio::test]
async fn one_event_that_is_refused_holds_its_own_order_and_nobody_else_and_is_given_up_in_the_end() {
    let shop = Shop::open().await;
    let receiver = Receiver::open().await;
    receiver.mood(Mood::RefusesKind("refund.requested"));
    let (id, _) = add(&shop, &receiver, &[]).await;
    paid_and_refunded(&shop, "ord_poison").await;
    shop.paid("ord_beside", 10_000).await;
    shop.eventually("others are told", || async { !receiver.of_order("ord_beside").is_empty() }).await;
    assert_eq!(receiver.of_order("ord_poison"), ["order.paid"]);
    let filter = Filter { outcome: Some(Outcome::Failed), endpoint: Some(id), ..Filter::default() };
    let refused = || async {
        let failing = events::list(shop.backoffice(), &filter, None, 10).await.unwrap().rows;
        failing.iter().any(|told| told.event.kind == Kind::RefundRequested)
    };
    shop.eventually("its failure is shown", refused).await;
    // Day by day, while others are taken.
    let clock = &shop.backoffice().clock;
    for day in 1..=12 {
        clock.set_offset(time::Duration::days(day));
        let order = format!("ord_beside_{day}");
        shop.paid(&order, 1_000).await;
        shop.eventually("others are told", || async { !receiver.of_order(&order).is_empty() }).await;
        if receiver.of_order("ord_poison").len() > 1 {
            break;
        }
    }
    let behind = || async { receiver.of_order("ord_poison").len() == 3 };
    shop.eventually("what is behind it goes on", behind).await;
    let heard = receiver.of_order("ord_poison");
    assert_eq!(sorted(&heard), ["order.canceled", "order.paid", "refund.succeeded"]);
    let filter = Filter { outcome: Some(Outcome::GivenUp), ..Filter::default() };
    let given_up = events::list(shop.backoffice(), &filter, None, 10).await.unwrap().rows;
    assert_eq!(given_up.len(), 1);
    let attempts = events::attempts(shop.backoffice(), given_up[0].event.seq).await.unwrap();
    assert_eq!(attempts.len(), 10);
    assert_eq!((attempts[0].status, attempts[0].answer.as_str()), (Some(500), "서버 점검 중"));

    // Somebody has mended it, and has it told again.
    receiver.mood(Mood::Takes);
    let again = Resend::One(given_up[0].event.id);
    assert_eq!(events::resend(shop.backoffice(), &Actor::CommandLine, id, &again).await.unwrap(), 1);
    waits_for_nothing(&shop, id).await;
    assert!(receiver.of_order("ord_poison").contains(&"refund.requested".to_owned()));
}

#[tokio::test]
async fn a_receiver_that_never_answers_keeps_nobody_else() {
    let shop = Shop::open().await;
    let (slow, quick) = (Receiver::open().await, Receiver::open().await);
    slow.mood(Mood::Hangs);
    let (slow_id, _) = add(&shop, &slow, &[]).await;
    let (quick_id, _) = add(&shop, &quick, &[]).await;
    for n in 0..3 {
        paid_and_refunded(&shop, &format!("ord_slow_{n}")).await;
    }
    waits_for_nothing(&shop, quick_id).await;
    for n in 0..3 {
        has_heard_all(&shop, &quick, &format!("ord_slow_{n}")).await;
    }
    assert!(slow.bodies().is_empty() && endpoint(&shop, slow_id).await.waiting == 12);
    slow.mood(Mood::Takes);
    shop.eventually("the slow one hears of it, too", || async {
        (0..3).all(|n| slow.of_order(&format!("ord_slow_{n}")).len() == PAID_AND_REFUNDED.len())
    })
    .await;
}

#[tokio::test]
async fn a_secret_can_be_changed_without_refusing_anything() {
    let shop = Shop::open().await;
    let receiver = Receiver::open().await;
    let (id, first) = add(&shop, &receiver, &[]).await;
    let second = events::rotate(shop.backoffice(), &Actor::CommandLine, id).await.unwrap();
    events::test(shop.backoffice(), &Actor::CommandLine, id).await.unwrap();
    waits_for_nothing(&shop, id).await;
    assert_eq!(receiver.kinds(), ["endpoint.test"]);
    assert!(receiver.are_signed_with(&first) && receiver.are_signed_with(&second));
    assert_eq!(events::secrets(shop.backoffice(), id).await.unwrap().len(), 2);

    receiver.forgets();
    shop.backoffice().clock.set_offset(time::Duration::hours(25));
    events::test(shop.backoffice(), &Actor::CommandLine, id).await.unwrap();
    waits_for_nothing(&shop, id).await;
    assert!(!receiver.are_signed_with(&first) && receiver.are_signed_with(&second));
}

#[tokio::test]
async fn a_test_goes_to_one_endpoint_alone() {
    let shop = Shop::open().await;
    let (one, other) = (Receiver::open().await, Receiver::open().await);
    let (id, _) = add(&shop, &one, &[Kind::OrderPaid]).await;
    add(&shop, &other, &[]).await;
    events::test(shop.backoffice(), &Actor::CommandLine, id).await.unwrap();
    shop.paid("ord_after_test", 10_000).await;
    shop.eventually("both hear of the sale", || async {
        one.kinds().contains(&"order.paid".into()) && other.kinds().contains(&"order.paid".into())
    })
    .await;
    assert_eq!(one.kinds().len(), 2);
    assert_eq!(other.kinds(), ["order.paid"]);
}

#[tokio::test]
async fn nothing_is_sent_into_our_own_network_nor_where_somebody_points() {
    // No network of our own is allowed.
    let shop = Shop::open_with(&[("JANGBU_EVENT_NETWORKS", "192.0.2.0/24")]).await;
    let receiver = Receiver::open().await;
    let port = receiver.url.split(':').nth(2).unwrap();
    let actor = Actor::CommandLine;
    for (url, why) in [
        (receiver.url.clone(), Unfit::Inside),
        ("https://169.254.169.254/latest/meta-data".into(), Unfit::Inside),
        ("https://[::ffff:127.0.0.1]/".into(), Unfit::Inside),
        ("http://1.1.1.1/".into(), Unfit::NotEncrypted),
        ("https://a:b@shop.example/".into(), Unfit::Credentials),
        ("javascript:alert(1)".into(), Unfit::Url),
    ] {
        let refused = events::add(shop.backoffice(), &actor, &change(&url, &[])).await.unwrap_err();
        assert!(
            matches!(refused, EndpointError::Invalid(Invalid::Url(unfit)) if unfit == why),
            "{url}: {refused:?}"
        );
    }
    // A name that turns out to be one of ours.
    let named = [format!("https://localhost:{port}"), format!("http://localhost:{port}/events")];
    for url in named {
        let (id, _) = events::add(shop.backoffice(), &actor, &change(&url, &[])).await.unwrap();
        events::test(shop.backoffice(), &actor, id).await.unwrap();
        shop.eventually("it is refused", || async { endpoint(&shop, id).await.last_error.is_some() }).await;
        let error = endpoint(&shop, id).await.last_error.unwrap();
        assert!(error.contains("inside our own network"), "{error}");
        events::remove(shop.backoffice(), &actor, id).await.unwrap();
    }
    assert_eq!(receiver.asked(), 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_gone_is_believed() {
    let shop = Shop::open().await;
    let (first, second) = (Receiver::open().await, Receiver::open().await);
    first.mood(Mood::Redirects(second.url.clone()));
    let (id, _) = add(&shop, &first, &[]).await;
    events::test(shop.backoffice(), &Actor::CommandLine, id).await.unwrap();
    shop.eventually("it is a failure", || async { endpoint(&shop, id).await.last_error.is_some() }).await;
    assert_eq!(second.asked(), 0);
    first.mood(Mood::Refuses(410));
    shop.backoffice().clock.set_offset(time::Duration::minutes(1));
    let is_paused = || async { endpoint(&shop, id).await.state == Standing::Paused };
    shop.eventually("it is paused", is_paused).await;
    assert_eq!(endpoint(&shop, id).await.paused_because, Some(Why::Gone));
    // Nothing is lost all the same.
    shop.paid("ord_gone", 10_000).await;
    assert_eq!(endpoint(&shop, id).await.waiting, 2);
}

#[tokio::test]
async fn what_a_disabled_endpoint_missed_is_told_again_after_a_look_at_how_much_it_is() {
    let shop = Shop::open().await;
    let receiver = Receiver::open().await;
    let (id, _) = add(&shop, &receiver, &[]).await;
    shop.paid("ord_before", 10_000).await;
    waits_for_nothing(&shop, id).await;
    assert!(events::disable(shop.backoffice(), &Actor::CommandLine, id).await.unwrap());
    paid_and_refunded(&shop, "ord_missed").await;
    let now = shop.backoffice().clock.now();
    let missed = Resend::Many {
        from: now - time::Duration::HOUR,
        to: now + time::Duration::HOUR,
        kinds: Vec::new(),
        only_missed: true,
    };
    let refused = events::resend(shop.backoffice(), &Actor::CommandLine, id, &missed).await;
    assert!(matches!(refused, Err(EndpointError::NotFound)), "a disabled one is told nothing");
    events::enable(shop.backoffice(), &Actor::CommandLine, id).await.unwrap();
    assert_eq!(endpoint(&shop, id).await.waiting, 0);
    assert_eq!(events::preview(shop.backoffice(), id, &missed).await.unwrap().events, 4);
    assert_eq!(events::resend(shop.backoffice(), &Actor::CommandLine, id, &missed).await.unwrap(), 4);
    waits_for_nothing(&shop, id).await;
    has_heard_all(&shop, &receiver, "ord_missed").await;
    assert_eq!(events::preview(shop.backoffice(), id, &missed).await.unwrap().events, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_are_killed_lose_no_event_and_keep_the_order_of_each_order() {
    const ORDERS: usize = 60;
    let shop = Shop::open().await;
    let receiver = Receiver::open().await;
    let (id, _) = add(&shop, &receiver, &[]).await;
    // The shop's own worker is not to help: what it holds is taken away from it until the end.
    let hold = Uuid::new_v4();
    let held = async |seconds: f64| {
        sqlx::query("update event_endpoints set holder = $2, held_until = now() + make_interval(secs => $3) where id = $1")
            .bind(id)
            .bind(hold)
            .bind(seconds)
            .execute(&shop.backoffice().pool)
            .await
            .unwrap();
    };
    held(3600.0).await;
    let orders: Vec<String> = (0..ORDERS).map(|n| format!("ord_killed_{n}")).collect();
    for some in orders.chunks(6) {
        futures::future::join_all(some.iter().map(|order| paid_and_refunded(&shop, order))).await;
    }
    let all = i64::try_from(ORDERS * 4).unwrap();
    assert_eq!(endpoint(&shop, id).await.waiting, all);
    let told = || receiver.bodies().len();
    // The receiver is slow enough for a kill to come in between.
    let mut process = work(&shop.database_url, &shop);
    held(0.0).await;
    for share in [1, 2, 3] {
        let is_some = || async { told() >= ORDERS * share };
        shop.eventually_within(60, "some are told", is_some).await;
        process.0.kill().unwrap();
        process.0.wait().unwrap();
        process = work(&shop.database_url, &shop);
        // Nobody waits here for the lease of a process that is dead.
        held(0.0).await;
    }
    shop.eventually_within(120, "all are told", || async { endpoint(&shop, id).await.waiting == 0 }).await;
    for order in &orders {
        has_heard_all(&shop, &receiver, order).await;
    }
    let mut bodies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (id, body) in receiver.bodies() {
        bodies.entry(id).or_default().insert(body.to_string());
    }
    assert_eq!(bodies.len(), ORDERS * 4);
    assert!(bodies.values().all(|bodies| bodies.len() == 1), "one id says one thing");
}

#[tokio::test]
async fn accounts_receipts_users_and_store_purchases_are_told_as_well() {
    let shop = Shop::open().await;
    let receiver = Receiver::open().await;
    add(&shop, &receiver, &[]).await;
    shop.paid_into("ord_account", 30_000, json!({ "method": "가상계좌", "bank": "088" })).await;
    shop.eventually("the deposit is told", || async { receiver.of_order("ord_account").len() >= 3 }).await;
    assert_eq!(
        receiver.of_order("ord_account")[..3],
        ["order.waiting_for_deposit", "order.paid", "order.deposited"]
    );

    let user = shop.user().await;
    let code = shop.control(&format!("apps-in-toss/users/{user}/authorize"), &json!({})).await;
    let login = json!({ "authorizationCode": code["authorizationCode"], "referrer": "sandbox" });
    assert_eq!(shop.api("login", &login).await.0, 200);
    let key = toss::apps_in_toss::UserKey(user);
    backoffice::users::unlink(shop.backoffice(), &Actor::CommandLine, key).await.unwrap();
    shop.paid_by_toss_pay("ord_app", 5_000, json!({})).await;
    let is_told = || async {
        let kinds = receiver.kinds();
        ["user.linked", "user.unlinked"].iter().all(|kind| kinds.contains(&(*kind).to_owned()))
            && receiver.bodies().iter().any(|(_, body)| {
                body["data"]["orderId"] == "ord_app"
                    && body["type"] == "order.paid"
                    && body["data"]["rail"] == "toss_pay"
            })
    };
    shop.eventually("users and their payments are told", is_told).await;
    let unlinked = receiver.bodies().into_iter().find(|(_, body)| body["type"] == "user.unlinked").unwrap().1;
    assert_eq!(unlinked["data"], json!({ "userKey": user, "referrer": "PARTNER" }));
}

#[tokio::test]
async fn a_host_hears_the_same_without_http_and_goes_on_after_a_restart() {
    let shop = Shop::open().await;
    let subscription = shop.jangbu.events("warehouse", &[Kind::OrderPaid]).await.unwrap();
    shop.paid("ord_host_1", 10_000).await;
    shop.paid("ord_host_2", 10_000).await;
    let order = |received: &events::Received| match received.event.typed().unwrap() {
        Data::Order(order) => order.order_id,
        other => panic!("{other:?}"),
    };
    let first = subscription.next().await.unwrap();
    assert_eq!(order(&first), "ord_host_1");
    // It was not done: whoever begins again gets it again.
    drop(first);
    let subscription = shop.jangbu.events("warehouse", &[Kind::OrderPaid]).await.unwrap();
    let first = subscription.next().await.unwrap();
    assert_eq!(order(&first), "ord_host_1");
    first.done().await.unwrap();
    assert_eq!(order(&subscription.next().await.unwrap()), "ord_host_2");
}

#[tokio::test]
async fn a_server_that_asks_reads_every_event_once_by_the_api_and_by_the_command_line() {
    let shop = Shop::open().await;
    paid_and_refunded(&shop, "ord_asked").await;
    let read = async |query: &str| -> (u16, Value) {
        let url = format!("{}/api/v1/events{query}", shop.url);
        let response = shop.http.get(url).bearer_auth(MERCHANT_KEY).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    };
    let mut kinds = Vec::new();
    let mut after = String::new();
    loop {
        let (status, page) = read(&format!("?limit=3{after}")).await;
        assert_eq!(status, 200, "{page}");
        let events = page["events"].as_array().unwrap();
        kinds.extend(events.iter().map(|event| event["type"].as_str().unwrap().to_owned()));
        if events.is_empty() {
            break;
        }
        after = format!("&after={}", page["after"].as_str().unwrap());
    }
    assert_eq!(sorted(&kinds), sorted(&PAID_AND_REFUNDED));
    let (_, paid) = read("?type=order.paid").await;
    assert_eq!(paid["events"].as_array().unwrap().len(), 1);
    for wrong in ["?type=order.eaten", "?limit=0", "?limit=x", "?after=evt_1", "?after=%00"] {
        let (status, said) = read(wrong).await;
        assert_eq!((status, said["code"].as_str()), (400, Some("INVALID_REQUEST")), "{wrong}");
    }

    let tail = |more: &[&str]| -> Vec<Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_jangbu"))
            .args(["events", "tail", "--no-follow", "--after", "start"])
            .args(more)
            .env("DATABASE_URL", &shop.database_url)
            .env("JANGBU_MODE", "sandbox")
            .env("JANGBU_DATA_KEY", DATA_KEY)
            .env("JANGBU_AUDIT_KEY", AUDIT_KEY)
            .env("TOSS_PAYMENTS_URL", &shop.sandbox_url)
            .env("TOSS_PAYMENTS_SECRET_KEY", sandbox::PUBLIC_TEST_KEYS[0])
            .env("RUST_LOG", "error")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let lines = tail(&[]);
    let told: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(told, kinds, "the same in the same order");
    assert!(lines[0]["id"].as_str().unwrap().starts_with("evt_"));
    assert_eq!(tail(&["--kind", "refund.succeeded"]).len(), 1);
}

#[tokio::test]
async fn events_are_kept_as_long_as_is_set_and_what_waits_stays() {
    let shop = Shop::open_with(&[("JANGBU_RETENTION", "events=30d")]).await;
    let (taking, refusing) = (Receiver::open().await, Receiver::open().await);
    refusing.mood(Mood::Refuses(500));
    let (id, _) = add(&shop, &taking, &[Kind::OrderPaid]).await;
    add(&shop, &refusing, &[Kind::RefundSucceeded]).await;
    paid_and_refunded(&shop, "ord_old").await;
    waits_for_nothing(&shop, id).await;
    shop.backoffice().clock.set_offset(time::Duration::days(31));
    backoffice::retention::job::destroy(shop.backoffice()).await.unwrap();
    let left = events::list(shop.backoffice(), &Filter::default(), None, 50).await.unwrap().rows;
    let kinds: Vec<Kind> = left.iter().map(|told| told.event.kind).collect();
    assert_eq!(kinds, [Kind::RefundSucceeded], "it waits for somebody who does not take it");
}

#[tokio::test]
async fn whoever_is_forgotten_is_in_no_event_any_more() {
    let shop = Shop::open().await;
    let (order_id, phone) = ("ord_forgotten", "01044318820");
    let order = json!({ "orderId": order_id, "amount": 10_000, "orderName": "머그컵", "customerMobilePhone": phone,
                        "userKey": "77110042" });
    assert_eq!(shop.api("orders", &order).await.0, 201);
    let opening = json!({ "orderId": order_id, "orderName": "머그컵", "amount": 10_000 });
    let key = shop.control("payments", &opening).await["paymentKey"].as_str().unwrap().to_owned();
    shop.control(&format!("payments/{key}/authenticate"), &json!({ "method": "카드" })).await;
    assert_eq!(shop.confirm(order_id, &key, 10_000).await.0, 200);
    let told = async || -> Vec<Value> {
        let told = events::list(shop.backoffice(), &Filter::default(), None, 10).await.unwrap().rows;
        told.into_iter().map(|told| told.event.data["userKey"].clone()).collect()
    };
    assert_eq!(told().await, [json!("77110042")]);
    let person = backoffice::personal_data::Person::parse(phone, "", "", "").unwrap();
    let admin = shop.log_in(Role::Admin).await;
    backoffice::personal_data::erase(shop.backoffice(), &admin.actor(), &person, "본인 요청").await.unwrap();
    assert_eq!(told().await, [Value::Null]);
}

#[tokio::test]
async fn an_endpoint_that_only_one_event_makes_fail_is_asked_with_another() {
    let shop = Shop::open().await;
    let receiver = Receiver::open().await;
    receiver.mood(Mood::RefusesKind("refund.requested"));
    let (id, _) = add(&shop, &receiver, &[Kind::RefundRequested, Kind::OrderPaid]).await;
    paid_and_refunded(&shop, "ord_lonely").await;
    // Nothing else happens for so long that the endpoint itself seems to be away.
    let clock = &shop.backoffice().clock;
    let (mut hours, seems_away) = (0, || async { endpoint(&shop, id).await.retry_at.is_some() });
    while !seems_away().await {
        hours += 12;
        clock.set_offset(time::Duration::hours(hours));
        let before = receiver.asked();
        shop.eventually("it is asked again", || async { receiver.asked() > before }).await;
    }
    shop.paid("ord_after_all", 10_000).await;
    clock.set_offset(time::Duration::hours(hours + 2));
    shop.eventually("another is taken", || async { !receiver.of_order("ord_after_all").is_empty() }).await;
    assert_eq!(receiver.of_order("ord_lonely"), ["order.paid"]);
}
