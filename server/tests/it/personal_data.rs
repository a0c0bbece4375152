//! What people ask of us about their own data, and what goes when its time is up.

use backoffice::{
    Actor,
    audit::access,
    exports,
    orders::Filter,
    personal_data::{self, EraseError, Person},
    retention::{self, Class, job::destroy},
    staff::Role,
};
use serde_json::json;
use time::Duration;

use crate::{
    accounts::{OWN, deposited},
    reconciliation::turn,
    support::{Shop, refund},
};

const PHONE: &str = "01044318820";
const MAIL: &str = "person.zq@example.com";

fn by_phone() -> Person {
    Person::parse("010-4431-8820", "", "", "").unwrap()
}

/// Two orders of one buyer, one paid and one not; another buyer's; the paid one's payment key.
async fn trade(shop: &Shop) -> String {
    for (id, name, phone) in [
        ("ord_mine_1", "김하준", PHONE),
        ("ord_mine_2", "김하준", PHONE),
        ("ord_other", "이서연", "01099998888"),
    ] {
        let order = json!({ "orderId": id, "amount": 10_000, "orderName": "머그컵", "customerName": name,
                            "customerMobilePhone": phone, "customerEmail": MAIL });
        assert_eq!(shop.api("orders", &order).await.0, 201);
    }
    let opening = json!({ "orderId": "ord_mine_1", "orderName": "머그컵", "amount": 10_000 });
    let key = shop.control("payments", &opening).await["paymentKey"].as_str().unwrap().to_owned();
    let choice = json!({ "method": "휴대폰", "customerMobilePhone": PHONE });
    shop.control(&format!("payments/{key}/authenticate"), &choice).await;
    assert_eq!(shop.confirm("ord_mine_1", &key, 10_000).await.0, 200);
    shop.quiet().await;
    key
}

async fn found(shop: &Shop, q: &str) -> Vec<String> {
    let filter = Filter { q: Some(q.to_owned()), ..Filter::default() };
    let rows = backoffice::orders::list(shop.backoffice(), &filter, None, 10).await.unwrap().rows;
    rows.into_iter().map(|order| order.order_id).collect()
}

#[tokio::test]
async fn somebody_gets_a_copy_of_all_that_is_kept_of_them_and_of_nobody_else() {
    let shop = Shop::open().await;
    trade(&shop).await;
    let (admin, finance) = (shop.log_in(Role::Admin).await, shop.log_in(Role::Finance).await);
    assert_eq!(shop.page("/personal-data", Some(&finance.cookie)).await.0, 403);
    let (status, html) = shop.page("/personal-data?phone=010-4431-8820", Some(&admin.cookie)).await;
    assert!(status == 200 && html.contains("ord_mine_2") && !html.contains("ord_other"), "{html}");
    let (_, html) = shop.page("/personal-data?phone=12", Some(&admin.cookie)).await;
    assert!(html.contains("전화번호를 확인해 주세요"), "{html}");

    let form = [("phone", PHONE), ("format", "csv"), ("reason", "본인 요청, 신분증 확인")];
    assert_eq!(shop.form("copy_personal_data", Some(&admin.cookie), &form).await.status(), 302);
    let export = || async { exports::of_staff(shop.backoffice(), admin.id).await.unwrap().remove(0) };
    shop.eventually("the copy is written", || async { export().await.state == exports::State::Done }).await;
    let id = export().await.id;
    let (status, file) = shop.page(&format!("/exports/file/{id}"), Some(&admin.cookie)).await;
    assert_eq!(status, 200);
    for value in [PHONE, "김하준", MAIL, "ord_mine_1", "ord_mine_2", "휴대폰", "customerMobilePhone"] {
        assert!(file.contains(value), "{value}: {file}");
    }
    for others in ["이서연", "01099998888", "ord_other", "\"secret\""] {
        assert!(!file.contains(others), "{others}: {file}");
    }
    // It is told, without telling whose it was.
    let filter = access::Filter { subject: Some("ord_mine_1".into()), ..access::Filter::default() };
    let seen = access::list(&shop.backoffice().pool, &filter, None, 10).await.unwrap().rows;
    assert!(seen.iter().any(|r| r.kind == access::Kind::Exported && r.people == Some(2)), "{seen:?}");
    let log: Vec<String> =
        sqlx::query_scalar("select a::text from audit a").fetch_all(&shop.backoffice().pool).await.unwrap();
    assert!(log.iter().any(|row| row.contains("data_request.exported")));
    assert!(!log.iter().any(|row| row.contains(PHONE)
        || row.contains("44318820")
        || row.contains("4431-8820")
        || row.contains("김하준")));
    let kept = personal_data::requests(shop.backoffice()).await.unwrap();
    assert_eq!((kept.len(), kept[0].kind.as_str(), kept[0].orders), (1, "exported", 2));
}

#[tokio::test]
async fn who_asks_to_be_forgotten_is_but_for_what_the_law_keeps_and_that_nobody_sees() {
    let shop = Shop::open().await;
    let key = trade(&shop).await;
    let admin = shop.log_in(Role::Admin).await;
    let backoffice = shop.backoffice();
    let erase = async |why: &str| personal_data::erase(backoffice, &admin.actor(), &by_phone(), why).await;
    assert!(matches!(erase("  ").await, Err(EraseError::Reason(access::NoReason::Empty))));
    // Money on its way has to know whom it goes to.
    sqlx::query("update orders set status = 'WAITING_FOR_DEPOSIT' where order_id = 'ord_mine_2'")
        .execute(&backoffice.pool)
        .await
        .unwrap();
    let under_way = erase("본인 요청").await;
    assert!(matches!(&under_way, Err(EraseError::UnderWay(id)) if id == "ord_mine_2"), "{under_way:?}");
    sqlx::query("update orders set status = 'READY' where order_id = 'ord_mine_2'")
        .execute(&backoffice.pool)
        .await
        .unwrap();

    let form = [("phone", PHONE), ("reason", "본인 요청")];
    assert_eq!(shop.form("erase_personal_data", Some(&admin.cookie), &form).await.status(), 302);
    let kept = personal_data::requests(backoffice).await.unwrap();
    assert_eq!((kept[0].orders_erased, kept[0].orders_restricted), (1, 1));
    assert!(matches!(erase("또").await, Err(EraseError::Nothing)));

    // The unpaid one is nobody's; the paid one is kept, and nobody sees whose it is.
    for id in ["ord_mine_1", "ord_mine_2"] {
        let (status, html) = shop.page(&format!("/orders/{id}"), Some(&admin.cookie)).await;
        assert_eq!(status, 200);
        for theirs in ["김*준", "-8820", "p***@example.com"] {
            assert!(!html.contains(theirs), "{id} {theirs}: {html}");
        }
        assert_eq!(html.contains("처리를 제한한 주문"), id == "ord_mine_1");
    }
    for q in [PHONE, "김하준"] {
        assert_eq!(found(&shop, q).await, Vec::<String>::new(), "{q}");
    }
    assert_eq!(found(&shop, MAIL).await, ["ord_other"]);
    // The merchant's own server may say the same again.
    let again = json!({ "orderId": "ord_mine_1", "amount": 10_000, "orderName": "머그컵", "customerName": "김하준",
                        "customerMobilePhone": PHONE, "customerEmail": MAIL });
    assert_eq!(shop.api("orders", &again).await.0, 200);
    // Whoever handles requests still finds what is kept, and it can still be refunded.
    let (orders, counts) = personal_data::find(backoffice, &by_phone()).await.unwrap();
    assert_eq!((orders.as_slice(), counts.restricted), (["ord_mine_1".to_owned()].as_slice(), 1));
    backoffice::refunds::request(backoffice, &admin.actor(), &refund("ord_mine_1", "1000")).await.unwrap();

    // Five years after the last that happened to it, nobody can tell any more.
    let phone_in = async || -> i64 {
        sqlx::query_scalar("select count(*) from orders where customer_mobile_phone is not null")
            .fetch_one(&backoffice.pool)
            .await
            .unwrap()
    };
    assert_eq!(phone_in().await, 2);
    backoffice.clock.set_offset(Duration::days(5 * 365 - 5));
    destroy(backoffice).await.unwrap();
    assert_eq!(phone_in().await, 2, "not yet");
    backoffice.clock.set_offset(Duration::days(5 * 366));
    destroy(backoffice).await.unwrap();
    assert_eq!(phone_in().await, 0);
    assert_eq!(personal_data::find(backoffice, &by_phone()).await.unwrap().1.orders, 0);
    let record = backoffice::payments::get(backoffice, &key).await.unwrap().unwrap();
    assert!(!record.raw.to_string().contains(PHONE), "{}", record.raw);
    assert_eq!(record.payment().unwrap().total().to_string(), "10000", "the figures stay");
    assert_eq!(shop.page("/orders/ord_mine_1", Some(&shop.log_in(Role::Admin).await.cookie)).await.0, 200);
    // Toss is asked again: what it tells of whose it was is not kept.
    let job = Actor::Job("look_up");
    backoffice::payments::look_up_on_rail(backoffice, &job, "ord_mine_1", None).await.unwrap();
    let record = backoffice::payments::get(backoffice, &key).await.unwrap().unwrap();
    assert!(!record.raw.to_string().contains(PHONE), "{}", record.raw);
    destroy(backoffice).await.unwrap();
}

#[tokio::test]
async fn whose_an_order_is_may_stand_in_its_payment_or_with_its_user_alone() {
    let shop = Shop::open().await;
    let backoffice = shop.backoffice();
    let admin = shop.log_in(Role::Admin).await;
    let erase =
        async |person: &Person| personal_data::erase(backoffice, &admin.actor(), person, "본인 요청").await;
    // Nothing about the buyer but what the payment says.
    let order = json!({ "orderId": "ord_bare_1", "amount": 9_000, "orderName": "머그컵" });
    assert_eq!(shop.api("orders", &order).await.0, 201);
    let opening = json!({ "orderId": "ord_bare_1", "orderName": "머그컵", "amount": 9_000 });
    let key = shop.control("payments", &opening).await["paymentKey"].as_str().unwrap().to_owned();
    let choice = json!({ "method": "휴대폰", "customerMobilePhone": PHONE });
    shop.control(&format!("payments/{key}/authenticate"), &choice).await;
    assert_eq!(shop.confirm("ord_bare_1", &key, 9_000).await.0, 200);
    shop.quiet().await;
    let seen = shop.page("/orders/ord_bare_1", Some(&admin.cookie)).await.1;
    assert!(seen.contains("010-****-8820"), "{seen}");
    let filter = access::Filter { subject: Some("ord_bare_1".into()), ..access::Filter::default() };
    let records = access::list(&backoffice.pool, &filter, None, 10).await.unwrap().rows;
    assert_eq!(records[0].what, ["phone"], "what a payment shows is seen too");
    let bare = Person::parse("", "", "", "ord_bare_1").unwrap();
    assert_eq!(erase(&bare).await.unwrap().orders_restricted, 1);
    assert!(!shop.page("/orders/ord_bare_1", Some(&admin.cookie)).await.1.contains("8820"));

    // A buyer in the sheet of Toss Pay is known by the user key: it stays until that is over.
    let user = shop.user().await;
    let new = json!({ "orderNo": "ord_sheet_1", "userKey": user, "productDesc": "토끼 인형", "amount": 1000, "amountTaxFree": 0 });
    let (status, said) = shop.api("toss-pay/payments", &new).await;
    assert_eq!(status, 200, "{said}");
    let by_key = Person::parse("", "", &user.to_string(), "").unwrap();
    assert!(matches!(erase(&by_key).await, Err(EraseError::UnderWay(_))));
    // Whoever is found by an order is found with their profile.
    let code = shop.control(&format!("apps-in-toss/users/{user}/authorize"), &json!({})).await;
    let code = json!({ "authorizationCode": code["authorizationCode"], "referrer": "sandbox" });
    assert_eq!(shop.api("login", &code).await.0, 200);
    let by_order = Person::parse("", "", "", "ord_sheet_1").unwrap();
    assert_eq!(personal_data::find(backoffice, &by_order).await.unwrap().1.profiles, 1);
    backoffice.clock.set_offset(Duration::days(2));
    let erased = erase(&by_order).await.unwrap();
    assert_eq!((erased.orders_erased, erased.profiles_erased), (1, 1));
}

#[tokio::test]
async fn what_has_served_its_time_goes_once_and_what_moved_since_waits() {
    let shop = Shop::open().await;
    let backoffice = shop.backoffice();
    let back = Duration::days(5 * 366 + 200);
    let now = time::OffsetDateTime::from_unix_timestamp(backoffice.clock.now().unix_timestamp()).unwrap();
    turn(&shop, now - back).await;
    deposited(&shop, "ord_old_1", Some(OWN)).await;
    shop.paid("ord_old_2", 10_000).await;
    shop.quiet().await;
    // Refunded a year later: it is kept five years from there.
    turn(&shop, now - back + Duration::days(370)).await;
    backoffice::refunds::request(backoffice, &Actor::CommandLine, &refund("ord_old_2", "1000"))
        .await
        .unwrap();
    shop.quiet().await;
    turn(&shop, now).await;
    shop.paid("ord_new", 10_000).await;
    let named = async || -> Vec<String> {
        sqlx::query_scalar("select order_id from orders where customer_name is not null order by order_id")
            .fetch_all(&backoffice.pool)
            .await
            .unwrap()
    };
    let ran = async || {
        destroy(backoffice).await.unwrap();
        let runs = retention::list(backoffice).await.unwrap();
        let run = runs.into_iter().find(|run| run.class == Class::Contracts).unwrap();
        assert!(run.ran_at.is_some());
        run.total
    };
    assert_eq!(ran().await, 1);
    assert_eq!(named().await, ["ord_new", "ord_old_2"]);
    assert_eq!(ran().await, 1, "again: nothing more");
    backoffice.clock.set_offset(Duration::days(400));
    assert_eq!(ran().await, 2);
    assert_eq!(named().await, ["ord_new"]);
    backoffice.clock.set_offset(Duration::ZERO);
    let account: Option<String> =
        sqlx::query_scalar("select refund_receive_account from payments where order_id = 'ord_old_1'")
            .fetch_one(&backoffice.pool)
            .await
            .unwrap();
    assert_eq!(account, None);
    let rows = backoffice::audit::of_subject(&backoffice.pool, "retention", "contracts").await.unwrap();
    assert_eq!(rows.iter().map(|row| row.detail["count"].as_i64()).collect::<Vec<_>>(), [Some(1), Some(1)]);
    // The table stands in the settings.
    let viewer = shop.log_in(Role::Viewer).await;
    let (_, html) = shop.page("/settings", Some(&viewer.cookie)).await;
    for words in ["보관 기간", "주문·결제의 개인정보", "전자상거래법 시행령", "5년", "access_records"]
    {
        assert!(html.contains(words), "{words}: {html}");
    }
}

#[tokio::test]
async fn an_access_record_goes_after_its_time_and_the_log_stays_whole() {
    let shop = Shop::open_with(&[("JANGBU_RETENTION", "access_records=1y,tasks=1m")]).await;
    trade(&shop).await;
    let backoffice = shop.backoffice();
    let agent = shop.log_in(Role::Support).await;
    let order = backoffice::orders::get(backoffice, "ord_other").await.unwrap().unwrap();
    for days in [400, 370, 300, 0] {
        backoffice.clock.set_offset(-Duration::days(days));
        backoffice::orders::note_view(backoffice, &agent.actor(), &order, &[]).await.unwrap();
    }
    backoffice::audit::seal::seal_all(backoffice).await.unwrap();
    destroy(backoffice).await.unwrap();
    let left = access::list(&backoffice.pool, &access::Filter::default(), None, 10).await.unwrap().rows;
    assert_eq!(left.len(), 2);
    backoffice::audit::seal::seal_all(backoffice).await.unwrap();
    let report = backoffice::audit::verify::verify(backoffice, &[]).await.unwrap();
    assert!(report.is_whole(), "{report:?}");
    let told: i64 = sqlx::query_scalar("select count(*) from audit where action = 'personal.viewed'")
        .fetch_one(&backoffice.pool)
        .await
        .unwrap();
    assert_eq!(told, 4, "that somebody looked stays; at whose is gone");
}
