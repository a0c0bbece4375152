//! What has to be taken back after a refund, whoever made it, and what Toss's lists say.

use futures::TryStreamExt;
use rust_decimal::Decimal;
use serde_json::json;
use sqlx::PgConnection;
use time::{Date, Duration};
use toss::payments::CashReceipt;
use uuid::Uuid;

use super::{
    Origin, Receipt, State, Transaction,
    ask::New,
    execute::{JOB, answered},
    left_of, of_order_on, payment_of, receipted,
};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    clock::day_start,
    orders,
    payments::{failure_of, state_of, tell_receipt},
};

/// Between two readings of a day on which something is under way.
const PAUSE: Duration = Duration::minutes(5);
/// What is under way for longer than this is not asked about any more.
const LONGEST: Duration = Duration::days(14);

/// No more may be receipted than is left of a payment: plans the cancels that are missing.
pub(super) async fn take_back_refunded(backoffice: &Backoffice) -> Result<(), Fault> {
    let orders = sqlx::query_scalar!("select order_id from cash_receipt_checks limit 200")
        .fetch_all(&backoffice.pool)
        .await?;
    for order_id in orders {
        let mut tx = backoffice.pool.begin().await?;
        orders::hold(&mut tx, &order_id).await?;
        if take_back(backoffice, &mut tx, &order_id).await? {
            sqlx::query!("delete from cash_receipt_checks where order_id = $1", order_id)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// True when nothing is left to take back later.
async fn take_back(backoffice: &Backoffice, tx: &mut PgConnection, order_id: &str) -> Result<bool, Fault> {
    let Some(payment) = payment_of(tx, &backoffice.keys, order_id).await? else { return Ok(true) };
    // Money that its bank took back is not there any more.
    let left = left_of(&payment).map_or(Decimal::ZERO, |(left, _)| left);
    let receipts = of_order_on(tx, order_id).await?;
    let mut excess = receipted(&receipts) - left;
    // The newest first; what the tax office still has cannot be taken back yet.
    for receipt in receipts.iter().rev().filter(|receipt| receipt.can_be_cancelled()) {
        if excess <= Decimal::ZERO {
            break;
        }
        let amount = excess.min(receipt.standing);
        let asked = New::taking_back(receipt, Uuid::now_v7(), amount);
        let asked = asked.write(backoffice, tx, &JOB, std::time::Duration::ZERO).await;
        asked.map_err(|error| Fault::Inconsistent(error.to_string()))?;
        excess -= amount;
    }
    let is_under_way = |receipt: &Receipt| {
        receipt.origin != Origin::Payment
            && receipt.transaction_type == Transaction::Confirm
            && matches!(receipt.state, State::Requested | State::Unknown | State::InProgress)
    };
    Ok(excess <= Decimal::ZERO || !receipts.iter().any(is_under_way))
}

/// Reads the days on which something is under way, and each day once when it is over.
pub(super) async fn read_due_days(backoffice: &Backoffice) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    let days = sqlx::query_scalar!(
        r#"select day as "day!" from (
               select distinct (requested_at at time zone 'Asia/Seoul')::date as day from cash_receipts
               where state in ('unknown', 'in_progress') and requested_at > $1
               union select $2::date) due
           where not exists (select 1 from cash_receipt_days d where d.day = due.day
               and d.read_at > case when due.day = $2::date then $3::timestamptz else $4::timestamptz end)
           order by 1"#,
        now - LONGEST,
        backoffice.clock.today() - Duration::DAY,
        day_start(backoffice.clock.today()),
        now - PAUSE,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    for day in days {
        read_day(backoffice, &JOB, day).await?;
    }
    Ok(())
}

/// Reads Toss's list of one Seoul day to its end. How many receipts it has.
pub async fn read_day(backoffice: &Backoffice, actor: &Actor, day: Date) -> Result<u64, Fault> {
    let begun = backoffice.clock.now();
    let told: Vec<CashReceipt> = backoffice.toss.cash_receipts(day).try_collect().await?;
    let count = u64::try_from(told.len()).unwrap_or_default();
    let mut tx = backoffice.pool.begin().await?;
    for receipt in &told {
        note_listed(backoffice, &mut tx, receipt, begun).await?;
    }
    sqlx::query!(
        "insert into cash_receipt_days (day, read_at) values ($1, $2)
         on conflict (day) do update set read_at = excluded.read_at",
        day,
        begun
    )
    .execute(&mut *tx)
    .await?;
    // Every few minutes is no news; somebody's own reading is.
    if actor.staff_id().is_some() {
        let subject = day.to_string();
        let detail = json!({ "rows": count });
        let act = Act { action: "cash_receipts.read", subject_kind: "day", subject: &subject, detail };
        audit::record(&mut tx, begun, actor, act).await?;
    }
    tx.commit().await?;
    Ok(count)
}

/// One row of Toss's list: one of ours by its key, one that was never answered by what it says, or one that we did not know.
async fn note_listed(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    told: &CashReceipt,
    begun: time::OffsetDateTime,
) -> Result<(), Fault> {
    let (Some(key), Some(amount), Some(order)) = (&told.receipt_key, told.amount, &told.order_id) else {
        return Ok(());
    };
    let transaction = told.transaction_type.as_deref().and_then(Transaction::parse);
    let Some(transaction) = transaction.filter(|_| amount > Decimal::ZERO) else { return Ok(()) };
    let kind = told.kind.as_deref().unwrap_or_default();
    let asked_at = told.requested_at.unwrap_or(begun);
    let (state, failure) = (state_of(told), failure_of(told));
    let known = sqlx::query!(
        r#"with one as (
               select id, state from cash_receipts where receipt_key = $1
               union all
               (select id, state from cash_receipts where receipt_key is null and state = 'unknown' and order_id = $2
                    and amount = $3 and transaction_type = $4 and type = $5
                    and not exists (select 1 from cash_receipts where receipt_key = $1)
                order by requested_at limit 1))
           update cash_receipts r set receipt_key = $1, state = $6, failure_code = coalesce($7, r.failure_code),
               issue_number = coalesce($8, r.issue_number), receipt_url = coalesce($9, r.receipt_url),
               requested_at = $11, settled_at = coalesce(r.settled_at, $10), listed_amount = $3, listed_at = $10,
               identity_number = case when $6 = 'completed' then null else r.identity_number end
           from one where r.id = one.id returning r.id, one.state as "was: State""#,
        key,
        order.as_str(),
        amount,
        transaction.as_str(),
        kind,
        state,
        failure,
        told.issue_number,
        told.receipt_url,
        begun,
        asked_at,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(known) = known else {
        let id = Uuid::now_v7();
        sqlx::query!(
            "insert into cash_receipts (id, order_id, origin, transaction_type, confirm_id, type, amount, tax_free_amount, state,
                                        failure_code, receipt_key, issue_number, receipt_url, requested_at, settled_at,
                                        listed_amount, listed_at)
             values ($1, $2, 'toss', $3, (select id from cash_receipts where issue_number = $4 and order_id = $2
                        and transaction_type = 'CONFIRM' and $3 = 'CANCEL' limit 1),
                     $5, $6, least($7::numeric, $6), $8, $9, $10, $4, $11, $12, $12, $6, $13)",
            id,
            order.as_str(),
            transaction.as_str(),
            told.issue_number,
            kind,
            amount,
            told.tax_free_amount.unwrap_or_default(),
            state,
            failure,
            key,
            told.receipt_url,
            asked_at,
            begun,
        )
        .execute(&mut *tx)
        .await?;
        return tell_receipt(tx, backoffice.clock.now(), id).await;
    };
    if known.was.is_some_and(|was| was.as_str() != state) {
        let detail = json!({ "receipt": known.id, "receiptKey": key, "amount": amount, "code": failure });
        let act = Act { action: answered(state), subject_kind: "order", subject: order.as_str(), detail };
        let now = backoffice.clock.now();
        audit::record(tx, now, &JOB, act).await?;
        tell_receipt(tx, now, known.id).await?;
    }
    Ok(())
}
