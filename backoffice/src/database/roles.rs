//! Who may do what in the database. Three of them: the owner makes the tables, the application works with them and can neither
//! alter them nor rewrite what is written once, a reader only reads, and no secrets of staff.
//!
//! The roles themselves, and their passwords, are made by whoever runs PostgreSQL.

use sqlx::{PgPool, Postgres, Transaction};

use super::SCHEMA;
use crate::{Fault, queue};

/// Written once: the application adds rows and reads them.
const WRITTEN_ONCE: &[&str] = &[
    "access_records",
    "api_requests",
    "audit",
    "audit_checkpoints",
    "audit_checks",
    "audit_leaves",
    "audit_tiles",
    "closed_days",
    "closed_rows",
    "event_attempts",
    "failed_attempts",
    "right_changes",
    "security_events",
    "toss_calls",
];

/// The application reads them, and no more.
const READ_ONLY: &[&str] = &["_sqlx_migrations", "audit_chain"];

/// Rows of these may go: what has served its time, what is counted anew, what somebody takes back. Triggers say how old a row of
/// what is written once has to be.
const MAY_GO: &[&str] = &[
    "access_records",
    "after_close",
    "api_key_secrets",
    "api_requests",
    "audit_places",
    "audit_unsealed",
    "cash_receipt_checks",
    "cash_receipts",
    "event_attempts",
    "event_queue",
    "event_secrets",
    "event_snapshots",
    "events",
    "export_parts",
    "export_people",
    "exports",
    "form_answers",
    "limit_requests",
    "missing_events",
    "oidc_log_ins",
    "oidc_log_outs",
    "own_role_requests",
    "own_roles",
    "passkey_challenges",
    "reconciled_days",
    "retention_deferred",
    "role_requests",
    "security_places",
    "settlements",
    "staff_devices",
    "staff_factors",
    "staff_identities",
    "staff_invitations",
    "staff_notices",
    "staff_recovery_codes",
    "staff_sessions",
    "throttle",
    "toss_calls",
    "toss_pay_requests",
    "webhook_replays",
    "right_changes",
    "security_events",
];

/// What a reader never sees: whatever lets somebody in, or opens what is sealed.
const SECRET: &[&str] = &[
    "api_key_secrets",
    "data_keys",
    "event_secrets",
    "form_answers",
    "grant_keys",
    "oidc_log_ins",
    "oidc_log_outs",
    "passkey_challenges",
    "staff_factors",
    "staff_identities",
    "staff_invitations",
    "staff_recovery_codes",
    "staff_sessions",
    "throttle",
];

/// Gives an application and readers what they may do, and takes away what they may not. Asked again with the same names, nothing
/// changes; a table that has come since is given too. Has to be said by the owner.
///
/// # Errors
/// A role that is not there, or whoever connects owns nothing.
pub async fn grant(pool: &PgPool, application: &str, readers: &[String]) -> Result<(), Fault> {
    let mut tx = pool.begin().await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = 'jangbu'::regnamespace and relkind in ('r', 'p', 'v')
         order by 1",
    )
    .fetch_all(&mut *tx)
    .await?;
    let (ours, jobs) = (SCHEMA, queue::SCHEMA);

    // Whoever had something before, and is not named any more, has nothing.
    let others: Vec<String> = sqlx::query_scalar(
        "select distinct g.grantee::regrole::text from pg_class c, aclexplode(c.relacl) g
         where c.relnamespace = any(array['jangbu', $1]::regnamespace[]) and g.grantee not in (0, c.relowner)",
    )
    .bind(jobs)
    .fetch_all(&mut *tx)
    .await?;
    for other in others {
        take_all(&mut tx, &other).await?;
    }
    let role = quoted(application);
    take_all(&mut tx, &role).await?;
    for schema in [ours, jobs] {
        run(&mut tx, &format!("grant usage on schema {schema} to {role}")).await?;
        run(&mut tx, &format!("grant usage, select on all sequences in schema {schema} to {role}")).await?;
        run(&mut tx, &format!("grant execute on all functions in schema {schema} to {role}")).await?;
    }
    for table in &tables {
        let table = table.as_str();
        let mut may = vec!["select"];
        if !READ_ONLY.contains(&table) {
            may.push("insert");
            if !WRITTEN_ONCE.contains(&table) {
                may.push("update");
            }
            if MAY_GO.contains(&table) {
                may.push("delete");
            }
        }
        run(&mut tx, &format!("grant {} on {ours}.{} to {role}", may.join(", "), quoted(table))).await?;
    }
    run(&mut tx, &format!("grant select, insert, update, delete on all tables in schema {jobs} to {role}"))
        .await?;
    // The job library guards its tables by rows, and leaves it to their owner to let somebody in.
    let guarded: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = $1::text::regnamespace and relrowsecurity",
    )
    .bind(jobs)
    .fetch_all(&mut *tx)
    .await?;
    for table in guarded.iter().map(|table| quoted(table)) {
        run(&mut tx, &format!("drop policy if exists jangbu_application on {jobs}.{table}")).await?;
        let all = format!("for all to {role} using (true) with check (true)");
        run(&mut tx, &format!("create policy jangbu_application on {jobs}.{table} {all}")).await?;
    }

    for reader in readers {
        let role = quoted(reader);
        take_all(&mut tx, &role).await?;
        run(&mut tx, &format!("grant usage on schema {ours} to {role}")).await?;
        for table in tables.iter().filter(|table| !SECRET.contains(&table.as_str())) {
            let columns = if table == "staff" { columns_of_staff(&mut tx).await? } else { String::new() };
            run(&mut tx, &format!("grant select {columns} on {ours}.{} to {role}", quoted(table))).await?;
        }
        // What lists are made of.
        run(&mut tx, &format!("grant execute on function {ours}.webhook_floor(timestamptz) to {role}"))
            .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Everything about an account but what its password is checked with.
async fn columns_of_staff(tx: &mut Transaction<'_, Postgres>) -> Result<String, Fault> {
    let columns: Vec<String> = sqlx::query_scalar(
        "select attname::text from pg_attribute where attrelid = 'jangbu.staff'::regclass and attnum > 0
         and not attisdropped and attname <> 'password_hash' order by attnum",
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(format!("({})", columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ")))
}

async fn take_all(tx: &mut Transaction<'_, Postgres>, role: &str) -> Result<(), Fault> {
    for schema in [SCHEMA, queue::SCHEMA] {
        for what in ["tables", "sequences", "functions"] {
            run(tx, &format!("revoke all on all {what} in schema {schema} from {role}")).await?;
        }
        run(tx, &format!("revoke all on schema {schema} from {role}")).await?;
    }
    Ok(())
}

/// A name as SQL takes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn run(tx: &mut Transaction<'_, Postgres>, statement: &str) -> Result<(), Fault> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut **tx).await?;
    Ok(())
}
