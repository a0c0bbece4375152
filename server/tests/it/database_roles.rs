//! Who may do what in the database: the process that serves owns nothing of it.

use std::{collections::BTreeMap, process::Command};

use sqlx::PgPool;

use crate::support::{APPLICATION, READER, Shop, as_role, database, empty_database};

async fn connect(url: &str, role: &str) -> PgPool {
    server::database::connect(&as_role(url, role), 2).await.unwrap()
}

/// Why PostgreSQL says no: the code of its refusal.
async fn refusal(pool: &PgPool, statement: &str) -> Option<String> {
    let mut tx = pool.begin().await.unwrap();
    let outcome = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut *tx).await;
    tx.rollback().await.ok();
    outcome.err()?.as_database_error()?.code().map(|code| code.into_owned())
}

#[tokio::test]
async fn the_application_can_neither_alter_the_tables_nor_rewrite_what_is_written_once() {
    let shop = Shop::open().await;
    shop.paid("ord_roles_1", 10_000).await;
    shop.quiet().await;
    let pool = connect(&shop.database_url, APPLICATION).await;
    let forbidden = [
        "update audit set actor_name = 'nobody'",
        "delete from audit",
        "truncate audit",
        "alter table audit disable trigger all",
        "drop trigger audit_append_only on audit",
        "create or replace function audit_is_append_only() returns trigger language plpgsql as 'begin return null; end'",
        "set session_replication_role = replica",
        "update audit_leaves set seq = 1",
        "delete from audit_leaves where leaf > 3",
        "update audit_tiles set hashes = hashes",
        "delete from audit_checkpoints",
        "insert into audit_chain select * from audit_chain",
        "update audit_chain set entry = ''",
        "delete from audit_checks",
        "update closed_days set note = ''",
        "delete from closed_rows",
        "update right_changes set by_name = ''",
        "update security_events set ip = ''",
        "truncate security_events",
        "update access_records set reason = ''",
        "truncate access_records",
        "update toss_calls set code = ''",
        "truncate toss_calls",
        "delete from orders",
        "delete from payments",
        "delete from refunds",
        "delete from webhook_deliveries",
        "truncate webhook_deliveries",
        "drop table orders",
        "alter table orders add column x text",
        "create table mine (x text)",
        "create index mine on orders (amount)",
        "create function mine() returns int language sql as 'select 1'",
        "alter table webhook_deliveries detach partition webhook_deliveries_2026_11",
        "drop schema jangbu cascade",
        "alter table graphile_worker._private_jobs disable row level security",
        "delete from _sqlx_migrations",
        "insert into _sqlx_migrations select * from _sqlx_migrations",
        "alter table orders owner to current_user",
        "create role mine superuser",
        "copy orders to program 'cat'",
        "select pg_read_file('/etc/passwd')",
        "create extension dblink",
        "create schema mine",
        "alter role current_user superuser",
    ];
    for statement in forbidden {
        // insufficient_privilege, or what may only be generated
        let code = refusal(&pool, statement).await;
        assert!(matches!(code.as_deref(), Some("42501" | "428C9")), "{statement}: {code:?}");
    }
    // Months of deliveries go by a function of the owner's: none younger than a year.
    for month in ["2026_11", "2099_01", "x", "'; drop table orders; --"] {
        let drop = format!("select drop_webhook_month($m${month}$m$)");
        assert_eq!(refusal(&pool, &drop).await.as_deref(), Some("P0001"), "{month}");
        let detach = format!("select detach_webhook_month($m${month}$m$)");
        assert_eq!(refusal(&pool, &detach).await.as_deref(), Some("P0001"), "{month}");
    }
    // It serves as before.
    assert_eq!(refusal(&pool, "select * from orders for update").await, None);
}

#[tokio::test]
async fn a_reader_reads_the_books_and_nothing_that_lets_somebody_in() {
    let shop = Shop::open().await;
    shop.paid("ord_roles_2", 10_000).await;
    let pool = connect(&shop.database_url, READER).await;
    for statement in [
        "select * from orders",
        "select * from payments",
        "select * from audit_rows",
        "select * from webhook_deliveries",
        "select id, email, role from staff",
        "select * from audit_state",
    ] {
        assert_eq!(refusal(&pool, statement).await, None, "{statement}");
    }
    for statement in [
        "select password_hash from staff",
        "select * from staff",
        "select * from staff_sessions",
        "select * from staff_factors",
        "select * from staff_recovery_codes",
        "select * from staff_invitations",
        "select * from data_keys",
        "select * from form_answers",
        "select * from graphile_worker._private_jobs",
        "insert into audit (at, actor, actor_name, action, subject_kind, subject, detail) values (now(), '', '', '', '', '', '{}')",
        "update orders set amount = 1",
        "delete from orders",
        "select * from orders for update",
        "select add_webhook_month(now())",
        "create table mine (x text)",
    ] {
        assert_eq!(refusal(&pool, statement).await.as_deref(), Some("42501"), "{statement}");
    }
}

fn migrate(url: &str, more: &[(&str, &str)]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_jangbu"))
        .arg("migrate")
        .env_clear()
        .envs([("PATH", std::env::var("PATH").unwrap()), ("JANGBU_MODE", "sandbox".to_owned())])
        .env("DATABASE_URL", url)
        .envs(more.iter().copied())
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

#[tokio::test]
async fn only_the_owner_migrates_and_a_process_that_is_not_says_what_is_missing() {
    // So that the roles are there.
    drop(database().await);
    let owner = empty_database().await;
    let application = as_role(&owner, APPLICATION);
    // Nobody has made the tables yet.
    let (fine, said) = migrate(&application, &[]);
    assert!(!fine && said.contains("run `jangbu migrate` as their owner"), "{said}");
    let owned = [("JANGBU_DATABASE_OWNER_URL", owner.as_str()), ("JANGBU_DATABASE_READERS", READER)];
    let (fine, said) = migrate(&application, &owned);
    assert!(fine && said.contains("jangbu_tests may work with them, and owns nothing"), "{said}");
    // Again: the same. And without the owner: it looks, and changes nothing.
    assert!(migrate(&application, &owned).0);
    let (fine, said) = migrate(&application, &[]);
    assert!(fine && said.contains("does not own them and has changed nothing"), "{said}");
    // Said of somebody who does not: nothing would be given, and nobody would notice.
    let (fine, said) = migrate(&owner, &[("JANGBU_DATABASE_OWNER_URL", application.as_str())]);
    assert!(!fine && said.contains("jangbu_tests does not own the tables"), "{said}");

    // A version of the tables that this program does not have yet, and one that it lacks.
    let pool = server::database::connect(&owner, 2).await.unwrap();
    let newest: i64 =
        sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(&pool).await.unwrap();
    sqlx::query("delete from _sqlx_migrations where version = $1").bind(newest).execute(&pool).await.unwrap();
    let (fine, said) = migrate(&application, &[]);
    assert!(!fine && said.contains(&format!("this program needs {newest}")), "{said}");
    let wrong = BTreeMap::from([
        (vec![("JANGBU_DATABASE_OWNER_URL", application.as_str())], "it has to be another role"),
        (vec![("JANGBU_DATABASE_READERS", READER)], "only with JANGBU_DATABASE_OWNER_URL"),
    ]);
    for (more, why) in wrong {
        let (fine, said) = migrate(&application, &more);
        assert!(!fine && said.contains(why), "{said}");
    }
    let live =
        [("JANGBU_MODE", "live"), ("JANGBU_DATABASE_OWNER_URL", "postgres://owner:x@db.example/jangbu")];
    let (fine, said) = migrate(&application, &live);
    assert!(!fine && said.contains("JANGBU_DATABASE_OWNER_URL: JANGBU_MODE is live"), "{said}");
}
