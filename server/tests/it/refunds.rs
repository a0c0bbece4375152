//! Money goes back at most once.

use backoffice::{
    Actor,
    money::AmountError,
    refunds::{Refund, RefundError, Refused, State, WhyNot},
    staff::Role,
};
use futures::future::join_all;
use serde_json::json;
use toss::payments::CancelRequest;

use crate::support::{Shop, refund};

const AGENT: Actor = Actor::CommandLine;

async fn make(shop: &Shop, order: &str, amount: &str) -> Result<Refund, RefundError> {
    backoffice::refunds::request(shop.backoffice(), &AGENT, &refund(order, amount)).await
}

fn refused(outcome: Result<Refund, RefundError>) -> Refused {
    match outcome {
        Err(RefundError::Refused(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_part_and_the_rest_agree_with_toss_to_the_won() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_parts_1", 87_500).await;
    let first = make(&shop, "ord_parts_1", "35,000").await.unwrap();
    assert_eq!(first.state, State::Succeeded);
    let second = make(&shop, "ord_parts_1", "52500").await.unwrap();
    assert_eq!(second.state, State::Succeeded);
    let at_toss = shop.cancels_at_toss(&key);
    let keys: Vec<_> = at_toss.iter().map(|c| c.transaction_key.as_ref().unwrap().0.clone()).collect();
    assert_eq!(vec![first.transaction_key.unwrap(), second.transaction_key.unwrap()], keys);
    let order = backoffice::orders::get(shop.backoffice(), "ord_parts_1").await.unwrap().unwrap();
    assert_eq!((order.status.as_str(), order.balance_amount), ("PARTIAL_CANCELED", Some(0.into())));
    let ours = backoffice::transactions::of_order(shop.backoffice(), "ord_parts_1").await.unwrap();
    let theirs = shop.sandbox.with_books(|books| books.all_transactions().to_vec());
    assert_eq!(ours.len(), theirs.len());
    for row in theirs {
        let mine = ours.iter().find(|r| r.transaction_key == row.transaction_key.0).unwrap();
        assert_eq!((mine.amount, mine.status.as_str()), (row.amount, row.status.as_str()));
    }
    assert_eq!(refused(make(&shop, "ord_parts_1", "1").await), Refused::NotPossible(WhyNot::NothingLeft));
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_not_repeated() {
    let shop = Shop::open().await;
    for (n, fault) in ["lose_after", "lose_before", "garbage"].into_iter().enumerate() {
        let id = format!("ord_lost_{n}");
        let key = shop.paid(&id, 10_000).await;
        shop.fault(json!({ "on": "cancel", "kind": fault })).await;
        let refund = make(&shop, &id, "4000").await.unwrap();
        assert_eq!(refund.state, State::Unknown, "{fault}");
        assert!(backoffice::orders::get(shop.backoffice(), &id).await.unwrap().unwrap().refund_unknown);
        shop.eventually("the outcome is known", || async {
            backoffice::refunds::get(shop.backoffice(), refund.id).await.unwrap().unwrap().state
                == State::Succeeded
        })
        .await;
        assert_eq!(shop.cancels_at_toss(&key).len(), 1, "{fault}: exactly one cancel");
        assert_eq!(
            backoffice::orders::get(shop.backoffice(), &id).await.unwrap().unwrap().balance_amount,
            Some(6_000.into())
        );
    }
}

#[tokio::test]
async fn two_agents_at_once_and_one_wins() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_race_1", 10_000).await;
    let all = join_all((0..8).map(|_| make(&shop, "ord_race_1", "10000"))).await;
    let won = all.iter().filter(|o| matches!(o, Ok(r) if r.state == State::Succeeded)).count();
    assert_eq!(won, 1, "{all:?}");
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
    for outcome in all {
        match outcome {
            Ok(refund) => assert_eq!(refund.state, State::Succeeded),
            Err(RefundError::Refused(
                Refused::AlreadyOpen { .. } | Refused::NotPossible(WhyNot::NothingLeft),
            )) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_same_form_twice_is_one_refund() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_double_1", 10_000).await;
    let form = refund("ord_double_1", "3000");
    let first = backoffice::refunds::request(shop.backoffice(), &AGENT, &form).await.unwrap();
    let second = backoffice::refunds::request(shop.backoffice(), &AGENT, &form).await.unwrap();
    assert_eq!((first.id, second.state), (second.id, State::Succeeded));
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
    // A form cannot be turned against another order.
    shop.paid("ord_double_2", 10_000).await;
    let turned = backoffice::refunds::Form { order_id: "ord_double_2".into(), ..form };
    assert_eq!(
        refused(backoffice::refunds::request(shop.backoffice(), &AGENT, &turned).await),
        Refused::Form
    );
}

#[tokio::test]
async fn bad_forms_are_refused_and_nothing_is_sent() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_forms_1", 10_000).await;
    for (amount, why) in [
        ("0", Refused::Amount(AmountError::NotPositive)),
        ("-1", Refused::Amount(AmountError::NotPositive)),
        ("1e9", Refused::Amount(AmountError::NotANumber)),
        ("1,00", Refused::Amount(AmountError::NotANumber)),
        ("", Refused::Amount(AmountError::Empty)),
        ("1000000000000000000", Refused::Amount(AmountError::TooLarge)),
        ("10,001", Refused::OverBalance { left: 10_000.into(), currency: "KRW".into() }),
    ] {
        assert_eq!(refused(make(&shop, "ord_forms_1", amount).await), why, "{amount}");
    }
    let with = |change: fn(&mut backoffice::refunds::Form)| {
        let mut form = refund("ord_forms_1", "1000");
        change(&mut form);
        form
    };
    for (form, why) in [
        (with(|f| f.reason = String::new()), Refused::ReasonTooShort),
        (with(|f| f.reason = "가".repeat(201)), Refused::ReasonTooLong),
        (with(|f| f.reason_code = "because".into()), Refused::ReasonCode),
        (with(|f| f.intent = "1".into()), Refused::Form),
        (with(|f| f.order_id = "ord_unheard".into()), Refused::NoSuchOrder),
    ] {
        assert_eq!(refused(backoffice::refunds::request(shop.backoffice(), &AGENT, &form).await), why);
    }
    assert!(shop.cancels_at_toss(&key).is_empty());
    let full_width = make(&shop, "ord_forms_1", "１，０００").await.unwrap();
    assert_eq!(full_width.amount, 1_000.into());
}

#[tokio::test]
async fn a_deposited_account_is_paid_back_to_an_account() {
    let shop = Shop::open().await;
    let key =
        shop.paid_by("ord_va_back", 50_000, json!({ "method": "가상계좌", "customerName": "홍길동" })).await;
    assert_eq!(refused(make(&shop, "ord_va_back", "1000").await), Refused::WholeOnly);
    shop.control(&format!("payments/{key}/deposit"), &json!(null)).await;
    let mut form = refund("ord_va_back", "20000");
    assert_eq!(refused(backoffice::refunds::request(shop.backoffice(), &AGENT, &form).await), Refused::Bank);
    form.bank = "88".into();
    form.account_number = "110-123-456789".into();
    assert_eq!(
        refused(backoffice::refunds::request(shop.backoffice(), &AGENT, &form).await),
        Refused::HolderName
    );
    form.holder_name = "홍길동".into();
    assert_eq!(
        backoffice::refunds::request(shop.backoffice(), &AGENT, &form).await.unwrap().state,
        State::Succeeded
    );
    // Somebody else's account: Toss says no, and the intent ends as failed.
    let stolen = backoffice::refunds::Form {
        intent: backoffice::refunds::new_intent(),
        account_number: "1101230000".into(),
        ..form
    };
    let failed = backoffice::refunds::request(shop.backoffice(), &AGENT, &stolen).await.unwrap();
    assert_eq!(
        (failed.state, failed.error_code.as_deref()),
        (State::Failed, Some("INVALID_REFUND_ACCOUNT_INFO"))
    );
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
}

#[tokio::test]
async fn a_cancel_at_tosss_own_console_is_seen_before_ours_goes_out() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_console", 10_000).await;
    shop.fault(json!({ "on": "webhook", "kind": "drop", "times": 9 })).await;
    let behind = CancelRequest {
        cancel_reason: "콘솔".into(),
        cancel_amount: Some(7_000.into()),
        ..Default::default()
    };
    shop.backoffice()
        .toss
        .cancel(&toss::payments::PaymentKey(key.clone()), &behind, "console")
        .await
        .unwrap();
    assert_eq!(
        refused(make(&shop, "ord_console", "10000").await),
        Refused::OverBalance { left: 3_000.into(), currency: "KRW".into() }
    );
    assert_eq!(make(&shop, "ord_console", "3000").await.unwrap().state, State::Succeeded);
    assert_eq!(shop.cancels_at_toss(&key).len(), 2);
}

#[tokio::test]
async fn a_cancel_that_the_provider_makes_later_is_not_called_done_before() {
    let shop = Shop::open().await;
    let alipay = json!({ "method": "해외간편결제", "provider": "ALIPAY" });
    for (n, (word, state)) in [("DONE", State::Succeeded), ("ABORTED", State::Failed)].into_iter().enumerate()
    {
        let id = format!("ord_later_{n}");
        let key = shop.paid_by(&id, 10_000, alipay.clone()).await;
        let refund = make(&shop, &id, "4000").await.unwrap();
        assert_eq!(refund.state, State::Unknown);
        let transaction = shop.cancels_at_toss(&key)[0].transaction_key.clone().unwrap();
        shop.control(&format!("cancels/{transaction}"), &json!({ "status": word })).await;
        shop.eventually("the provider's word counts", || async {
            backoffice::refunds::get(shop.backoffice(), refund.id).await.unwrap().unwrap().state == state
        })
        .await;
        assert_eq!(shop.cancels_at_toss(&key).len(), 1, "nothing is sent twice");
        let left = if word == "DONE" { 6_000 } else { 10_000 };
        assert_eq!(
            backoffice::orders::get(shop.backoffice(), &id).await.unwrap().unwrap().balance_amount,
            Some(left.into())
        );
    }
}

#[tokio::test]
async fn later_says_nothing_about_an_attempt_before() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_storm_1", 10_000).await;
    shop.fault(json!({ "on": "cancel", "kind": "lose_before" })).await;
    shop.fault(json!({ "on": "cancel", "kind": "error", "code": "TOO_MANY_REQUESTS" })).await;
    let refund = make(&shop, "ord_storm_1", "4000").await.unwrap();
    assert_eq!(refund.state, State::Unknown);
    shop.eventually("it is known in the end", || async {
        let now = backoffice::refunds::get(shop.backoffice(), refund.id).await.unwrap().unwrap();
        assert_ne!(now.state, State::Failed, "429 on a resend is no verdict");
        now.state == State::Succeeded
    })
    .await;
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
}

#[tokio::test]
async fn an_unreachable_toss_costs_one_row_and_no_money() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_dark_1", 10_000).await;
    let mut dark = shop.backoffice().clone();
    let nowhere = toss::payments::Config::new("http://127.0.0.1:9", sandbox::PUBLIC_TEST_KEYS[0]);
    dark.toss = toss::payments::Client::new(nowhere).unwrap();
    let form = refund("ord_dark_1", "4000");
    assert_eq!(backoffice::refunds::request(&dark, &AGENT, &form).await.unwrap().state, State::Requested);
    shop.eventually("sent once Toss is back", || async {
        backoffice::refunds::list(shop.backoffice(), &Default::default(), None, 1).await.unwrap().rows[0]
            .state
            == State::Succeeded
    })
    .await;
    let story = backoffice::audit::of_subject(&shop.backoffice().pool, "order", "ord_dark_1").await.unwrap();
    assert_eq!(story.iter().filter(|row| row.action == "refund.not_sent").count(), 1);
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
}

#[tokio::test]
async fn a_browser_that_goes_away_stops_nothing() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_gone_1", 10_000).await;
    shop.fault(json!({ "on": "cancel", "kind": "delay", "ms": 800 })).await;
    let (backoffice, form) = (shop.backoffice().clone(), refund("ord_gone_1", "10000"));
    let request = tokio::spawn(async move { backoffice::refunds::request(&backoffice, &AGENT, &form).await });
    shop.eventually("it is on its way", || async {
        backoffice::refunds::list(shop.backoffice(), &Default::default(), None, 1)
            .await
            .unwrap()
            .rows
            .first()
            .is_some_and(|r| r.attempts == 1)
    })
    .await;
    request.abort();
    shop.eventually("it is finished all the same", || async {
        backoffice::refunds::list(shop.backoffice(), &Default::default(), None, 1).await.unwrap().rows[0]
            .state
            == State::Succeeded
    })
    .await;
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
}

#[tokio::test]
async fn what_a_killed_process_left_is_finished_by_the_job() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_killed", 10_000).await;
    let pool = &shop.backoffice().pool;
    // The state a process leaves that dies after Toss did it and before it could write that down: sent, leased, unsettled.
    let id = uuid::Uuid::now_v7();
    sqlx::query(
        "insert into refunds (id, order_id, payment_key, amount, currency, refundable_amount, reason_code, reason, state,
                              idempotency_key, requested_by_name, requested_at, attempts, fence, lease_until)
         values ($1, 'ord_killed', $2, 4000, 'KRW', 10000, 'defect', '불량', 'sending', $3, 'test', now(), 1, 1,
                 now() + interval '1 second')",
    )
    .bind(id)
    .bind(&key)
    .bind(format!("refund-{id}"))
    .execute(pool)
    .await
    .unwrap();
    let request = CancelRequest {
        cancel_reason: "불량".into(),
        cancel_amount: Some(4_000.into()),
        refundable_amount: Some(10_000.into()),
        ..Default::default()
    };
    let toss = &shop.backoffice().toss;
    toss.cancel(&toss::payments::PaymentKey(key.clone()), &request, &format!("refund-{id}")).await.unwrap();
    sqlx::query(
        "select graphile_worker.add_job('settle_refund', json_build_object('id', $1::text), job_key => $2)",
    )
    .bind(id.to_string())
    .bind(format!("refund:{id}"))
    .execute(pool)
    .await
    .unwrap();
    shop.eventually("the job has found it out", || async {
        backoffice::refunds::get(shop.backoffice(), id).await.unwrap().unwrap().state == State::Succeeded
    })
    .await;
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
}

#[tokio::test]
async fn a_form_in_the_browser_keeps_what_was_typed_and_says_what_is_wrong() {
    let shop = Shop::open().await;
    shop.paid("ord_browser", 10_000).await;
    let agent = shop.log_in(Role::Support).await;
    let intent = backoffice::refunds::new_intent();
    let fields = |amount: &'static str| {
        [
            ("order_id", "ord_browser"),
            ("intent", intent.as_str()),
            ("amount", amount),
            ("reason_code", "defect"),
            ("reason", "긁힘 <b>"),
        ]
    };
    let response = shop.form("refund", Some(&agent.cookie), &fields("99,999")).await;
    assert_eq!(response.headers()["location"], "/orders/ord_browser#refund");
    let (_, html) = shop.page("/orders/ord_browser", Some(&agent.cookie)).await;
    assert!(html.contains("환불 가능 금액 10,000보다 많아요"), "{html}");
    assert!(
        html.contains("value=\"99,999\"") && html.contains("긁힘 &lt;b&gt;"),
        "what was typed is still there"
    );
    let response = shop.form("refund", Some(&agent.cookie), &fields("4,000")).await;
    assert_eq!(response.status(), 302);
    let (_, html) = shop.page("/orders/ord_browser", Some(&agent.cookie)).await;
    assert!(html.contains("4,000원 환불을 마쳤어요"), "{html}");
    let (_, html) = shop.page("/orders/ord_browser", Some(&agent.cookie)).await;
    assert!(!html.contains("환불을 마쳤어요"), "a notice is said once");
}

#[tokio::test]
async fn a_copy_that_is_known_to_be_old_is_asked_for_until_toss_answers() {
    let shop = Shop::open().await;
    let key = shop.paid("ord_stale", 10_000).await;
    shop.quiet().await;
    shop.fault(json!({ "on": "webhook", "kind": "drop", "times": 9 })).await;
    let id = backoffice::refunds::create_intent(shop.backoffice(), &AGENT, &refund("ord_stale", "4000"))
        .await
        .unwrap();
    shop.refund_behind_our_back(&key, 3_000);
    // The look-up of the refusal is lost, and that of the first two jobs.
    shop.fault(json!({ "on": "payment", "kind": "lose_before", "times": 3 })).await;
    backoffice::refunds::execute(shop.backoffice(), id).await.unwrap();
    let refused = backoffice::refunds::get(shop.backoffice(), id).await.unwrap().unwrap();
    assert_eq!(
        (refused.state, refused.error_code.as_deref()),
        (State::Failed, Some("NOT_MATCHES_REFUNDABLE_AMOUNT"))
    );
    let left = async || {
        backoffice::orders::get(shop.backoffice(), "ord_stale").await.unwrap().unwrap().balance_amount
    };
    assert_eq!(left().await, Some(10_000.into()), "nobody knows better yet");
    shop.eventually_within(40, "the copy is fresh", || async { left().await == Some(7_000.into()) }).await;
    // The job is over a moment after what it wrote.
    shop.eventually("nothing more is asked", || async {
        let planned: i64 =
            sqlx::query_scalar("select count(*) from graphile_worker.jobs where key like '%ord_stale%'")
                .fetch_one(&shop.backoffice().pool)
                .await
                .unwrap();
        planned == 0
    })
    .await;
}

#[tokio::test]
async fn an_answer_from_before_the_refund_that_comes_after_it_changes_nothing() {
    let shop = Shop::open().await;
    // Nobody else asks about it.
    shop.fault(json!({ "on": "webhook", "kind": "drop", "times": 100 })).await;
    let key = shop.paid("ord_overtaken", 10_000).await;
    // The refund is asked for, then the payment; Toss tells of the payment before it cancels it, and is late in telling.
    shop.fault(json!({ "on": "cancel", "kind": "delay", "ms": 1_000 })).await;
    shop.fault(json!({ "on": "payment", "kind": "late", "ms": 2_000 })).await;
    let form = refund("ord_overtaken", "10,000");
    let refund = backoffice::refunds::request(shop.backoffice(), &AGENT, &form);
    let asked = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let key = toss::payments::PaymentKey(key.clone());
        backoffice::payments::look_up(shop.backoffice(), &AGENT, &key).await.unwrap()
    };
    let (refunded, (late, changed)) = tokio::join!(refund, asked);
    assert_eq!(refunded.unwrap().state, State::Succeeded);
    assert_eq!(late.status.as_str(), "DONE", "the answer is from before");
    assert!(changed.is_empty(), "{changed:?}");
    let order = backoffice::orders::get(shop.backoffice(), "ord_overtaken").await.unwrap().unwrap();
    assert_eq!((order.status.as_str(), order.balance_amount), ("CANCELED", Some(0.into())));
    // What is asked afterwards is believed, whatever it says: here, that the money never went back.
    let before = json!({ "/status": "DONE", "/balanceAmount": 10_000, "/cancels": null });
    shop.fault(json!({ "on": "payment", "kind": "spoilt", "set": before })).await;
    let key = toss::payments::PaymentKey(key);
    backoffice::payments::look_up(shop.backoffice(), &AGENT, &key).await.unwrap();
    let order = backoffice::orders::get(shop.backoffice(), "ord_overtaken").await.unwrap().unwrap();
    assert_eq!(order.status, "DONE");
}
