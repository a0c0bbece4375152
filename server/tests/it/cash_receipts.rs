//! Cash receipts: no more is receipted than was paid and is left, and Toss's list says the same as ours.

use backoffice::{
    Actor, Decimal,
    cash_receipts::{self, Finding, Form, Origin, Receipt, ReceiptError, Refused, State, Transaction},
    staff::Role,
};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Person, Shop, refund};

const NUMBER: &str = "0100001234";

fn form(order_id: &str, number: &str) -> Form {
    Form {
        order_id: order_id.into(), intent: Uuid::new_v4(), kind: "소득공제".into(), number: number.into()
    }
}

async fn deposited(shop: &Shop, order_id: &str) -> String {
    let account = json!({ "bankCode": "88", "accountNumber": "110123456789", "holderName": "김하준" });
    let choice = json!({ "method": "가상계좌", "customerName": "김하준", "refundReceiveAccount": account });
    shop.paid_into(order_id, 30_000, choice).await
}

async fn issued(shop: &Shop, by: &Person, order_id: &str) -> Receipt {
    cash_receipts::issue(shop.backoffice(), &by.actor(), &form(order_id, NUMBER)).await.unwrap()
}

async fn refused(shop: &Shop, by: &Person, form: &Form) -> Refused {
    match cash_receipts::issue(shop.backoffice(), &by.actor(), form).await.unwrap_err() {
        ReceiptError::Refused(refused) => refused,
        ReceiptError::Fault(fault) => panic!("{fault}"),
    }
}

/// What Toss has of an order: `(confirmed, cancelled)`, and how many rows that is.
fn at_toss(shop: &Shop, order_id: &str) -> (Decimal, Decimal, usize) {
    let now = shop.sandbox.clock.now();
    let today = shop.backoffice().clock.today();
    let all = shop.sandbox.with_books(|books| books.cash_receipts_of(today, now));
    let of: Vec<_> =
        all.iter().filter(|r| r.order_id.as_ref().is_some_and(|o| o.as_str() == order_id)).collect();
    let sum = |kind: &str| {
        of.iter().filter(|r| r.transaction_type.as_deref() == Some(kind)).filter_map(|r| r.amount).sum()
    };
    (sum("CONFIRM"), sum("CANCEL"), of.len())
}

async fn of_order(shop: &Shop, order_id: &str) -> Vec<Receipt> {
    cash_receipts::of_order(shop.backoffice(), order_id).await.unwrap()
}

#[tokio::test]
async fn a_receipt_is_asked_for_once_and_shown() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    deposited(&shop, "ord_rcpt_1").await;
    let form = Form { number: "010-0000-1234".into(), ..form("ord_rcpt_1", "") };
    let actor = agent.actor();
    let sent = (0..4).map(|_| cash_receipts::issue(shop.backoffice(), &actor, &form));
    for receipt in futures::future::join_all(sent).await {
        assert_eq!(receipt.unwrap().id, form.intent);
    }
    let receipts = of_order(&shop, "ord_rcpt_1").await;
    assert_eq!(receipts.len(), 1);
    assert_eq!((receipts[0].state, receipts[0].amount), (State::Completed, 30_000.into()));
    assert_eq!(receipts[0].identity_masked.as_deref(), Some("*******1234"));
    assert_eq!(at_toss(&shop, "ord_rcpt_1"), (30_000.into(), 0.into(), 1));
    // All of it is receipted.
    assert_eq!(refused(&shop, &agent, &self::form("ord_rcpt_1", NUMBER)).await, Refused::AlreadyReceipted);
    let kept: Option<String> = sqlx::query_scalar("select identity_number from cash_receipts")
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
    assert_eq!(kept, None, "the number is forgotten once the receipt is there");
    let (_, page) = shop.page("/orders/ord_rcpt_1", Some(&agent.cookie)).await;
    assert!(page.contains("현금영수증") && page.contains("*******1234"), "{page}");
    let viewer = shop.log_in(Role::Viewer).await;
    let intent = Uuid::new_v4().to_string();
    let fields = [("order_id", "ord_rcpt_1"), ("intent", &intent), ("kind", "소득공제"), ("number", NUMBER)];
    assert_eq!(shop.form("issue_cash_receipt", Some(&viewer.cookie), &fields).await.status(), 403);
    assert_eq!(of_order(&shop, "ord_rcpt_1").await.len(), 1, "whoever may only look asks for nothing");
}

#[tokio::test]
async fn what_cannot_be_receipted_is_refused_before_toss_is_asked() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    shop.paid("ord_rcpt_card", 10_000).await;
    shop.paid_by("ord_rcpt_wait", 10_000, json!({ "method": "가상계좌" })).await;
    deposited(&shop, "ord_rcpt_bad").await;
    for (order, number, why) in [
        ("ord_rcpt_card", NUMBER, Refused::NotCash),
        ("ord_rcpt_wait", NUMBER, Refused::NotCash),
        ("ord_nowhere", NUMBER, Refused::NoSuchOrder),
        ("ord_rcpt_bad", "01012", Refused::Number),
        ("ord_rcpt_bad", "010abcd1234", Refused::Number),
        ("ord_rcpt_bad", &"1".repeat(31), Refused::Number),
    ] {
        assert_eq!(refused(&shop, &agent, &form(order, number)).await, why, "{order} {number}");
    }
    let odd = Form { kind: "미발행".into(), ..form("ord_rcpt_bad", NUMBER) };
    assert_eq!(refused(&shop, &agent, &odd).await, Refused::Kind);
    // A receipt of another order cannot be taken back or tried again through a form of this one, nor one that is unknown.
    let unknown = cash_receipts::cancel(
        shop.backoffice(),
        &agent.actor(),
        "ord_rcpt_bad",
        Uuid::new_v4(),
        Uuid::new_v4(),
        "",
    )
    .await;
    assert!(matches!(unknown, Err(ReceiptError::Refused(Refused::NoSuchReceipt))));
    let receipt = issued(&shop, &agent, "ord_rcpt_bad").await;
    for (amount, why) in
        [("30001", Refused::TooMuch(30_000.into())), ("-5", Refused::Amount), ("1.5", Refused::Amount)]
    {
        let cancel = cash_receipts::cancel(
            shop.backoffice(),
            &agent.actor(),
            "ord_rcpt_bad",
            receipt.id,
            Uuid::new_v4(),
            amount,
        )
        .await;
        assert!(matches!(cancel, Err(ReceiptError::Refused(found)) if found == why), "{amount}");
    }
    let again =
        cash_receipts::retry(shop.backoffice(), &agent.actor(), "ord_rcpt_bad", receipt.id, Uuid::new_v4())
            .await;
    assert!(matches!(again, Err(ReceiptError::Refused(Refused::NotNow))), "it did not fail");
    // The id of a form belongs to the order it was made for.
    deposited(&shop, "ord_rcpt_other").await;
    let elsewhere = cash_receipts::cancel(
        shop.backoffice(),
        &agent.actor(),
        "ord_rcpt_other",
        receipt.id,
        Uuid::new_v4(),
        "",
    )
    .await;
    assert!(matches!(elsewhere, Err(ReceiptError::Refused(Refused::NoSuchReceipt))), "of another order");
    assert_eq!(at_toss(&shop, "ord_rcpt_bad"), (30_000.into(), 0.into(), 1));
    let stolen = Form { intent: receipt.id, ..form("ord_rcpt_other", NUMBER) };
    assert_eq!(refused(&shop, &agent, &stolen).await, Refused::Intent);
    assert_eq!(at_toss(&shop, "ord_rcpt_other").2, 0);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_found_out_and_makes_no_second_receipt() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    for (n, fault) in [
        json!({ "kind": "lose_before" }),
        json!({ "kind": "lose_after" }),
        json!({ "kind": "garbage" }),
        // Toss has forgotten the key, and yet it happened.
        json!({ "kind": "error_after", "code": "FAILED_INTERNAL_SYSTEM_PROCESSING" }),
        json!({ "kind": "error", "code": "FAILED_INTERNAL_SYSTEM_PROCESSING" }),
    ]
    .into_iter()
    .enumerate()
    {
        let order = format!("ord_rcpt_lost_{n}");
        deposited(&shop, &order).await;
        for on in ["cash-receipt", "cash-receipt-cancel"] {
            let mut fault = fault.clone();
            fault["on"] = json!(on);
            shop.fault(fault.clone()).await;
            let asked = match on {
                "cash-receipt" => issued(&shop, &agent, &order).await,
                _ => {
                    let receipt = of_order(&shop, &order).await.remove(0);
                    cash_receipts::cancel(
                        shop.backoffice(),
                        &agent.actor(),
                        &order,
                        receipt.id,
                        Uuid::new_v4(),
                        "10000",
                    )
                    .await
                    .unwrap()
                }
            };
            assert_eq!(asked.state, State::Unknown, "{fault}");
            hurry(&shop, "settle_cash_receipt").await;
            shop.eventually("the receipt is there", || async {
                let found = cash_receipts::get(shop.backoffice(), asked.id).await.unwrap().unwrap();
                found.state == State::Completed
            })
            .await;
        }
        assert_eq!(at_toss(&shop, &order), (30_000.into(), 10_000.into(), 2), "{fault}");
        assert_eq!(of_order(&shop, &order).await.len(), 2, "{fault}");
    }
}

/// Lets a job of this kind run now.
async fn hurry(shop: &Shop, name: &str) {
    sqlx::query(
        "update graphile_worker._private_jobs j set run_at = now() from graphile_worker._private_tasks t
         where t.id = j.task_id and t.identifier = $1 and j.locked_at is null",
    )
    .bind(name)
    .execute(&shop.backoffice().pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn what_failed_is_asked_for_again_as_it_was() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    deposited(&shop, "ord_rcpt_again").await;
    shop.fault(json!({ "on": "cash-receipt", "kind": "error", "code": "INVALID_REQUEST" })).await;
    let failed = issued(&shop, &agent, "ord_rcpt_again").await;
    assert_eq!((failed.state, failed.failure_code.as_deref()), (State::Failed, Some("INVALID_REQUEST")));
    let waiting = async || backoffice::home::waiting(shop.backoffice()).await.unwrap().receipts_failed;
    assert_eq!(waiting().await, 1, "somebody has to see to it");
    let (_, page) = shop.page("/cash-receipts?failed=1", Some(&agent.cookie)).await;
    assert!(page.contains("ord_rcpt_again"), "{page}");
    let intent = Uuid::new_v4();
    for _ in 0..2 {
        let again =
            cash_receipts::retry(shop.backoffice(), &agent.actor(), "ord_rcpt_again", failed.id, intent)
                .await
                .unwrap();
        assert_eq!((again.state, again.amount), (State::Completed, failed.amount));
        assert_eq!(again.identity_masked, failed.identity_masked);
    }
    let other =
        cash_receipts::retry(shop.backoffice(), &agent.actor(), "ord_rcpt_again", failed.id, Uuid::new_v4())
            .await;
    assert!(matches!(other, Err(ReceiptError::Refused(Refused::NotNow))), "once");
    assert_eq!(at_toss(&shop, "ord_rcpt_again"), (30_000.into(), 0.into(), 1));
    assert_eq!(waiting().await, 0);
    // The tax office says no to a number by itself; less is left when somebody tries again.
    deposited(&shop, "ord_rcpt_no").await;
    let bad = Form { number: "0100000002".into(), ..form("ord_rcpt_no", "") };
    let failed = cash_receipts::issue(shop.backoffice(), &agent.actor(), &bad).await.unwrap();
    assert_eq!(
        (failed.state, failed.failure_code.as_deref()),
        (State::Failed, Some("INVALID_IDENTITY_NUMBER"))
    );
    refund_part(&shop, &agent, "ord_rcpt_no", "1000").await;
    let again =
        cash_receipts::retry(shop.backoffice(), &agent.actor(), "ord_rcpt_no", failed.id, Uuid::new_v4())
            .await;
    assert!(matches!(again, Err(ReceiptError::Refused(Refused::TooMuch(room))) if room == 29_000.into()));
}

async fn refund_part(shop: &Shop, by: &Person, order_id: &str, amount: &str) {
    let form = backoffice::refunds::Form {
        bank: backoffice::refunds::OWN_ACCOUNT.into(),
        ..refund(order_id, amount)
    };
    let refund = backoffice::refunds::request(shop.backoffice(), &by.actor(), &form).await.unwrap();
    assert_eq!(refund.state, backoffice::refunds::State::Succeeded);
}

/// The job that runs each minute.
async fn follow(shop: &Shop) {
    sqlx::query(
        "select graphile_worker.add_job('follow_cash_receipts', '{}', queue_name => 'cash-receipts')",
    )
    .execute(&shop.backoffice().pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_refunded_is_no_longer_receipted_whoever_refunds_it() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let key = deposited(&shop, "ord_rcpt_back").await;
    issued(&shop, &agent, "ord_rcpt_back").await;
    refund_part(&shop, &agent, "ord_rcpt_back", "12000").await;
    follow(&shop).await;
    shop.eventually("the part is taken back", || async {
        at_toss(&shop, "ord_rcpt_back") == (30_000.into(), 12_000.into(), 2)
    })
    .await;
    // In Toss's console as well: the webhook tells of it.
    let request = toss::payments::CancelRequest {
        cancel_reason: "상점관리자에서 환불".into(),
        cancel_amount: Some(5_000.into()),
        refund_receive_account: Some(toss::payments::RefundAccount {
            bank: "88".into(),
            account_number: "110123456789".into(),
            holder_name: "김하준".into(),
        }),
        ..toss::payments::CancelRequest::default()
    };
    let now = shop.sandbox.clock.now();
    shop.sandbox.with_books(|books| books.cancel(&key, &request, now)).unwrap();
    shop.quiet().await;
    follow(&shop).await;
    shop.eventually("so is the other part", || async {
        at_toss(&shop, "ord_rcpt_back") == (30_000.into(), 17_000.into(), 3)
    })
    .await;
    shop.eventually("and both are known here", || async {
        of_order(&shop, "ord_rcpt_back").await.iter().all(|receipt| receipt.state == State::Completed)
    })
    .await;
    follow(&shop).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(at_toss(&shop, "ord_rcpt_back").2, 3, "nothing is taken back twice");
    let receipt = of_order(&shop, "ord_rcpt_back").await.remove(0);
    assert_eq!(receipt.standing, 13_000.into());
}

#[tokio::test]
async fn money_that_its_bank_took_back_is_not_receipted() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let key = deposited(&shop, "ord_rcpt_error").await;
    issued(&shop, &agent, "ord_rcpt_error").await;
    shop.sandbox.with_books(|books| books.deposit_error(&key)).unwrap();
    shop.quiet().await;
    follow(&shop).await;
    shop.eventually("the receipt is taken back", || async {
        at_toss(&shop, "ord_rcpt_error") == (30_000.into(), 30_000.into(), 2)
    })
    .await;
}

#[tokio::test]
async fn what_came_with_a_payment_goes_back_with_it() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let choice = json!({ "method": "계좌이체", "cashReceipt": { "type": "소득공제", "number": NUMBER } });
    shop.paid_by("ord_rcpt_with", 10_000, choice).await;
    let receipts = of_order(&shop, "ord_rcpt_with").await;
    assert_eq!(receipts.len(), 1);
    assert_eq!((receipts[0].origin, receipts[0].state), (Origin::Payment, State::Completed));
    assert!(!receipts[0].can_be_cancelled());
    assert_eq!(refused(&shop, &agent, &form("ord_rcpt_with", NUMBER)).await, Refused::AlreadyReceipted);
    backoffice::refunds::request(shop.backoffice(), &agent.actor(), &refund("ord_rcpt_with", "4000"))
        .await
        .unwrap();
    follow(&shop).await;
    let receipts = of_order(&shop, "ord_rcpt_with").await;
    let told: Vec<_> = receipts.iter().map(|r| (r.transaction_type, r.amount)).collect();
    assert_eq!(told, [(Transaction::Confirm, 10_000.into()), (Transaction::Cancel, 4_000.into())]);
    assert_eq!(at_toss(&shop, "ord_rcpt_with").2, 0, "nobody asks Toss for a cancel of its own");
}

#[tokio::test]
async fn a_day_of_ours_stands_beside_a_day_of_tosss() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Finance).await;
    let backoffice = shop.backoffice();
    let today = backoffice.clock.today();
    for order in ["ord_day_1", "ord_day_2", "ord_day_3", "ord_day_4"] {
        deposited(&shop, order).await;
    }
    issued(&shop, &agent, "ord_day_1").await;
    // The tax office takes a minute over this one.
    let slow = Form { number: "0100000001".into(), ..form("ord_day_2", "") };
    let slow = cash_receipts::issue(backoffice, &agent.actor(), &slow).await.unwrap();
    assert_eq!(slow.state, State::InProgress);
    // One that only Toss has, one that only we have, and one with another sum.
    let request = toss::payments::CashReceiptRequest {
        amount: 7_000.into(),
        order_id: toss::payments::OrderId("ord_day_admin".into()),
        order_name: "상점관리자".into(),
        customer_identity_number: NUMBER.into(),
        kind: "소득공제".into(),
        tax_free_amount: None,
    };
    let now = shop.sandbox.clock.now();
    shop.sandbox.with_books(|books| books.issue_cash_receipt(request, now)).unwrap();
    let (gone, less) = (issued(&shop, &agent, "ord_day_3").await, issued(&shop, &agent, "ord_day_4").await);
    sqlx::query("update cash_receipts set receipt_key = 'not_at_toss', order_id = 'ord_day_5' where id = $1")
        .bind(gone.id)
        .execute(&backoffice.pool)
        .await
        .unwrap();
    sqlx::query("update cash_receipts set amount = amount - 1 where id = $1")
        .bind(less.id)
        .execute(&backoffice.pool)
        .await
        .unwrap();
    let unread = cash_receipts::day(backoffice, today).await.unwrap();
    assert!(unread.read_at.is_none() && unread.rows.iter().all(|(_, finding)| finding.is_none()));

    backoffice.clock.set_offset(time::Duration::minutes(2));
    shop.sandbox.clock.set_offset(time::Duration::minutes(2));
    assert_eq!(cash_receipts::read_day(backoffice, &agent.actor(), today).await.unwrap(), 5);
    let day = cash_receipts::day(backoffice, today).await.unwrap();
    let mut found: Vec<_> =
        day.rows.iter().filter_map(|(r, finding)| Some((r.order_id.as_str(), (*finding)?))).collect();
    found.sort();
    let expected = [
        // Its row of ours has another key: Toss's is nobody's.
        ("ord_day_3", Finding::NotOurs),
        ("ord_day_4", Finding::AmountDiffers),
        ("ord_day_5", Finding::NotListed),
        ("ord_day_admin", Finding::NotOurs),
    ];
    assert_eq!(found, expected);
    assert_eq!((day.ours.receipts, day.ours.issued), (4, (30_000 * 4 - 1).into()));
    assert_eq!((day.toss.receipts, day.toss.issued), (5, (30_000 * 4 + 7_000).into()));
    let state = cash_receipts::get(backoffice, slow.id).await.unwrap().unwrap().state;
    assert_eq!(state, State::Completed, "the list tells what the tax office said");
    // Read again it is the same.
    cash_receipts::read_day(backoffice, &Actor::CommandLine, today).await.unwrap();
    assert_eq!(cash_receipts::day(backoffice, today).await.unwrap().rows.len(), day.rows.len());
    let (status, page) = shop.page(&format!("/cash-receipts?day={today}"), Some(&agent.cookie)).await;
    assert_eq!(status, 200);
    assert!(page.contains("ord_day_admin"), "{page}");
}
