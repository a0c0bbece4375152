//! The dashboard inside a host, at a path of the host's choosing.

use backoffice::staff::Role;

use crate::support::Shop;

#[tokio::test]
async fn everything_works_below_the_hosts_path() {
    let shop = Shop::open_at("/back/office").await;
    let key = shop.paid("ord_mounted", 10_000).await;
    let agent = shop.log_in(Role::Support).await;
    assert!(agent.cookie.starts_with("jangbu_session="));
    let (status, html) = shop.page("/orders/ord_mounted", Some(&agent.cookie)).await;
    assert_eq!(status, 200);
    assert!(
        html.contains("action=\"/back/office/fn/refund\"") && html.contains("data-base=\"/back/office\""),
        "{html}"
    );
    assert!(!html.contains("href=\"/orders") && !html.contains("src=\"/pkg"), "no link leaves the mount");

    let intent = backoffice::refunds::new_intent();
    let fields =
        [("order_id", "ord_mounted"), ("intent", &intent), ("amount", "10,000"), ("reason_code", "defect")];
    let response = shop.form("refund", Some(&agent.cookie), &fields).await;
    assert_eq!(response.headers()["location"], "/back/office/orders/ord_mounted");
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);

    let (status, _) = shop.page("", Some(&agent.cookie)).await;
    assert_eq!(status, 200);
    let slash = shop.http.get(format!("{}/", shop.url)).send().await.unwrap();
    assert_eq!(slash.headers()["location"], "/back/office");
    let stranger = shop.http.get(format!("{}/orders?status=DONE", shop.url)).send().await.unwrap();
    assert_eq!(stranger.headers()["location"], "/back/office/login?next=%2Forders%3Fstatus%3DDONE");

    let host = shop.url.trim_end_matches("/back/office");
    let own = shop.http.get(format!("{host}/host")).send().await.unwrap();
    assert_eq!(own.text().await.unwrap(), "the host's own page");
    assert_eq!(shop.http.get(format!("{host}/orders")).send().await.unwrap().status(), 404);
}
