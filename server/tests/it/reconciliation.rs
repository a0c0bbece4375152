//! Finance: what is planted is found and named, and what is right raises no alarm.

use std::collections::BTreeMap;

use backoffice::{
    Actor, Decimal,
    clock::day_start,
    events,
    reconciliation::{
        Class, Finding,
        close::{self, CloseError},
        contract::NewRate,
        differences::{Filter, Key, State, WorkError},
    },
    settlements::Read,
    staff::Role,
};
use futures::TryStreamExt;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use time::{Date, Duration, macros::date};
use toss::calendar::add_business_days;

use crate::support::{Shop, refund};

const FIRST: Date = date!(2026 - 09 - 07);
const DAYS: i64 = 28;
/// Everything that is due by the contract is settled and read by then.
const TODAY: Date = date!(2026 - 10 - 23);

/// The contract that the made-up trade keeps to.
const CONTRACT: [(&str, &str, &str); 7] = [
    ("카드", "3.1", "0"),
    ("간편결제", "3.1", "0"),
    ("계좌이체", "1.8", "0"),
    ("가상계좌", "0", "300"),
    ("휴대폰", "3.5", "0"),
    ("카드", "3.1", "0"),
    ("*", "3.1", "0"),
];

pub async fn contract(shop: &Shop) {
    for (n, (method, per_cent, flat)) in CONTRACT.into_iter().enumerate() {
        let new = NewRate {
            method: method.into(),
            currency: if n >= 5 { "USD" } else { "KRW" }.into(),
            valid_from: "2026-01-01".into(),
            per_cent: per_cent.into(),
            flat: flat.into(),
            cycle: "daily".into(),
            payout_days: "5".into(),
        };
        backoffice::reconciliation::contract::set_rate(shop.backoffice(), &Actor::CommandLine, &new)
            .await
            .unwrap()
            .unwrap();
    }
}

/// Trade in which every figure is right, read to the end on both sides.
pub async fn trade(shop: &Shop, rows: i64) {
    contract(shop).await;
    shop.backoffice().clock.set(day_start(TODAY) + Duration::hours(9));
    let days: Vec<String> = (0..DAYS)
        .map(|n| FIRST + Duration::days(n))
        .map(|day| format!("(date '{day}', date '{}')", add_business_days(day, 5)))
        .collect();
    let query = include_str!("trade.sql")
        .replace("{rows}", &rows.to_string())
        .replace("{days}", &DAYS.to_string())
        .replace("{first}", &FIRST.to_string())
        .replace("{until}", "2099-01-01")
        .replace("{pay_days}", &format!("(values {})", days.join(", ")));
    sqlx::query(sqlx::AssertSqlSafe(query)).execute(&shop.backoffice().pool).await.unwrap();
    read_until(shop, TODAY).await;
}

/// Toss's lists of all days until before `day` count as read, in the morning of `day`: the nightly job has nothing to ask.
pub async fn read_until(shop: &Shop, day: Date) {
    for source in ["transactions", "settlements", "toss_pay"] {
        sqlx::query(
            "insert into sync_windows (source, starts_at, ends_at, read_at)
             select $1, d, d + interval '1 day', $3 + interval '9 hours'
             from generate_series($2, $3 - interval '1 day', interval '1 day') d
             on conflict (source, starts_at) do update set read_at = excluded.read_at",
        )
        .bind(source)
        .bind(day_start(FIRST))
        .bind(day_start(day))
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    }
}

/// As whoever owns the tables.
async fn sql(shop: &Shop, statement: &str) -> u64 {
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&shop.owner().await).await.unwrap().rows_affected()
}

async fn reconcile(shop: &Shop) {
    backoffice::reconciliation::reconcile(
        shop.backoffice(),
        &Actor::CommandLine,
        FIRST,
        TODAY + Duration::DAY,
    )
    .await
    .unwrap();
}

/// Every difference by its key: its class, and why.
async fn found(shop: &Shop) -> BTreeMap<String, (String, Vec<String>)> {
    let rows: Vec<(String, i16, String, Vec<String>)> = sqlx::query_as(
        "select transaction_key, occurrence, class, findings from differences where state <> 'resolved'",
    )
    .fetch_all(&shop.backoffice().pool)
    .await
    .unwrap();
    let key = |transaction_key, occurrence| Key { transaction_key, occurrence }.to_string();
    rows.into_iter().map(|(k, occurrence, class, findings)| (key(k, occurrence), (class, findings))).collect()
}

#[tokio::test]
async fn clean_books_raise_no_alarm() {
    let shop = Shop::open().await;
    trade(&shop, 20_000).await;
    reconcile(&shop).await;
    assert_eq!(found(&shop).await, BTreeMap::new());
    let sums = backoffice::reconciliation::class_sums(shop.backoffice(), FIRST, TODAY).await.unwrap();
    assert!(sums.iter().all(|s| s.class == Class::Matched), "{sums:?}");
    let rows: i64 = sqlx::query_scalar("select count(*) from transactions")
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
    assert!(rows > 24_000);
    assert_eq!(sums.iter().map(|s| s.sums.rows).sum::<i64>(), rows);
    for s in &sums {
        let sums = s.sums;
        assert_eq!(sums.settled - sums.discount - sums.points - sums.supply - sums.vat, sums.payout, "{s:?}");
        assert_eq!((sums.ours, sums.toss), (sums.settled, sums.settled), "{s:?}");
    }
}

/// Each is a statement that breaks one thing, the row it breaks, and what has to be said of it.
const PLANTED: [(&str, &str, &str, &str); 25] = [
    // A webhook that never came: Toss has it, we do not.
    (
        "update transactions set booked_amount = null, booked_status = null, booked_currency = null where transaction_key = 'tx11'",
        "tx11",
        "missing_here",
        "not_booked",
    ),
    // The row itself was never heard of: only the settlement tells.
    ("delete from transactions where transaction_key = 'tx15'", "tx15", "missing_here", "not_booked"),
    // We believe in a payment that Toss does not list.
    (
        "update transactions set listed_amount = null, listed_status = null, listed_times = 0 where transaction_key = 'tx21'; delete from settlements where transaction_key = 'tx21'",
        "tx21",
        "missing_at_toss",
        "not_listed",
    ),
    // The same row twice in Toss's list of transactions.
    (
        "update transactions set listed_times = 2 where transaction_key = 'tx31'",
        "tx31",
        "duplicate",
        "listed_twice",
    ),
    // Settled twice.
    (
        "insert into settlements select transaction_key, 2, payment_key, order_id, method, currency, amount, fee, fee_base, fee_instalment, fee_other, supply_amount, vat, discount, points, pay_out_amount, is_cancel, transaction_at, sold_date, paid_out_date, read_at from settlements where transaction_key = 'tx41'",
        "tx41~2",
        "duplicate",
        "settled_twice",
    ),
    // A fee above the contract's rate, every sum right.
    (
        "update settlements set fee = fee + 110, fee_base = fee_base + 110, supply_amount = supply_amount + 100, vat = vat + 10, pay_out_amount = pay_out_amount - 110 where transaction_key = 'tx51'",
        "tx51",
        "fee_differs",
        "fee_rate",
    ),
    // Fee and its parts do not add up.
    ("update settlements set vat = vat + 7 where transaction_key = 'tx52'", "tx52", "fee_differs", "fee_sum"),
    // The parts of a fee come to something else than the fee.
    (
        "update settlements set fee_point_saving = 3 where transaction_key = 'tx56'",
        "tx56",
        "fee_differs",
        "fee_parts",
    ),
    // Less is paid out than the arithmetic says.
    (
        "update settlements set pay_out_amount = pay_out_amount - 1000 where transaction_key = 'tx53'",
        "tx53",
        "fee_differs",
        "payout",
    ),
    // No fee parts (a shop of version 1.x), and the fee is wrong.
    (
        "update settlements set fee_base = null, fee_instalment = null, fee_other = null, fee = fee * 2, supply_amount = supply_amount * 2, vat = vat * 2, pay_out_amount = amount - fee * 2 where transaction_key = 'tx55'",
        "tx55",
        "fee_differs",
        "fee_rate",
    ),
    // Another amount at Toss than here.
    (
        "update transactions set booked_amount = booked_amount - 1 where transaction_key = 'tx61'",
        "tx61",
        "amount_differs",
        "amount",
    ),
    // Another amount settled than sold.
    (
        "update settlements set amount = amount - 500, pay_out_amount = pay_out_amount - 500 where transaction_key = 'tx62'",
        "tx62",
        "amount_differs",
        "settled_amount",
    ),
    // Sold in one currency, settled in another.
    (
        "update settlements set currency = 'USD' where transaction_key = 'tx64'",
        "tx64",
        "amount_differs",
        "currency",
    ),
    // Paid here, cancelled there.
    (
        "update transactions set listed_status = 'CANCELED', status = 'CANCELED' where transaction_key = 'tx71'; delete from settlements where transaction_key = 'tx71'",
        "tx71",
        "status_differs",
        "status",
    ),
    // An account that waits here and was paid at Toss.
    (
        "update transactions set booked_status = 'WAITING_FOR_DEPOSIT' where transaction_key = 'tx78'",
        "tx78",
        "status_differs",
        "status",
    ),
    // Cancelled after the settlement, and the cancel never settled.
    (
        "delete from settlements where transaction_key = 'tx84c'",
        "tx84c",
        "settled_but_refunded",
        "refund_not_settled",
    ),
    // Part of it refunded on another day, and that part settled with another amount.
    (
        "update settlements set amount = amount - 10, pay_out_amount = pay_out_amount - 10 where transaction_key = 'tx91c'",
        "tx91c",
        "amount_differs",
        "settled_amount",
    ),
    // Never settled although it is due.
    ("delete from settlements where transaction_key = 'tx101'", "tx101", "late", "not_settled"),
    // Paid out a week after the contract's day.
    (
        "update settlements set paid_out_date = paid_out_date + 7 where transaction_key = 'tx102'",
        "tx102",
        "late",
        "paid_late",
    ),
    // Settled once, and Toss has it no more.
    (
        "update settlements set gone_at = now() where transaction_key = 'tx103'",
        "tx103",
        "late",
        "not_settled",
    ),
    // A cancel at Toss's console that we never heard of.
    (
        "update transactions set booked_amount = null, booked_status = null, booked_currency = null where transaction_key = 'tx112c'",
        "tx112c",
        "missing_here",
        "not_booked",
    ),
    // An account that nobody paid into was cancelled, and yet it was settled.
    (
        "insert into transactions (transaction_key, payment_key, order_id, method, status, currency, amount, transaction_at, booked_amount, booked_currency, booked_status, listed_amount, listed_status, listed_times) values ('txnever', 'paynever', 'ordnever', '가상계좌', 'CANCELED', 'KRW', 22400, '2026-09-10 10:00+09', 22400, 'KRW', 'CANCELED', 22400, 'CANCELED', 1); insert into settlements (transaction_key, occurrence, payment_key, order_id, method, currency, amount, fee, pay_out_amount, is_cancel, transaction_at, sold_date, paid_out_date, read_at) values ('txnever', 1, 'paynever', 'ordnever', '가상계좌', 'KRW', -22400, 0, -22400, true, '2026-09-10 10:00+09', '2026-09-10', '2026-09-17', now())",
        "txnever",
        "amount_differs",
        "settled_amount",
    ),
    // A foreign payment, a cent off.
    (
        "update settlements set amount = amount - 0.05, pay_out_amount = pay_out_amount - 0.05 where transaction_key = 'tx997'",
        "tx997",
        "amount_differs",
        "settled_amount",
    ),
    // The last second of a month, missing here.
    (
        "update transactions set transaction_at = '2026-09-30 23:59:59+09', booked_amount = null, booked_status = null where transaction_key = 'tx1001'",
        "tx1001",
        "missing_here",
        "not_booked",
    ),
    // Over the Chuseok week, paid out a day late and no earlier.
    (
        "update settlements set paid_out_date = '2026-10-05' where transaction_key = (select min(transaction_key) from settlements where sold_date = '2026-09-23' and method = '카드')",
        "*chuseok",
        "late",
        "paid_late",
    ),
];

/// What looks wrong and is not.
const INNOCENT: [&str; 7] = [
    // Never deposited, cancelled with a positive amount, not settled (toss-api.md A7).
    "insert into transactions (transaction_key, payment_key, order_id, method, status, currency, amount, transaction_at, booked_amount, booked_currency, booked_status, listed_amount, listed_status, listed_times) values ('txidle', 'payidle', 'ordidle', '가상계좌', 'CANCELED', 'KRW', 22400, '2026-09-10 10:00+09', 22400, 'KRW', 'CANCELED', 22400, 'CANCELED', 1)",
    // The last of several cancels empties the payment: CANCELED at Toss, a part to us.
    "update transactions set booked_status = 'PARTIAL_CANCELED' where transaction_key = 'tx14c'",
    // No fee parts, the right fee.
    "update settlements set fee_base = null, fee_instalment = null, fee_other = null where transaction_key = 'tx16'",
    // An instalment's interest beside the contract's base fee.
    "update settlements set fee = fee + 550, fee_instalment = 550, supply_amount = supply_amount + 500, vat = vat + 50, pay_out_amount = pay_out_amount - 550 where transaction_key = 'tx17'",
    // The same with a discount on it.
    "update settlements set fee = fee + 495, fee_instalment = 550, fee_instalment_discount = -55, interest_fee = 550, supply_amount = supply_amount + 450, vat = vat + 45, pay_out_amount = pay_out_amount - 495 where transaction_key = 'tx20'",
    // A discount that the merchant bears stands in the sum.
    "update settlements set discount = 300, pay_out_amount = pay_out_amount - 300 where transaction_key = 'tx18'",
    // A method that nobody knows, at a rate that nobody set.
    "update transactions set method = '새결제' where transaction_key = 'tx19'",
];

#[tokio::test]
async fn every_planted_break_is_found_and_named_and_nothing_else() {
    let shop = Shop::open().await;
    trade(&shop, 6_000).await;
    for statement in INNOCENT {
        assert_eq!(sql(&shop, statement).await, 1, "{statement}");
    }
    let chuseok: String = sqlx::query_scalar(
        "select min(transaction_key) from settlements where sold_date = '2026-09-23' and method = '카드'",
    )
    .fetch_one(&shop.backoffice().pool)
    .await
    .unwrap();
    let mut expected = BTreeMap::new();
    for (statements, key, class, finding) in PLANTED {
        for statement in statements.split("; ") {
            assert_eq!(sql(&shop, statement).await, 1, "{statement}");
        }
        let key = if key == "*chuseok" { chuseok.clone() } else { key.to_owned() };
        expected.insert(key, (class.to_owned(), finding.to_owned()));
    }
    reconcile(&shop).await;
    let found = found(&shop).await;
    for (key, (class, finding)) in &expected {
        let (found, findings) = found.get(key).unwrap_or_else(|| panic!("{key} was not found"));
        assert_eq!(found, class, "{key}: {findings:?}");
        assert!(findings.iter().any(|r| r.contains(finding.as_str())), "{key}: {findings:?}");
    }
    let alarms: Vec<_> = found.keys().filter(|key| !expected.contains_key(*key)).collect();
    assert!(alarms.is_empty(), "false alarms: {alarms:?}");
    // Classes part the rows, and their sums explain the difference.
    let sums = backoffice::reconciliation::class_sums(shop.backoffice(), FIRST, TODAY + Duration::DAY)
        .await
        .unwrap();
    let difference: Decimal = sums.iter().filter(|s| s.currency == "KRW").map(|s| s.sums.difference()).sum();
    let explained: Decimal = sums
        .iter()
        .filter(|s| s.currency == "KRW" && s.class.is_difference())
        .map(|s| s.sums.difference())
        .sum();
    assert_eq!(difference, explained);
    assert_ne!(difference, Decimal::ZERO);
}

#[tokio::test]
async fn early_money_is_expected_until_its_day_has_passed() {
    let shop = Shop::open().await;
    trade(&shop, 300).await;
    let sold = date!(2026 - 09 - 23);
    sql(&shop, "delete from settlements where sold_date = '2026-09-23'").await;
    let count = |class: Class| {
        let backoffice = shop.backoffice().clone();
        async move {
            let sums = backoffice::reconciliation::class_sums(&backoffice, sold, sold + Duration::DAY)
                .await
                .unwrap();
            sums.iter().filter(|s| s.class == class).map(|s| s.sums.rows).sum::<i64>()
        }
    };
    // Chuseok lies between: five business days after the 23rd of September is the 2nd of October.
    for (today, class) in [
        (date!(2026 - 09 - 24), Class::Expected),
        (date!(2026 - 10 - 02), Class::Expected),
        (date!(2026 - 10 - 03), Class::Late),
    ] {
        shop.backoffice().clock.set(day_start(today) + Duration::hours(9));
        read_until(&shop, today).await;
        backoffice::reconciliation::reconcile(
            shop.backoffice(),
            &Actor::CommandLine,
            sold,
            sold + Duration::DAY,
        )
        .await
        .unwrap();
        assert!(count(class).await > 5, "{today}");
        let other = if class == Class::Late { Class::Expected } else { Class::Late };
        assert_eq!(count(other).await, 0, "{today}");
    }
    // While Toss's list is not read, nobody says that something is missing in it.
    sql(&shop, "delete from sync_windows where source = 'settlements' and starts_at = '2026-09-25 00:00+09'")
        .await;
    backoffice::reconciliation::reconcile(shop.backoffice(), &Actor::CommandLine, sold, sold + Duration::DAY)
        .await
        .unwrap();
    assert_eq!(count(Class::Late).await, 0);
}

fn key(text: &str) -> Key {
    Key::parse(text)
}

#[tokio::test]
async fn money_is_accepted_away_by_two_people_and_what_changes_is_open_again() {
    let shop = Shop::open().await;
    trade(&shop, 300).await;
    sql(&shop, "delete from settlements where transaction_key = 'tx101'").await;
    sql(
        &shop,
        "update transactions set booked_status = 'WAITING_FOR_DEPOSIT' where transaction_key = 'tx78'",
    )
    .await;
    reconcile(&shop).await;
    let (one, other) = (shop.log_in(Role::Finance).await.actor(), shop.log_in(Role::Finance).await.actor());
    let backoffice = shop.backoffice();
    let (late, status) = (key("tx101"), key("tx78"));
    assert!(backoffice::reconciliation::differences::assign(backoffice, &one, &late).await.unwrap());
    backoffice::reconciliation::differences::note(backoffice, &one, &late, "토스에 전화함").await.unwrap();
    assert!(matches!(
        backoffice::reconciliation::differences::accept(backoffice, &one, &late, "  ").await,
        Err(WorkError::Reason)
    ));
    assert_eq!(
        backoffice::reconciliation::differences::accept(backoffice, &one, &late, "다음 달에 정산")
            .await
            .unwrap(),
        State::PendingApproval
    );
    assert!(matches!(
        backoffice::reconciliation::differences::decide(backoffice, &one, &late, true, "").await,
        Err(WorkError::NotSecond(backoffice::NotSecond::Own))
    ));
    assert!(matches!(
        backoffice::reconciliation::differences::decide(backoffice, &Actor::CommandLine, &late, true, "")
            .await,
        Err(WorkError::NotSecond(backoffice::NotSecond::Own))
    ));
    assert_eq!(
        backoffice::reconciliation::differences::decide(backoffice, &other, &late, true, "").await.unwrap(),
        State::Accepted
    );
    assert!(matches!(
        backoffice::reconciliation::differences::accept(backoffice, &one, &late, "또").await,
        Err(WorkError::NotOpen)
    ));
    // No money is at stake where only a word differs.
    assert_eq!(
        backoffice::reconciliation::differences::accept(backoffice, &one, &status, "표시만 다름")
            .await
            .unwrap(),
        State::Accepted
    );
    // The database itself knows that these are two.
    let same =
        sqlx::query("update differences set accepted_by = requested_by where transaction_key = 'tx101'");
    assert!(same.execute(&backoffice.pool).await.is_err());
    // The same again is still accepted; another figure is another difference.
    reconcile(&shop).await;
    assert_eq!(
        backoffice::reconciliation::differences::get(backoffice, &late).await.unwrap().unwrap().state,
        State::Accepted
    );
    sql(&shop, "update transactions set booked_amount = booked_amount - 10 where transaction_key = 'tx101'")
        .await;
    reconcile(&shop).await;
    let found = backoffice::reconciliation::differences::get(backoffice, &late).await.unwrap().unwrap();
    assert_eq!((found.state, found.class, found.requested_by), (State::Open, Class::AmountDiffers, None));
    let steps: Vec<String> = backoffice::reconciliation::differences::steps(backoffice, &late)
        .await
        .unwrap()
        .into_iter()
        .map(|step| step.kind)
        .collect();
    assert_eq!(steps, ["changed", "accepted", "approval_requested", "noted", "assigned", "found"]);
    // What agrees by itself is closed by nobody, and says so.
    sql(&shop, "update transactions set booked_status = 'DONE' where transaction_key = 'tx78'").await;
    reconcile(&shop).await;
    assert_eq!(
        backoffice::reconciliation::differences::get(backoffice, &status).await.unwrap().unwrap().state,
        State::Resolved
    );
}

#[tokio::test]
async fn a_closed_day_stays_and_what_comes_later_stands_beside_it() {
    let shop = Shop::open().await;
    trade(&shop, 300).await;
    let (backoffice, day) = (shop.backoffice(), date!(2026 - 09 - 10));
    let finance = shop.log_in(Role::Finance).await.actor();
    let broken: String = sqlx::query_scalar(
        "delete from settlements where transaction_key = (select min(transaction_key) from settlements
                            where sold_date = $1 and not is_cancel) returning transaction_key",
    )
    .bind(day)
    .fetch_one(&backoffice.pool)
    .await
    .unwrap();
    reconcile(&shop).await;
    assert!(matches!(
        backoffice::reconciliation::close::close(backoffice, &finance, TODAY, "").await,
        Err(CloseError::NotOver)
    ));
    assert!(matches!(
        backoffice::reconciliation::close::close(backoffice, &finance, day, "").await,
        Err(CloseError::Open(1))
    ));
    backoffice::reconciliation::differences::accept(backoffice, &finance, &key(&broken), "토스가 확인 중")
        .await
        .unwrap();
    // Asked for is not yet accepted.
    assert!(matches!(
        backoffice::reconciliation::close::close(backoffice, &finance, day, "").await,
        Err(CloseError::Open(1))
    ));
    let other = shop.log_in(Role::Admin).await.actor();
    backoffice::reconciliation::differences::decide(backoffice, &other, &key(&broken), true, "")
        .await
        .unwrap();
    let closed =
        backoffice::reconciliation::close::close(backoffice, &finance, day, "이상 없음").await.unwrap();
    assert!(closed.rows > 5 && closed.hash.len() == 64);
    assert!(matches!(
        backoffice::reconciliation::close::close(backoffice, &finance, day, "").await,
        Err(CloseError::Closed)
    ));
    let next = day + Duration::DAY;
    let before = backoffice::reconciliation::class_sums(backoffice, day, next).await.unwrap();

    // A row of that day comes late, another one changes, and the one that was missing is settled after all.
    sql(&shop, "insert into transactions (transaction_key, payment_key, order_id, method, status, currency, amount, transaction_at, listed_amount, listed_status, listed_times) values ('txlate', 'paylate', 'ordlate', '카드', 'DONE', 'KRW', 5000, '2026-09-10 12:00+09', 5000, 'DONE', 1)").await;
    sql(&shop, "update settlements set fee = fee + 550, fee_base = fee_base + 550, supply_amount = supply_amount + 500, vat = vat + 50, pay_out_amount = pay_out_amount - 550 where transaction_key = (select max(transaction_key) from settlements where sold_date = '2026-09-10')").await;
    reconcile(&shop).await;
    assert_eq!(backoffice::reconciliation::class_sums(backoffice, day, next).await.unwrap(), before);
    assert_eq!(
        backoffice::reconciliation::close::get(backoffice, day).await.unwrap().unwrap().hash,
        closed.hash
    );
    let late = backoffice::reconciliation::close::late_rows(backoffice, day, None, 50).await.unwrap().rows;
    assert_eq!(late.len(), 2, "{late:?}");
    let differences = backoffice::reconciliation::differences::list(
        backoffice,
        &Filter { day: Some(day), ..Filter::default() },
        None,
        50,
    )
    .await
    .unwrap();
    assert!(differences.rows.iter().all(|d| d.after_close), "{differences:?}");
    let (standing, ..) = backoffice::reconciliation::get_day(backoffice, day).await.unwrap();
    assert_eq!((standing.is_closed, standing.after_close, standing.open), (true, 2, 2));
    // Nobody changes what was signed for, and who gets around the database is found out.
    let owner = shop.owner().await;
    for statement in [
        "update closed_rows set ours = 0 where day = '2026-09-10'",
        "delete from closed_rows where day = '2026-09-10'",
        "update closed_days set note = 'x'",
        "delete from closed_days",
        "truncate closed_rows",
    ] {
        assert!(sqlx::query(statement).execute(&owner).await.is_err(), "{statement}");
    }
    assert_eq!(close::verify(&backoffice.pool).await.unwrap(), [(day, true)]);
    sql(&shop, "alter table closed_rows disable trigger all").await;
    sql(&shop, "update closed_rows set ours = ours + 1 where transaction_key = (select min(transaction_key) from closed_rows)").await;
    assert_eq!(close::verify(&backoffice.pool).await.unwrap(), [(day, false)]);
}

#[tokio::test]
async fn the_parts_of_a_fee_are_told_apart_and_come_to_it_everywhere() {
    use backoffice::settlements::FeeParts;
    let shop = Shop::open().await;
    contract(&shop).await;
    let (backoffice, day) = (shop.backoffice(), date!(2026 - 11 - 02));
    turn(&shop, day_start(day) + Duration::hours(10)).await;
    shop.paid_by("ord_parts_1", 60_000, json!({ "method": "카드", "installmentPlanMonths": 10 })).await;
    shop.paid_by("ord_parts_2", 10_000, json!({ "method": "카드", "installmentPlanMonths": 3 })).await;
    shop.quiet().await;
    let next = day + Duration::DAY;
    turn(&shop, day_start(day) + Duration::hours(34)).await;
    backoffice::transactions::sync(backoffice, &Actor::CommandLine, day_start(day), day_start(next))
        .await
        .unwrap();
    backoffice::settlements::sync(backoffice, &Actor::CommandLine, day).await.unwrap();
    backoffice::reconciliation::reconcile(backoffice, &Actor::CommandLine, day, next).await.unwrap();
    assert_eq!(found(&shop).await, BTreeMap::new());

    // 3.1 % of each; ten months cost 5 % less a tenth of it, three cost 1.5 %.
    let sum = FeeParts {
        base: 2_170.into(),
        instalment: 3_150.into(),
        instalment_discount: (-300).into(),
        interest: 3_150.into(),
        ..FeeParts::default()
    };
    let fee: Decimal = 5_020.into();
    let key: String =
        sqlx::query_scalar("select transaction_key from transactions where order_id = 'ord_parts_1'")
            .fetch_one(&backoffice.pool)
            .await
            .unwrap();
    let row = backoffice::settlements::fee_parts(backoffice, &key, 1).await.unwrap().unwrap();
    assert_eq!(
        (row.base, row.instalment, row.instalment_discount),
        (1_860.into(), 3_000.into(), (-300).into())
    );
    // A day, a month, a payout, and the file of it.
    let classes = backoffice::reconciliation::class_sums(backoffice, day, next).await.unwrap();
    let mut day_sums = backoffice::reconciliation::Sums::default();
    classes.into_iter().for_each(|class| day_sums += class.sums);
    assert_eq!((day_sums.fee_parts(), day_sums.fee), (sum, fee));
    let report = backoffice::reports::fees(backoffice, day, next).await.unwrap().remove(0);
    assert_eq!((report.fee, report.fee_base, report.fee_instalment), (fee, sum.base, sum.instalment));
    assert_eq!(
        (report.fee_instalment_discount, report.interest_fee),
        (sum.instalment_discount, sum.interest)
    );
    let paid_out: time::Date = sqlx::query_scalar("select paid_out_date from settlements limit 1")
        .fetch_one(&backoffice.pool)
        .await
        .unwrap();
    let payout =
        backoffice::payouts::list(backoffice, paid_out, paid_out + Duration::DAY).await.unwrap().remove(0);
    assert_eq!((payout.sums.fee_parts(), payout.sums.fee), (sum, fee));
    let finance = shop.log_in(Role::Finance).await;
    for path in [format!("/reconciliation/{day}"), format!("/reconciliation/payouts/{paid_out}")] {
        let (_, page) = shop.page(&path, Some(&finance.cookie)).await;
        assert!(page.contains("할부 할인 −300") && page.contains("할부 3,150"), "{path}: {page}");
    }
}

/// Turns both clocks.
/// Both clocks: ours and the sandbox's.
pub async fn turn(shop: &Shop, at: time::OffsetDateTime) {
    shop.control("clock", &json!({ "now": toss::timestamp::format(at) })).await;
    shop.backoffice().clock.set(at);
}

#[tokio::test]
async fn what_toss_settles_is_read_held_against_the_books_and_corrected_when_somebody_says_so() {
    let shop = Shop::open().await;
    contract(&shop).await;
    let (backoffice, day) = (shop.backoffice(), date!(2026 - 11 - 02));
    turn(&shop, day_start(day) + Duration::hours(10)).await;
    for n in 0..4 {
        shop.paid(&format!("ord_settle_{n}"), 10_000 + n).await;
    }
    let agent = shop.log_in(Role::Support).await.actor();
    backoffice::refunds::request(backoffice, &agent, &refund("ord_settle_0", "4000")).await.unwrap();
    shop.quiet().await;
    turn(&shop, day_start(day) + Duration::hours(34)).await;
    let next = day + Duration::DAY;
    backoffice::transactions::sync(backoffice, &Actor::CommandLine, day_start(day), day_start(next))
        .await
        .unwrap();
    assert_eq!(
        backoffice::settlements::sync(backoffice, &Actor::CommandLine, day).await.unwrap(),
        Read { rows: 5, new: 5, gone: 0 }
    );
    // Reading it again changes nothing.
    assert_eq!(
        backoffice::settlements::sync(backoffice, &Actor::CommandLine, day).await.unwrap(),
        Read { rows: 5, new: 0, gone: 0 }
    );
    backoffice::reconciliation::reconcile(backoffice, &Actor::CommandLine, day, next).await.unwrap();
    assert_eq!(found(&shop).await, BTreeMap::new());

    let keys: Vec<String> = sqlx::query_scalar(
        "select transaction_key from transactions where status = 'DONE' order by order_id",
    )
    .fetch_all(&backoffice.pool)
    .await
    .unwrap();
    shop.control(&format!("settlements/{}", keys[1]), &json!("twice")).await;
    shop.control(&format!("settlements/{}", keys[2]), &json!("missing")).await;
    shop.control(&format!("settlements/{}", keys[3]), &json!({ "fee": 500 })).await;
    assert_eq!(
        backoffice::settlements::sync(backoffice, &Actor::CommandLine, day).await.unwrap(),
        Read { rows: 5, new: 2, gone: 1 }
    );
    backoffice::reconciliation::reconcile(backoffice, &Actor::CommandLine, day, next).await.unwrap();
    let classes: BTreeMap<String, String> =
        found(&shop).await.into_iter().map(|(k, (c, _))| (k, c)).collect();
    // What is gone is only expected again: its day has not passed.
    assert_eq!(
        classes,
        BTreeMap::from([
            (format!("{}~2", keys[1]), "duplicate".to_owned()),
            (keys[3].clone(), "fee_differs".to_owned()),
        ])
    );

    // Our books are wrong: Toss's word is put in their place, once a person says so.
    sql(&shop, &format!("update transactions set booked_amount = 1 where transaction_key = '{}'", keys[0]))
        .await;
    backoffice::reconciliation::reconcile(backoffice, &Actor::CommandLine, day, next).await.unwrap();
    let finance = shop.log_in(Role::Finance).await.actor();
    let looked = backoffice::reconciliation::differences::look_into(backoffice, &finance, &key(&keys[0]))
        .await
        .unwrap();
    assert_eq!((looked.state, looked.class), (State::Open, Class::AmountDiffers));
    // While Toss does not answer nothing is changed, as the page says.
    shop.fault(json!({ "on": "payment", "kind": "lose_before", "times": 10 })).await;
    let silent = backoffice::reconciliation::differences::correct(backoffice, &finance, &key(&keys[0])).await;
    assert!(matches!(silent, Err(WorkError::Fault(backoffice::Fault::Toss(_)))), "{silent:?}");
    let booked: Option<Decimal> =
        sqlx::query_scalar("select booked_amount from transactions where transaction_key = $1")
            .bind(&keys[0])
            .fetch_one(&backoffice.pool)
            .await
            .unwrap();
    assert_eq!(booked, Some(Decimal::ONE));
    let audited: i64 =
        sqlx::query_scalar("select count(*) from audit where action = 'transaction.corrected'")
            .fetch_one(&backoffice.pool)
            .await
            .unwrap();
    assert_eq!(audited, 0);
    assert_eq!(
        backoffice::reconciliation::differences::steps(backoffice, &key(&keys[0])).await.unwrap()[0].kind,
        "not_answered"
    );
    shop.http.delete(format!("{}/_sandbox/faults", shop.sandbox_url)).send().await.unwrap();
    let corrected =
        backoffice::reconciliation::differences::correct(backoffice, &finance, &key(&keys[0])).await.unwrap();
    assert_eq!(corrected.state, State::Resolved);
    // The merchant's own systems hear of each when it is found, and when it is gone.
    let filter =
        events::Filter { subject: Some(format!("difference:{}:1", keys[0])), ..events::Filter::default() };
    let told = events::list(backoffice, &filter, None, 10).await.unwrap().rows;
    let told: Vec<events::Kind> = told.iter().rev().map(|told| told.event.kind).collect();
    assert_eq!(told, [events::Kind::DifferenceFound, events::Kind::DifferenceResolved]);
    assert!(matches!(
        backoffice::reconciliation::differences::correct(backoffice, &finance, &key(&keys[3])).await,
        Err(WorkError::NotCorrectable)
    ));
    // Toss does not answer: nothing is changed, and that is said.
    shop.fault(json!({ "on": "payment", "kind": "lose_before", "times": 10 })).await;
    assert!(
        backoffice::reconciliation::differences::look_into(backoffice, &finance, &key(&keys[3]))
            .await
            .is_err()
    );
    let steps = backoffice::reconciliation::differences::steps(backoffice, &key(&keys[3])).await.unwrap();
    assert_eq!(steps[0].kind, "not_answered");
}

#[tokio::test]
async fn a_window_counts_as_read_only_when_it_was_read_to_its_end() {
    let shop = Shop::open().await;
    let (backoffice, day) = (shop.backoffice(), date!(2026 - 11 - 02));
    turn(&shop, day_start(day) + Duration::hours(10)).await;
    shop.paid("ord_window_1", 10_000).await;
    turn(&shop, day_start(day) + Duration::hours(34)).await;
    shop.fault(json!({ "on": "settlements", "kind": "lose_before", "times": 10 })).await;
    assert!(backoffice::settlements::sync(backoffice, &Actor::CommandLine, day).await.is_err());
    let next = day + Duration::DAY;
    assert!(backoffice::settlements::days_read(backoffice, day, next).await.unwrap().is_empty());
    shop.http.delete(format!("{}/_sandbox/faults", shop.sandbox_url)).send().await.unwrap();

    // More than one page, and the list grows while it is read: pages slide, and rows come twice or not at all.
    let sold: toss::payments::Settlement = {
        let rows: Vec<_> = backoffice
            .toss
            .settlements(day, day, toss::payments::SettlementDate::Sold)
            .try_collect::<Vec<_>>()
            .await
            .unwrap();
        rows[0].0.clone()
    };
    let add = |n: usize| {
        let mut row = sold.clone();
        row.transaction_key = toss::payments::TransactionKey(format!("made{n:06}"));
        shop.sandbox.with_books(|books| books.replay(sandbox::books::Change::Settlement(Box::new(row))));
    };
    (0..5_200).for_each(add);
    let slide = async {
        for n in 0..200 {
            shop.sandbox.with_books(|books| books.slide_settlement());
            add(10_000 + n);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let (outcome, ()) =
        tokio::join!(backoffice::settlements::sync(backoffice, &Actor::CommandLine, day), slide);
    if outcome.is_err() {
        assert!(
            backoffice::settlements::days_read(backoffice, day, next).await.unwrap().is_empty(),
            "{outcome:?}"
        );
    }
    let read = backoffice::settlements::sync(backoffice, &Actor::CommandLine, day).await.unwrap();
    assert_eq!(read.rows, 5_401);
    let (rows, twice): (i64, i64) = sqlx::query_as(
        "select count(*), count(*) filter (where occurrence > 1) from settlements where gone_at is null",
    )
    .fetch_one(&backoffice.pool)
    .await
    .unwrap();
    assert_eq!((rows, twice), (5_401, 0));
    assert_eq!(backoffice::settlements::days_read(backoffice, day, next).await.unwrap().len(), 1);
}

#[tokio::test]
async fn whatever_is_broken_classes_part_the_rows_and_their_sums_explain_the_difference() {
    let shop = Shop::open().await;
    trade(&shop, 2_000).await;
    let mut rng = StdRng::seed_from_u64(6);
    for round in 0..6 {
        for _ in 0..40 {
            let n = rng.random_range(1..=2_000);
            let statement = BREAKS[rng.random_range(0..BREAKS.len())].replace("{n}", &n.to_string());
            drop(sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&shop.backoffice().pool).await);
        }
        reconcile(&shop).await;
        let sums = backoffice::reconciliation::class_sums(shop.backoffice(), FIRST, TODAY + Duration::DAY)
            .await
            .unwrap();
        // Every row of either side once, counted without our classes.
        let rows: i64 = sqlx::query_scalar(
            "select (select count(*) from transactions)
                  + (select count(*) from settlements s where gone_at is null
                     and (occurrence > 1 or not exists (select 1 from transactions t where t.transaction_key = s.transaction_key)))",
        )
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
        assert_eq!(sums.iter().map(|s| s.sums.rows).sum::<i64>(), rows, "round {round}");
        let settled: Vec<(String, Decimal)> = sqlx::query_as(
            "select currency, sum(amount) from settlements where gone_at is null group by currency",
        )
        .fetch_all(&shop.backoffice().pool)
        .await
        .unwrap();
        for (currency, settled) in &settled {
            let ours =
                sums.iter().filter(|s| s.currency == *currency).map(|s| s.sums.settled).sum::<Decimal>();
            assert_eq!(ours, *settled, "round {round}: {currency}");
        }
        // What agrees has no difference, so that the rest explains all of it.
        for s in sums.iter().filter(|s| s.class == Class::Matched) {
            assert_eq!(
                (s.sums.difference(), s.sums.settled),
                (Decimal::ZERO, s.sums.toss),
                "round {round}: {s:?}"
            );
        }
        let kept: i64 = sqlx::query_scalar("select count(*) from differences where state <> 'resolved'")
            .fetch_one(&shop.backoffice().pool)
            .await
            .unwrap();
        let differing: i64 = sums.iter().filter(|s| s.class.is_difference()).map(|s| s.sums.rows).sum();
        assert_eq!(kept, differing, "round {round}");
    }
}

const BREAKS: [&str; 12] = [
    "update settlements set currency = 'USD', amount = 36.10, fee = 1.12, pay_out_amount = 34.98 where transaction_key = 'tx{n}'",
    "update transactions set booked_currency = 'JPY' where transaction_key = 'tx{n}' and booked_amount is not null",
    "update transactions set booked_amount = null, booked_status = null, booked_currency = null where transaction_key = 'tx{n}'",
    "update transactions set listed_amount = null, listed_status = null, listed_times = 0 where transaction_key = 'tx{n}'",
    "update transactions set listed_times = 3 where transaction_key = 'tx{n}'",
    "update transactions set booked_amount = booked_amount + {n} where transaction_key = 'tx{n}'",
    "update transactions set status = 'CANCELED', listed_status = 'CANCELED' where transaction_key = 'tx{n}'",
    "delete from transactions where transaction_key = 'tx{n}c'",
    "delete from settlements where transaction_key = 'tx{n}'",
    "update settlements set fee = fee + {n} where transaction_key = 'tx{n}'",
    "insert into settlements select transaction_key, 2, payment_key, order_id, method, currency, amount, fee, fee_base, fee_instalment, fee_other, supply_amount, vat, discount, points, pay_out_amount, is_cancel, transaction_at, sold_date, paid_out_date, read_at from settlements where transaction_key = 'tx{n}' and occurrence = 1",
    "update settlements set gone_at = now() where transaction_key = 'tx{n}'",
];

#[tokio::test]
async fn a_mini_app_s_payments_are_held_against_their_status_and_its_purchases_are_estimates() {
    let shop = Shop::open().await;
    let (backoffice, day) = (shop.backoffice(), date!(2026 - 11 - 02));
    let next = day + Duration::DAY;
    turn(&shop, day_start(day) + Duration::hours(10)).await;
    let token = shop.paid_by_toss_pay("tp-book-1", 30_000, json!({})).await;
    let user = shop.user().await;
    let bought =
        shop.control("apps-in-toss/orders", &json!({ "userKey": user, "platform": "ANDROID" })).await;
    let (order, sku) = (bought["orderId"].as_str().unwrap(), bought["sku"].as_str().unwrap());
    let finance = shop.log_in(Role::Finance).await.actor();
    assert_eq!(shop.api("iap/orders", &json!({ "orderId": order, "userKey": user })).await.0, 200);
    // What was booked without a price gets it once somebody knows it.
    backoffice::iap::prices::set(backoffice, &finance, sku, "5,500").await.unwrap().unwrap();

    turn(&shop, day_start(day) + Duration::hours(34)).await;
    // Nobody tells of a refund in Toss's own console.
    shop.control(&format!("apps-in-toss/payments/{token}/move"), &json!({ "to": "REFUND_SUCCESS" })).await;
    turn(&shop, day_start(day) + Duration::hours(58)).await;
    assert_eq!(backoffice::transactions::sync_toss_pay::sync(backoffice, day).await.unwrap(), 1);
    assert_eq!(backoffice::transactions::sync_toss_pay::sync(backoffice, next).await.unwrap(), 1);
    let read = |day| {
        backoffice::transactions::sync(
            backoffice,
            &Actor::CommandLine,
            day_start(day),
            day_start(day + Duration::DAY),
        )
    };
    read(day).await.unwrap();
    read(next).await.unwrap();
    let both = next + Duration::DAY;
    backoffice::reconciliation::reconcile(backoffice, &Actor::CommandLine, day, both).await.unwrap();
    let differences = found(&shop).await;
    assert_eq!(differences.len(), 1, "{differences:?}");
    let (refund, (class, _)) = differences.into_iter().next().unwrap();
    assert_eq!(class, "missing_here");
    // Our books were left alone until somebody said so.
    assert_eq!(shop.status_of("tp-book-1").await, "PAY_COMPLETE");
    let corrected =
        backoffice::reconciliation::differences::correct(backoffice, &finance, &key(&refund)).await.unwrap();
    assert_eq!(corrected.state, State::Resolved);
    assert_eq!(shop.status_of("tp-book-1").await, "REFUND_SUCCESS");

    let sums = backoffice::reconciliation::class_sums(backoffice, day, both).await.unwrap();
    let of = |rail: &str| sums.iter().filter(|s| s.rail.as_str() == rail).map(|s| s.sums).collect::<Vec<_>>();
    let iap = of("iap");
    assert_eq!((iap[0].rows, iap[0].estimates, iap[0].ours), (1, 1, 5_500.into()));
    assert_eq!((iap[0].fee, iap[0].payout), (1_100.into(), 4_400.into()));
    let toss_pay = of("toss_pay");
    assert_eq!(toss_pay.iter().map(|s| s.rows).sum::<i64>(), 2);
    assert_eq!(toss_pay.iter().map(|s| s.ours).sum::<Decimal>(), Decimal::ZERO);
}

#[tokio::test]
async fn a_sale_in_won_that_is_settled_in_dollars_is_never_added_to_the_won() {
    let shop = Shop::open().await;
    trade(&shop, 400).await;
    let sold: Decimal = sqlx::query_scalar("select amount from settlements where transaction_key = 'tx64'")
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
    reconcile(&shop).await;
    let rows = async || {
        let sums = backoffice::reconciliation::class_sums(shop.backoffice(), FIRST, TODAY + Duration::DAY)
            .await
            .unwrap();
        sums.iter().map(|s| s.sums.rows).sum::<i64>()
    };
    let before = rows().await;
    let changed = sql(
        &shop,
        "update settlements set currency = 'USD', amount = 36, fee = 1.12, fee_base = 1.12, supply_amount = 1.02, vat = 0.10,
                pay_out_amount = 34.88 where transaction_key = 'tx64'",
    )
    .await;
    assert_eq!(changed, 1);
    reconcile(&shop).await;
    let sums = backoffice::reconciliation::class_sums(shop.backoffice(), FIRST, TODAY + Duration::DAY)
        .await
        .unwrap();
    let listed: Vec<(String, Decimal, Decimal, Decimal)> = sqlx::query_as(
        "select currency, sum(amount), sum(fee), sum(pay_out_amount) from settlements where gone_at is null group by currency",
    )
    .fetch_all(&shop.backoffice().pool)
    .await
    .unwrap();
    assert_eq!(listed.len(), 2);
    for (currency, settled, fee, payout) in listed {
        let of = |figure: fn(&backoffice::reconciliation::Sums) -> Decimal| {
            sums.iter().filter(|s| s.currency == currency).map(|s| figure(&s.sums)).sum::<Decimal>()
        };
        assert_eq!(
            (of(|s| s.settled), of(|s| s.fee), of(|s| s.payout)),
            (settled, fee, payout),
            "{currency}"
        );
    }
    assert_eq!(rows().await, before, "no row is counted twice");
    let difference =
        backoffice::reconciliation::differences::get(shop.backoffice(), &key("tx64")).await.unwrap().unwrap();
    assert_eq!(
        (difference.class, difference.settled_currency.as_deref()),
        (Class::AmountDiffers, Some("USD"))
    );
    assert_eq!(difference.findings, [Finding::Currency]);
    assert!(!difference.is_correctable(), "nothing of ours differs");
    let finance = shop.log_in(Role::Finance).await;
    let (_, page) = shop.page("/reconciliation/differences/tx64", Some(&finance.cookie)).await;
    let rate = (sold / Decimal::from(36)).round_dp(4);
    assert!(page.contains(&format!("USD 1 = KRW {rate}")), "{page}");
    assert!(page.contains("USD 34.88"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_finds_nothing_that_has_no_name() {
    let shop = Shop::open().await;
    let body: String = sqlx::query_scalar("select prosrc from pg_proc where proname = 'reconciled_rows'")
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
    let (_, findings) = body.split_once("array_remove(array[").unwrap();
    let (findings, _) = findings.split_once("], null) as findings").unwrap();
    let mut found: Vec<&str> = findings
        .split("then '")
        .skip(1)
        .chain(findings.split("else '").skip(1))
        .filter_map(|rest| rest.split('\'').next())
        // Words of Toss's, compared and not found.
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect();
    found.sort_unstable();
    let mut named = Finding::ALL.map(Finding::as_str);
    named.sort_unstable();
    assert_eq!(found, named);
}
