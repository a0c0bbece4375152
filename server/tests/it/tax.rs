//! Part refunds of what bears VAT in part, or not at all.

use backoffice::{
    Actor, Decimal,
    refunds::{self, Form, RefundError, Refused, State},
    staff::Role,
};
use serde_json::json;
use time::Duration;

use crate::support::{Shop, refund};

/// A payment by card of which so much is free of VAT.
async fn paid(shop: &Shop, order_id: &str, amount: i64, tax_free: i64) -> String {
    let order = json!({ "orderId": order_id, "amount": amount, "orderName": "책과 머그컵" });
    assert_eq!(shop.api("orders", &order).await.0, 201);
    let opening = json!({ "orderId": order_id, "orderName": "책과 머그컵", "amount": amount, "taxFreeAmount": tax_free });
    let key = shop.control("payments", &opening).await["paymentKey"].as_str().unwrap().to_owned();
    shop.control(&format!("payments/{key}/authenticate"), &json!({ "method": "카드" })).await;
    assert_eq!(shop.confirm(order_id, &key, amount).await.0, 200);
    key
}

fn part(order_id: &str, amount: &str, tax_free: &str) -> Form {
    Form { tax_free_amount: tax_free.into(), ..refund(order_id, amount) }
}

fn went_back(shop: &Shop, key: &str) -> Vec<(Decimal, Decimal)> {
    shop.cancels_at_toss(key)
        .iter()
        .map(|c| (c.cancel_amount, c.tax_free_amount.unwrap_or_default()))
        .collect()
}

#[tokio::test]
async fn a_part_takes_its_tax_free_share_along_and_the_vat_return_follows() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let key = paid(&shop, "ord_mixed_1", 10_000, 5_000).await;
    let (_, html) = shop.page("/orders/ord_mixed_1", Some(&agent.cookie)).await;
    assert!(html.contains("남은 면세 금액은 5,000원이에요"), "{html}");

    // Left empty: in proportion. Typed: as typed, within what adds up.
    let first =
        refunds::request(shop.backoffice(), &agent.actor(), &part("ord_mixed_1", "2000", "")).await.unwrap();
    assert_eq!((first.state, first.tax_free_amount), (State::Succeeded, Some(1_000.into())));
    for (amount, tax_free, least, most) in
        [("3000", "3,001", 0, 3_000), ("7000", "2,999", 3_000, 4_000), ("5000", "4,001", 1_000, 4_000)]
    {
        let wrong =
            refunds::request(shop.backoffice(), &agent.actor(), &part("ord_mixed_1", amount, tax_free)).await;
        let Err(RefundError::Refused(refused)) = wrong else { panic!("{wrong:?}") };
        assert_eq!(
            refused,
            Refused::TaxFree { least: least.into(), most: most.into() },
            "{amount} {tax_free}"
        );
    }
    let fields = [
        ("order_id", "ord_mixed_1"),
        ("intent", &refunds::new_intent()),
        ("amount", "3000"),
        ("tax_free_amount", "많이"),
        ("reason_code", "defect"),
    ];
    shop.form("refund", Some(&agent.cookie), &fields).await;
    let (_, html) = shop.page("/orders/ord_mixed_1", Some(&agent.cookie)).await;
    assert!(html.contains("많이") && html.contains("금액은 52,500처럼"), "{html}");
    refunds::request(shop.backoffice(), &agent.actor(), &part("ord_mixed_1", "3000", "3000")).await.unwrap();
    assert_eq!(went_back(&shop, &key), [(2_000.into(), 1_000.into()), (3_000.into(), 3_000.into())]);
    assert_eq!(shop.read_order("ord_mixed_1").await["refunds"][0]["taxFreeAmount"], 3_000);

    let today = shop.backoffice().clock.today();
    let of_today = || backoffice::reports::vat(shop.backoffice(), today, today + Duration::DAY);
    let vat = of_today().await.unwrap().remove(0);
    // 5,000 are left: 1,000 of them free, 4,000 with VAT in them.
    assert_eq!((vat.total, vat.tax_free, vat.untold), (5_000.into(), 1_000.into(), 0));
    assert_eq!(vat.supply + vat.vat, 4_000.into());
    // The rest, and nothing stays.
    refunds::request(shop.backoffice(), &agent.actor(), &part("ord_mixed_1", "5000", "")).await.unwrap();
    assert_eq!(went_back(&shop, &key)[2], (5_000.into(), 1_000.into()));
    let vat = of_today().await.unwrap().remove(0);
    assert_eq!((vat.total, vat.tax_free, vat.supply, vat.vat), Default::default());
}

#[tokio::test]
async fn a_shop_without_vat_refunds_parts_and_is_asked_nothing() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let key = paid(&shop, "ord_free_1", 10_000, 10_000).await;
    let (_, html) = shop.page("/orders/ord_free_1", Some(&agent.cookie)).await;
    assert!(html.contains("부분환불도 전부 면세로 돌아가요") && !html.contains("tax_free_amount"), "{html}");
    for amount in ["1000", "2500"] {
        refunds::request(shop.backoffice(), &agent.actor(), &refund("ord_free_1", amount)).await.unwrap();
    }
    assert_eq!(went_back(&shop, &key), [(1_000.into(), 1_000.into()), (2_500.into(), 2_500.into())]);
    // A file's lines take their share as well.
    let csv = b"orderId,amount\nord_free_1,500\n";
    let file = refunds::batch::preview(shop.backoffice(), &agent.actor(), "f.csv", csv, "defect", "불량")
        .await
        .unwrap();
    refunds::batch::start(shop.backoffice(), &agent.actor(), file).await.unwrap();
    shop.eventually("the line is refunded", async || went_back(&shop, &key).len() == 3).await;
    assert_eq!(went_back(&shop, &key)[2], (500.into(), 500.into()));
}

#[tokio::test]
async fn what_toss_refuses_of_cards_is_said_beforehand_or_ends_as_refused() {
    let shop = Shop::open().await;
    // A cup's deposit in a card payment: only the whole goes back.
    let order = json!({ "orderId": "ord_cup_1", "amount": 5_000, "orderName": "커피" });
    assert_eq!(shop.api("orders", &order).await.0, 201);
    let opening =
        json!({ "orderId": "ord_cup_1", "orderName": "커피", "amount": 5_000, "taxExemptionAmount": 300 });
    let key = shop.control("payments", &opening).await["paymentKey"].as_str().unwrap().to_owned();
    shop.control(&format!("payments/{key}/authenticate"), &json!({ "method": "카드" })).await;
    assert_eq!(shop.confirm("ord_cup_1", &key, 5_000).await.0, 200);
    let part = refunds::request(shop.backoffice(), &Actor::CommandLine, &refund("ord_cup_1", "1000")).await;
    assert!(matches!(part, Err(RefundError::Refused(Refused::WholeOnly))));
    // A year later the card company keeps it no longer.
    let later = shop.backoffice().clock.now() + Duration::days(366);
    shop.backoffice().clock.set(later);
    shop.control("clock", &json!({ "now": toss::timestamp::format(later) })).await;
    let old =
        refunds::request(shop.backoffice(), &Actor::CommandLine, &refund("ord_cup_1", "5000")).await.unwrap();
    assert_eq!((old.state, old.error_code.as_deref()), (State::Failed, Some("EXCEED_MAX_REFUND_DUE")));
}
