//! Two people for large money, and a person where no machine can tell.

use backoffice::{
    Actor,
    refunds::{ApprovalReason, Decision, Refund, RefundError, Refused, State},
    staff::Role,
};
use serde_json::json;
use toss::payments::PaymentKey;

use crate::support::{Person, Shop, refund};

fn refused(outcome: Result<Refund, RefundError>) -> Refused {
    match outcome {
        Err(RefundError::Refused(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

async fn ask(shop: &Shop, who: &Person, order: &str, amount: &str) -> Refund {
    backoffice::refunds::request(shop.backoffice(), &who.actor(), &refund(order, amount)).await.unwrap()
}

#[tokio::test]
async fn above_a_limit_nothing_is_sent_before_a_second_person_approves() {
    let shop = Shop::open().await;
    shop.limit("support", "50000", "").await;
    let (agent, finance) = (shop.log_in(Role::Support).await, shop.log_in(Role::Finance).await);
    let key = shop.paid("ord_two_1", 100_000).await;
    let asked = ask(&shop, &agent, "ord_two_1", "60000").await;
    assert_eq!(
        (asked.state, asked.approval_reason),
        (State::WaitingForApproval, Some(ApprovalReason::OneRefund))
    );
    assert!(shop.cancels_at_toss(&key).is_empty());
    // It holds the place: nobody refunds around it.
    let second =
        backoffice::refunds::request(shop.backoffice(), &finance.actor(), &refund("ord_two_1", "1000")).await;
    assert!(matches!(refused(second), Refused::AlreadyOpen { .. }));
    // Not the one who asked, in whatever role by now.
    let none = String::new;
    let promoted = Person { role: Role::Admin, cookie: none(), device: none(), email: none(), id: agent.id };
    assert_eq!(
        refused(backoffice::refunds::approve(shop.backoffice(), &promoted.actor(), asked.id).await),
        Refused::NotSecond(backoffice::NotSecond::Own)
    );
    assert_eq!(
        refused(backoffice::refunds::approve(shop.backoffice(), &Actor::CommandLine, asked.id).await),
        Refused::NotSecond(backoffice::NotSecond::Own)
    );
    let done = backoffice::refunds::approve(shop.backoffice(), &finance.actor(), asked.id).await.unwrap();
    assert_eq!(done.state, State::Succeeded);
    assert_eq!(done.approved_by_name.as_deref(), Some("finance 사람"));
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
    // At the limit nobody else is needed.
    shop.paid("ord_two_2", 100_000).await;
    assert_eq!(ask(&shop, &agent, "ord_two_2", "50000").await.state, State::Succeeded);
}

#[tokio::test]
async fn two_approvers_at_once_are_one_refund_and_the_slower_one_hears_who_was_faster() {
    let shop = Shop::open().await;
    shop.limit("support", "0", "").await;
    let agent = shop.log_in(Role::Support).await;
    let (one, other) = (shop.log_in(Role::Finance).await, shop.log_in(Role::Admin).await);
    let key = shop.paid("ord_both_1", 10_000).await;
    let asked = ask(&shop, &agent, "ord_both_1", "10000").await;
    let (one, other) = (one.actor(), other.actor());
    let (first, second) = tokio::join!(
        backoffice::refunds::approve(shop.backoffice(), &one, asked.id),
        backoffice::refunds::approve(shop.backoffice(), &other, asked.id)
    );
    let (won, lost) = if first.is_ok() { (first, second) } else { (second, first) };
    assert_eq!(won.unwrap().state, State::Succeeded);
    assert!(matches!(refused(lost), Refused::AlreadyDecided { by: Some(_), .. }));
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
}

#[tokio::test]
async fn the_sum_of_a_day_counts_and_yesterday_does_not() {
    let shop = Shop::open().await;
    shop.limit("support", "", "50000").await;
    let agent = shop.log_in(Role::Support).await;
    for order in ["ord_day_1", "ord_day_2", "ord_day_3"] {
        shop.paid(order, 30_000).await;
    }
    assert_eq!(ask(&shop, &agent, "ord_day_1", "30000").await.state, State::Succeeded);
    let second = ask(&shop, &agent, "ord_day_2", "30000").await;
    assert_eq!(
        (second.state, second.approval_reason),
        (State::WaitingForApproval, Some(ApprovalReason::PerDay))
    );
    shop.control("clock", &json!({ "advanceSeconds": 86_400 })).await;
    shop.backoffice().clock.set_offset(time::Duration::days(1));
    assert_eq!(ask(&shop, &agent, "ord_day_3", "30000").await.state, State::Succeeded);
}

#[tokio::test]
async fn two_refunds_at_once_are_not_both_the_last_of_the_day() {
    let shop = Shop::open().await;
    shop.limit("support", "", "10000").await;
    let agent = shop.log_in(Role::Support).await;
    for n in 0..6 {
        shop.paid(&format!("ord_rush_{n}"), 10_000).await;
    }
    let all = (0..6).map(|n| {
        let (shop, agent) = (&shop, &agent);
        async move { ask(shop, agent, &format!("ord_rush_{n}"), "6000").await.state }
    });
    let states = futures::future::join_all(all).await;
    assert_eq!(states.iter().filter(|s| **s == State::Succeeded).count(), 1, "{states:?}");
}

#[tokio::test]
async fn a_request_lapses_when_the_balance_changes() {
    let shop = Shop::open().await;
    shop.limit("support", "0", "").await;
    let (agent, finance) = (shop.log_in(Role::Support).await, shop.log_in(Role::Finance).await);
    let key = shop.paid("ord_lapse_1", 100_000).await;
    let asked = ask(&shop, &agent, "ord_lapse_1", "60000").await;
    shop.refund_behind_our_back(&key, 10_000);
    assert_eq!(
        refused(backoffice::refunds::approve(shop.backoffice(), &finance.actor(), asked.id).await),
        Refused::Lapsed
    );
    let now = backoffice::refunds::get(shop.backoffice(), asked.id).await.unwrap().unwrap();
    assert_eq!((now.state, now.error_code.as_deref()), (State::Declined, Some("LAPSED")));
    assert_eq!(shop.cancels_at_toss(&key).len(), 1, "only the console's");
    // The place is free again.
    assert_eq!(ask(&shop, &agent, "ord_lapse_1", "60000").await.state, State::WaitingForApproval);
}

#[tokio::test]
async fn declining_needs_a_reason_and_only_ones_own_can_be_taken_back() {
    let shop = Shop::open().await;
    shop.limit("support", "0", "").await;
    let (agent, other) = (shop.log_in(Role::Support).await, shop.log_in(Role::Support).await);
    let finance = shop.log_in(Role::Finance).await;
    let key = shop.paid("ord_no_1", 10_000).await;
    let asked = ask(&shop, &agent, "ord_no_1", "10000").await;
    let backoffice = shop.backoffice();
    assert_eq!(
        refused(backoffice::refunds::decline(backoffice, &finance.actor(), asked.id, " ").await),
        Refused::NoteTooShort
    );
    assert!(backoffice::refunds::withdraw(backoffice, &other.actor(), asked.id).await.is_err());
    let declined =
        backoffice::refunds::decline(backoffice, &finance.actor(), asked.id, "교환으로 바뀜").await.unwrap();
    assert_eq!(
        (declined.state, declined.settled_by_name.as_deref()),
        (State::Declined, Some("finance 사람"))
    );
    assert_eq!(declined.error_message.as_deref(), Some("교환으로 바뀜"));
    // It is decided: nobody decides again.
    for again in [
        backoffice::refunds::approve(backoffice, &finance.actor(), asked.id).await,
        backoffice::refunds::decline(backoffice, &finance.actor(), asked.id, "또").await,
        backoffice::refunds::withdraw(backoffice, &agent.actor(), asked.id).await,
    ] {
        assert!(matches!(refused(again), Refused::AlreadyDecided { state: State::Declined, .. }));
    }
    let own = ask(&shop, &agent, "ord_no_1", "5000").await;
    let taken_back = backoffice::refunds::withdraw(backoffice, &agent.actor(), own.id).await.unwrap();
    assert_eq!(taken_back.error_code.as_deref(), Some("WITHDRAWN"));
    assert!(shop.cancels_at_toss(&key).is_empty());
}

#[tokio::test]
async fn the_database_itself_holds_the_line() {
    let shop = Shop::open().await;
    shop.limit("support", "0", "").await;
    let agent = shop.log_in(Role::Support).await;
    shop.paid("ord_line_1", 10_000).await;
    let asked = ask(&shop, &agent, "ord_line_1", "10000").await;
    let pool = &shop.backoffice().pool;
    for (what, statement) in [
        ("approving one's own", "update refunds set approved_by = requested_by, approved_by_name = 'x', state = 'approved' where id = $1"),
        ("sending without a second person", "update refunds set state = 'sending' where id = $1"),
        ("another amount", "update refunds set amount = 1 where id = $1"),
        ("another key", "update refunds set idempotency_key = 'x' where id = $1"),
        ("taking it out", "delete from refunds where id = $1"),
        (
            "more than was captured",
            "insert into refunds (id, order_id, payment_key, amount, currency, refundable_amount, reason_code, reason, state,
                                  idempotency_key, requested_by_name, requested_at)
             select gen_random_uuid(), order_id, payment_key, 1, currency, 10000, reason_code, reason, 'succeeded', 'y', 'x', now()
             from refunds where id = $1",
        ),
    ] {
        assert!(sqlx::query(statement).bind(asked.id).execute(pool).await.is_err(), "{what}");
    }
    sqlx::query("update refunds set state = 'declined' where id = $1")
        .bind(asked.id)
        .execute(pool)
        .await
        .unwrap();
    let revived =
        sqlx::query("update refunds set state = 'approved' where id = $1").bind(asked.id).execute(pool);
    assert!(revived.await.is_err(), "what is declined stays declined");
}

#[tokio::test]
async fn only_an_administrator_changes_limits_and_it_is_audited() {
    let shop = Shop::open().await;
    let (finance, admin) = (shop.log_in(Role::Finance).await, shop.log_in(Role::Admin).await);
    let fields =
        [("role", "support"), ("one_refund", "₩200,000"), ("per_day", "1,000,000"), ("grants_per_day", "0")];
    shop.form("set_refund_limit", Some(&finance.cookie), &fields).await;
    let before = backoffice::limits::list(shop.backoffice()).await.unwrap()[0];
    assert_eq!((before.one_refund, before.per_day), (Some(300_000.into()), Some(1_000_000.into())));
    shop.form("set_refund_limit", Some(&admin.cookie), &fields).await;
    assert_eq!(
        backoffice::limits::list(shop.backoffice()).await.unwrap()[0].one_refund,
        Some(200_000.into())
    );
    let rows = backoffice::audit::of_subject(&shop.backoffice().pool, "role", "support").await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].detail["oneRefund"], json!(["300000", "200000"]));
    // A mistake keeps what was typed, beside its field.
    let fields =
        [("role", "support"), ("one_refund", "많이"), ("per_day", "한도 없음"), ("grants_per_day", "0")];
    shop.form("set_refund_limit", Some(&admin.cookie), &fields).await;
    let (_, html) = shop.page("/settings", Some(&admin.cookie)).await;
    assert!(html.contains("금액은 52,500처럼 숫자로 입력하세요") && html.contains("많이"));
}

#[tokio::test]
async fn what_waits_stands_on_the_order_and_on_the_first_page() {
    let shop = Shop::open().await;
    shop.limit("support", "0", "").await;
    let (agent, finance) = (shop.log_in(Role::Support).await, shop.log_in(Role::Finance).await);
    let viewer = shop.log_in(Role::Viewer).await;
    let key = shop.paid("ord_wait_1", 10_000).await;
    let asked = ask(&shop, &agent, "ord_wait_1", "4000").await;
    let (_, mine) = shop.page("/orders/ord_wait_1", Some(&agent.cookie)).await;
    assert!(mine.contains("요청 철회") && !mine.contains("환불 승인<!></button>"));
    let (_, theirs) = shop.page("/orders/ord_wait_1", Some(&finance.cookie)).await;
    assert!(theirs.contains("4,000원 환불 승인") && theirs.contains("반려 사유"));
    let (_, seen) = shop.page("/orders/ord_wait_1", Some(&viewer.cookie)).await;
    assert!(seen.contains("재무팀이나 관리자의 승인을 기다려요"));
    let (_, home) = shop.page("/", Some(&finance.cookie)).await;
    assert!(home.contains("승인을 기다리는 환불 1건"));
    let (_, list) = shop.page("/refunds?state=waiting_for_approval", Some(&viewer.cookie)).await;
    assert!(list.contains("ord_wait_1"));
    let fields = [("order_id", "ord_wait_1"), ("id", &asked.id.to_string())];
    shop.form("approve_refund", Some(&finance.cookie), &fields).await;
    let (_, done) = shop.page("/orders/ord_wait_1", Some(&finance.cookie)).await;
    assert!(done.contains("4,000원 환불을 마쳤어요"));
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
}

/// Until no job holds the lease at that moment.
async fn decide(
    shop: &Shop,
    who: &Person,
    id: uuid::Uuid,
    decision: &Decision,
    mark: &str,
) -> Result<Refund, RefundError> {
    for _ in 0..100 {
        // What was sent before is a lease ago.
        sqlx::query("update refunds set last_attempt_at = now() - interval '10 minutes' where id = $1")
            .bind(id)
            .execute(&shop.backoffice().pool)
            .await
            .unwrap();
        match backoffice::refunds::decide(shop.backoffice(), &who.actor(), id, decision, mark).await {
            Err(RefundError::Refused(Refused::TooEarly)) => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            other => return other,
        }
    }
    panic!("the lease was never free");
}

#[tokio::test]
async fn what_toss_refuses_for_good_is_closed_by_a_person_and_can_be_refunded_again() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let key = shop.paid("ord_close_1", 10_000).await;
    shop.fault(
        json!({ "on": "cancel", "kind": "error", "code": "FAILED_CLOSED_ACCOUNT_REFUND", "times": 1000 }),
    )
    .await;
    let stuck = ask(&shop, &agent, "ord_close_1", "4000").await;
    assert_eq!(stuck.state, State::Unknown);
    let facts = backoffice::refunds::facts(shop.backoffice(), &stuck).await.unwrap();
    let early = backoffice::refunds::decide(
        shop.backoffice(),
        &agent.actor(),
        stuck.id,
        &Decision::NotMade,
        &facts.version,
    )
    .await;
    assert_eq!(refused(early), Refused::TooEarly);
    shop.backoffice().clock.set_offset(time::Duration::minutes(16));
    let (_, home) = shop.page("/", Some(&agent.cookie)).await;
    assert!(home.contains("직접 확인해야 하는 환불 1건") && home.contains("support 사람 님이"));
    let (_, order) = shop.page("/orders/ord_close_1", Some(&agent.cookie)).await;
    assert!(order.contains("결과 확정") && order.contains("토스에는 이 환불 뒤에 생긴 취소가 없어요"));
    // The console refunds something meanwhile: the decision was made on facts that are gone.
    shop.refund_behind_our_back(&key, 1_000);
    let stale = decide(&shop, &agent, stuck.id, &Decision::NotMade, &facts.version).await;
    assert_eq!(refused(stale), Refused::FactsChanged);
    let facts = backoffice::refunds::facts(shop.backoffice(), &stuck).await.unwrap();
    assert_eq!(facts.candidates.len(), 1);
    // A refused decision leaves everything as it was, above all that it is a person's task.
    let task = "update refunds set needs_person = 'key_expired' where id = $1 returning error_message";
    let said: Option<String> =
        sqlx::query_scalar(task).bind(stuck.id).fetch_one(&shop.backoffice().pool).await.unwrap();
    let early = decide(&shop, &agent, stuck.id, &Decision::NotMade, "old").await;
    assert_eq!(refused(early), Refused::FactsChanged);
    let kept = backoffice::refunds::get(shop.backoffice(), stuck.id).await.unwrap().unwrap();
    assert_eq!((kept.needs_person.as_deref(), kept.error_message), (Some("key_expired"), said));
    // A cancel of another amount cannot be said to be ours.
    let wrong = Decision::Ours(facts.candidates[0].transaction_key.clone());
    assert_eq!(refused(decide(&shop, &agent, stuck.id, &wrong, &facts.version).await), Refused::FactsChanged);
    let closed = decide(&shop, &agent, stuck.id, &Decision::NotMade, &facts.version).await.unwrap();
    assert_eq!((closed.state, closed.settled_by_name.as_deref()), (State::Failed, Some("support 사람")));
    let again = decide(&shop, &agent, stuck.id, &Decision::NotMade, &facts.version).await;
    assert!(matches!(refused(again), Refused::AlreadyDecided { state: State::Failed, by: Some(_) }));
    shop.sandbox.faults().clear();
    assert_eq!(ask(&shop, &agent, "ord_close_1", "4000").await.state, State::Succeeded);
    assert_eq!(shop.cancels_at_toss(&key).len(), 2);
}

#[tokio::test]
async fn a_person_cannot_say_no_to_a_cancel_that_may_be_the_refund_and_can_to_one_in_other_words() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let refusing =
        json!({ "on": "cancel", "kind": "error", "code": "FAILED_CLOSED_ACCOUNT_REFUND", "times": 1000 });
    shop.fault(refusing).await;
    let mut stuck = Vec::new();
    for order in ["ord_fits_1", "ord_fits_2"] {
        let key = shop.paid(order, 10_000).await;
        stuck.push((key, ask(&shop, &agent, order, "4000").await));
    }
    let [(ours, first), (theirs, second)] = stuck.as_slice() else { panic!("two refunds") };
    // Our words and our amount, from another balance: no machine can tell.
    shop.refund_behind_our_back(ours, 1_000);
    shop.refund_in_words(ours, 4_000, &first.reason);
    shop.refund_behind_our_back(theirs, 4_000);
    shop.backoffice().clock.set_offset(time::Duration::minutes(16));
    let not_made = async |key: &str, refund: &Refund| {
        let key = PaymentKey(key.to_owned());
        backoffice::payments::look_up(shop.backoffice(), &Actor::CommandLine, &key).await.unwrap();
        let facts = backoffice::refunds::facts(shop.backoffice(), refund).await.unwrap();
        decide(&shop, &agent, refund.id, &Decision::NotMade, &facts.version).await
    };
    assert_eq!(refused(not_made(ours, first).await), Refused::FittingCancel);
    assert_eq!(not_made(theirs, second).await.unwrap().state, State::Failed);
}

#[tokio::test]
async fn a_console_refund_in_other_words_is_never_taken_for_ours() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let key = shop.paid("ord_told_1", 10_000).await;
    shop.fault(json!({ "on": "cancel", "kind": "lose_before" })).await;
    let asked =
        backoffice::refunds::create_intent(shop.backoffice(), &agent.actor(), &refund("ord_told_1", "4000"))
            .await
            .unwrap();
    shop.refund_behind_our_back(&key, 4_000);
    backoffice::refunds::execute(shop.backoffice(), asked).await.unwrap();
    shop.eventually("it is known", || async {
        backoffice::refunds::get(shop.backoffice(), asked).await.unwrap().unwrap().state.is_settled()
    })
    .await;
    let refund = backoffice::refunds::get(shop.backoffice(), asked).await.unwrap().unwrap();
    assert_eq!(
        (refund.state, refund.error_code.as_deref()),
        (State::Failed, Some("NOT_MATCHES_REFUNDABLE_AMOUNT"))
    );
    let order = backoffice::orders::get(shop.backoffice(), "ord_told_1").await.unwrap().unwrap();
    assert_eq!(order.balance_amount, Some(6_000.into()));
}

#[tokio::test]
async fn a_job_finishes_what_a_dead_process_began() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let key = shop.paid("ord_dead_1", 10_000).await;
    let asked =
        backoffice::refunds::create_intent(shop.backoffice(), &agent.actor(), &refund("ord_dead_1", "4000"))
            .await
            .unwrap();
    // The process that committed it is gone; its job comes a minute and a half later.
    sqlx::query("update graphile_worker._private_jobs set run_at = now() where key = $1")
        .bind(format!("refund:{asked}"))
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    shop.eventually("the job has refunded it", || async {
        backoffice::refunds::get(shop.backoffice(), asked).await.unwrap().unwrap().state == State::Succeeded
    })
    .await;
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
}

#[tokio::test]
async fn a_refund_for_the_payment_of_another_order_is_refused() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    shop.paid("ord_mine_1", 10_000).await;
    let other = shop.paid("ord_yours_1", 10_000).await;
    // A look-up that is still on its way would put the order's own payment back.
    shop.quiet().await;
    sqlx::query("update orders set payment_key = $1 where order_id = 'ord_mine_1'")
        .bind(&other)
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    let outcome =
        backoffice::refunds::request(shop.backoffice(), &agent.actor(), &refund("ord_mine_1", "4000")).await;
    assert!(matches!(refused(outcome), Refused::NotPossible(_)));
    assert!(shop.cancels_at_toss(&other).is_empty());
    assert!(
        backoffice::payments::look_up(shop.backoffice(), &agent.actor(), &PaymentKey(other)).await.is_ok()
    );
}
