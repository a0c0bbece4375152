//! All money that went back is in the list of refunds, whoever sent it, and nothing is in the sums that is not in the list.

use backoffice::{
    Actor, Decimal,
    refunds::{self, Filter, Origin, Refund, State},
    staff::Role,
};
use serde_json::json;
use time::Duration;

use crate::support::{Shop, refund};

async fn listed(shop: &Shop, filter: &Filter) -> Vec<Refund> {
    let mut rows = Vec::new();
    let mut cursor = None;
    // Small pages: none is lost or repeated where they meet.
    loop {
        let page = refunds::history(shop.backoffice(), filter, cursor.as_ref(), 2).await.unwrap();
        rows.extend(page.rows);
        match page.older {
            Some(older) => cursor = Some(older),
            None => return rows,
        }
    }
}

#[tokio::test]
async fn what_went_back_elsewhere_stands_in_the_list_and_in_the_sums() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Finance).await;
    let job = Actor::Job("look_up");
    for n in 1..=3 {
        let order = format!("ord_origin_{n}");
        let key = shop.paid(&order, 10_000).await;
        refunds::request(shop.backoffice(), &agent.actor(), &refund(&order, "1000")).await.unwrap();
        shop.refund_behind_our_back(&key, 2_000 + n);
        backoffice::payments::look_up_on_rail(shop.backoffice(), &job, &order, None).await.unwrap();
    }
    // An account that nobody paid into is closed: no money moves.
    let unpaid = shop.paid_by("ord_origin_va", 10_000, json!({ "method": "가상계좌" })).await;
    shop.refund_behind_our_back(&unpaid, 10_000);
    backoffice::payments::look_up_on_rail(shop.backoffice(), &job, "ord_origin_va", None).await.unwrap();
    // In Toss's console of the mini-app.
    let token = shop.paid_by_toss_pay("ord_origin_tp", 5_000, json!({})).await;
    let now = shop.sandbox.clock.now();
    shop.sandbox.with_mini_app(|app| app.move_payment(&token, "REFUND_SUCCESS", now));
    backoffice::payments::look_up_on_rail(shop.backoffice(), &job, "ord_origin_tp", None).await.unwrap();

    let all = listed(&shop, &Filter::default()).await;
    let of = |origin: Origin| -> Vec<Decimal> {
        let mut amounts: Vec<Decimal> = all.iter().filter(|r| r.origin == origin).map(|r| r.amount).collect();
        amounts.sort();
        amounts
    };
    assert_eq!(of(Origin::Here), vec![Decimal::from(1_000); 3]);
    assert_eq!(of(Origin::Toss), [2_001, 2_002, 2_003, 5_000].map(Decimal::from));
    let only = Filter { origin: Some(Origin::Toss), ..Filter::default() };
    assert_eq!(listed(&shop, &only).await.len(), 4);

    // The sums are those of the list.
    let today = shop.backoffice().clock.today();
    let sales = backoffice::reports::sales(shop.backoffice(), today, today + Duration::DAY).await.unwrap();
    let sum: Decimal = all.iter().map(|r| r.amount).sum();
    assert_eq!(sales[0].refunds, sum);
    let month = refunds::reasons(shop.backoffice(), 0).await.unwrap().remove(0);
    let by_reason: Decimal = month.reasons.iter().map(|(_, _, sum)| *sum).sum();
    assert_eq!(by_reason, sum);
    let elsewhere = month.reasons.iter().find(|(code, ..)| code == refunds::ELSEWHERE).unwrap();
    assert_eq!((elsewhere.1, elsewhere.2), (4, 11_006.into()));

    let (_, html) = shop.page("/refunds?origin=toss", Some(&agent.cookie)).await;
    assert!(html.contains("ord_origin_tp") && html.contains("토스(상점관리자, 다른 시스템)"), "{html}");
    let (_, html) = shop.page("/refunds/reasons", Some(&agent.cookie)).await;
    assert!(html.contains("다른 곳에서 환불"), "{html}");
    let (_, html) = shop.page("/orders/ord_origin_1", Some(&agent.cookie)).await;
    assert!(html.contains("2,001원"), "{html}");
    let told = shop.read_order("ord_origin_1").await;
    let told = told["refunds"].as_array().unwrap();
    let origin = |amount: i64| told.iter().find(|r| r["cancelAmount"] == amount).unwrap()["origin"].clone();
    assert_eq!((told.len(), origin(1_000), origin(2_001)), (2, json!("here"), json!("toss")));
}

#[tokio::test]
async fn a_refund_that_is_not_known_yet_is_not_told_twice() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Finance).await;
    let key = shop.paid("ord_twice_1", 10_000).await;
    shop.fault(json!({ "on": "cancel", "kind": "lose_after", "about": key, "times": 1 })).await;
    // While nobody knows whether the cancel at Toss is ours, it is not somebody else's.
    shop.fault(json!({ "on": "payment", "kind": "lose_before", "about": key, "times": 100 })).await;
    let asked =
        refunds::request(shop.backoffice(), &agent.actor(), &refund("ord_twice_1", "4000")).await.unwrap();
    assert_eq!(asked.state, State::Unknown);
    assert_eq!(listed(&shop, &Filter::default()).await.len(), 1);
    shop.http.delete(format!("{}/_sandbox/faults", shop.sandbox_url)).send().await.unwrap();
    shop.eventually("it is known", async || {
        refunds::get(shop.backoffice(), asked.id).await.unwrap().unwrap().state == State::Succeeded
    })
    .await;
    let all = listed(&shop, &Filter::default()).await;
    assert_eq!((all.len(), all[0].origin), (1, Origin::Here));
}
