//! Who saw whose personal data: kept, sealed, looked through each month, and gone when its time is up.

use backoffice::{
    audit::{
        access::{self, Filter, Kind, Record, review},
        verify::{Finding, verify},
    },
    exports,
    staff::Role,
};
use serde_json::json;
use time::Duration;

use crate::support::{Person, Shop, refund};

async fn records(shop: &Shop, filter: Filter) -> Vec<Record> {
    access::list(&shop.backoffice().pool, &filter, None, 100).await.unwrap().rows
}

async fn of(shop: &Shop, person: &Person) -> Vec<Record> {
    let mut records = records(shop, Filter { staff: Some(person.id), ..Filter::default() }).await;
    records.reverse();
    records
}

async fn order(shop: &Shop, id: &str, name: &str, phone: &str, email: &str) {
    let order = json!({ "orderId": id, "amount": 10_000, "orderName": "머그컵 세트", "customerName": name,
                        "customerMobilePhone": phone, "customerEmail": email });
    assert_eq!(shop.api("orders", &order).await.0, 201);
}

#[tokio::test]
async fn what_somebody_sees_of_others_is_kept_with_its_five_fields_and_in_no_words_of_theirs() {
    let shop = Shop::open().await;
    order(&shop, "ord_seen_1", "김하준", "01012345678", "hajun@example.com").await;
    order(&shop, "ord_seen_2", "이서연", "01087654321", "seoyeon@example.com").await;
    // Nobody's: what nobody can be known by is seen without a record.
    assert_eq!(
        shop.api("orders", &json!({ "orderId": "ord_nobody", "amount": 1000, "orderName": "머그컵" }))
            .await
            .0,
        201
    );
    let agent = shop.log_in(Role::Support).await;
    for path in [
        "/orders/ord_seen_1",
        "/orders/ord_nobody",
        "/orders?q=010-1234-5678",
        "/orders?q=Hajun@Example.com",
        "/orders?q=%EC%9D%B4%EC%84%9C",
        "/orders?q=ord_seen",
        "/orders?q=nobody@example.com",
        // Whoever makes up a place in the list looks for somebody as well.
        "/orders?q=01012345678&at=o4102444800000000_z",
    ] {
        let (status, _) = shop.page(path, Some(&agent.cookie)).await;
        assert!(status < 400, "{path}: {status}");
    }
    let asked = shop.http.post(format!("{}/fn/find", shop.url)).header("cookie", &agent.cookie);
    let asked = asked.header("origin", &shop.url).json(&json!({ "q": "01087654321" }));
    let found: serde_json::Value = asked.send().await.unwrap().json().await.unwrap();
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    let seen = of(&shop, &agent).await;
    let told: Vec<(Kind, &str, Vec<&str>)> = seen
        .iter()
        .map(|r| (r.kind, r.subject_kind.as_str(), r.what.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(
        told,
        [
            (Kind::Viewed, "order", vec!["name", "phone", "email"]),
            (Kind::Searched, "words", vec!["phone"]),
            (Kind::Searched, "words", vec!["email"]),
            (Kind::Searched, "words", vec!["name"]),
            (Kind::Searched, "words", vec!["email"]),
            (Kind::Searched, "words", vec!["phone"]),
            (Kind::Searched, "words", vec!["phone"]),
        ]
    );
    for record in &seen {
        assert_eq!((record.staff_id, record.is_masked), (agent.id, true));
        assert_eq!(record.ip.as_deref(), Some("127.0.0.1"));
        assert!(!record.staff_name.is_empty());
    }
    assert_eq!(seen[0].subject, "ord_seen_1");
    // Whoever audits finds a search by the same words again, and nobody reads the words.
    let auditor = shop.log_in(Role::Finance).await;
    let (_, html) = shop.page("/access-records?subject=010-1234-5678", Some(&auditor.cookie)).await;
    assert!(html.contains("검색") && html.contains("암호화해서 보관"), "{html}");
    let (_, html) = shop.page("/access-records?subject=ord_seen_1", Some(&auditor.cookie)).await;
    assert!(html.contains("열람") && html.contains("이름, 전화번호, 이메일"), "{html}");
    assert_eq!(shop.page("/access-records", Some(&agent.cookie)).await.0, 403);
    let everything: Vec<String> = sqlx::query_scalar(
        "select a::text from audit a where action like 'personal.%' union all select r::text from access_records r",
    )
    .fetch_all(&shop.backoffice().pool)
    .await
    .unwrap();
    assert_eq!(everything.len(), 14);
    for theirs in ["김하준", "이서", "1234", "hajun", "Hajun", "nobody@"] {
        assert!(!everything.iter().any(|row| row.contains(theirs)), "{theirs}");
    }
    // The audit log's own list is about changes; the row's page shows the record.
    let (_, html) = shop.page("/audit", Some(&auditor.cookie)).await;
    assert!(!html.contains("개인정보로 검색"), "{html}");
    let (_, html) = shop.page(&format!("/audit/{}", seen[0].seq), Some(&auditor.cookie)).await;
    assert!(html.contains("ord_seen_1"), "{html}");
}

#[tokio::test]
async fn a_record_that_is_changed_or_removed_before_its_time_is_named_and_an_old_one_may_go() {
    let shop = Shop::open().await;
    order(&shop, "ord_kept_1", "김하준", "01012345678", "hajun@example.com").await;
    let agent = shop.log_in(Role::Support).await;
    for _ in 0..3 {
        shop.page("/orders/ord_kept_1", Some(&agent.cookie)).await;
    }
    backoffice::audit::seal::seal_all(shop.backoffice()).await.unwrap();
    let found = async || verify(shop.backoffice(), &[]).await.unwrap().findings;
    assert_eq!(found().await, []);
    let seqs: Vec<i64> = of(&shop, &agent).await.iter().map(|record| record.seq).collect();
    // The owner gets around the triggers, and not around the log.
    let owner = shop.owner().await;
    let behind_our_back = async |statement: &str| {
        let mut tx = owner.begin().await.unwrap();
        sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(statement)).bind(seqs[0]).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    };
    behind_our_back("update access_records set subject = 'ord_other' where seq = $1").await;
    assert_eq!(found().await, [Finding::RecordChanged { seq: seqs[0] }]);
    behind_our_back("delete from access_records where seq = $1").await;
    assert_eq!(found().await, [Finding::RecordRemoved { seq: seqs[0] }]);
    // Put in without a row of the log.
    behind_our_back(
        "insert into access_records select $1, at, staff_id, kind, subject_kind, subject, what, is_masked, reason, people,
         people_hash, salt from access_records limit 1",
    )
    .await;
    assert_eq!(found().await, [Finding::RecordChanged { seq: seqs[0] }]);
    for statement in
        ["update access_records set reason = ''", "delete from access_records", "truncate access_records"]
    {
        assert!(sqlx::query(statement).execute(&owner).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn a_file_in_the_clear_is_kept_with_everybody_who_is_in_it() {
    let shop = Shop::open().await;
    order(&shop, "ord_file_1", "김하준", "01012345678", "hajun@example.com").await;
    order(&shop, "ord_file_2", "이서연", "01087654321", "seoyeon@example.com").await;
    assert_eq!(
        shop.api("orders", &json!({ "orderId": "ord_file_3", "amount": 1000, "orderName": "머그컵" }))
            .await
            .0,
        201
    );
    let finance = shop.log_in(Role::Finance).await;
    for unmasked in ["", "1"] {
        let form = [("list", "orders"), ("format", "csv"), ("reason", "배송 문의"), ("unmasked", unmasked)];
        assert_eq!(shop.form("ask_for_export", Some(&finance.cookie), &form).await.status(), 302);
    }
    let written = || async {
        let exports = exports::of_staff(shop.backoffice(), finance.id).await.unwrap();
        exports.len() == 2 && exports.iter().all(|export| export.state == exports::State::Done)
    };
    shop.eventually("both files are written", written).await;
    for export in exports::of_staff(shop.backoffice(), finance.id).await.unwrap() {
        let (status, _) = shop.page(&format!("/exports/file/{}", export.id), Some(&finance.cookie)).await;
        assert_eq!(status, 200);
    }
    let taken = of(&shop, &finance).await;
    assert_eq!(taken.len(), 1, "the masked one tells nothing of anybody: {taken:?}");
    assert_eq!((taken[0].kind, taken[0].people, taken[0].is_masked), (Kind::Exported, Some(2), false));
    assert_eq!(taken[0].reason.as_deref(), Some("배송 문의"));
    // Each of them is found.
    let about = |id: &str| Filter { subject: Some(id.to_owned()), ..Filter::default() };
    assert_eq!(records(&shop, about("ord_file_2")).await.len(), 1);
    assert_eq!(records(&shop, about("ord_file_3")).await.len(), 0);
}

#[tokio::test]
async fn a_month_is_looked_through_by_somebody_else_and_what_is_unusual_takes_a_note() {
    let shop = Shop::open().await;
    shop.paid("ord_month_1", 10_000).await;
    order(&shop, "ord_month_2", "이서연", "01087654321", "seoyeon@example.com").await;
    let backoffice = shop.backoffice();
    let [curious, usual, finance] = [
        shop.log_in(Role::Support).await,
        shop.log_in(Role::Support).await,
        shop.log_in(Role::Finance).await,
    ];
    let back = Duration::days(i64::from(backoffice.clock.today().day()) + 3);
    backoffice.clock.set_offset(-back);
    let month = backoffice.clock.today();
    let see = async |person: &Person, times: usize| {
        let order = backoffice::orders::get(backoffice, "ord_month_2").await.unwrap().unwrap();
        for _ in 0..times {
            backoffice::orders::note_view(backoffice, &person.actor(), &order, &[]).await.unwrap();
        }
    };
    see(&curious, 90).await;
    see(&usual, 12).await;
    see(&finance, 5).await;
    // Shown in the clear: once with work done about it, once without.
    let reveal = async |person: &Person, order: &str| {
        let seen = access::Access {
            kind: Kind::Revealed,
            whose: access::Whose::Order(order),
            what: &["phone"],
            is_masked: false,
            reason: Some("전화 확인"),
        };
        access::note(backoffice, &person.actor(), seen).await.unwrap();
    };
    reveal(&usual, "ord_month_1").await;
    backoffice::refunds::request(backoffice, &usual.actor(), &refund("ord_month_1", "1000")).await.unwrap();
    reveal(&usual, "ord_month_2").await;

    let seen = review::get(backoffice, month).await.unwrap();
    assert_eq!(seen.people.len(), 3);
    let unusual: Vec<_> = seen.people.iter().filter(|one| one.is_unusual()).map(|one| one.staff_id).collect();
    assert_eq!(unusual, [curious.id]);
    assert_eq!(seen.idle.iter().map(|r| r.subject.as_str()).collect::<Vec<_>>(), ["ord_month_2"]);
    // The month is not over.
    let actor = finance.actor();
    let early = review::sign(backoffice, &actor, month, usual.id, "봤어요").await;
    assert!(matches!(early, Err(review::ReviewError::NotOver)), "{early:?}");

    backoffice.clock.set_offset(Duration::ZERO);
    review::open(backoffice).await.unwrap();
    review::open(backoffice).await.unwrap();
    let (_, home) = shop.page("/", Some(&finance.cookie)).await;
    assert!(home.contains("개인정보 접속기록 점검 3명"), "{home}");
    let (status, html) = shop.page("/access-records/review", Some(&finance.cookie)).await;
    assert_eq!(status, 200);
    for words in
        ["평소보다 많음", "본인 것은 다른 사람이 점검해요", "처리한 일 없이 가림을 푼 기록", "전화 확인"]
    {
        assert!(html.contains(words), "{words}: {html}");
    }
    let text = format!("{:04}-{:02}", month.year(), u8::from(month.month()));
    let sign = async |person: &Person, note: &str| {
        let id = person.id.to_string();
        let form = [("month", text.as_str()), ("person", id.as_str()), ("note", note)];
        shop.form("sign_access_review", Some(&finance.cookie), &form).await;
        review::get(backoffice, month)
            .await
            .unwrap()
            .people
            .iter()
            .filter(|p| p.reviewed_at.is_some())
            .count()
    };
    assert_eq!(sign(&curious, "").await, 0, "what is unusual takes a note");
    assert_eq!(sign(&usual, "").await, 0, "so does what was shown without anything done");
    assert_eq!(sign(&finance, "나").await, 0, "nobody signs for themselves");
    assert_eq!(sign(&curious, "배송 지연 문의가 몰린 주").await, 1);
    assert_eq!(sign(&usual, "전화만 하고 끝난 문의").await, 2);
    let again = review::sign(backoffice, &actor, month, usual.id, "또").await;
    assert!(matches!(again, Err(review::ReviewError::Nothing)), "{again:?}");
    assert_eq!(backoffice::home::waiting(backoffice).await.unwrap().access_reviews, 1);
    let signed =
        backoffice::audit::of_subject(&backoffice.pool, "staff", &curious.id.to_string()).await.unwrap();
    assert!(signed.iter().any(|row| row.action == "access_review.signed" && row.detail["unusual"] == true));
}
