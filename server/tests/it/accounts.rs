//! Money goes back to the buyer's own account, or two people have seen where it goes.

use backoffice::{
    refunds::{self, AccountCheck, ApprovalReason, Form, RefundError, Refused, State},
    staff::Role,
};
use serde_json::json;

use crate::support::{Person, Shop, refund};

pub const OWN: &str = "110123456789";
pub const OTHER: &str = "3333012345678";

/// A virtual account that 김하준 paid into, who left an account in the payment window.
pub async fn deposited(shop: &Shop, order_id: &str, own: Option<&str>) -> String {
    let account =
        own.map(|number| json!({ "bankCode": "88", "accountNumber": number, "holderName": "김하준" }));
    let choice = json!({ "method": "가상계좌", "customerName": "김하준", "refundReceiveAccount": account });
    shop.paid_into(order_id, 30_000, choice).await
}

pub fn to(order_id: &str, amount: &str, number: &str, holder: &str) -> Form {
    Form {
        bank: "신한은행".into(),
        account_number: number.into(),
        holder_name: holder.into(),
        ..refund(order_id, amount)
    }
}

fn own(order_id: &str, amount: &str) -> Form {
    Form { bank: refunds::OWN_ACCOUNT.into(), ..refund(order_id, amount) }
}

async fn asked(shop: &Shop, by: &Person, form: &Form) -> refunds::Refund {
    refunds::request(shop.backoffice(), &by.actor(), form).await.unwrap()
}

pub async fn waits(shop: &Shop, by: &Person, form: &Form) -> refunds::Refund {
    let refund = asked(shop, by, form).await;
    assert_eq!(
        (refund.state, refund.approval_reason),
        (State::WaitingForApproval, Some(ApprovalReason::Account)),
        "{form:?}"
    );
    refund
}

#[tokio::test]
async fn the_account_that_the_buyer_left_is_kept_and_one_click_away() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let key = deposited(&shop, "ord_own_1", Some(OWN)).await;
    // Toss forgets it after half an hour.
    shop.control("clock", &json!({ "advanceSeconds": 3600 })).await;
    shop.backoffice().clock.set_offset(time::Duration::hours(1));
    let job = backoffice::Actor::Job("look_up");
    backoffice::payments::look_up_on_rail(shop.backoffice(), &job, "ord_own_1", None).await.unwrap();
    let (_, html) = shop.page("/orders/ord_own_1", Some(&agent.cookie)).await;
    assert!(html.contains("구매자가 남긴 신한은행 ********6789 · 김*준"), "{html}");
    assert!(!html.contains(OWN), "masked");

    let refund = asked(&shop, &agent, &own("ord_own_1", "30000")).await;
    assert_eq!(refund.state, State::Succeeded);
    let at_toss = shop.sandbox.with_books(|books| books.record(&key).unwrap().paid_back_to.clone()).unwrap();
    assert_eq!(
        (at_toss.account_number.as_deref(), at_toss.holder_name.as_deref()),
        (Some(OWN), Some("김하준"))
    );
}

#[tokio::test]
async fn an_account_that_differs_waits_for_a_second_person_who_sees_it() {
    let shop = Shop::open().await;
    let (admin, second) = (shop.log_in(Role::Admin).await, shop.log_in(Role::Finance).await);
    for role in ["support", "finance", "admin"] {
        shop.limit(role, "", "").await;
    }
    let key = deposited(&shop, "ord_else_1", Some(OWN)).await;
    let other_buyer = deposited(&shop, "ord_else_2", None).await;
    sqlx::query("update orders set customer_name = '이서연' where order_id = 'ord_else_2'")
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    shop.control(&format!("payments/{other_buyer}/bank-refund"), &json!({ "status": "NONE" })).await;
    // Without any limit, and a single won.
    let first = waits(&shop, &admin, &to("ord_else_2", "1", OTHER, "박다른")).await;
    refunds::decline(shop.backoffice(), &second.actor(), first.id, "누구인지 몰라요").await.unwrap();
    let refund = waits(&shop, &admin, &to("ord_else_1", "100", "3333-01-2345678", "박다른")).await;
    assert_eq!(shop.cancels_at_toss(&key).len(), 0);
    let own = refunds::approve(shop.backoffice(), &admin.actor(), refund.id).await;
    assert!(matches!(own, Err(RefundError::Refused(Refused::NotSecond(backoffice::NotSecond::Own)))));

    let (_, html) = shop.page("/orders/ord_else_1", Some(&second.cookie)).await;
    for seen in [
        "신한은행 *********5678",
        "박다른",
        "구매자가 남긴 계좌와 달라요",
        "신한은행 ********6789",
        "다른 구매자 1명의 환불도 이 계좌로 갔어요",
    ] {
        assert!(html.contains(seen), "{seen}: {html}");
    }
    assert!(!html.contains(OTHER) && !html.contains(OWN), "masked");
    let facts = refunds::account_facts(shop.backoffice(), &refund).await.unwrap().unwrap();
    assert_eq!((facts.check, facts.other_buyers), (AccountCheck::OtherAccount, 1));

    // The audit log keeps enough to find it again, and no number.
    let rows = backoffice::audit::of_subject(&shop.backoffice().pool, "order", "ord_else_1").await.unwrap();
    let asked = rows.iter().find(|row| row.action == "refund.requested").unwrap();
    let account = &asked.detail["refundReceiveAccount"];
    assert_eq!(account["account"], "신한은행 *********5678");
    assert_eq!(account["check"], "other_account");
    assert_eq!(account["hash"].as_str().unwrap().len(), 32);
    assert!(!asked.detail.to_string().contains(OTHER));

    let done = refunds::approve(shop.backoffice(), &second.actor(), refund.id).await.unwrap();
    assert_eq!(done.state, State::Succeeded);
    let at_toss = shop.sandbox.with_books(|books| books.record(&key).unwrap().paid_back_to.clone()).unwrap();
    assert_eq!(at_toss.account_number.as_deref(), Some(OTHER));
}

#[tokio::test]
async fn a_holder_who_is_not_the_buyer_waits_too() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    deposited(&shop, "ord_hold_1", None).await;
    waits(&shop, &agent, &to("ord_hold_1", "100", OTHER, "박다른")).await;
    deposited(&shop, "ord_hold_2", Some(OWN)).await;
    waits(&shop, &agent, &to("ord_hold_2", "100", OWN, "박다른")).await;
    // The buyer's own, typed by hand; and with no account left, the buyer as its holder.
    deposited(&shop, "ord_hold_3", Some(OWN)).await;
    assert_eq!(
        asked(&shop, &agent, &to("ord_hold_3", "100", "110-123-456789", "김하준")).await.state,
        State::Succeeded
    );
    deposited(&shop, "ord_hold_4", None).await;
    assert_eq!(
        asked(&shop, &agent, &to("ord_hold_4", "100", OTHER, "김 하준")).await.state,
        State::Succeeded
    );
    // Asked for the buyer's own where there is none.
    deposited(&shop, "ord_hold_5", None).await;
    for (form, why) in [
        (own("ord_hold_5", "100"), Refused::NoOwnAccount),
        (to("ord_hold_5", "100", "11012345678a", "김하준"), Refused::AccountNumber),
        (to("ord_hold_5", "100", OTHER, &"김".repeat(61)), Refused::HolderName),
        (refund("ord_hold_5", "100"), Refused::Bank),
    ] {
        match refunds::request(shop.backoffice(), &agent.actor(), &form).await {
            Err(RefundError::Refused(refused)) => assert_eq!(refused, why),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_file_goes_by_the_same_rule_line_by_line() {
    let shop = Shop::open().await;
    let (agent, second) = (shop.log_in(Role::Finance).await, shop.log_in(Role::Admin).await);
    let first = deposited(&shop, "ord_file_1", Some(OWN)).await;
    let other = deposited(&shop, "ord_file_2", Some(OWN)).await;
    let preview = async |text: &str| {
        refunds::batch::preview(shop.backoffice(), &agent.actor(), "f.csv", text.as_bytes(), "defect", "불량")
            .await
            .unwrap()
    };
    // No account in the file: the one that the buyer left.
    let plain = preview("orderId,amount\nord_file_1,100\n").await;
    assert_eq!(
        refunds::batch::start(shop.backoffice(), &agent.actor(), plain).await.unwrap().as_str(),
        "running"
    );
    shop.eventually("the line is refunded", async || shop.cancels_at_toss(&first).len() == 1).await;

    let text =
        format!("orderId,amount,bank,accountNumber,holderName\nord_file_2,100,신한은행,{OTHER},박다른\n");
    let elsewhere = preview(&text).await;
    let state = refunds::batch::start(shop.backoffice(), &agent.actor(), elsewhere).await.unwrap();
    assert_eq!(state.as_str(), "waiting_for_approval");
    let (_, html) = shop.page(&format!("/refunds/batches/{elsewhere}"), Some(&second.cookie)).await;
    assert!(html.contains("신한은행 *********5678 · 구매자가 남긴 계좌와 달라요"), "{html}");
    assert!(!html.contains(OTHER));
    refunds::batch::approve(shop.backoffice(), &second.actor(), elsewhere).await.unwrap();
    shop.eventually("the line is refunded", async || shop.cancels_at_toss(&other).len() == 1).await;
    let filter = refunds::Filter { order_id: Some("ord_file_2".into()), ..refunds::Filter::default() };
    let made = refunds::list(shop.backoffice(), &filter, None, 10).await.unwrap().rows;
    assert_eq!(made[0].approval_reason, Some(ApprovalReason::Account));
    assert!(made[0].approved_by_name.is_some());
}
