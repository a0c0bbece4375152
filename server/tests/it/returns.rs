//! The legal clock.

use backoffice::{
    refunds::Form,
    returns::{Refused, ReturnError},
    staff::Role,
};
use time::macros::date;

use crate::support::{Shop, refund};

#[tokio::test]
async fn the_clock_starts_with_the_return_and_stops_with_the_refund() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    // A Thursday noon in Seoul before Chuseok 2026.
    shop.backoffice().clock.set(time::macros::datetime!(2026-09-23 03:00 UTC));
    shop.control("clock", &serde_json::json!({ "now": "2026-09-23T12:00:00+09:00" })).await;
    shop.paid("ord_back_1", 10_000).await;
    shop.paid("ord_back_2", 10_000).await;
    let fields =
        [("order_id", "ord_back_1"), ("kind", "returned"), ("received_on", "2026-09-23"), ("note", "")];
    shop.form("record_return", Some(&agent.cookie), &fields).await;
    let kept = backoffice::returns::get_open(shop.backoffice(), "ord_back_1").await.unwrap().unwrap();
    assert_eq!(kept.due_on, date!(2026 - 09 - 30));
    let earlier =
        [("order_id", "ord_back_2"), ("kind", "withdrawn"), ("received_on", "2026-09-18"), ("note", "")];
    shop.form("record_return", Some(&agent.cookie), &earlier).await;
    let open = backoffice::returns::list_open(shop.backoffice()).await.unwrap();
    let order: Vec<_> = open.iter().map(|r| r.order_id.as_str()).collect();
    assert_eq!(order, ["ord_back_2", "ord_back_1"], "worst first");
    let (_, html) = shop.page("/returns", Some(&agent.cookie)).await;
    assert!(html.contains("오늘까지") && html.contains("영업일 3일 남음"), "{html}");
    let (_, home) = shop.page("/", Some(&agent.cookie)).await;
    assert!(home.contains("오늘까지 환불해야 하는 반품·철회 1건"));

    // A part for something else leaves the clock running; one for the return, or the whole, stops it.
    backoffice::refunds::request(shop.backoffice(), &agent.actor(), &refund("ord_back_1", "1000"))
        .await
        .unwrap();
    assert!(backoffice::returns::get_open(shop.backoffice(), "ord_back_1").await.unwrap().is_some());
    let of_return = Form { for_return: true, ..refund("ord_back_1", "2000") };
    backoffice::refunds::request(shop.backoffice(), &agent.actor(), &of_return).await.unwrap();
    assert!(backoffice::returns::get_open(shop.backoffice(), "ord_back_1").await.unwrap().is_none());
    let fields = [("order_id", "ord_back_2"), ("note", "교환으로 바꿈")];
    shop.form("close_return", Some(&agent.cookie), &fields).await;
    assert!(backoffice::returns::list_open(shop.backoffice()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await.actor();
    shop.paid("ord_when_1", 10_000).await;
    let today = shop.backoffice().clock.today();
    let tomorrow = today.next_day().unwrap().to_string();
    for (order, kind, day, why) in [
        ("ord_none", "returned", today.to_string(), Refused::NoSuchOrder),
        ("ord_when_1", "lost", today.to_string(), Refused::Kind),
        ("ord_when_1", "returned", tomorrow, Refused::Day),
        ("ord_when_1", "returned", "어제".to_owned(), Refused::Day),
        ("ord_when_1", "returned", "2019-01-01".to_owned(), Refused::Day),
    ] {
        match backoffice::returns::record(shop.backoffice(), &agent, order, kind, &day, "").await {
            Err(ReturnError::Refused(refused)) => assert_eq!(refused, why, "{order} {kind} {day}"),
            other => panic!("{other:?}"),
        }
    }
    backoffice::returns::record(shop.backoffice(), &agent, "ord_when_1", "returned", &today.to_string(), "")
        .await
        .unwrap();
    let twice = backoffice::returns::record(
        shop.backoffice(),
        &agent,
        "ord_when_1",
        "returned",
        &today.to_string(),
        "",
    )
    .await;
    assert!(matches!(twice, Err(ReturnError::Refused(Refused::AlreadyOpen { .. }))));
    let no_reason = backoffice::returns::close(shop.backoffice(), &agent, "ord_when_1", " ").await;
    assert!(matches!(no_reason, Err(ReturnError::Refused(Refused::NoNote))));
}
