//! What a dump of the database does not tell, and the keys that it is sealed with.

use std::{path::PathBuf, process::Command};

use backoffice::{
    Actor,
    clock::day_start,
    exports::{self, What, sheet::Format},
    orders::Filter,
    refunds,
    staff::Role,
};
use serde_json::json;

use crate::{
    accounts::{OTHER, OWN, deposited, to, waits},
    support::Shop,
};

const PHONE: &str = "01044318820";
const MAIL: &str = "sealed.zq@example.com";
const TYPED: &str = "8031665524082";

/// The whole database as `pg_dump` writes it.
fn dump(shop: &Shop) -> String {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = installed.map(|entry| entry.path().join("bin/pg_dump")).filter(|path| path.exists()).max();
    let output = Command::new(newest.unwrap_or_else(|| PathBuf::from("pg_dump")))
        .args(["--inserts", "--dbname", &shop.database_url])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("INSERT INTO jangbu.orders"), "the rows are in it");
    text
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_tells_no_account_no_phone_and_no_address() {
    let shop = Shop::open().await;
    let (agent, finance) = (shop.log_in(Role::Support).await, shop.log_in(Role::Finance).await);
    let backoffice = shop.backoffice();
    // The merchant tells who bought; Toss tells it again.
    let order = json!({ "orderId": "ord_dark_0", "amount": 9_000, "orderName": "x", "customerName": "김하준",
                        "customerMobilePhone": "010-4431-8820", "customerEmail": "Sealed.ZQ@example.com" });
    assert_eq!(shop.api("orders", &order).await.0, 201);
    shop.paid_by("ord_dark_p", 9_000, json!({ "method": "휴대폰", "customerMobilePhone": PHONE })).await;
    // Accounts: issued, left by the buyer, typed by support, typed wrongly, and in a file.
    let key = deposited(&shop, "ord_dark_1", Some(OWN)).await;
    let record = backoffice::payments::get(backoffice, &key).await.unwrap().unwrap();
    let issued = record.raw.pointer("/virtualAccount/accountNumber").unwrap().as_str().unwrap().to_owned();
    waits(&shop, &agent, &to("ord_dark_1", "100", OTHER, "박다른")).await;
    let fields = [
        ("order_id", "ord_dark_1"),
        ("amount", "100"),
        ("reason_code", "defect"),
        ("bank", "88"),
        ("account_number", TYPED),
        ("holder_name", ""),
    ];
    assert_eq!(shop.form("refund", Some(&agent.cookie), &fields).await.status(), 302);
    deposited(&shop, "ord_dark_2", None).await;
    let file =
        format!("orderId,amount,bank,accountNumber,holderName\nord_dark_2,100,신한은행,{OTHER},박다른\n");
    refunds::batch::preview(backoffice, &agent.actor(), "f.csv", file.as_bytes(), "defect", "불량")
        .await
        .unwrap();
    // What is posted here, by Toss or by anybody.
    for body in [
        json!({ "eventType": "PAYMENT_STATUS_CHANGED", "data": { "mobilePhone": { "customerMobilePhone": PHONE } } }),
        json!({ "eventType": "seller.changed", "entityBody": { "email": MAIL, "account": { "accountNumber": TYPED } } }),
    ] {
        assert_eq!(shop.hook(&[], body.to_string()).await, 200);
    }
    shop.quiet().await;
    // Toss's own lists.
    let today = backoffice.clock.today();
    let (from, to) = (day_start(today), day_start(today.next_day().unwrap()));
    backoffice::transactions::sync(backoffice, &Actor::CommandLine, from, to).await.unwrap();
    backoffice::settlements::sync(backoffice, &Actor::CommandLine, today).await.unwrap();
    // A file with everybody's contacts, of what somebody was looked for by.
    let what = What::Orders(Filter { q: Some(PHONE.into()), ..Filter::default() });
    let request = exports::Request {
        headers: what.columns().iter().map(|column| (*column).to_owned()).collect(),
        what,
        format: Format::Csv,
        reason: "시험".into(),
        is_masked: false,
        title: "주문 목록".into(),
        words: [].into(),
    };
    let id = exports::request(backoffice, &finance.actor(), &request).await.unwrap();
    shop.eventually("the file is written", || async {
        exports::get(backoffice, id).await.unwrap().unwrap().state == exports::State::Done
    })
    .await;
    let file = exports::part(backoffice, id, 0).await.unwrap().unwrap();
    let file = String::from_utf8(file).unwrap();
    assert!(
        file.contains("ord_dark_0") && file.contains("010-4431-8820") && file.contains("Sealed.ZQ"),
        "{file}"
    );

    let dump = dump(&shop);
    let marks = [PHONE, "010-4431-8820", MAIL, "Sealed.ZQ", OWN, OTHER, TYPED, &issued];
    for mark in marks {
        for written in [mark.to_owned(), hex(mark)] {
            let at = dump.find(&written).map(|at| {
                let line = dump[..at].rfind('\n').map_or(0, |line| line + 1);
                dump[line..].chars().take(200).collect::<String>()
            });
            assert_eq!(at, None, "{mark}");
        }
    }
    // Nothing in the log is anybody's, not even a name: no row of it ever has to be erased.
    let log: Vec<String> =
        sqlx::query_scalar("select a::text from audit a").fetch_all(&backoffice.pool).await.unwrap();
    assert!(log.len() > 20, "{}", log.len());
    for mark in marks.into_iter().chain(["김하준", "박다른", "김토스", "*8820", "sealed.zq"]) {
        let told = log.iter().find(|row| row.contains(mark));
        assert_eq!(told, None, "{mark}");
    }
    // And yet it is all there: found by the whole number or address, however it is written, and shown.
    for q in [PHONE, "010 4431 8820", "+82 10-4431-8820", MAIL, "SEALED.zq@EXAMPLE.com"] {
        let filter = Filter { q: Some(q.into()), ..Filter::default() };
        let found = backoffice::orders::list(backoffice, &filter, None, 10).await.unwrap().rows;
        assert_eq!(
            found.iter().map(|order| order.order_id.as_str()).collect::<Vec<_>>(),
            ["ord_dark_0"],
            "{q}"
        );
        assert_eq!(found[0].customer_mobile_phone.as_deref(), Some("010-4431-8820"));
    }
    assert_eq!(shop.api("orders", &order).await.0, 200, "the very same order once more");
}

#[tokio::test]
async fn a_wrong_or_missing_key_stops_the_start_with_one_sentence() {
    use backoffice::{DataKey, keys};
    let shop = Shop::open().await;
    let pool = &shop.backoffice().pool;
    let key = || DataKey::parse(&DataKey::generate().unwrap()).unwrap();
    let id = keys::sealed_with(pool).await.unwrap().unwrap();
    let wrong = keys::ring(pool, key(), Vec::new()).await.unwrap_err().to_string();
    assert!(wrong.contains(&id), "{wrong}");
    assert_eq!(keys::sealed_with(pool).await.unwrap(), Some(id.clone()), "nothing overwritten");

    // The start itself, with no key in the settings and none in the folder.
    let folder = tempfile::tempdir().unwrap();
    let mut settings = (*shop.jangbu.settings).clone();
    settings.data_key = None;
    settings.data_dir = folder.path().to_owned();
    let url = shop.database_url.clone();
    let missing = format!("{:#}", server::Jangbu::start(settings.clone(), &url).await.unwrap_err());
    assert!(missing.contains("JANGBU_DATA_KEY") && missing.contains(&id), "{missing}");
    assert!(!folder.path().join("data.key").exists(), "no key is made for a database that has one");
    // A new database gets one, readable by us alone, and the next start finds it.
    let fresh = crate::support::database().await;
    server::Jangbu::start(settings.clone(), &fresh).await.unwrap();
    use std::os::unix::fs::PermissionsExt;
    let path = folder.path().join("data.key");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    server::Jangbu::start(settings.clone(), &fresh).await.unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = format!("{:#}", server::Jangbu::start(settings, &fresh).await.unwrap_err());
    assert!(open.contains("chmod 600"), "{open}");
}

#[tokio::test]
async fn a_rotation_that_is_stopped_goes_on_and_loses_nothing() {
    use backoffice::{DataKey, keys};
    let shop = Shop::open().await;
    let pool = &shop.backoffice().pool;
    let old = DataKey::parse(&crate::support::DATA_KEY.to_owned().into()).unwrap();
    let new = DataKey::parse(&DataKey::generate().unwrap()).unwrap();
    let key = deposited(&shop, "ord_turn_1", Some(OWN)).await;
    shop.quiet().await;
    // Enough values for several turns; the books of a shop hold one of each.
    let sealed: String =
        sqlx::query_scalar("select refund_receive_account from payments where payment_key = $1")
            .bind(&key)
            .fetch_one(pool)
            .await
            .unwrap();
    sqlx::query(
        "insert into payments (payment_key, order_id, status, currency, total_amount, balance_amount, raw, fetch_seq,
                               fetched_at, rail, refund_receive_account)
         select 'turn_' || n, order_id, status, currency, total_amount, balance_amount, '{}', 0, fetched_at, rail, $2
         from payments, generate_series(1, 3000) n where payment_key = $1",
    )
    .bind(&key)
    .bind(&sealed)
    .execute(pool)
    .await
    .unwrap();
    // Both in one statement: what was broken off here may still be under way there.
    let with = async |ids: [&str; 2]| -> (i64, i64) {
        sqlx::query_as(
            "select count(*) filter (where refund_receive_account like 'v1.' || $1 || '.%'),
                    count(*) filter (where refund_receive_account like 'v1.' || $2 || '.%') from payments",
        )
        .bind(ids[0])
        .bind(ids[1])
        .fetch_one(pool)
        .await
        .unwrap()
    };
    let both = keys::ring(pool, new.clone(), vec![old.clone()]).await.unwrap();
    // Stopped in the middle: dropped at one of its steps.
    let (told, mut steps) = tokio::sync::mpsc::unbounded_channel();
    let rotating = tokio::spawn({
        let (pool, both) = (pool.clone(), both.clone());
        async move { keys::rotate(&pool, &both, move |done| told.send(done).unwrap_or_default()).await }
    });
    steps.recv().await.unwrap();
    rotating.abort();
    drop(rotating.await);
    let (before, after) = with([old.id(), new.id()]).await;
    assert!(before > 0 && after > 0 && before + after == 3001, "{before} and {after}");
    assert!(both.open("payments.refund_receive_account", &sealed).unwrap().contains(OWN));

    let sealed_anew = keys::rotate(pool, &both, |_| {}).await.unwrap();
    // What was on its way when it was stopped may have ended well; besides these there are what Toss said and who bought.
    assert!(sealed_anew > 0);
    assert_eq!(with([old.id(), new.id()]).await, (0, 3001));
    assert_eq!(keys::rotate(pool, &both, |_| {}).await.unwrap(), 0);
    let dump = dump(&shop);
    assert_eq!(dump.find(&format!("v1.{}.", old.id())), None, "nothing is left under the old key");
    // The old key can go, and is refused from now on.
    let alone = keys::ring(pool, new, Vec::new()).await.unwrap();
    let mut backoffice = shop.backoffice().clone();
    backoffice.keys = alone;
    assert_eq!(
        refunds::own_account(&backoffice, &key).await.unwrap().unwrap().masked,
        "신한은행 ********6789"
    );
    assert!(keys::ring(pool, old, Vec::new()).await.is_err());
}
