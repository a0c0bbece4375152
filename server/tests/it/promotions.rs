//! Points that cost real money: granted once, within budget and caps, whatever is lost on the way.

use backoffice::{
    promotions::{Filter, Form, GrantError, NewCampaign, Refused, State},
    refunds::{self, batch},
    staff::Role,
};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Person, Shop};

fn campaign(code: &str, more: fn(&mut NewCampaign)) -> NewCampaign {
    let mut new = NewCampaign {
        promotion_code: code.into(),
        name: "첫 구매 포인트".into(),
        amount: "1000".into(),
        user_cap: "3000".into(),
        budget: "1000000".into(),
        starts_on: "2020-01-01".into(),
        ends_on: "2199-12-30".into(),
        approval_above: String::new(),
    };
    more(&mut new);
    new
}

async fn open(shop: &Shop, finance: &Person, new: NewCampaign, at_toss: Value) {
    let mut promotion = json!({ "promotionCode": new.promotion_code });
    promotion.as_object_mut().unwrap().extend(at_toss.as_object().unwrap().clone());
    shop.control("apps-in-toss/promotions", &promotion).await;
    assert!(
        backoffice::promotions::campaigns::add(shop.backoffice(), &finance.actor(), &new)
            .await
            .unwrap()
            .is_ok()
    );
    if new.approval_above.is_empty() {
        let second = shop.log_in(Role::Admin).await;
        backoffice::promotions::campaigns::approve(shop.backoffice(), &second.actor(), &new.promotion_code)
            .await
            .unwrap();
    }
}

fn form(code: &str, user: i64, event: &str) -> Form {
    Form {
        intent: refunds::new_intent(),
        promotion_code: code.into(),
        user_key: user.to_string(),
        event: event.into(),
        ..Form::default()
    }
}

fn paid_out(shop: &Shop, code: &str) -> i64 {
    shop.sandbox.with_mini_app(|app| app.promotion(code).unwrap().paid_out)
}

fn refused(error: GrantError) -> Refused {
    match error {
        GrantError::Refused(refused) => refused,
        GrantError::Fault(fault) => panic!("{fault}"),
    }
}

#[tokio::test]
async fn a_grant_is_pending_then_paid_and_never_twice_for_one_event() {
    let shop = Shop::open().await;
    let (agent, finance) = (shop.log_in(Role::Support).await, shop.log_in(Role::Finance).await);
    let user = shop.user().await;
    open(&shop, &finance, campaign("WELCOME", |_| {}), json!({ "pendingLooks": 1 })).await;
    let asked = form("WELCOME", user, "first-order");
    let grant = backoffice::promotions::grant(shop.backoffice(), &agent.actor(), &asked).await.unwrap();
    assert_eq!(grant.state, State::Pending);
    assert_eq!(
        backoffice::promotions::grant(shop.backoffice(), &agent.actor(), &asked).await.unwrap().id,
        grant.id,
        "the same form again"
    );
    shop.eventually("it is paid", || async {
        drop(backoffice::promotions::execute(shop.backoffice(), grant.id).await);
        backoffice::promotions::get(shop.backoffice(), grant.id).await.unwrap().unwrap().state
            == State::Succeeded
    })
    .await;
    let again = backoffice::promotions::grant(
        shop.backoffice(),
        &agent.actor(),
        &form("WELCOME", user, "first-order"),
    )
    .await
    .unwrap_err();
    assert_eq!(refused(again), Refused::Already { state: State::Succeeded });
    assert_eq!(paid_out(&shop, "WELCOME"), 1000);
    for event in ["second", "third"] {
        backoffice::promotions::grant(shop.backoffice(), &agent.actor(), &form("WELCOME", user, event))
            .await
            .unwrap();
    }
    let above =
        backoffice::promotions::grant(shop.backoffice(), &agent.actor(), &form("WELCOME", user, "fourth"))
            .await
            .unwrap_err();
    assert_eq!(refused(above), Refused::UserCap { left: 0 });
    // A test pays nothing out and counts nowhere.
    let test = Form { is_test: true, ..form("WELCOME", user, "test") };
    backoffice::promotions::grant(shop.backoffice(), &agent.actor(), &test).await.unwrap();
    assert_eq!(paid_out(&shop, "WELCOME"), 3000);
    shop.eventually("it is tested", || async {
        backoffice::promotions::campaigns::get(shop.backoffice(), "WELCOME")
            .await
            .unwrap()
            .unwrap()
            .tested_at
            .is_some()
    })
    .await;
}

#[tokio::test]
async fn a_lost_payout_is_looked_at_not_paid_again() {
    let shop = Shop::open().await;
    let (agent, finance) = (shop.log_in(Role::Support).await.actor(), shop.log_in(Role::Finance).await);
    open(&shop, &finance, campaign("LOST", |_| {}), json!({})).await;
    for (n, kind) in [
        json!({ "on": "execute-promotion", "kind": "lose_after" }),
        json!({ "on": "execute-promotion", "kind": "lose_before" }),
        json!({ "on": "execute-promotion", "kind": "result_type", "word": "HTTP_TIMEOUT" }),
        json!({ "on": "execute-promotion", "kind": "result_type_after", "word": "INTERNAL_ERROR" }),
        json!({ "on": "execute-promotion", "kind": "error_after", "code": "4113" }),
        json!({ "on": "execution-result", "kind": "lose_before" }),
        json!({ "on": "get-key", "kind": "lose_after" }),
    ]
    .into_iter()
    .enumerate()
    {
        let user = shop.user().await;
        shop.fault(kind.clone()).await;
        let grant = backoffice::promotions::grant(shop.backoffice(), &agent, &form("LOST", user, "event"))
            .await
            .unwrap();
        shop.eventually("it is paid", || async {
            // A lease later nothing is on its way any more.
            sqlx::query("update grants set sent_at = now() - interval '1 hour', lease_until = null where id = $1 and sent_at is not null")
                .bind(grant.id)
                .execute(&shop.backoffice().pool)
                .await
                .unwrap();
            drop(backoffice::promotions::execute(shop.backoffice(), grant.id).await);
            backoffice::promotions::get(shop.backoffice(), grant.id).await.unwrap().unwrap().state == State::Succeeded
        })
        .await;
        assert_eq!(paid_out(&shop, "LOST"), 1000 * i64::try_from(n + 1).unwrap(), "{kind}");
    }
}

#[tokio::test]
async fn what_toss_refuses_gives_the_points_back_to_the_budget() {
    let shop = Shop::open().await;
    let (agent, finance) = (shop.log_in(Role::Support).await.actor(), shop.log_in(Role::Finance).await);
    let user = shop.user().await;
    for (n, (status, code)) in
        [("STOPPED", "4104"), ("ENDED", "4105"), ("NOT_APPROVED", "4108"), ("READY", "4109")]
            .into_iter()
            .enumerate()
    {
        let name = format!("REFUSED{n}");
        let mut new = campaign("x", |_| {});
        new.promotion_code = name.clone();
        open(&shop, &finance, new, json!({ "status": status })).await;
        let grant = backoffice::promotions::grant(shop.backoffice(), &agent, &form(&name, user, "event"))
            .await
            .unwrap();
        assert_eq!((grant.state, grant.error_code.as_deref()), (State::Failed, Some(code)));
        assert_eq!(
            backoffice::promotions::campaigns::get(shop.backoffice(), &name).await.unwrap().unwrap().promised,
            0
        );
    }
    open(&shop, &finance, campaign("FAILS", |_| {}), json!({ "fails": true })).await;
    assert_eq!(
        backoffice::promotions::grant(shop.backoffice(), &agent, &form("FAILS", user, "event"))
            .await
            .unwrap()
            .state,
        State::Failed
    );
    let over = campaign("OVER", |c| c.ends_on = "2020-12-31".into());
    open(&shop, &finance, over, json!({})).await;
    assert_eq!(
        refused(
            backoffice::promotions::grant(shop.backoffice(), &agent, &form("OVER", user, "e"))
                .await
                .unwrap_err()
        ),
        Refused::Ended
    );
    let large = Form { amount: "1001".into(), ..form("FAILS", user, "other") };
    assert_eq!(
        refused(backoffice::promotions::grant(shop.backoffice(), &agent, &large).await.unwrap_err()),
        Refused::AboveMost { most: 1000 }
    );
    let nobody = Form { user_key: "toss-user".into(), ..form("FAILS", user, "other") };
    assert_eq!(
        refused(backoffice::promotions::grant(shop.backoffice(), &agent, &nobody).await.unwrap_err()),
        Refused::UserKey
    );
}

#[tokio::test]
async fn a_hundred_at_once_never_pass_the_budget_or_a_cap_by_a_point() {
    let shop = Shop::open().await;
    let (agent, finance) = (shop.log_in(Role::Support).await.actor(), shop.log_in(Role::Finance).await);
    let tight = campaign("TIGHT", |c| {
        (c.amount, c.user_cap, c.budget) = ("700".into(), "1500".into(), "10000".into())
    });
    open(&shop, &finance, tight, json!({ "budget": 10_000_000 })).await;
    let mut users = Vec::new();
    for _ in 0..10 {
        users.push(shop.user().await);
    }
    let asked = join_all((0..100).map(|n| {
        let form = form("TIGHT", users[n % 10], &format!("event-{}", n / 10));
        let (backoffice, agent) = (shop.backoffice().clone(), agent.clone());
        async move { backoffice::promotions::grant(&backoffice, &agent, &form).await }
    }))
    .await;
    let taken = asked.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(taken, 14, "14 × 700 is what 10,000 holds");
    shop.eventually("all are settled", || async {
        let open = backoffice::promotions::list(shop.backoffice(), &Filter::default(), None, 500)
            .await
            .unwrap()
            .rows;
        open.iter().all(|grant| grant.state.is_settled())
    })
    .await;
    assert_eq!(paid_out(&shop, "TIGHT"), 9_800);
    let mut by_user = std::collections::BTreeMap::<i64, i64>::new();
    shop.sandbox.with_mini_app(|app| {
        for payout in app.payouts() {
            *by_user.entry(payout.user_key).or_default() += payout.amount;
        }
    });
    assert!(by_user.values().all(|sum| *sum <= 1500), "{by_user:?}");
}

#[tokio::test]
async fn above_the_limit_a_second_person_is_asked() {
    let shop = Shop::open().await;
    let (agent, finance) = (shop.log_in(Role::Support).await, shop.log_in(Role::Finance).await);
    let user = shop.user().await;
    open(&shop, &finance, campaign("LARGE", |c| c.approval_above = "500".into()), json!({})).await;
    let waits = backoffice::promotions::grant(shop.backoffice(), &agent.actor(), &form("LARGE", user, "e"))
        .await
        .unwrap();
    assert_eq!((waits.state, paid_out(&shop, "LARGE")), (State::WaitingForApproval, 0));
    let own = backoffice::promotions::approve(shop.backoffice(), &agent.actor(), waits.id).await.unwrap_err();
    assert_eq!(refused(own), Refused::NotSecond(backoffice::NotSecond::Own));
    assert_eq!(
        backoffice::promotions::approve(shop.backoffice(), &finance.actor(), waits.id).await.unwrap().state,
        State::Succeeded
    );
    let small = Form { amount: "500".into(), ..form("LARGE", user, "small") };
    assert_eq!(
        backoffice::promotions::grant(shop.backoffice(), &agent.actor(), &small).await.unwrap().state,
        State::Succeeded
    );
    let other =
        backoffice::promotions::grant(shop.backoffice(), &agent.actor(), &form("LARGE", user, "other"))
            .await
            .unwrap();
    assert_eq!(
        backoffice::promotions::decline(shop.backoffice(), &finance.actor(), other.id).await.unwrap().state,
        State::Declined
    );
    assert_eq!(
        backoffice::promotions::campaigns::get(shop.backoffice(), "LARGE").await.unwrap().unwrap().promised,
        1500
    );
}

#[tokio::test]
async fn what_toss_has_taken_is_never_paid_under_another_key() {
    let shop = Shop::open().await;
    let (agent, finance) = (shop.log_in(Role::Support).await.actor(), shop.log_in(Role::Finance).await);
    let user = shop.user().await;
    open(&shop, &finance, campaign("TAKEN", |_| {}), json!({})).await;
    // Toss says that it was paid already, and shows nothing, for hours.
    shop.fault(json!({ "on": "execute-promotion", "kind": "error", "code": "4113" })).await;
    let grant = backoffice::promotions::grant(shop.backoffice(), &agent, &form("TAKEN", user, "event"))
        .await
        .unwrap();
    assert_eq!(grant.state, State::Unknown);
    let early = backoffice::promotions::decide(shop.backoffice(), &finance.actor(), grant.id, false)
        .await
        .unwrap_err();
    assert_eq!(refused(early), Refused::TooEarly);
    shop.backoffice().clock.set_offset(time::Duration::hours(2));
    shop.control("clock", &json!({ "advanceSeconds": 7200 })).await;
    for _ in 0..3 {
        sqlx::query(
            "update grants set sent_at = now() - interval '1 hour', lease_until = null where id = $1",
        )
        .bind(grant.id)
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
        backoffice::promotions::execute(shop.backoffice(), grant.id).await.unwrap();
    }
    let keys = shop.calls(&user.to_string()).into_iter().filter(|call| call == "get-key").count();
    assert_eq!((keys, paid_out(&shop, "TAKEN")), (1, 0));
    // Toss is asked; and while it says that it was paid, nobody says otherwise.
    let said = |code: &str| json!({ "on": "execution-result", "kind": "error", "code": code, "times": 1 });
    shop.fault(said("4114")).await;
    let silent = backoffice::promotions::decide(shop.backoffice(), &finance.actor(), grant.id, false).await;
    assert_eq!(refused(silent.unwrap_err()), Refused::TossSilent);
    // One person's word is noted, and the same person's word again is nothing more.
    let first =
        backoffice::promotions::decide(shop.backoffice(), &finance.actor(), grant.id, false).await.unwrap();
    assert_eq!((first.state, first.not_paid_by_name.is_some()), (State::Unknown, true));
    let alone = backoffice::promotions::decide(shop.backoffice(), &finance.actor(), grant.id, false).await;
    assert_eq!(refused(alone.unwrap_err()), Refused::NotSecond(backoffice::NotSecond::Own));
    let second = shop.log_in(Role::Admin).await.actor();
    let settled = backoffice::promotions::decide(shop.backoffice(), &second, grant.id, false).await.unwrap();
    assert_eq!((settled.state, settled.error_code.as_deref()), (State::Failed, Some("NOT_PAID")));
    assert_eq!(
        backoffice::promotions::campaigns::get(shop.backoffice(), "TAKEN").await.unwrap().unwrap().promised,
        0
    );
}

#[tokio::test]
async fn an_approval_does_not_outlive_its_campaign() {
    let shop = Shop::open().await;
    let (agent, finance) = (shop.log_in(Role::Support).await, shop.log_in(Role::Finance).await);
    let user = shop.user().await;
    open(&shop, &finance, campaign("OVERTAKEN", |c| c.approval_above = "1".into()), json!({})).await;
    let waits =
        backoffice::promotions::grant(shop.backoffice(), &agent.actor(), &form("OVERTAKEN", user, "e"))
            .await
            .unwrap();
    backoffice::promotions::campaigns::stop(shop.backoffice(), &finance.actor(), "OVERTAKEN", true)
        .await
        .unwrap();
    let late =
        backoffice::promotions::approve(shop.backoffice(), &finance.actor(), waits.id).await.unwrap_err();
    assert_eq!((refused(late), paid_out(&shop, "OVERTAKEN")), (Refused::Stopped, 0));
    // The test form that comes back with the box unticked is another grant.
    let intent = Form { is_test: true, ..form("OVERTAKEN", user, "t") };
    backoffice::promotions::grant(shop.backoffice(), &agent.actor(), &intent).await.unwrap();
    let unticked = Form { is_test: false, ..intent };
    assert_eq!(
        refused(
            backoffice::promotions::grant(shop.backoffice(), &agent.actor(), &unticked).await.unwrap_err()
        ),
        Refused::Form
    );
}

#[tokio::test]
async fn ten_a_minute_for_one_user_is_kept() {
    let shop = Shop::open().await;
    let (agent, finance) = (shop.log_in(Role::Support).await.actor(), shop.log_in(Role::Finance).await);
    let user = shop.user().await;
    open(&shop, &finance, campaign("OFTEN", |c| c.user_cap = "100000".into()), json!({})).await;
    let mut states = Vec::new();
    for n in 0..12 {
        states.push(
            backoffice::promotions::grant(shop.backoffice(), &agent, &form("OFTEN", user, &n.to_string()))
                .await
                .unwrap()
                .state,
        );
    }
    assert_eq!(states.iter().filter(|state| **state == State::Succeeded).count(), 10);
    assert!(states[10..].iter().all(|state| *state == State::Requested), "{states:?}");
    let asked = shop.calls(&user.to_string()).into_iter().filter(|call| call == "execute-promotion").count();
    assert_eq!(asked, 10, "the others were not even sent");
}

#[tokio::test]
async fn a_file_of_users_is_granted_once_although_it_is_stopped_and_run_again() {
    let shop = Shop::open().await;
    let (agent, finance) = (shop.log_in(Role::Support).await, shop.log_in(Role::Finance).await);
    open(&shop, &finance, campaign("FILE", |c| c.amount = "100".into()), json!({})).await;
    let mut text = String::from("userKey,금액\n");
    for _ in 0..60 {
        let user = shop.user().await;
        text += &format!("{user},100\n");
    }
    let first: Vec<&str> = text.lines().skip(1).take(1).collect();
    let bad = format!("{text}{}\nnobody,100\n=1+1,100\n443731104,5000\n", first[0]);
    let id = backoffice::promotions::batch::preview(
        shop.backoffice(),
        &agent.actor(),
        "FILE",
        "spring",
        "users.csv",
        bad.as_bytes(),
    )
    .await
    .unwrap();
    let batch = backoffice::promotions::batch::get(shop.backoffice(), id).await.unwrap().unwrap();
    assert_eq!((batch.lines, batch.ready, batch.ready_amount), (64, 60, 6_000));
    backoffice::promotions::batch::start(shop.backoffice(), &agent.actor(), id).await.unwrap();
    shop.eventually("some are paid", || async {
        backoffice::promotions::batch::progress(shop.backoffice(), id).await.unwrap().succeeded > 3
    })
    .await;
    drop(backoffice::promotions::batch::stop(shop.backoffice(), &agent.actor(), id).await);
    drop(backoffice::promotions::batch::start(shop.backoffice(), &agent.actor(), id).await);
    shop.eventually_within(30, "the file is done", || async {
        let state = backoffice::promotions::batch::get(shop.backoffice(), id).await.unwrap().unwrap().state;
        state == batch::State::Finished
            && backoffice::promotions::batch::progress(shop.backoffice(), id).await.unwrap().open == 0
    })
    .await;
    let done = backoffice::promotions::batch::progress(shop.backoffice(), id).await.unwrap();
    assert_eq!((done.succeeded, done.refused, done.amount), (60, 4, 6_000));
    assert_eq!(paid_out(&shop, "FILE"), 6_000);
    // The same file again: everybody has it.
    let again = backoffice::promotions::batch::preview(
        shop.backoffice(),
        &agent.actor(),
        "FILE",
        "spring",
        "users.csv",
        text.as_bytes(),
    )
    .await
    .unwrap();
    assert_eq!(backoffice::promotions::batch::get(shop.backoffice(), again).await.unwrap().unwrap().ready, 0);
}
