//! How accounts end, and from where they are used: who leaves, who never comes, who comes from elsewhere.

use backoffice::{
    Actor,
    refunds::{self, State},
    staff::{
        self, Caller, Invalid, NewStaff, Permission, Role, StaffError, close_dormant, invitations,
        password::Password, register::Kind,
    },
};
use time::Duration;
use uuid::Uuid;

use crate::{
    rights::{kinds, now, register_of, said},
    support::{PASSWORD, Person, Shop, refund},
};

#[tokio::test]
async fn an_account_that_nobody_uses_is_closed_and_opened_with_a_new_link() {
    let shop = Shop::open().await;
    let (admin, agent) = (shop.log_in(Role::Admin).await, shop.log_in(Role::Support).await);
    let busy = shop.log_in(Role::Support).await;
    let backoffice = shop.backoffice();
    let new =
        NewStaff { email: "never@example.com".into(), name: "안 온 사람".into(), role: Role::Admin };
    let (never, link, _) = invitations::invite(backoffice, &admin.actor(), new).await.unwrap();

    backoffice.clock.set_offset(Duration::days(75));
    let (_, html) = shop.page("/staff", Some(&admin.cookie)).await;
    assert!(!html.contains("로그인하지 않으면 닫혀요"), "{html}");
    backoffice.clock.set_offset(Duration::days(77));
    shop.again(&busy).await;
    let (_, html) = shop.page("/staff", Some(&admin.cookie)).await;
    assert_eq!(html.matches("로그인하지 않으면 닫혀요").count(), 3, "{html}");
    assert_eq!(close_dormant(backoffice).await.unwrap(), 0);

    backoffice.clock.set_offset(Duration::days(90) + Duration::HOUR);
    assert_eq!(close_dormant(backoffice).await.unwrap(), 2, "not the last administrator, nor who was here");
    for (person, closed) in [(agent.id, true), (never, true), (admin.id, false), (busy.id, false)] {
        let staff = staff::get(backoffice, person).await.unwrap().unwrap();
        assert_eq!((staff.disabled_at.is_some(), staff.is_dormant), (closed, closed), "{}", staff.name);
    }
    assert_eq!(shop.page("/orders", Some(&agent.cookie)).await.0, 303, "what was open is closed");
    let refused =
        staff::log_in(backoffice, &agent.email, Password::typed(PASSWORD), &Caller::at("")).await.unwrap();
    assert!(refused.is_err());
    let ended = invitations::accept(backoffice, &link, "나", PASSWORD.into(), &Caller::at("")).await;
    assert!(matches!(ended, Err(StaffError::Invalid(Invalid::Link(_)))));
    let rows = register_of(&shop, agent.id).await;
    assert_eq!((rows[0].kind, rows[0].by.as_str()), (Kind::Dormant, "job:dormant"));
    assert!(rows[0].before.is_some() && rows[0].after.is_none());
    let (_, html) = shop.page("/staff", Some(&admin.cookie)).await;
    assert!(html.contains("휴면으로 닫힘"), "{html}");

    let token = invitations::invite_again(backoffice, &admin.actor(), agent.id).await.unwrap();
    backoffice.clock.set_offset(Duration::days(91));
    invitations::accept(
        backoffice,
        &token,
        "돌아온 사람",
        "오랜만에 다시 왔어요 하나".into(),
        &Caller::at(""),
    )
    .await
    .unwrap();
    assert_eq!(
        close_dormant(backoffice).await.unwrap(),
        0,
        "who was let in again is not closed for the days before"
    );
    assert_eq!(kinds(&register_of(&shop, agent.id).await)[..2], [Kind::Joined, Kind::Reopened]);
}

/// What somebody has open: a difference, refunds and points that wait, a file, requests for others.
async fn has_open(shop: &Shop, person: &Person) -> Uuid {
    let pool = &shop.backoffice().pool;
    for key in ["tx-open-1", "tx-open-2"] {
        sqlx::query(
            "insert into differences (transaction_key, occurrence, day, rail, payment_key, order_id, currency, transaction_at, class,
                                      findings, ours, toss, settled, fee, payout, state, assignee, found_at, changed_at)
             values ($1, 1, '2026-11-01', 'toss_payments', 'p', 'ord_open', 'KRW', now(), 'late', '{}', 1, 1, 0, 0, 0, 'open', $2,
                     now(), now())",
        )
        .bind(key)
        .bind(person.id)
        .execute(pool)
        .await
        .unwrap();
    }
    for role in ["support", "finance"] {
        shop.limit(role, "100", "100").await;
    }
    shop.paid("ord_open_1", 10_000).await;
    shop.paid("ord_open_2", 10_000).await;
    let asked =
        refunds::request(shop.backoffice(), &person.actor(), &refund("ord_open_1", "1000")).await.unwrap();
    assert_eq!(asked.state, State::WaitingForApproval);
    let csv = b"orderId,amount\nord_open_2,1000\n";
    let file = refunds::batch::preview(shop.backoffice(), &person.actor(), "f.csv", csv, "defect", "불량")
        .await
        .unwrap();
    refunds::batch::start(shop.backoffice(), &person.actor(), file).await.unwrap();
    asked.id
}

async fn assignees(shop: &Shop) -> Vec<Option<Uuid>> {
    sqlx::query_scalar("select assignee from differences order by transaction_key")
        .fetch_all(&shop.backoffice().pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn whoever_leaves_hands_over_what_is_open() {
    let shop = Shop::open().await;
    let (admin, other) = (shop.log_in(Role::Admin).await, shop.log_in(Role::Finance).await);
    let (leaver, agent) = (shop.log_in(Role::Finance).await, shop.log_in(Role::Support).await);
    let asked = has_open(&shop, &leaver).await;
    let id = leaver.id.to_string();
    let (_, html) = shop.page(&format!("/staff/{id}"), Some(&admin.cookie)).await;
    for word in ["맡은 차이", "승인 대기 환불", "일괄 환불", "f.csv", "누구에게 넘길까요", "ord_open_1"]
    {
        assert!(html.contains(word), "{word}: {html}");
    }
    let choices = html.split("name=\"hand_to\"").nth(1).unwrap().split("</select>").next().unwrap();
    assert!(choices.contains(&other.id.to_string()) && choices.contains(&admin.id.to_string()));
    assert!(!choices.contains(&agent.id.to_string()), "only who may work differences");
    // To somebody who could do nothing with it, nothing happens at all.
    let agent_id = agent.id.to_string();
    let html = said(&shop, "disable_staff", &admin, &[("id", &id), ("hand_to", &agent_id)]).await;
    assert!(html.contains("차이를 처리할 수 있는 사람을 고르세요"), "{html}");
    assert!(now(&shop, &leaver).await.disabled_at.is_none());
    assert_eq!(assignees(&shop).await, [Some(leaver.id); 2]);

    let other_id = other.id.to_string();
    let html = said(&shop, "disable_staff", &admin, &[("id", &id), ("hand_to", &other_id)]).await;
    assert!(html.contains("넘긴 차이 2건, 멈춘 파일 1개, 철회한 요청 0건"), "{html}");
    assert_eq!(assignees(&shop).await, [Some(other.id); 2]);
    assert_eq!(shop.page("/orders", Some(&leaver.cookie)).await.0, 303);
    let (_, html) = shop.page("/reconciliation/differences/tx-open-1", Some(&other.cookie)).await;
    assert!(html.contains("담당 넘김"), "{html}");
    // What they asked for can still be decided; their file does not run.
    let done = refunds::approve(shop.backoffice(), &other.actor(), asked).await.unwrap();
    assert_eq!(done.state, State::Succeeded);
    let (state,): (String,) =
        sqlx::query_as("select state from refund_batches").fetch_one(&shop.backoffice().pool).await.unwrap();
    assert_eq!(state, "declined");
    let rows = backoffice::audit::of_subject(&shop.backoffice().pool, "staff", &id).await.unwrap();
    let handed = rows.iter().find(|row| row.action == "staff.handed_over").unwrap();
    assert_eq!(handed.detail["left"]["differences"], 2);
    assert_eq!(handed.detail["to"], "finance 사람");
}

#[tokio::test]
async fn whoever_leaves_may_take_back_what_waits() {
    let shop = Shop::open().await;
    let admin = shop.log_in(Role::Admin).await;
    let leaver = shop.log_in(Role::Finance).await;
    let asked = has_open(&shop, &leaver).await;
    // Closed before by the command line: what was left can be handed over later.
    staff::disable(shop.backoffice(), &Actor::CommandLine, leaver.id).await.unwrap();
    assert_eq!(assignees(&shop).await, [Some(leaver.id); 2]);
    let id = leaver.id.to_string();
    let (_, html) = shop.page(&format!("/staff/{id}"), Some(&admin.cookie)).await;
    assert!(html.contains("남은 일"), "{html}");
    let html = said(&shop, "disable_staff", &admin, &[("id", &id), ("waiting", "withdraw")]).await;
    assert!(html.contains("철회한 요청 1건"), "{html}");
    assert_eq!(assignees(&shop).await, [None; 2]);
    let refund = refunds::get(shop.backoffice(), asked).await.unwrap().unwrap();
    assert_eq!((refund.state, refund.error_code.as_deref()), (State::Declined, Some("WITHDRAWN")));
    let (_, html) = shop.page(&format!("/staff/{id}"), Some(&admin.cookie)).await;
    assert!(!html.contains("id=\"leaving\""), "{html}");
}

#[tokio::test]
async fn somebody_comes_in_only_from_where_they_may() {
    let shop = Shop::open().await;
    let (admin, agent) = (shop.log_in(Role::Admin).await, shop.log_in(Role::Support).await);
    let finance = shop.log_in(Role::Finance).await;
    let id = agent.id.to_string();
    let elsewhere = "이 주소에서는 들어올 수 없어요";
    let set = async |whose: &str, id: &str, nets: &str| {
        said(&shop, "set_addresses", &admin, &[("whose", whose), ("id", id), ("allowed_ips", nets)]).await
    };
    assert!(set("person", &id, "office").await.contains("50개까지"));
    assert!(set("person", &id, "203.0.113.0/24\n2001:db8::/32").await.contains("주소를 저장했어요"));
    // Every request is asked, and so is a new log-in; the password alone tells nothing.
    let (status, html) = shop.page("/orders", Some(&agent.cookie)).await;
    assert_eq!(status, 403);
    assert!(html.contains(elsewhere), "{html}");
    let program = shop.http.post(format!("{}/fn/find", shop.url)).header("cookie", &agent.cookie);
    let program = program.header("content-type", "application/json").body("{}").send().await.unwrap();
    assert_eq!(program.status(), 403);
    let come_in = async |password: &str| {
        let response = shop.form("log_in", None, &[("email", &agent.email), ("password", password)]).await;
        let cookie = crate::support::cookie(&response).unwrap();
        (shop.page("/login", Some(&cookie)).await.1, cookie)
    };
    let (html, cookie) = come_in(PASSWORD).await;
    assert!(html.contains(elsewhere), "{html}");
    assert_eq!(shop.page("/orders", Some(&cookie)).await.0, 303, "no session was opened");
    assert!(!come_in("a wrong password").await.0.contains(elsewhere));
    // The session of before can still be ended, and somebody else may log in there.
    assert!(shop.page("/login", Some(&agent.cookie)).await.1.contains("name=\"password\""));
    assert!(set("person", &id, "203.0.113.0/24, 127.0.0.0/8").await.contains("저장했어요"));
    assert_eq!(shop.page("/orders", Some(&agent.cookie)).await.0, 200);

    // Of a role; a person's own hold instead.
    assert!(set("role", "support", "203.0.113.9").await.contains("저장했어요"));
    assert!(set("role", "finance", "203.0.113.9").await.contains("저장했어요"));
    assert_eq!(shop.page("/orders", Some(&agent.cookie)).await.0, 200);
    assert_eq!(shop.page("/orders", Some(&finance.cookie)).await.0, 403);
    assert!(set("person", &id, " ").await.contains("저장했어요"));
    assert_eq!(shop.page("/orders", Some(&agent.cookie)).await.0, 403);
    let (clerk, own) = shop.log_in_as(Role::Support, &[Permission::ViewTrade]).await;
    assert_eq!(shop.page("/orders", Some(&clerk.cookie)).await.0, 200, "of its own role, not of its base");
    assert!(set("role", &own.to_string(), "203.0.113.9").await.contains("저장했어요"));
    assert_eq!(shop.page("/orders", Some(&clerk.cookie)).await.0, 403);

    // Nobody locks themselves out, whichever way.
    let admin_id = admin.id.to_string();
    for (whose, id) in [("role", "admin"), ("person", admin_id.as_str())] {
        let html = set(whose, id, "203.0.113.9").await;
        assert!(html.contains("지금 내 주소 127.0.0.1가 없으면"), "{html}");
        assert!(html.contains("203.0.113.9"), "what was typed is still there");
        assert!(set(whose, id, "203.0.113.9 127.0.0.1").await.contains("저장했어요"));
        assert_eq!(shop.page("/staff", Some(&admin.cookie)).await.0, 200);
    }
}
