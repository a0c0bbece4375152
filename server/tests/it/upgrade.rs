//! A database of an earlier version, with rows in it, under the program of today.

use std::{collections::BTreeMap, path::Path};

use backoffice::reconciliation::{
    Finding,
    differences::{self, State},
};
use sandbox::PUBLIC_TEST_KEYS;
use server::{
    Jangbu,
    settings::{Settings, Source},
};
use sqlx::migrate::Migrator;

use crate::support::{AUDIT_KEY, DATA_KEY, empty_database};

/// Tables as they were when `last` was the newest migration, with `rows` in them; the database's URL.
async fn as_of(last: i64, rows: &'static str) -> String {
    let url = empty_database().await;
    let pool = server::database::connect(&url, 2).await.unwrap();
    sqlx::query("create schema jangbu").execute(&pool).await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut migrations = Migrator::new(folder).await.unwrap();
    migrations.migrations.to_mut().retain(|migration| migration.version <= last);
    migrations.run(&pool).await.unwrap();
    sqlx::raw_sql(rows).execute(&pool).await.unwrap();
    pool.close().await;
    url
}

/// The words of the version before, in every column that holds one of them.
const ROWS_OF_18: &str = r#"
    insert into staff (id, email, name, role, password_hash, created_at)
        values ('00000000-0000-0000-0000-000000000001', 'a@jangbu.test', 'a', 'finance', '', now());
    insert into orders (order_id, rail, origin, order_name, amount, currency, status, created_at, updated_at)
        values ('o1', 'toss_payments', 'merchant', 'x', 1000, 'KRW', 'DONE', now(), now());
    insert into payments (payment_key, rail, order_id, status, method, currency, total_amount, balance_amount, raw, asked,
                          fetched_at)
        values ('p1', 'toss_payments', 'o1', 'DONE', '카드', 'KRW', 1000, 1000, '{}', nextval('asked'), now());
    insert into told (subject, subject_id, happened_at, delivery_id, body)
        values ('payout', 'w1', now(), '00000000-0000-0000-0000-000000000002', '{}');
    insert into told_rows (source, key, nth, raw, read_at) values ('settlements', 't1', 2, '{}', now());
    insert into read_windows (source, starts_at, ends_at, read_at) values ('toss_pay', now(), now(), now());
    insert into contract_rates (method, currency, valid_from, per_mille, cycle, pay_out_days)
        values ('카드', 'KRW', '2026-01-01', 30, 'daily', 3);
    insert into exports (id, what, title, heads, words, format, reason, is_masked, asked_by_name, asked_at, state)
        values ('00000000-0000-0000-0000-000000000003', '{"list": "pay_out", "filter": [2026, 329]}', 't', '[]',
                '{"pay_out": "x", "asked": "y", "agreed": "z", "open": "o"}', 'csv', 'r', true, 'a', now(), 'waiting'),
               ('00000000-0000-0000-0000-000000000004', '{"list": "differences", "filter": {"state": "asked"}}', 't',
                '[]', '{}', 'csv', 'r', true, 'a', now(), 'waiting');
    insert into export_parts (export_id, nth, bytes) values ('00000000-0000-0000-0000-000000000003', 0, 'x');
    insert into differences (transaction_key, nth, day, rail, payment_key, order_id, currency, transaction_at, class,
                             remarks, ours, toss, settled, fee, pay_out, state, asked_by, found_at, changed_at)
    select 't' || state, 1, '2026-11-24', 'toss_payments', 'p1', 'o1', 'KRW', '2026-11-24T10:00:00+09:00', 'fee_differs',
           array['fee_rate', 'pay_out'], 1000, 1000, 1000, 30, 970, state,
           case when state = 'asked' then '00000000-0000-0000-0000-000000000001'::uuid end, now(), now()
    from unnest(array['open', 'asked', 'accepted', 'agreed']) as state;
    insert into difference_steps (transaction_key, nth, at, actor, actor_name, kind)
    select 'tasked', 1, now(), 'staff', 'a', kind from unnest(array['found', 'given_back', 'asked', 'agreed']) as kind;
"#;

/// The program of today on a database.
async fn started(url: &str) -> Jangbu {
    let settings = [
        ("JANGBU_MODE", "sandbox"),
        ("TOSS_PAYMENTS_URL", "http://127.0.0.1:1"),
        ("TOSS_PAYMENTS_SECRET_KEY", PUBLIC_TEST_KEYS[0]),
        ("JANGBU_DATA_KEY", DATA_KEY),
        ("JANGBU_AUDIT_KEY", AUDIT_KEY),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::read(&Source(BTreeMap::from(settings))).unwrap();
    Jangbu::start(settings, url).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_the_version_before_left_behind_goes_on() {
    let jangbu = started(&as_of(18, ROWS_OF_18).await).await;
    let (backoffice, pool) = (&jangbu.backoffice, &jangbu.backoffice.pool);

    let found = |state: Option<State>| async move {
        let filter = differences::Filter { state, ..Default::default() };
        differences::list(backoffice, &filter, None, 10).await.unwrap().rows
    };
    for state in State::ALL {
        let rows = found(Some(state)).await;
        assert_eq!(rows.len(), 1, "{state:?}");
        assert_eq!(rows[0].findings, [Finding::FeeRate, Finding::Payout], "{state:?}");
    }
    assert_eq!(found(None).await.len(), 2, "what waited for a person still does");
    let pending = found(Some(State::PendingApproval)).await.remove(0);
    assert!(pending.requested_by.is_some());
    let steps = differences::steps(backoffice, &pending.key).await.unwrap();
    let kinds: Vec<&str> = steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(kinds, ["resolved", "approval_requested", "unassigned", "found"]);

    let files: Vec<(String, serde_json::Value)> =
        sqlx::query_as("select what, words from exports order by id").fetch_all(pool).await.unwrap();
    for (what, _) in &files {
        let what = backoffice.keys.open("exports.what", what).unwrap();
        serde_json::from_str::<backoffice::exports::What>(&what).unwrap();
    }
    let words = serde_json::json!({ "payout": "x", "pending_approval": "y", "resolved": "z", "open": "o" });
    assert_eq!(files[0].1, words, "a file that is still to be written finds its words");
}

/// Refunds that Toss took before anybody followed them, accounts in the clear, and no limits.
const ROWS_OF_19: &str = r#"
    insert into staff (id, email, name, role, password_hash, created_at)
        values ('00000000-0000-0000-0000-000000000001', 'a@jangbu.test', 'a', 'finance', '', now() - interval '1 year');
    insert into orders (order_id, rail, origin, order_name, amount, currency, status, created_at, updated_at)
    select 'o' || n, 'toss_payments', 'merchant', 'x', 1000, 'KRW', 'DONE', now(), now() from generate_series(1, 7) n;
    insert into payments (payment_key, rail, order_id, status, method, currency, total_amount, balance_amount, approved_at,
                          raw, fetch_seq, fetched_at, refund_receive_account)
    select 'p' || n, 'toss_payments', 'o' || n, 'CANCELED', case n when 6 then '카드' else '가상계좌' end, 'KRW', 1000, 0,
           case n when 5 then null else now() end,
           jsonb_build_object('paymentKey', 'p' || n, 'orderId', 'o' || n, 'status', 'DONE', 'totalAmount', 1000,
               'balanceAmount', 1000, 'virtualAccount', case n when 6 then 'null'::jsonb else jsonb_build_object('refundStatus', word) end),
           nextval('fetch_seq'), now(),
           case n when 7 then '{"bankCode": "88", "accountNumber": "110123456789", "holderName": "김하준"}'::jsonb end
    from unnest(array['COMPLETED', 'FAILED', 'PARTIAL_FAILED', 'PENDING', 'NONE', 'NONE', 'NONE']) with ordinality as w(word, n);
    insert into refunds (id, order_id, payment_key, amount, currency, refundable_amount, reason_code, reason, state,
                         idempotency_key, requested_by_name, requested_at, settled_at, refund_account)
    select ('00000000-0000-0000-0000-00000000010' || n)::uuid, 'o' || n, 'p' || n, 1000, 'KRW', 1000, 'defect', 'x',
           case n when 7 then 'unknown' else 'succeeded' end, 'refund-' || n, 'a', now(), case n when 7 then null else now() end,
           case n when 7 then '{"bank": "88", "accountNumber": "110987654321", "holderName": "김하준"}'::jsonb end
    from generate_series(1, 7) n;
    update orders set customer_mobile_phone = '010-4431-8820', customer_email = 'Kim@example.com' where order_id = 'o6';
    update payments set raw = raw || '{"mobilePhone": {"customerMobilePhone": "01044318820", "settlementStatus": "COMPLETED"}}'
        where payment_key = 'p6';
    insert into source_rows (source, key, occurrence, raw, read_at)
        values ('settlements', 't1', 1, '{"mobilePhone": {"customerMobilePhone": "01044318820", "x": "y"}}', now());
    select add_webhook_month(at) from unnest(array['2026-03-05 10:00+09', '2026-04-05 10:00+09']::timestamptz[]) at;
    insert into webhook_deliveries (id, received_at, headers, body)
    select webhook_floor(at), at, '[]', convert_to('{"phone": "01044318820"}', 'UTF8')
        from unnest(array['2026-03-05 10:00+09', '2026-04-05 10:00+09']::timestamptz[]) at;
    insert into event_snapshots (subject, subject_id, happened_at, delivery_id, body)
        values ('seller', 's1', now(), '00000000-0000-0000-0000-000000000002', '{"email": "kim@example.com"}');
"#;

#[tokio::test(flavor = "multi_thread")]
async fn refunds_of_the_version_before_are_followed_and_accounts_are_sealed() {
    use backoffice::refunds::{self, Stage};
    let jangbu = started(&as_of(19, ROWS_OF_19).await).await;
    let (backoffice, pool) = (&jangbu.backoffice, &jangbu.backoffice.pool);
    let mut stages = Vec::new();
    for n in 1..=7 {
        let id = format!("00000000-0000-0000-0000-00000000010{n}").parse().unwrap();
        stages.push(refunds::get(backoffice, id).await.unwrap().unwrap().stage);
    }
    let paid_in = [Stage::Arrived, Stage::Returned, Stage::PartlyArrived, Stage::AtTheBank].map(Some);
    assert_eq!(stages[..4], paid_in);
    assert_eq!(stages[4..], [None, Some(Stage::Accepted), None], "nobody paid in; a card; not known yet");
    let clear: i64 = sqlx::query_scalar(
        "select (select count(*) from payments where refund_receive_account like '%110123456789%')
              + (select count(*) from refunds where refund_account like '%110987654321%')",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(clear, 0);
    let own = refunds::own_account(backoffice, "p7").await.unwrap().unwrap();
    assert_eq!(own.masked, "신한은행 ********6789");
    // So is whatever tells who bought, and it is found all the same.
    let clear: i64 = sqlx::query_scalar(
        "select (select count(*) from orders o where o::text ~* '4431-?8820|kim@')
              + (select count(*) from payments p where p::text like '%44318820%')
              + (select count(*) from source_rows s where s::text like '%44318820%')
              + (select count(*) from webhook_deliveries d where encode(body, 'escape') like '%44318820%')
              + (select count(*) from event_snapshots s where s::text like '%kim@%')",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(clear, 0);
    for q in ["01044318820", "kim@example.com"] {
        let filter = backoffice::orders::Filter { q: Some(q.into()), ..Default::default() };
        let found = backoffice::orders::list(backoffice, &filter, None, 9).await.unwrap().rows;
        assert_eq!(found.len(), 1, "{q}");
        assert_eq!(found[0].customer_mobile_phone.as_deref(), Some("010-4431-8820"));
    }
    let record = backoffice::payments::get(backoffice, "p6").await.unwrap().unwrap();
    assert_eq!(record.raw["mobilePhone"]["customerMobilePhone"], "01044318820");
    let deliveries = backoffice::webhooks::list(backoffice, &Default::default(), None, 9).await.unwrap().rows;
    for delivery in &deliveries {
        let opened = backoffice::webhooks::get(backoffice, delivery.id).await.unwrap().unwrap();
        assert_eq!(opened.body, br#"{"phone": "01044318820"}"#);
    }
    assert_eq!(deliveries.len(), 2, "of two months");
    // Whoever runs a shop already keeps the limits they have set, or not set.
    let limits = backoffice::limits::list(backoffice).await.unwrap();
    assert!(limits.iter().all(|limit| limit.one_refund.is_none() && limit.per_day.is_none()));
}

/// Accounts whose rights have changed before there was a register of it.
const ROWS_OF_28: &str = r#"
    insert into staff (id, email, name, role, password_hash, created_at, access_set_at)
        values ('00000000-0000-0000-0000-000000000001', 'a@jangbu.test', 'a', 'finance', '', now() - interval '1 year', now()),
               ('00000000-0000-0000-0000-000000000002', 'b@jangbu.test', 'b', 'viewer', '', now() - interval '1 year', now());
    insert into audit (seq, at, actor, actor_name, action, subject_kind, subject, entry, prev_hash, hash)
    select seq, now() - interval '1 day' + seq * interval '1 minute', 'command-line', 'command-line', action, 'staff',
           '00000000-0000-0000-0000-00000000000' || who, jsonb_build_object('detail', detail::jsonb)::text,
           decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex')
    from (values (1, 'staff.added', 1, '{"name": "invited as", "role": "support", "invited": true}'), (2, 'staff.joined', 1, '{"name": "a"}'),
                 (3, 'staff.logged_in', 1, '{}'), (4, 'staff.invited', 1, '{}'), (5, 'staff.disabled', 1, '{}'),
                 (6, 'staff.added', 2, '{"name": "b", "role": "viewer"}'), (7, 'staff.reset', 1, '{}'),
                 (8, 'staff.added', 9, '{"name": "nobody", "role": "admin"}')) as rows (seq, action, who, detail);
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_register_of_rights_begins_with_what_the_audit_log_tells() {
    use backoffice::staff::{
        Role,
        register::{self, Filter, Kind},
    };
    let jangbu = started(&as_of(28, ROWS_OF_28).await).await;
    let rows = register::list(&jangbu.backoffice, &Filter::default(), None, 50).await.unwrap().rows;
    let told: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.kind)).collect();
    assert_eq!(
        told,
        [
            ("a", Kind::Reopened),
            ("b", Kind::Added),
            ("a", Kind::Disabled),
            ("a", Kind::PasswordReset),
            ("a", Kind::Joined),
            ("invited as", Kind::Invited),
        ]
    );
    assert_eq!(rows[5].after.as_ref().unwrap().role, Role::Support, "the role of then");
    assert!(rows[2].after.is_none() && rows[2].before.is_some());
    // Nobody is closed for not having logged in before this was counted.
    assert_eq!(backoffice::staff::close_dormant(&jangbu.backoffice).await.unwrap(), 0);
}

/// Three rows of the chain that the audit log was.
const ROWS_OF_32: &str = r#"
    insert into audit (seq, at, actor, actor_name, action, subject_kind, subject, entry, prev_hash, hash)
    with recursive texts as (
        select n, format('{"seq":%s,"at":"1767225600000000000","actor":"command-line","actor_name":"command-line","action":"staff.added","subject_kind":"staff","subject":"s%s","detail":{"n":%s}}',
                         n, n, n) as entry
        from generate_series(1, 3) n
    ), chain as (
        select n, entry, decode(repeat('00', 32), 'hex') as prev,
               sha256(decode(repeat('00', 32), 'hex') || convert_to(entry, 'UTF8')) as hash
        from texts where n = 1
        union all
        select t.n, t.entry, c.hash, sha256(c.hash || convert_to(t.entry, 'UTF8')) from chain c join texts t on t.n = c.n + 1
    )
    select n, '2026-01-01 00:00:00+00', 'command-line', 'command-line', 'staff.added', 'staff', 's' || n, entry, prev, hash
    from chain;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_of_before_is_read_and_checked_and_its_end_is_the_first_leaf() {
    use backoffice::audit::{
        self,
        proof::{self, NoProof},
        seal,
        verify::{Finding, verify},
    };
    let jangbu = started(&as_of(32, ROWS_OF_32).await).await;
    let (backoffice, pool) = (&jangbu.backoffice, &jangbu.backoffice.pool);
    seal::seal_all(backoffice).await.unwrap();
    let report = verify(backoffice, &[]).await.unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.chain_rows, report.leaves), (3, 1));
    let rows = audit::list(pool, &audit::Filter::default(), None, 50).await.unwrap().rows;
    let told: Vec<_> = rows.iter().map(|row| (row.seq, row.action.as_str())).collect();
    assert_eq!(told, [(4, "audit.chain_ended"), (3, "staff.added"), (2, "staff.added"), (1, "staff.added")]);
    assert_eq!((&rows[0].detail["rows"], &rows[3].detail["n"]), (&3.into(), &1.into()));
    assert!(proof::prove(backoffice, 4).await.is_ok());
    assert!(matches!(proof::prove(backoffice, 2).await, Err(NoProof::OfTheChain)));
    for (statement, found) in [
        ("update audit_chain set subject = 'x' where seq = 2", "its columns differ from its text"),
        ("update audit_chain set entry = replace(entry, 's2', 'x') where seq = 2", "its text was changed"),
        ("delete from audit_chain where seq = 2", "a row before it is missing"),
        ("delete from audit_chain", ""),
    ] {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let findings = verify(backoffice, &[]).await.unwrap().findings;
        match findings.as_slice() {
            [Finding::Chain { why, .. }] => assert_eq!(why, found),
            [Finding::ChainEnd] => assert_eq!(found, ""),
            other => panic!("{statement}: {other:?}"),
        }
    }
}
