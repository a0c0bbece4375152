//! One attempt at Toss. Every attempt is the same request under the same idempotency key, and after an answer that was lost
//! Toss's list is read before it goes out again.

use rust_decimal::Decimal;
use serde_json::json;
use toss::payments::{Answer, CashReceipt, CashReceiptRequest, Error as TossError, OrderId};
use uuid::Uuid;

use super::{State, Transaction, read_day};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    clock::SEOUL,
    kernel::seal::RECEIPT_IDENTITY,
    payments::{failure_of, state_of, tell_receipt},
};

pub(super) const JOB: Actor = Actor::Job("cash_receipts");
/// Toss forgets an idempotency key after 15 days (toss-api.md A2): from then on the same request would be another receipt.
const KEY_LIFE: time::Duration = time::Duration::days(14);

struct Open {
    order_id: String,
    order_name: Option<String>,
    transaction_type: Transaction,
    kind: String,
    amount: Decimal,
    tax_free_amount: Decimal,
    state: State,
    identity_number: Option<String>,
    requested_at: time::OffsetDateTime,
    confirm_key: Option<String>,
}

/// Asks Toss for an open receipt. Does nothing for one that is settled.
pub(super) async fn execute(backoffice: &Backoffice, id: Uuid) -> Result<(), Fault> {
    let Some(open) = open(backoffice, id).await? else { return Ok(()) };
    // Whether Toss binds what went wrong to its key is not documented (toss-api.md E7): its list tells what there is.
    if open.state == State::Unknown {
        let day = open.requested_at.to_offset(SEOUL).date();
        for day in [Some(day), day.next_day()].into_iter().flatten() {
            if day <= backoffice.clock.today() {
                read_day(backoffice, &JOB, day).await?;
            }
        }
    }
    let Some(open) = self::open(backoffice, id).await? else { return Ok(()) };
    if backoffice.clock.now() - open.requested_at > KEY_LIFE {
        return Err(Fault::Inconsistent(format!(
            "cash receipt {id} was never answered: Toss's list has to tell"
        )));
    }
    match send(backoffice, id, &open).await? {
        Ok(answer) => settle(backoffice, id, &open, &answer.value).await,
        Err(TossError::Refused(refusal)) if refusal.status < 500 && !matches!(refusal.status, 409 | 429) => {
            fail(backoffice, id, &open, &refusal.code).await
        }
        Err(error) => {
            if error.is_unknown() {
                sqlx::query!(
                    "update cash_receipts set state = 'unknown' where id = $1 and state = 'requested'",
                    id
                )
                .execute(&backoffice.pool)
                .await?;
            }
            Err(error.into())
        }
    }
}

/// One that waits for an answer.
async fn open(backoffice: &Backoffice, id: Uuid) -> Result<Option<Open>, Fault> {
    let open = sqlx::query_as!(
        Open,
        r#"select r.order_id, o.order_name as "order_name?", r.transaction_type as "transaction_type: Transaction", r.type as kind,
                  r.amount, r.tax_free_amount, r.state as "state: State", r.identity_number, r.requested_at,
                  c.receipt_key as "confirm_key?"
           from cash_receipts r left join orders o on o.order_id = r.order_id left join cash_receipts c on c.id = r.confirm_id
           where r.id = $1"#,
        id,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    Ok(open.filter(|open| matches!(open.state, State::Requested | State::Unknown)))
}

async fn send(
    backoffice: &Backoffice,
    id: Uuid,
    open: &Open,
) -> Result<Result<Answer<CashReceipt>, TossError>, Fault> {
    let key = format!("cash-receipt-{id}");
    if open.transaction_type == Transaction::Cancel {
        let of = open.confirm_key.as_deref();
        let of = of.ok_or_else(|| Fault::Inconsistent(format!("cash receipt {id} takes back nothing")))?;
        return Ok(backoffice.toss.cancel_cash_receipt(of, Some(open.amount), &key).await);
    }
    let sealed = open.identity_number.as_deref();
    let sealed = sealed.ok_or_else(|| Fault::Inconsistent(format!("cash receipt {id} has no number")))?;
    let request = CashReceiptRequest {
        amount: open.amount,
        order_id: OrderId(open.order_id.clone()),
        order_name: open.order_name.clone().unwrap_or_else(|| open.order_id.clone()),
        customer_identity_number: backoffice.keys.open(RECEIPT_IDENTITY, sealed)?,
        kind: open.kind.clone(),
        tax_free_amount: (!open.tax_free_amount.is_zero()).then_some(open.tax_free_amount),
    };
    Ok(backoffice.toss.issue_cash_receipt(&request, &key).await)
}

async fn settle(backoffice: &Backoffice, id: Uuid, open: &Open, told: &CashReceipt) -> Result<(), Fault> {
    let key = told.receipt_key.as_deref().filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| Fault::Inconsistent(format!("Toss named no key for cash receipt {id}")))?;
    let (state, failure) = (state_of(told), failure_of(told));
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    // Toss's list may have been read while the answer was on its way: that row is this one.
    let stray = sqlx::query_scalar!(
        "select id from cash_receipts where receipt_key = $1 and id <> $2 and origin = 'toss' for update",
        key,
        id
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(stray) = stray {
        sqlx::query!("update cash_receipts set confirm_id = $2 where confirm_id = $1", stray, id)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("delete from cash_receipts where id = $1", stray).execute(&mut *tx).await?;
    }
    let settled = sqlx::query!(
        "update cash_receipts set state = $2, receipt_key = $3, issue_number = $4, receipt_url = $5, failure_code = $6,
                settled_at = $7, requested_at = coalesce($8, requested_at), identity_number = case when $2 = 'completed' then null else identity_number end
         where id = $1 and state in ('requested', 'unknown')",
        id,
        state,
        key,
        told.issue_number,
        told.receipt_url,
        failure,
        now,
        told.requested_at,
    )
    .execute(&mut *tx)
    .await?;
    if settled.rows_affected() == 1 {
        let detail = json!({ "receipt": id, "receiptKey": key, "amount": open.amount, "code": failure });
        let act = Act { action: answered(state), subject_kind: "order", subject: &open.order_id, detail };
        audit::record(&mut tx, now, &JOB, act).await?;
        tell_receipt(&mut tx, now, id).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// What the log calls an answer.
pub(super) fn answered(state: &str) -> &'static str {
    match state {
        "completed" => "cash_receipt.completed",
        "failed" => "cash_receipt.failed",
        _ => "cash_receipt.in_progress",
    }
}

async fn fail(backoffice: &Backoffice, id: Uuid, open: &Open, code: &str) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let failed = sqlx::query!(
        "update cash_receipts set state = 'failed', failure_code = $2, settled_at = $3
         where id = $1 and state in ('requested', 'unknown')",
        id,
        code,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if failed.rows_affected() == 1 {
        let detail = json!({ "receipt": id, "amount": open.amount, "code": code });
        let act = Act { action: answered("failed"), subject_kind: "order", subject: &open.order_id, detail };
        audit::record(&mut tx, now, &JOB, act).await?;
        tell_receipt(&mut tx, now, id).await?;
    }
    tx.commit().await?;
    Ok(())
}
