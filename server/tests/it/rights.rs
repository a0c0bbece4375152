//! What people may do and how that changes: roles of the house's own, two administrators where it hurts, and the register
//! that keeps it all.

use backoffice::{
    Actor, NotSecond,
    refunds::{self, State},
    staff::{
        self, Caller, Invalid, NewStaff, Permission, Role, invitations,
        register::{self, Filter, Kind},
        rights::{self, Given, Refused, RightsError, Wanted},
        roles::{self, Typed},
    },
};
use uuid::Uuid;

use crate::support::{PASSWORD, Person, Shop, refund};

/// Two administrators who have been here for long.
async fn settled(shop: &Shop) -> (Person, Person) {
    let (first, second) = (shop.log_in(Role::Admin).await, shop.log_in(Role::Admin).await);
    long_here(shop).await;
    (first, second)
}

async fn long_here(shop: &Shop) {
    sqlx::query("update staff set access_set_at = access_set_at - interval '30 days', access_set_by = null")
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
}

pub async fn now(shop: &Shop, person: &Person) -> staff::Staff {
    staff::get(shop.backoffice(), person.id).await.unwrap().unwrap()
}

pub async fn register_of(shop: &Shop, id: Uuid) -> Vec<register::Row> {
    let filter = Filter { staff: Some(id), kind: None };
    register::list(shop.backoffice(), &filter, None, 50).await.unwrap().rows
}

pub fn kinds(rows: &[register::Row]) -> Vec<Kind> {
    rows.iter().map(|row| row.kind).collect()
}

async fn pending(shop: &Shop) -> rights::Request {
    rights::requests(shop.backoffice()).await.unwrap().remove(0)
}

async fn status(shop: &Shop, function: &str, person: &Person, fields: &[(&str, &str)]) -> u16 {
    let request = shop.http.post(format!("{}/fn/{function}", shop.url)).form(fields);
    request.header("cookie", &person.cookie).send().await.unwrap().status().as_u16()
}

/// What the page says that a form leads to.
pub async fn said(shop: &Shop, function: &str, person: &Person, fields: &[(&str, &str)]) -> String {
    let response = shop.form(function, Some(&person.cookie), fields).await;
    assert_eq!(response.status(), 302, "{function}");
    let page = response.headers()["location"].to_str().unwrap().to_owned();
    shop.page(&page, Some(&person.cookie)).await.1
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_hold() {
    use Permission::*;
    let shop = Shop::open().await;
    let (admin, agent) = (shop.log_in(Role::Admin).await, shop.log_in(Role::Viewer).await);
    let (deputy, own) = shop.log_in_as(Role::Support, &[ViewTrade, ViewFinance, Refund, ManageStaff]).await;
    let beyond = "내게 없는 권한은 줄 수 없고";
    // A role of their own making.
    let role = |permission: &'static str| {
        [("name", "대리"), ("base", "support"), ("permissions[]", "refund"), ("permissions[]", permission)]
    };
    assert!(said(&shop, "add_role", &deputy, &role("export")).await.contains(beyond));
    assert!(roles::list(shop.backoffice()).await.unwrap().iter().all(|role| role.name != "대리"));
    assert!(said(&shop, "add_role", &deputy, &role("view_trade")).await.contains("“대리”을 만들었어요"));
    let small = roles::list(shop.backoffice()).await.unwrap().into_iter().find(|role| role.name == "대리");
    let small = small.unwrap();
    assert_eq!(small.permissions.words(), ["view_trade", "refund"]);
    // Widening it, theirs, and giving one that is wider.
    let wider = ["refund".to_owned(), "export".to_owned()];
    let typed = Typed { name: "대리", base: "support", permissions: &wider };
    let refused = |outcome: Result<Given, RightsError>| match outcome {
        Err(RightsError::Invalid(invalid)) => invalid,
        other => panic!("{other:?}"),
    };
    let backoffice = shop.backoffice();
    assert_eq!(
        refused(roles::change(backoffice, &deputy.actor(), small.id, small.version, typed).await),
        Invalid::BeyondYours
    );
    assert_eq!(
        refused(roles::change(backoffice, &deputy.actor(), own, 1, typed).await),
        Invalid::Yourself,
        "nobody changes the role they have"
    );
    for wanted in [Wanted::Preset(Role::Admin), Wanted::Preset(Role::Support)] {
        assert_eq!(
            refused(rights::give(backoffice, &deputy.actor(), agent.id, wanted).await),
            Invalid::BeyondYours
        );
    }
    assert_eq!(
        rights::give(backoffice, &deputy.actor(), agent.id, Wanted::Own(small.id)).await.unwrap(),
        Given::Now
    );
    assert_eq!(now(&shop, &agent).await.permissions(), small.permissions);
    // Somebody else's account is a way to their rights as well.
    let invite =
        |email: &'static str, role: &'static str| [("email", email), ("name", "새 사람"), ("role", role)];
    assert!(said(&shop, "invite_staff", &deputy, &invite("a@example.com", "finance")).await.contains(beyond));
    assert!(
        said(&shop, "invite_staff", &deputy, &invite("a@example.com", "viewer"))
            .await
            .contains("/invitation?t=")
    );
    let id = admin.id.to_string();
    for function in ["invite_staff_again", "disable_staff"] {
        assert!(said(&shop, function, &deputy, &[("id", &id)]).await.contains(beyond), "{function}");
    }
    assert_eq!(shop.page("/orders", Some(&admin.cookie)).await.0, 200);
    let (_, html) = shop.page(&format!("/staff/{id}"), Some(&deputy.cookie)).await;
    assert!(html.contains(beyond) && !html.contains("/fn/give_role"), "{html}");
}

#[tokio::test]
async fn an_approver_who_cannot_ask() {
    use Permission::*;
    let shop = Shop::open().await;
    shop.limit("support", "10000", "10000").await;
    let agent = shop.log_in(Role::Support).await;
    let (approver, _) = shop.log_in_as(Role::Viewer, &[ViewTrade, ApproveRefund]).await;
    shop.paid("ord_approver", 50_000).await;
    let asked =
        refunds::request(shop.backoffice(), &agent.actor(), &refund("ord_approver", "40000")).await.unwrap();
    assert_eq!(asked.state, State::WaitingForApproval);
    let (_, html) = shop.page("/orders/ord_approver", Some(&approver.cookie)).await;
    assert!(html.contains("/fn/approve_refund") && !html.contains("action=\"/fn/refund\""), "{html}");
    assert_eq!(status(&shop, "refund", &approver, &[("order_id", "ord_approver")]).await, 403);
    let fields = [("order_id", "ord_approver"), ("id", &asked.id.to_string())];
    shop.form("approve_refund", Some(&approver.cookie), &fields).await;
    let done = refunds::get(shop.backoffice(), asked.id).await.unwrap().unwrap();
    assert_eq!(done.state, State::Succeeded);
    // As they stand now: with the role, the way to approve is gone.
    let (again, id) = (shop.again(&approver).await, approver.id);
    rights::give(shop.backoffice(), &Actor::CommandLine, id, Wanted::Preset(Role::Viewer)).await.unwrap();
    assert_eq!(shop.page("/orders", Some(&again)).await.0, 303, "their sessions have ended");
}

#[tokio::test]
async fn support_that_sees_no_pay_outs() {
    let shop = Shop::open().await;
    shop.paid("ord_small", 10_000).await;
    let held: Vec<_> =
        Role::Support.permissions().iter().filter(|one| *one != Permission::ViewFinance).collect();
    let (agent, _) = shop.log_in_as(Role::Support, &held).await;
    for path in [
        "/transactions",
        "/reconciliation",
        "/reconciliation/payouts",
        "/reconciliation/payouts/2026-11-01",
        "/reconciliation/reports",
        "/reconciliation/contract",
        "/reconciliation/differences",
        "/reconciliation/2026-11-01",
    ] {
        assert_eq!(shop.page(path, Some(&agent.cookie)).await.0, 403, "{path}");
    }
    let (status, html) = shop.page("/", Some(&agent.cookie)).await;
    assert_eq!(status, 200);
    for path in ["/transactions", "/reconciliation", "/staff", "/audit"] {
        assert!(!html.contains(&format!("href=\"{path}\"")), "{path}: {html}");
    }
    assert!(html.contains("href=\"/orders\"") && html.contains("href=\"/cash-receipts\""));
    let (_, html) = shop.page("/cash-receipts", Some(&agent.cookie)).await;
    assert!(!html.contains("/reconciliation/payouts"), "{html}");
    let done =
        refunds::request(shop.backoffice(), &agent.actor(), &refund("ord_small", "1000")).await.unwrap();
    assert_eq!(done.state, State::Succeeded, "within the limits of its base");
    // The four see what they have seen.
    let viewer = shop.log_in(Role::Viewer).await;
    let (_, html) = shop.page("/", Some(&viewer.cookie)).await;
    assert!(html.contains("href=\"/transactions\"") && html.contains("href=\"/reconciliation\""));
}

#[tokio::test]
async fn nothing_leaves_as_a_file_that_may_not_be_seen_on_a_page() {
    use Permission::*;
    let shop = Shop::open().await;
    let (clerk, _) = shop.log_in_as(Role::Viewer, &[ViewTrade, Export]).await;
    for (list, allowed) in [("orders", true), ("transactions", false), ("payouts", false), ("audit", false)] {
        let fields = [("list", list), ("filter", "?month=2026-11"), ("reason", "시험")];
        let answer = status(&shop, "ask_for_export", &clerk, &fields).await;
        assert_eq!(answer == 403, !allowed, "{list}: {answer}");
    }
}

#[tokio::test]
async fn an_invitation_is_no_way_around_the_second_administrator() {
    let shop = Shop::strict().await;
    let alone = shop.log_in(Role::Admin).await;
    let invite = |email: &str, role| NewStaff { email: email.into(), name: "김민지".into(), role };
    let invited = async |by: &Person, email: &str, role| {
        let (id, _, given) =
            invitations::invite(shop.backoffice(), &by.actor(), invite(email, role)).await.unwrap();
        (staff::get(shop.backoffice(), id).await.unwrap().unwrap(), given)
    };
    // Where nobody else could say yes, nothing can be separated; who never came in could not, either.
    let (finance, given) = invited(&alone, "a@example.com", Role::Finance).await;
    assert_eq!((finance.role, given), (Role::Finance, Given::Now));
    let (never, given) = invited(&alone, "b@example.com", Role::Admin).await;
    assert_eq!((never.role, given), (Role::Admin, Given::Now));
    assert_eq!(invited(&alone, "c@example.com", Role::Finance).await.1, Given::Now);

    let (first, second) = settled(&shop).await;
    assert_eq!(invited(&first, "d@example.com", Role::Support).await.1, Given::Now);
    let fields = [("email", "e@example.com"), ("name", "이한결"), ("role", "finance")];
    let html = said(&shop, "invite_staff", &first, &fields).await;
    assert!(html.contains("재무팀 역할은 다른 관리자가 승인하면 생기고"), "{html}");
    let asked = staff::get_by_email(shop.backoffice(), "e@example.com").await.unwrap().unwrap();
    assert_eq!(asked.role, Role::Viewer);
    let seen = pending(&shop).await.version();
    let decided = rights::decide(shop.backoffice(), &first.actor(), asked.id, &seen, true).await;
    assert!(matches!(decided, Err(RightsError::Refused(Refused::NotSecond(NotSecond::Own)))));
    rights::decide(shop.backoffice(), &second.actor(), asked.id, &seen, true).await.unwrap();
    let asked = staff::get(shop.backoffice(), asked.id).await.unwrap().unwrap();
    assert_eq!(asked.role, Role::Finance);
    assert_eq!(kinds(&register_of(&shop, asked.id).await), [Kind::RoleChanged, Kind::Invited]);
}

#[tokio::test]
async fn to_and_from_finance_it_takes_a_second_administrator() {
    let shop = Shop::strict().await;
    let (first, second) = settled(&shop).await;
    let (agent, other) = (shop.log_in(Role::Support).await, shop.log_in(Role::Support).await);
    let id = agent.id.to_string();
    let html = said(&shop, "give_role", &first, &[("id", &id), ("role", "finance")]).await;
    assert!(html.contains("다른 관리자가 승인하면 바뀌어요"), "{html}");
    assert_eq!(now(&shop, &agent).await.role, Role::Support);
    assert_eq!(shop.page("/orders", Some(&agent.cookie)).await.0, 200);
    let (_, home) = shop.page("/", Some(&second.cookie)).await;
    assert!(home.contains("승인할 권한 변경 1건"), "{home}");

    let decide = async |by: &Actor, seen: &str| match rights::decide(
        shop.backoffice(),
        by,
        agent.id,
        seen,
        true,
    )
    .await
    {
        Ok(_) => Ok(()),
        Err(RightsError::Refused(refused)) => Err(refused),
        Err(other) => panic!("{other}"),
    };
    let seen = pending(&shop).await.version();
    assert_eq!(decide(&first.actor(), &seen).await, Err(Refused::NotSecond(NotSecond::Own)));
    // A second account of the first is no second person.
    let new = NewStaff { email: "own@example.com".into(), name: "또 나".into(), role: Role::Admin };
    let own = staff::add(shop.backoffice(), &first.actor(), new, PASSWORD.into()).await.unwrap();
    let own = Actor::Staff {
        id: own,
        name: "또 나".into(),
        role: Role::Admin,
        via: backoffice::audit::Via::default(),
    };
    assert!(matches!(decide(&own, &seen).await, Err(Refused::NotSecond(NotSecond::TooNew { .. }))));
    assert_eq!(decide(&second.actor(), "1").await, Err(Refused::NothingWaits), "another request");
    let html = said(&shop, "decide_role", &second, &[("id", &id), ("seen", &seen), ("agree", "1")]).await;
    assert!(html.contains("바꿨어요"), "{html}");

    assert_eq!(now(&shop, &agent).await.role, Role::Finance);
    assert_eq!(shop.page("/orders", Some(&agent.cookie)).await.0, 303, "their sessions have ended");
    let rows = register_of(&shop, agent.id).await;
    assert_eq!(kinds(&rows), [Kind::RoleChanged, Kind::Added]);
    let (before, after) = (rows[0].before.as_ref().unwrap(), rows[0].after.as_ref().unwrap());
    assert_eq!((before.role, after.role), (Role::Support, Role::Finance));
    assert_eq!(rows[0].by, first.actor().key());
    assert_eq!(rows[0].second_name.as_deref(), Some("admin 사람"));
    // New rights approve nothing for a day.
    let promoted = Actor::Staff {
        id: agent.id,
        name: "x".into(),
        role: Role::Finance,
        via: backoffice::audit::Via::default(),
    };
    shop.limit("support", "0", "0").await;
    shop.paid("ord_promoted", 1_000).await;
    let asked =
        refunds::request(shop.backoffice(), &other.actor(), &refund("ord_promoted", "1000")).await.unwrap();
    let refused = refunds::approve(shop.backoffice(), &promoted, asked.id).await.unwrap_err();
    assert!(format!("{refused:?}").contains("TooNew"), "{refused:?}");

    // Back again likewise; between roles that do not hurt one is enough.
    let back = rights::give(shop.backoffice(), &first.actor(), agent.id, Wanted::Preset(Role::Viewer)).await;
    assert_eq!(back.unwrap(), Given::Waits);
    let seen = pending(&shop).await.version();
    rights::decide(shop.backoffice(), &second.actor(), agent.id, &seen, false).await.unwrap();
    assert_eq!(now(&shop, &agent).await.role, Role::Finance);
    let down = rights::give(shop.backoffice(), &first.actor(), other.id, Wanted::Preset(Role::Viewer)).await;
    assert_eq!(down.unwrap(), Given::Now);
    // A role of the house's own that approves hurts as much.
    let approver = shop.own_role(Role::Viewer, &[Permission::ViewTrade, Permission::ApproveRefund]).await;
    let up = rights::give(shop.backoffice(), &first.actor(), other.id, Wanted::Own(approver)).await;
    assert_eq!(up.unwrap(), Given::Waits);
    let rows = backoffice::audit::of_subject(&shop.backoffice().pool, "staff", &id).await.unwrap();
    let actions: Vec<_> = rows.iter().map(|row| row.action.as_str()).filter(|a| a.contains("role")).collect();
    assert_eq!(actions.len(), 4, "{actions:?}");
}

#[tokio::test]
async fn nobody_decides_about_themselves_and_who_asked_has_to_stand_still() {
    let shop = Shop::open().await;
    let (first, second) = settled(&shop).await;
    let third = shop.log_in(Role::Admin).await;
    let backoffice = shop.backoffice();
    for by in [&first, &second] {
        let own = rights::give(backoffice, &by.actor(), by.id, Wanted::Preset(Role::Viewer)).await;
        assert!(matches!(own, Err(RightsError::Invalid(Invalid::Yourself))));
    }
    let give = rights::give(backoffice, &first.actor(), second.id, Wanted::Preset(Role::Viewer)).await;
    assert_eq!(give.unwrap(), Given::Waits);
    let seen = pending(&shop).await.version();
    for agree in [true, false] {
        let own = rights::decide(backoffice, &second.actor(), second.id, &seen, agree).await;
        assert!(
            matches!(own, Err(RightsError::Invalid(Invalid::Yourself))),
            "nor do they keep it from being decided"
        );
    }
    // What somebody asked for is over with their account.
    staff::disable(backoffice, &third.actor(), first.id).await.unwrap();
    assert!(rights::requests(backoffice).await.unwrap().is_empty());
    let late = rights::decide(backoffice, &third.actor(), second.id, &seen, true).await;
    assert!(matches!(late, Err(RightsError::Refused(Refused::NothingWaits))));
    // Two who approve at the same moment change it once.
    let agent = shop.log_in(Role::Support).await;
    let give = rights::give(backoffice, &third.actor(), agent.id, Wanted::Preset(Role::Finance)).await;
    assert_eq!(give.unwrap(), Given::Waits);
    let seen = pending(&shop).await.version();
    let (actor, other) = (second.actor(), shop.log_in(Role::Admin).await.actor());
    let both = tokio::join!(
        rights::decide(backoffice, &actor, agent.id, &seen, true),
        rights::decide(backoffice, &other, agent.id, &seen, true),
    );
    assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
}

#[tokio::test]
async fn the_last_administrator_stays_one_and_the_page_says_who_is_missing() {
    let shop = Shop::open().await;
    let admin = shop.log_in(Role::Admin).await;
    let agent = shop.log_in(Role::Support).await;
    let own = shop.own_role(Role::Admin, &Permission::ALL).await;
    for wanted in [Wanted::Preset(Role::Finance), Wanted::Own(own)] {
        let down = rights::give(shop.backoffice(), &Actor::CommandLine, admin.id, wanted).await;
        assert!(matches!(down, Err(RightsError::Invalid(Invalid::LastAdmin))), "{down:?}");
    }
    let (_, html) = shop.page(&format!("/staff/{}", agent.id), Some(&admin.cookie)).await;
    assert!(html.contains("지금은 승인할 다른 관리자가 없어요") && html.contains(&agent.email), "{html}");
    let id = agent.id.to_string();
    said(&shop, "give_role", &admin, &[("id", &id), ("role", "admin")]).await;
    let (_, html) = shop.page("/staff", Some(&admin.cookie)).await;
    assert!(html.contains("승인할 다른 관리자가 없어요"), "{html}");
    // The command line asks nobody.
    rights::give(shop.backoffice(), &Actor::CommandLine, agent.id, Wanted::Preset(Role::Admin))
        .await
        .unwrap();
    assert!(rights::requests(shop.backoffice()).await.unwrap().is_empty(), "there is nothing left to decide");
    // Two administrators take each other away at the same moment: one stays.
    let (one, other) = (admin.actor(), agent.actor());
    let both = tokio::join!(
        staff::disable(shop.backoffice(), &one, agent.id),
        staff::disable(shop.backoffice(), &other, admin.id),
    );
    assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
}

#[tokio::test]
async fn what_a_role_permits_changes_for_everybody_who_has_it() {
    use Permission::*;
    let shop = Shop::strict().await;
    let (first, second) = settled(&shop).await;
    let (agent, own) = shop.log_in_as(Role::Support, &[ViewTrade, Refund]).await;
    long_here(&shop).await;
    let backoffice = shop.backoffice();
    let typed = |permissions: &'static [&'static str]| {
        permissions.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>()
    };
    let change = async |by: &Person, version: i32, permissions: &[String]| {
        let typed = Typed { name: "환불 담당", base: "support", permissions };
        roles::change(backoffice, &by.actor(), own, version, typed).await
    };
    assert_eq!(change(&first, 1, &typed(&["view_trade"])).await.unwrap(), Given::Now);
    assert_eq!(shop.page("/orders", Some(&agent.cookie)).await.0, 303, "their sessions have ended");
    let agent = Person { cookie: shop.again(&agent).await, ..agent };
    assert_eq!(status(&shop, "refund", &agent, &[("order_id", "x")]).await, 403);
    let (age,): (bool,) = sqlx::query_as(
        "select access_set_at > now() - interval '1 hour' and access_set_by = $2 from staff where id = $1",
    )
    .bind(agent.id)
    .bind(first.id)
    .fetch_one(&backoffice.pool)
    .await
    .unwrap();
    assert!(age, "new rights, given by the first");
    let stale = change(&first, 1, &typed(&["view_trade", "refund"])).await;
    assert!(matches!(stale, Err(RightsError::Refused(Refused::Stale))), "{stale:?}");

    // What hurts is asked of a second one, and so the way round by the role is closed.
    let more = typed(&["view_trade", "refund", "approve_refund"]);
    assert_eq!(change(&first, 2, &more).await.unwrap(), Given::Waits);
    assert!(!now(&shop, &agent).await.may(ApproveRefund));
    let request = roles::requests(backoffice).await.unwrap().remove(0);
    let (_, html) = shop.page("/staff", Some(&second.cookie)).await;
    assert!(html.contains("더하기: 환불과 현금영수증 요청, 다른 사람의 환불 승인"), "{html}");
    let own_word = roles::decide(backoffice, &first.actor(), own, &request.version(), true).await;
    assert!(matches!(own_word, Err(RightsError::Refused(Refused::NotSecond(NotSecond::Own)))));
    roles::decide(backoffice, &second.actor(), own, &request.version(), true).await.unwrap();
    assert!(now(&shop, &agent).await.may(ApproveRefund));
    let rows = register_of(&shop, agent.id).await;
    assert_eq!(kinds(&rows)[..2], [Kind::OwnRoleChanged, Kind::OwnRoleChanged]);
    assert!(rows[0].second_name.is_some() && rows[1].second_name.is_none());

    let used = roles::remove(backoffice, &first.actor(), own).await;
    assert!(matches!(used, Err(RightsError::Refused(Refused::InUse { people: 1 }))), "{used:?}");
    rights::give(backoffice, &Actor::CommandLine, agent.id, Wanted::Preset(Role::Viewer)).await.unwrap();
    // Nobody gets by an old request what the role became meanwhile.
    assert_eq!(
        rights::give(backoffice, &first.actor(), agent.id, Wanted::Own(own)).await.unwrap(),
        Given::Waits
    );
    assert_eq!(change(&first, 3, &typed(&["export"])).await.unwrap(), Given::Now, "nobody has it");
    assert!(rights::requests(backoffice).await.unwrap().is_empty());
    roles::remove(backoffice, &first.actor(), own).await.unwrap();
    for (name, refused) in [(" ", "1~40자"), ("admin", "기본 역할"), ("관리자", "기본 역할")] {
        let fields = [("name", name), ("base", "viewer"), ("permissions[]", "refund")];
        assert!(said(&shop, "add_role", &first, &fields).await.contains(refused), "{name}");
    }
    let html = said(&shop, "add_role", &first, &[("name", "빈 역할"), ("base", "viewer")]).await;
    assert!(html.contains("하나 이상 고르세요") && html.contains("value=\"빈 역할\""), "{html}");
}

#[tokio::test]
async fn the_register_keeps_every_change_and_nobody_takes_one_out() {
    let shop = Shop::open().await;
    let (admin, auditor) = (shop.log_in(Role::Admin).await, shop.log_in(Role::Finance).await);
    let backoffice = shop.backoffice();
    let new =
        NewStaff { email: "minji@example.com".into(), name: "초대한 이름".into(), role: Role::Support };
    let (id, link, _) = invitations::invite(backoffice, &admin.actor(), new).await.unwrap();
    invitations::accept(backoffice, &link, "김민지", PASSWORD.into(), &Caller::at("")).await.unwrap();
    rights::give(backoffice, &admin.actor(), id, Wanted::Preset(Role::Viewer)).await.unwrap();
    invitations::invite_again(backoffice, &admin.actor(), id).await.unwrap();
    staff::disable(backoffice, &admin.actor(), id).await.unwrap();
    staff::reset(backoffice, &Actor::CommandLine, "minji@example.com", PASSWORD.into()).await.unwrap();
    let rows = register_of(&shop, id).await;
    assert_eq!(
        kinds(&rows),
        [Kind::Reopened, Kind::Disabled, Kind::PasswordReset, Kind::RoleChanged, Kind::Joined, Kind::Invited]
    );
    assert_eq!(rows[0].by, "command-line");
    assert_eq!(rows[5].name, "초대한 이름", "as it was then");
    // Page by page it is the same.
    let filter = Filter { staff: Some(id), kind: None };
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = register::list(backoffice, &filter, cursor.as_ref(), 2).await.unwrap();
        seen.extend(kinds(&page.rows));
        match page.older {
            Some(older) => cursor = Some(older),
            None => break,
        }
    }
    assert_eq!(seen, kinds(&rows));
    let (status, html) = shop.page(&format!("/staff/rights?staff={id}"), Some(&auditor.cookie)).await;
    assert_eq!(status, 200);
    for word in ["비밀번호 재설정", "지원팀", "조회", "빼기:", "김민지", "명령줄"] {
        assert!(html.contains(word), "{word}: {html}");
    }
    assert!(!html.contains("계정 추가</td>"), "only of that person: {html}");

    let owner = shop.owner().await;
    for statement in [
        "update right_changes set by_name = 'nobody'",
        "delete from right_changes",
        "truncate right_changes",
        "delete from right_changes where at < now() - interval '2 years'",
    ] {
        let mut tx = owner.begin().await.unwrap();
        sqlx::query(
            "insert into right_changes (at, staff_id, name, kind, by, by_name)
             values (now() - interval '2 years 11 months', $1, 'x', 'added', 'command-line', 'x')",
        )
        .bind(id)
        .execute(&mut *tx)
        .await
        .unwrap();
        assert!(sqlx::query(statement).execute(&mut *tx).await.is_err(), "{statement}");
    }
    sqlx::query(
        "insert into right_changes (at, staff_id, name, kind, by, by_name)
         values (now() - interval '3 years 1 day', $1, 'x', 'added', 'command-line', 'x')",
    )
    .bind(id)
    .execute(&backoffice.pool)
    .await
    .unwrap();
    let old = sqlx::query("delete from right_changes where at < now() - interval '3 years'")
        .execute(&backoffice.pool);
    assert_eq!(old.await.unwrap().rows_affected(), 1, "after three years it may go");
}

#[tokio::test]
async fn the_table_of_roles_is_the_one_that_holds() {
    let shop = Shop::open().await;
    let (admin, viewer) = (shop.log_in(Role::Admin).await, shop.log_in(Role::Viewer).await);
    let (_, own) = shop.log_in_as(Role::Viewer, &[Permission::ViewTrade, Permission::ViewAudit]).await;
    let (status, html) = shop.page("/staff/roles", Some(&viewer.cookie)).await;
    assert_eq!(status, 200);
    assert!(!html.contains("/fn/add_role") && !html.contains("/fn/change_role"), "{html}");
    let table = html.split("class=\"matrix\"").nth(1).unwrap().split("</table>").next().unwrap();
    let rows: Vec<&str> = table.split("<tr>").skip(2).collect();
    assert_eq!(rows.len(), Permission::ALL.len());
    let held = [Permission::ViewTrade, Permission::ViewAudit];
    for (row, permission) in rows.iter().zip(Permission::ALL) {
        let cells: Vec<bool> = row.split("<td").skip(1).map(|cell| cell.contains("가능")).collect();
        let mut expected: Vec<bool> = Role::ALL.iter().map(|role| role.may(permission)).collect();
        expected.push(held.contains(&permission));
        assert_eq!(cells, expected, "{permission:?}");
    }
    let (_, html) = shop.page("/staff/roles", Some(&admin.cookie)).await;
    assert!(html.contains("/fn/add_role") && html.contains(&own.to_string()), "{html}");
    let (_, html) = shop.page("/account", Some(&viewer.cookie)).await;
    assert!(html.contains("/staff/roles"));
}
