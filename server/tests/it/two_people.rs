//! Two people that one cannot be: every way of being both, tried.

use backoffice::{
    Actor, NotSecond,
    limits::{self, Kept},
    promotions::{self, NewCampaign},
    refunds::{self, Refund, RefundError, Refused, State},
    staff::{self, NewStaff, Role},
};
use serde_json::json;
use time::Duration;

use crate::support::{Person, Shop, refund};

const PASSWORD: &str = "a password of somebody else";

/// Two administrators who have been here for long.
async fn settled(shop: &Shop) -> (Person, Person) {
    let (first, second) = (shop.log_in(Role::Admin).await, shop.log_in(Role::Admin).await);
    sqlx::query("update staff set access_set_at = access_set_at - interval '30 days'")
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    (first, second)
}

async fn made_by(shop: &Shop, maker: &Person, role: Role) -> Actor {
    let new = NewStaff {
        email: format!("{}@example.com", uuid::Uuid::new_v4().simple()),
        name: "새 사람".into(),
        role,
    };
    let id = staff::add(shop.backoffice(), &maker.actor(), new, PASSWORD.into()).await.unwrap();
    Actor::Staff { id, name: "새 사람".into(), role, via: backoffice::audit::Via::default() }
}

/// Asks for a refund that needs a second person.
async fn waiting(shop: &Shop, by: &Actor, order_id: &str) -> Refund {
    shop.paid(order_id, 50_000).await;
    let asked = refunds::request(shop.backoffice(), by, &refund(order_id, "40000")).await.unwrap();
    assert_eq!(asked.state, State::WaitingForApproval);
    asked
}

async fn approved(shop: &Shop, by: &Actor, refund: &Refund) -> Result<State, Refused> {
    match refunds::approve(shop.backoffice(), by, refund.id).await {
        Ok(refund) => Ok(refund.state),
        Err(RefundError::Refused(refused)) => Err(refused),
        Err(RefundError::Fault(fault)) => panic!("{fault}"),
    }
}

async fn low_limits(shop: &Shop) {
    for role in ["support", "finance", "admin"] {
        shop.limit(role, "10000", "10000").await;
    }
}

#[tokio::test]
async fn ones_own_second_account_approves_nothing_for_a_day() {
    let shop = Shop::strict().await;
    low_limits(&shop).await;
    let (admin, other) = settled(&shop).await;
    let own = made_by(&shop, &admin, Role::Finance).await;
    let asked = waiting(&shop, &admin.actor(), "ord_self_1").await;
    assert!(matches!(approved(&shop, &own, &asked).await, Err(Refused::NotSecond(NotSecond::TooNew { .. }))));
    // The other way round: the new account asks, and its maker approves.
    let asked_by_own = waiting(&shop, &own, "ord_self_2").await;
    assert!(matches!(
        approved(&shop, &admin.actor(), &asked_by_own).await,
        Err(Refused::NotSecond(NotSecond::OwnCreation { .. }))
    ));
    // Somebody else is a second person for both.
    assert_eq!(approved(&shop, &other.actor(), &asked_by_own).await, Ok(State::Succeeded));
    let (_, html) = shop.page("/orders/ord_self_1", Some(&other.cookie)).await;
    assert!(html.contains("40,000원 환불 승인"), "{html}");
    shop.backoffice().clock.set_offset(Duration::hours(25));
    assert_eq!(approved(&shop, &own, &asked).await, Ok(State::Succeeded));
}

#[tokio::test]
async fn neither_a_new_password_nor_a_new_role_makes_a_second_person() {
    let shop = Shop::strict().await;
    low_limits(&shop).await;
    let (admin, other) = settled(&shop).await;
    let asked = waiting(&shop, &admin.actor(), "ord_pass_1").await;
    // The password of the other one is set by whoever asked.
    staff::reset(shop.backoffice(), &admin.actor(), &other.email, PASSWORD.into()).await.unwrap();
    assert!(matches!(
        approved(&shop, &other.actor(), &asked).await,
        Err(Refused::NotSecond(NotSecond::TooNew { .. }))
    ));
    let support = made_by(&shop, &admin, Role::Support).await;
    sqlx::query("update staff set access_set_at = access_set_at - interval '30 days', access_set_by = null")
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    sqlx::query("update staff set role = 'finance' where id = $1")
        .bind(support.staff_id())
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    assert!(matches!(
        approved(&shop, &support, &asked).await,
        Err(Refused::NotSecond(NotSecond::TooNew { .. }))
    ));
    assert_eq!(approved(&shop, &other.actor(), &asked).await, Ok(State::Succeeded));
}

#[tokio::test]
async fn two_sessions_a_file_and_a_bare_call_are_one_person() {
    let shop = Shop::strict().await;
    low_limits(&shop).await;
    let (admin, _) = settled(&shop).await;
    let asked = waiting(&shop, &admin.actor(), "ord_ways_1").await;
    let id = asked.id.to_string();
    // Another session of the same person, as a page and as a program would.
    let again =
        shop.form("log_in", None, &[("email", &admin.email), ("password", crate::support::PASSWORD)]).await;
    let second_cookie = crate::support::cookie(&again).unwrap();
    for cookie in [&admin.cookie, &second_cookie] {
        shop.form("approve_refund", Some(cookie), &[("order_id", "ord_ways_1"), ("id", &id)]).await;
    }
    let bare = shop
        .http
        .post(format!("{}/fn/approve_refund", shop.url))
        .header("cookie", &second_cookie)
        .header("accept", "application/json")
        .form(&[("order_id", "ord_ways_1"), ("id", id.as_str())])
        .send()
        .await
        .unwrap();
    assert!(bare.status().is_client_error() || bare.status().is_server_error(), "{}", bare.status());
    // The merchant's key is nobody's second person either.
    let (status, _) = shop.api(&format!("refunds/{id}/approve"), &json!({})).await;
    assert_eq!(status, 404);
    assert_eq!(
        refunds::get(shop.backoffice(), asked.id).await.unwrap().unwrap().state,
        State::WaitingForApproval
    );
    refunds::withdraw(shop.backoffice(), &admin.actor(), asked.id).await.unwrap();

    // A file instead of the form.
    let csv = b"orderId,amount\nord_ways_1,40000\n";
    let file = refunds::batch::preview(shop.backoffice(), &admin.actor(), "f.csv", csv, "defect", "불량")
        .await
        .unwrap();
    let state = refunds::batch::start(shop.backoffice(), &admin.actor(), file).await.unwrap();
    assert_eq!(state.as_str(), "waiting_for_approval");
    let own = made_by(&shop, &admin, Role::Finance).await;
    for by in [&admin.actor(), &own] {
        let refused = refunds::batch::approve(shop.backoffice(), by, file).await.unwrap_err();
        assert!(matches!(refused, refunds::batch::BatchError::NotSecond(_)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_limit_is_not_lifted_and_put_back_by_one_person() {
    let shop = Shop::strict().await;
    let (admin, other) = settled(&shop).await;
    let before = limits::list(shop.backoffice()).await.unwrap();
    let of = |role: Role| before.iter().find(|limit| limit.role == role).copied().unwrap();
    assert_eq!(
        (of(Role::Support).one_refund, of(Role::Support).per_day),
        (Some(300_000.into()), Some(1_000_000.into()))
    );
    for role in [Role::Finance, Role::Admin] {
        assert_eq!(
            (of(role).one_refund, of(role).per_day),
            (Some(3_000_000.into()), Some(20_000_000.into()))
        );
    }
    let fields = |one: &'static str| {
        [("role", "admin"), ("one_refund", one), ("per_day", "한도 없음"), ("grants_per_day", "한도 없음")]
    };
    // Left out is no answer.
    shop.form("set_refund_limit", Some(&admin.cookie), &fields("")).await;
    let (_, html) = shop.page("/settings", Some(&admin.cookie)).await;
    assert!(html.contains("금액이나 “한도 없음”을 입력하세요"), "{html}");
    shop.form("set_refund_limit", Some(&admin.cookie), &fields("한도 없음")).await;
    assert_eq!(limits::list(shop.backoffice()).await.unwrap(), before);
    let (_, home) = shop.page("/", Some(&other.cookie)).await;
    assert!(home.contains("승인할 한도 변경 1건"), "{home}");
    let request = limits::requests(shop.backoffice()).await.unwrap().remove(0);
    let own = limits::decide(shop.backoffice(), &admin.actor(), "admin", &request.version(), true).await;
    assert!(matches!(own, Err(limits::LimitError::Refused(limits::Refused::NotSecond(NotSecond::Own)))));
    let new = made_by(&shop, &admin, Role::Admin).await;
    let own = limits::decide(shop.backoffice(), &new, "admin", &request.version(), true).await;
    assert!(matches!(
        own,
        Err(limits::LimitError::Refused(limits::Refused::NotSecond(NotSecond::TooNew { .. })))
    ));
    // What was asked for changes while the second one looks: that was another request.
    shop.backoffice().clock.set_offset(Duration::SECOND);
    shop.form("set_refund_limit", Some(&admin.cookie), &fields("5,000,000")).await;
    let old = limits::decide(shop.backoffice(), &other.actor(), "admin", &request.version(), true).await;
    assert!(matches!(old, Err(limits::LimitError::Refused(limits::Refused::NothingWaits))));
    let request = limits::requests(shop.backoffice()).await.unwrap().remove(0);
    limits::decide(shop.backoffice(), &other.actor(), "admin", &request.version(), true).await.unwrap();
    let admin_limit =
        limits::list(shop.backoffice()).await.unwrap().into_iter().find(|l| l.role == Role::Admin);
    assert_eq!(admin_limit.unwrap().one_refund, Some(5_000_000.into()));
    // Down again takes nobody else.
    let typed = limits::Typed { role: "admin", one_refund: "0", per_day: "0", grants_per_day: "0" };
    assert_eq!(limits::set(shop.backoffice(), &admin.actor(), typed).await.unwrap(), Kept::Now);
    let rows = backoffice::audit::of_subject(&shop.backoffice().pool, "role", "admin").await.unwrap();
    let actions: Vec<_> = rows.iter().map(|row| row.action.as_str()).collect();
    for action in ["refund_limit.requested", "refund_limit.changed"] {
        assert_eq!(actions.iter().filter(|a| **a == action).count(), 2, "{actions:?}");
    }
}

#[tokio::test]
async fn points_of_one_person_add_up_over_campaigns_and_files() {
    let shop = Shop::strict().await;
    let (admin, other) = settled(&shop).await;
    let typed = limits::Typed { role: "admin", one_refund: "0", per_day: "0", grants_per_day: "2,500" };
    limits::set(shop.backoffice(), &Actor::CommandLine, typed).await.unwrap();
    let campaign = |code: &str, above: &str| NewCampaign {
        promotion_code: code.into(),
        name: "포인트".into(),
        amount: "1000".into(),
        user_cap: "5000".into(),
        budget: "100000".into(),
        starts_on: "2020-01-01".into(),
        ends_on: "2090-01-01".into(),
        approval_above: above.into(),
    };
    for (code, above) in [("ONE", ""), ("TWO", "100,000"), ("THREE", "1000")] {
        shop.control("apps-in-toss/promotions", &json!({ "promotionCode": code })).await;
        promotions::campaigns::add(shop.backoffice(), &admin.actor(), &campaign(code, above))
            .await
            .unwrap()
            .unwrap();
    }
    let grant = async |code: &str, event: &str| {
        let form = promotions::Form {
            intent: refunds::new_intent(),
            promotion_code: code.into(),
            user_key: shop.user().await.to_string(),
            event: event.into(),
            ..promotions::Form::default()
        };
        match promotions::grant(shop.backoffice(), &admin.actor(), &form).await {
            Ok(grant) => Ok(grant.state),
            Err(promotions::GrantError::Refused(refused)) => Err(refused),
            Err(promotions::GrantError::Fault(fault)) => panic!("{fault}"),
        }
    };
    // Without a threshold, or with one that nothing reaches, nothing is given before a second one has seen it.
    for code in ["ONE", "TWO", "THREE"] {
        assert_eq!(grant(code, "a").await, Err(promotions::Refused::NotApproved), "{code}");
        let own = promotions::campaigns::approve(shop.backoffice(), &admin.actor(), code).await;
        assert!(own.is_err());
        promotions::campaigns::approve(shop.backoffice(), &other.actor(), code).await.unwrap();
    }
    assert_eq!(grant("ONE", "a").await, Ok(promotions::State::Succeeded));
    assert_eq!(grant("TWO", "a").await, Ok(promotions::State::Succeeded));
    assert_eq!(grant("THREE", "a").await, Ok(promotions::State::WaitingForApproval), "3,000 of 2,500 points");
    let csv = format!("userKey\n{}\n", shop.user().await);
    let file =
        promotions::batch::preview(shop.backoffice(), &admin.actor(), "ONE", "file", "f.csv", csv.as_bytes())
            .await
            .unwrap();
    let state = promotions::batch::start(shop.backoffice(), &admin.actor(), file).await.unwrap();
    assert_eq!(state.as_str(), "waiting_for_approval");
    // A new day.
    shop.backoffice().clock.set_offset(Duration::days(1));
    assert_eq!(grant("THREE", "b").await, Ok(promotions::State::Succeeded));
}

#[tokio::test]
async fn with_one_administrator_the_page_says_what_cannot_be_separated() {
    let shop = Shop::open().await;
    let admin = shop.log_in(Role::Admin).await;
    for path in ["/settings", "/staff"] {
        let (_, html) = shop.page(path, Some(&admin.cookie)).await;
        assert!(html.contains("승인할 수 있는 사람이 나뿐이에요"), "{path}");
    }
    shop.log_in(Role::Finance).await;
    let (_, html) = shop.page("/settings", Some(&admin.cookie)).await;
    assert!(!html.contains("승인할 수 있는 사람이 나뿐이에요"));
}
