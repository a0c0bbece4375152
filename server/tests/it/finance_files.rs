//! What leaves the house, and what the bank brings.

use backoffice::{
    Actor,
    bank::FileError,
    clock::day_start,
    exports::{Export, Request, Span, State, What, sheet::Format},
    orders::Filter,
    payouts::AtBank,
    staff::Role,
};
use calamine::{Data, Reader, Xlsx};
use time::{Duration, macros::date};

use crate::{
    reconciliation::trade,
    support::{Person, Shop},
};

async fn ask(shop: &Shop, who: &Person, what: What, format: Format, is_masked: bool) -> Export {
    let request = Request {
        headers: what.columns().iter().map(|column| (*column).to_owned()).collect(),
        what,
        format,
        reason: "시험".into(),
        is_masked,
        title: "주문 목록".into(),
        words: [("matched".to_owned(), "일치".to_owned())].into(),
    };
    let id = backoffice::exports::request(shop.backoffice(), &who.actor(), &request).await.unwrap();
    shop.eventually("the file is written", || async {
        backoffice::exports::get(shop.backoffice(), id).await.unwrap().unwrap().state == State::Done
    })
    .await;
    backoffice::exports::get(shop.backoffice(), id).await.unwrap().unwrap()
}

async fn take(shop: &Shop, cookie: &str, export: &Export) -> reqwest::Response {
    let url = format!("{}/exports/file/{}", shop.url, export.id);
    shop.http.get(url).header("cookie", cookie).send().await.unwrap()
}

#[tokio::test]
async fn a_list_leaves_masked_with_a_reason_and_only_for_whoever_asked() {
    let shop = Shop::open().await;
    shop.paid("ord_export_1", 12_000).await;
    shop.paid("ord_export_2", 50_000).await;
    let (finance, other) = (shop.log_in(Role::Finance).await, shop.log_in(Role::Admin).await);
    let export = ask(&shop, &finance, What::Orders(Filter::default()), Format::Csv, true).await;
    assert_eq!(export.rows, 2);
    assert_eq!(take(&shop, &other.cookie, &export).await.status(), 404);
    let response = take(&shop, &finance.cookie, &export).await;
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-disposition"].to_str().unwrap().starts_with("attachment;"));
    assert_eq!(response.headers()["cache-control"], "no-store");
    let bytes = response.bytes().await.unwrap();
    assert!(bytes.starts_with("\u{feff}orderId,rail,status".as_bytes()), "{bytes:?}");
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains("ord_export_2") && text.contains(",50000,") && text.contains("김*준"), "{text}");
    assert!(!text.contains("김하준"), "{text}");

    let plain = ask(&shop, &finance, What::Orders(Filter::default()), Format::Csv, false).await;
    let text = take(&shop, &finance.cookie, &plain).await.text().await.unwrap();
    assert!(text.contains("김하준"));
    // Who wanted what, why, and that it was taken.
    let kept: Vec<(String, serde_json::Value)> =
        sqlx::query_as("select action, detail::jsonb from audit where action like 'export.%' order by seq")
            .fetch_all(&shop.backoffice().pool)
            .await
            .unwrap();
    let actions: Vec<&str> = kept.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["export.asked", "export.taken", "export.asked", "export.taken"]);
    assert_eq!((&kept[0].1["reason"], &kept[2].1["masked"]), (&"시험".into(), &false.into()));
    // Without a reason nothing leaves.
    let form = [("list", "orders"), ("format", "csv"), ("reason", " ")];
    assert_eq!(shop.form("ask_for_export", Some(&finance.cookie), &form).await.status(), 302);
    let (_, page) = shop.page("/exports", Some(&finance.cookie)).await;
    assert!(page.contains("내보내기 사유를 입력하세요"));
    // After a day it is gone.
    let now = shop.backoffice().clock.now();
    shop.backoffice().clock.set(now + Duration::hours(25));
    backoffice::exports::forget_old(shop.backoffice()).await.unwrap();
    assert_eq!(
        backoffice::exports::get(shop.backoffice(), export.id).await.unwrap().unwrap().state,
        State::Gone
    );
    assert!(backoffice::exports::part(shop.backoffice(), export.id, 0).await.unwrap().is_none());
}

#[tokio::test]
async fn a_day_of_the_books_opens_as_a_workbook_with_the_right_numbers() {
    let shop = Shop::open().await;
    trade(&shop, 3_000).await;
    let day = date!(2026 - 09 - 10);
    backoffice::reconciliation::reconcile(shop.backoffice(), &Actor::CommandLine, day, day + Duration::DAY)
        .await
        .unwrap();
    let finance = shop.log_in(Role::Finance).await;
    let export = ask(&shop, &finance, What::Day(day), Format::Xlsx, true).await;
    let bytes = take(&shop, &finance.cookie, &export).await.bytes().await.unwrap();
    let mut book = Xlsx::new(std::io::Cursor::new(bytes)).unwrap();
    let sheet = book.worksheet_range_at(0).unwrap().unwrap();
    let heads: Vec<String> = sheet.rows().next().unwrap().iter().map(ToString::to_string).collect();
    let at = |name: &str| heads.iter().position(|head| head == name).unwrap();
    let mut sum = 0.0;
    for row in sheet.rows().skip(1).filter(|row| row[at("currency")] == *"KRW") {
        let Data::Float(payout) = row[at("payOutAmount")] else { panic!("no number: {row:?}") };
        assert!(matches!(row[at("transactionAt")], Data::DateTime(_)), "{row:?}");
        assert_eq!(row[at("class")].to_string(), "일치");
        sum += payout;
    }
    let sums =
        backoffice::reconciliation::class_sums(shop.backoffice(), day, day + Duration::DAY).await.unwrap();
    let expected: backoffice::Decimal =
        sums.iter().filter(|s| s.currency == "KRW").map(|s| s.sums.payout).sum();
    assert_eq!(sum.to_string(), expected.to_string());
    assert_eq!(export.rows, sums.iter().map(|s| s.sums.rows).sum::<i64>());
    for what in [
        What::Vat(Span { from: date!(2026 - 09 - 01), to: date!(2026 - 10 - 01) }),
        What::Fees(Span { from: date!(2026 - 09 - 01), to: date!(2026 - 10 - 01) }),
        What::Sales(Span { from: date!(2026 - 09 - 01), to: date!(2026 - 10 - 01) }),
        What::Payouts(Span { from: date!(2026 - 09 - 01), to: date!(2026 - 10 - 01) }),
        What::Payout(date!(2026 - 09 - 18)),
        What::Transactions(backoffice::transactions::Filter::default()),
        What::Differences(backoffice::reconciliation::differences::Filter::default()),
        What::MissingEvents,
        What::IapOrders(backoffice::iap::Filter::default()),
        What::Audit(backoffice::audit::Filter::default()),
        What::Refunds(backoffice::refunds::Filter::default()),
        What::Webhooks(backoffice::webhooks::Filter::default()),
    ] {
        let name = what.as_str();
        let export = ask(&shop, &finance, what, Format::Csv, true).await;
        let text = take(&shop, &finance.cookie, &export).await.text().await.unwrap();
        assert_eq!(text.lines().count() as i64, export.rows + 1, "{name}");
    }
}

#[tokio::test]
async fn what_reached_the_bank_is_held_against_what_toss_pays_out() {
    let shop = Shop::open().await;
    trade(&shop, 300).await;
    let finance = shop.log_in(Role::Finance).await.actor();
    let backoffice = shop.backoffice();
    let (from, to) = (date!(2026 - 09 - 01), date!(2026 - 11 - 01));
    let payouts = backoffice::payouts::list(backoffice, from, to).await.unwrap();
    let won: Vec<_> = payouts.iter().filter(|p| p.currency == "KRW").collect();
    assert!(won.len() > 15 && won.iter().all(|p| p.state == AtBank::NoStatement), "{won:?}");
    let of = |n: usize| (won[n].day, won[n].sums.payout);
    let ((good, amount), (short, less)) = (of(4), of(3));
    let statement = format!(
        "예금주,장부상회\n거래일자,출금,입금,적요,잔액\n{good},,{amount},토스페이먼츠,1\n{short},,{},(주)토스페이먼츠,2\n{short},,700,이자,3\n{short},9000,,월세,4\n",
        less - backoffice::Decimal::ONE
    );
    // As banks write it.
    let (cp949, _, _) = encoding_rs::EUC_KR.encode(&statement);
    let uploaded = backoffice::bank::upload(backoffice, &finance, "통장.csv", &cp949).await.unwrap().unwrap();
    assert_eq!((uploaded.lines, uploaded.new, uploaded.skipped), (3, 3, 1));
    // Statements overlap: nothing is counted twice.
    let again = backoffice::bank::upload(backoffice, &finance, "통장.csv", statement.as_bytes())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((again.lines, again.new), (3, 0));
    let state = |payouts: &[backoffice::payouts::Payout], day| {
        payouts.iter().find(|p| p.day == day && p.currency == "KRW").map(|p| p.state).unwrap()
    };
    let after = backoffice::payouts::list(backoffice, from, to).await.unwrap();
    assert_eq!((state(&after, good), state(&after, short)), (AtBank::Matched, AtBank::Differs));
    // What is still to come is expected, whatever the statement says.
    backoffice.clock.set(day_start(date!(2026 - 09 - 15)) + Duration::hours(9));
    assert_eq!(
        state(&backoffice::payouts::list(backoffice, from, to).await.unwrap(), won[0].day),
        AtBank::Expected
    );
    assert!(matches!(
        backoffice::bank::upload(backoffice, &finance, "a", b"PK\x03\x04").await.unwrap(),
        Err(FileError::Workbook)
    ));
    assert!(matches!(
        backoffice::bank::upload(backoffice, &finance, "a", b"a,b\n1,2\n").await.unwrap(),
        Err(FileError::NoHead)
    ));
}
