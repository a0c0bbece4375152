//! What is personal of orders and payments goes when no law keeps it any longer. The order itself, its figures and its history
//! stay: whose they were, nobody can tell.

use serde_json::Value;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::payment_keys;
use crate::{
    Backoffice, Fault,
    kernel::{
        periods::Class,
        personal::without_persons,
        seal::{Keyring, PAYMENT},
    },
};

/// Orders that are cleared in one transaction.
const AT_ONCE: i64 = 500;

/// Clears orders that are older than that and have nothing newer about them; how many there were. Goes on where it stopped.
pub(crate) async fn expire(backoffice: &Backoffice, before: OffsetDateTime) -> Result<u64, Fault> {
    let mut cleared = 0;
    // Those that were too young for it when their turn came.
    loop {
        let mut tx = backoffice.pool.begin().await?;
        let due = sqlx::query_scalar!(
            "delete from retention_deferred where order_id in (
                 select order_id from retention_deferred where due_at <= $1 order by due_at limit $2 for update skip locked)
             returning order_id",
            backoffice.clock.now(),
            AT_ONCE,
        )
        .fetch_all(&mut *tx)
        .await?;
        if due.is_empty() {
            break;
        }
        cleared += expire_some(backoffice, &mut tx, &due, before).await?;
        tx.commit().await?;
    }
    let mut after =
        sqlx::query_scalar!("select done_to from retention_runs where class = $1", Class::Contracts.as_str())
            .fetch_optional(&backoffice.pool)
            .await?
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let mut after_id = String::new();
    loop {
        let mut tx = backoffice.pool.begin().await?;
        let rows = sqlx::query!(
            "select order_id, created_at from orders where (created_at, order_id) > ($1, $2) and created_at < $3
             order by created_at, order_id limit $4",
            after,
            after_id,
            before,
            AT_ONCE,
        )
        .fetch_all(&mut *tx)
        .await?;
        let Some(last) = rows.last() else { break };
        (after, after_id) = (last.created_at, last.order_id.clone());
        let orders: Vec<String> = rows.into_iter().map(|row| row.order_id).collect();
        cleared += expire_some(backoffice, &mut tx, &orders, before).await?;
        // Broken off, it goes on from here.
        sqlx::query!(
            "insert into retention_runs (class, done_to, ran_at) values ($1, $2, $3)
             on conflict (class) do update set done_to = greatest(retention_runs.done_to, excluded.done_to)",
            Class::Contracts.as_str(),
            after,
            backoffice.clock.now(),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
    }
    cleared += the_rest(backoffice, before).await?;
    Ok(cleared)
}

/// Clears those about which nothing newer is known; the others have their turn later.
async fn expire_some(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    orders: &[String],
    before: OffsetDateTime,
) -> Result<u64, Fault> {
    let rows = sqlx::query!(
        r#"select o.order_id, greatest(o.created_at, o.paid_at,
                      (select max(coalesce(r.settled_at, r.requested_at)) from refunds r where r.order_id = o.order_id),
                      (select max(t.transaction_at) from transactions t where t.order_id = o.order_id)) as "last!"
           from orders o where o.order_id = any($1) and o.cleared_at is null order by o.order_id for update"#,
        orders
    )
    .fetch_all(&mut *tx)
    .await?;
    let (old, young): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.last < before);
    let period = backoffice.retention.of(Class::Contracts);
    for row in young {
        sqlx::query!(
            "insert into retention_deferred (order_id, due_at) values ($1, $2)
             on conflict (order_id) do update set due_at = excluded.due_at",
            row.order_id,
            // Months end on different days: never the same row twice in one run.
            period.after(row.last).max(backoffice.clock.now() + Duration::DAY),
        )
        .execute(&mut *tx)
        .await?;
    }
    let old: Vec<String> = old.into_iter().map(|row| row.order_id).collect();
    clear(tx, &backoffice.keys, backoffice.clock.now(), &old).await?;
    Ok(u64::try_from(old.len()).unwrap_or(u64::MAX))
}

/// Nothing of these orders is anybody's any more.
pub(super) async fn clear(
    tx: &mut PgConnection,
    keys: &Keyring,
    now: OffsetDateTime,
    orders: &[String],
) -> Result<(), Fault> {
    if orders.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update orders set customer_name = null, customer_mobile_phone = null, customer_email = null, user_key = null,
             customer_mobile_phone_hash = null, customer_email_hash = null, cleared_at = $2
         where order_id = any($1)",
        orders,
        now,
    )
    .execute(&mut *tx)
    .await?;
    for key in payment_keys(tx, orders).await? {
        let raw: Value =
            sqlx::query_scalar!("select raw from payments where payment_key = $1 for update", key)
                .fetch_one(&mut *tx)
                .await?;
        // What is sealed stays sealed: whoever opens it finds nothing.
        let raw = without_persons(raw, &mut || keys.seal(PAYMENT, ""))?;
        sqlx::query!(
            "update payments set raw = $2, refund_receive_account = null where payment_key = $1",
            key,
            raw
        )
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query!(
        "update refunds set refund_account = null, account_masked = null, account_hash = null
         where order_id = any($1) and (refund_account is not null or account_masked is not null or account_hash is not null)",
        orders
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "update refund_batch_lines set account = null, account_masked = null, account_hash = null where order_id = any($1)",
        orders
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "update cash_receipts set identity_number = null, identity_masked = null where order_id = any($1)",
        orders
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from toss_pay_requests where order_id = any($1)", orders).execute(&mut *tx).await?;
    Ok(())
}

/// What hangs on no order of ours: what events told of customers, profiles of whoever has not come back, who paid in by the bank.
async fn the_rest(backoffice: &Backoffice, before: OffsetDateTime) -> Result<u64, Fault> {
    let mut gone = 0;
    for statement in [
        sqlx::query!(
            "delete from event_snapshots where happened_at < $1 and subject in ('customer', 'billing_key')",
            before
        ),
        sqlx::query!(
            "update toss_users set sealed = '{}' where last_login_at < $1 and sealed <> '{}'",
            before
        ),
        sqlx::query!(
            "update bank_lines set memo = '#' || id where day < $1::timestamptz::date and not is_toss and memo not like '#%'",
            before
        ),
    ] {
        gone += statement.execute(&backoffice.pool).await?.rows_affected();
    }
    Ok(gone)
}
