//! A refund is done when the buyer has the money: from Toss through the bank to an account, and back.

use backoffice::{
    Actor,
    refunds::{self, Filter, Form, Refund, RefundError, Refused, Stage, State, WayOut},
    staff::Role,
};
use serde_json::json;
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::support::{Person, Shop, refund};

/// A Friday before an ordinary week.
const FRIDAY: OffsetDateTime = datetime!(2026-11-20 02:00 UTC);

const JOB: Actor = Actor::Job("look_up");

async fn at(shop: &Shop, now: OffsetDateTime) {
    shop.backoffice().clock.set(now);
    shop.control("clock", &json!({ "now": toss::timestamp::format(now) })).await;
}

async fn later(shop: &Shop, passed: Duration) {
    at(shop, shop.backoffice().clock.now() + passed).await;
}

/// What a bank has, asked about at the time for it.
async fn asked(shop: &Shop) {
    refunds::follow_due(shop.backoffice()).await.unwrap();
}

/// A virtual account that its buyer paid into.
async fn deposited(shop: &Shop, order_id: &str, amount: i64) -> String {
    let choice = json!({ "method": "가상계좌", "customerName": "김하준", "validHours": 2000 });
    shop.paid_into(order_id, amount, choice).await
}

async fn refunds_looked_up(shop: &Shop, order_id: &str) {
    backoffice::payments::look_up_on_rail(shop.backoffice(), &JOB, order_id, None).await.unwrap();
}

fn to_account(order_id: &str, amount: &str, number: &str) -> Form {
    Form {
        bank: "88".into(),
        account_number: number.into(),
        holder_name: "김하준".into(),
        ..refund(order_id, amount)
    }
}

async fn refunded(shop: &Shop, by: &Person, form: &Form) -> Refund {
    let refund = refunds::request(shop.backoffice(), &by.actor(), form).await.unwrap();
    assert_eq!(refund.state, State::Succeeded, "{refund:?}");
    refund
}

async fn stage(shop: &Shop, refund: &Refund) -> Option<Stage> {
    refunds::get(shop.backoffice(), refund.id).await.unwrap().unwrap().stage
}

async fn bank_says(shop: &Shop, key: &str, order_id: &str, status: &str) {
    shop.control(&format!("payments/{key}/bank-refund"), &json!({ "status": status })).await;
    refunds_looked_up(shop, order_id).await;
    refunds::follow(shop.backoffice(), key).await.unwrap();
}

async fn audited(shop: &Shop, order_id: &str) -> Vec<String> {
    let rows = backoffice::audit::of_subject(&shop.backoffice().pool, "order", order_id).await.unwrap();
    rows.into_iter().map(|row| row.action).collect()
}

async fn clock_runs(shop: &Shop, order_id: &str) -> bool {
    backoffice::returns::get_open(shop.backoffice(), order_id).await.unwrap().is_some()
}

async fn came_back(shop: &Shop, by: &Person, order_id: &str) {
    let today = shop.backoffice().clock.today().to_string();
    backoffice::returns::record(shop.backoffice(), &by.actor(), order_id, "returned", &today, "")
        .await
        .unwrap();
}

#[tokio::test]
async fn the_clock_of_a_return_stops_when_the_bank_has_paid_and_not_before() {
    let shop = Shop::open().await;
    at(&shop, FRIDAY).await;
    let agent = shop.log_in(Role::Support).await;
    let key = deposited(&shop, "ord_bank_1", 30_000).await;
    came_back(&shop, &agent, "ord_bank_1").await;
    let refund = refunded(&shop, &agent, &to_account("ord_bank_1", "30000", "110123456789")).await;
    assert_eq!(refund.stage, Some(Stage::AtTheBank));
    assert_eq!(refund.expected_on.unwrap().to_string(), "2026-11-24");
    assert!(clock_runs(&shop, "ord_bank_1").await, "the bank has it, not the buyer");
    let (_, html) = shop.page("/orders/ord_bank_1", Some(&agent.cookie)).await;
    assert!(html.contains("은행 이체 중") && html.contains("2026-11-24까지 은행이 입금"), "{html}");

    // Its day has not come: asking changes nothing.
    later(&shop, Duration::days(3)).await;
    asked(&shop).await;
    assert_eq!(stage(&shop, &refund).await, Some(Stage::AtTheBank));
    let told = shop.sandbox.with_books(|books| books.record(&key).unwrap().payment.clone());
    assert_eq!(told.virtual_account.unwrap().refund_status, Some(toss::payments::RefundStatus::Pending));

    later(&shop, Duration::days(1)).await;
    asked(&shop).await;
    assert_eq!(stage(&shop, &refund).await, Some(Stage::Arrived));
    assert!(!clock_runs(&shop, "ord_bank_1").await);
    assert_eq!(audited(&shop, "ord_bank_1").await.iter().filter(|a| *a == "refund.arrived").count(), 1);
    asked(&shop).await;
    let (_, html) = shop.page("/orders/ord_bank_1", Some(&agent.cookie)).await;
    assert!(html.contains("입금 완료"), "{html}");
    assert_eq!(audited(&shop, "ord_bank_1").await.iter().filter(|a| *a == "refund.arrived").count(), 1);
}

#[tokio::test]
async fn money_that_came_back_is_a_task_until_it_arrives() {
    let shop = Shop::open().await;
    at(&shop, FRIDAY).await;
    let agent = shop.log_in(Role::Support).await;
    let key = deposited(&shop, "ord_back_1", 30_000).await;
    came_back(&shop, &agent, "ord_back_1").await;
    // The sandbox's bank cannot pay into this one.
    let refund = refunded(&shop, &agent, &to_account("ord_back_1", "30000", "110123451111")).await;
    later(&shop, Duration::days(3)).await;
    asked(&shop).await;
    assert_eq!(stage(&shop, &refund).await, Some(Stage::Returned));
    assert!(clock_runs(&shop, "ord_back_1").await);
    let (_, home) = shop.page("/", Some(&agent.cookie)).await;
    assert!(home.contains("구매자에게 닿지 않은 환불 1건"), "{home}");
    let (_, list) = shop.page("/refunds?not_arrived=1", Some(&agent.cookie)).await;
    assert!(list.contains("ord_back_1") && list.contains("입금 실패"), "{list}");
    let (_, html) = shop.page("/orders/ord_back_1", Some(&agent.cookie)).await;
    assert!(
        html.contains("30,000원 환불이 구매자에게 닿지 않았어요") && html.contains("토스 상점관리자"),
        "{html}"
    );

    // Nothing is recorded without words.
    let id = refund.id.to_string();
    let fields = [("order_id", "ord_back_1"), ("id", id.as_str()), ("way_out", "sent_again"), ("note", " ")];
    shop.form("record_way_out", Some(&agent.cookie), &fields).await;
    assert_eq!(stage(&shop, &refund).await, Some(Stage::Returned));

    let fields =
        [("order_id", "ord_back_1"), ("id", id.as_str()), ("way_out", "sent_again"), ("note", "계좌를 고침")];
    shop.form("record_way_out", Some(&agent.cookie), &fields).await;
    let resent = refunds::get(shop.backoffice(), refund.id).await.unwrap().unwrap();
    assert_eq!((resent.stage, resent.stage_note.as_deref()), (Some(Stage::AtTheBank), Some("계좌를 고침")));
    // Toss does not know of it yet.
    refunds_looked_up(&shop, "ord_back_1").await;
    refunds::follow(shop.backoffice(), &key).await.unwrap();
    assert_eq!(stage(&shop, &refund).await, Some(Stage::AtTheBank));
    let account = json!({ "bankCode": "88", "accountNumber": "110123456789", "holderName": "김하준" });
    shop.control(&format!("payments/{key}/bank-refund"), &json!({ "sendAgain": account })).await;
    later(&shop, Duration::days(2)).await;
    asked(&shop).await;
    assert_eq!(stage(&shop, &refund).await, Some(Stage::Arrived));
    assert!(!clock_runs(&shop, "ord_back_1").await);
    let (_, home) = shop.page("/", Some(&agent.cookie)).await;
    assert!(!home.contains("구매자에게 닿지 않은"), "{home}");
    let story = audited(&shop, "ord_back_1").await;
    for action in ["refund.returned", "refund.sent_again", "refund.arrived", "return.refunded"] {
        assert_eq!(story.iter().filter(|a| *a == action).count(), 1, "{action}: {story:?}");
    }
}

#[tokio::test]
async fn what_was_sent_again_and_comes_back_again_is_a_task_again() {
    let shop = Shop::open().await;
    at(&shop, FRIDAY).await;
    let agent = shop.log_in(Role::Support).await;
    let key = deposited(&shop, "ord_again_1", 30_000).await;
    let refund = refunded(&shop, &agent, &to_account("ord_again_1", "30000", "110123456789")).await;
    bank_says(&shop, &key, "ord_again_1", "FAILED").await;
    assert_eq!(stage(&shop, &refund).await, Some(Stage::Returned));
    refunds::record_way_out(shop.backoffice(), &agent.actor(), refund.id, WayOut::SentAgain, "고침")
        .await
        .unwrap();
    // Nobody sent anything: Toss says what it said, and after a business day it is believed.
    later(&shop, Duration::days(3)).await;
    asked(&shop).await;
    assert_eq!(stage(&shop, &refund).await, Some(Stage::AtTheBank));
    later(&shop, Duration::days(1)).await;
    asked(&shop).await;
    assert_eq!(stage(&shop, &refund).await, Some(Stage::Returned));

    let paid = refunds::record_way_out(
        shop.backoffice(),
        &agent.actor(),
        refund.id,
        WayOut::PaidOtherwise,
        "회사 계좌에서 이체",
    )
    .await
    .unwrap();
    assert_eq!((paid.stage, paid.stage_by_name.is_some()), (Some(Stage::Arrived), true));
    refunds_looked_up(&shop, "ord_again_1").await;
    refunds::follow(shop.backoffice(), &key).await.unwrap();
    assert_eq!(stage(&shop, &refund).await, Some(Stage::Arrived), "Toss goes on saying FAILED");
    let again =
        refunds::record_way_out(shop.backoffice(), &agent.actor(), refund.id, WayOut::PaidOtherwise, "다시")
            .await;
    assert!(matches!(again, Err(RefundError::Refused(Refused::NotReturned))));
}

#[tokio::test]
async fn one_word_for_all_parts_moves_only_the_parts_it_can_mean() {
    let shop = Shop::open().await;
    at(&shop, FRIDAY).await;
    let agent = shop.log_in(Role::Support).await;
    let key = deposited(&shop, "ord_parts_1", 30_000).await;
    came_back(&shop, &agent, "ord_parts_1").await;
    let first = refunded(&shop, &agent, &to_account("ord_parts_1", "10000", "110123456789")).await;
    bank_says(&shop, &key, "ord_parts_1", "COMPLETED").await;
    assert_eq!(stage(&shop, &first).await, Some(Stage::Arrived));
    assert!(clock_runs(&shop, "ord_parts_1").await, "a part of the return");

    later(&shop, Duration::hours(1)).await;
    let second = refunded(&shop, &agent, &to_account("ord_parts_1", "20000", "110123456789")).await;
    bank_says(&shop, &key, "ord_parts_1", "PARTIAL_FAILED").await;
    assert_eq!(
        (stage(&shop, &first).await, stage(&shop, &second).await),
        (Some(Stage::Arrived), Some(Stage::PartlyArrived))
    );
    assert!(
        clock_runs(&shop, "ord_parts_1").await,
        "nothing is left at Toss, but the buyer does not have it"
    );
    bank_says(&shop, &key, "ord_parts_1", "COMPLETED").await;
    assert_eq!(stage(&shop, &second).await, Some(Stage::Arrived));
    assert!(!clock_runs(&shop, "ord_parts_1").await);

    // The account was closed after all: the newest came back, and the clock runs on.
    bank_says(&shop, &key, "ord_parts_1", "FAILED").await;
    assert_eq!(
        (stage(&shop, &first).await, stage(&shop, &second).await),
        (Some(Stage::Arrived), Some(Stage::Returned))
    );
    assert!(clock_runs(&shop, "ord_parts_1").await);
}

#[tokio::test]
async fn a_bank_that_never_answers_is_a_task_after_nine_business_days() {
    let shop = Shop::open().await;
    at(&shop, FRIDAY).await;
    let agent = shop.log_in(Role::Support).await;
    let key = deposited(&shop, "ord_never_1", 30_000).await;
    let refund = refunded(&shop, &agent, &to_account("ord_never_1", "30000", "110123456789")).await;
    // The bank has lost it.
    shop.control(&format!("payments/{key}/bank-refund"), &json!({ "status": "PENDING" })).await;
    later(&shop, Duration::days(13)).await;
    asked(&shop).await;
    let of = async |filter: Filter| {
        backoffice::refunds::list(shop.backoffice(), &filter, None, 10).await.unwrap().rows.len()
    };
    let today =
        |shop: &Shop| Filter { not_arrived_on: Some(shop.backoffice().clock.today()), ..Filter::default() };
    assert_eq!(of(today(&shop)).await, 0, "the ninth business day");
    later(&shop, Duration::days(1)).await;
    assert_eq!(of(today(&shop)).await, 1);
    let (_, html) = shop.page("/orders/ord_never_1", Some(&agent.cookie)).await;
    assert!(html.contains("은행이 2026-12-03까지 입금하지 않았어요"), "{html}");
    // While Toss is silent the question is asked again soon, and no stage is made up.
    shop.fault(json!({ "on": "payment", "kind": "lose_before", "times": 1000 })).await;
    asked(&shop).await;
    assert_eq!(stage(&shop, &refund).await, Some(Stage::AtTheBank));
    shop.http.delete(format!("{}/_sandbox/faults", shop.sandbox_url)).send().await.unwrap();
    shop.control(&format!("payments/{key}/bank-refund"), &json!({ "status": "COMPLETED" })).await;
    asked(&shop).await;
    assert_eq!(stage(&shop, &refund).await, Some(Stage::AtTheBank), "not asked twice at once");
    // The job may have asked a moment before we did: by the next day it is time again in any case.
    later(&shop, Duration::days(3)).await;
    asked(&shop).await;
    assert_eq!(stage(&shop, &refund).await, Some(Stage::Arrived));
}

#[tokio::test]
async fn a_webhook_tells_of_the_bank_too() {
    let shop = Shop::open().await;
    at(&shop, FRIDAY).await;
    let agent = shop.log_in(Role::Support).await;
    let key = deposited(&shop, "ord_hook_1", 30_000).await;
    let refund = refunded(&shop, &agent, &to_account("ord_hook_1", "30000", "110123456789")).await;
    shop.quiet().await;
    shop.control(&format!("payments/{key}/bank-refund"), &json!({ "status": "FAILED" })).await;
    let body = json!({ "eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2026-11-20T11:30:00.000000",
                       "data": { "paymentKey": key, "orderId": "ord_hook_1", "status": "CANCELED" } });
    assert_eq!(shop.hook(&[], body.to_string()).await, 200);
    shop.quiet().await;
    // The next minute's turn, long before the next look.
    asked(&shop).await;
    assert_eq!(stage(&shop, &refund).await, Some(Stage::Returned));
}

#[tokio::test]
async fn other_methods_tell_a_day_and_stop_the_clock_when_toss_takes_them() {
    let shop = Shop::open().await;
    at(&shop, FRIDAY).await;
    let agent = shop.log_in(Role::Support).await;
    shop.paid("ord_card_1", 10_000).await;
    came_back(&shop, &agent, "ord_card_1").await;
    let part = refunded(&shop, &agent, &refund("ord_card_1", "4000")).await;
    assert_eq!(
        (part.stage, part.expected_on.unwrap().to_string()),
        (Some(Stage::Accepted), "2026-11-26".into())
    );
    assert!(clock_runs(&shop, "ord_card_1").await);
    refunded(&shop, &agent, &refund("ord_card_1", "6000")).await;
    assert!(!clock_runs(&shop, "ord_card_1").await);
    // Not acquired yet: the whole goes back at once.
    shop.paid("ord_card_2", 10_000).await;
    let whole = refunded(&shop, &agent, &refund("ord_card_2", "10000")).await;
    assert_eq!(whole.expected_on.unwrap().to_string(), "2026-11-20");
    shop.paid_by("ord_phone_1", 10_000, json!({ "method": "휴대폰" })).await;
    let phone = refunded(&shop, &agent, &refund("ord_phone_1", "10000")).await;
    assert_eq!(phone.expected_on.unwrap().to_string(), "2026-11-20");
    // Nobody paid: nothing goes back.
    shop.paid_by("ord_unpaid_1", 10_000, json!({ "method": "가상계좌" })).await;
    let unpaid = refunded(&shop, &agent, &refund("ord_unpaid_1", "10000")).await;
    assert_eq!((unpaid.stage, unpaid.expected_on), (None, None));

    let body = shop.read_order("ord_card_1").await;
    let told = &body["refunds"][1];
    assert_eq!((told["stage"].as_str(), told["expectedOn"].as_str()), (Some("accepted"), Some("2026-11-26")));
    assert!(told["stageAt"].is_string(), "{body}");
}
