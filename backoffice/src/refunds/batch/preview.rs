//! What would happen: every line held against the books and the one rule of what may go back.

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde_json::json;
use sha2::{Digest, Sha256};
use toss::payments::RefundAccount;
use uuid::Uuid;

use super::{BatchError, LineRefused, file, note};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    kernel::seal::{self, Keyring},
    money,
    payments::ProviderPayment,
    rail::Rail,
    refunds::{
        Form, Refused, WhyNot,
        account::{self, Buyer, Kept},
        create_intent::{check_amount, check_reason, parse},
        eligibility,
    },
};

/// Payments read at once: each comes with the whole object Toss sent.
const CHUNK: usize = 500;

/// What the books say of one order.
struct Known {
    currency: String,
    payment: Option<ProviderPayment>,
    buyer: Buyer,
    open_by: Option<(String, Decimal)>,
}

/// One line after its preview.
struct Previewed {
    line: file::Line,
    amount: Option<Decimal>,
    account: Option<Kept>,
    currency: Option<String>,
    balance: Option<Decimal>,
}

/// Keeps a file with what would become of each of its lines. Nothing is refunded.
pub async fn preview(
    backoffice: &Backoffice,
    actor: &Actor,
    file_name: &str,
    bytes: &[u8],
    reason_code: &str,
    reason: &str,
) -> Result<Uuid, BatchError> {
    let form = Form {
        intent: Uuid::nil().to_string(),
        reason_code: reason_code.into(),
        reason: reason.into(),
        ..Form::default()
    };
    parse(&form).map_err(BatchError::Refused)?;
    let mut lines = file::read(bytes).map_err(BatchError::File)?;
    let mut previewed = Vec::with_capacity(lines.len());
    while !lines.is_empty() {
        let chunk: Vec<file::Line> = lines.drain(..lines.len().min(CHUNK)).collect();
        preview_lines(backoffice, chunk, reason.trim(), &mut previewed).await?;
    }
    let file_name: String =
        file_name.chars().filter(|c| !c.is_control()).take(120).collect::<String>().trim().to_owned();
    keep(backoffice, actor, &file_name, bytes, &form, previewed).await
}

async fn preview_lines(
    backoffice: &Backoffice,
    lines: Vec<file::Line>,
    reason: &str,
    done: &mut Vec<Previewed>,
) -> Result<(), Fault> {
    let ids: Vec<String> = lines.iter().map(|line| line.order_id.clone()).collect();
    let mut known = known_orders(backoffice, &ids).await?;
    let earlier = earlier_lines(backoffice, &ids).await?;
    let now = backoffice.clock.now();
    for mut line in lines {
        let mut previewed =
            Previewed { amount: None, account: None, currency: None, balance: None, line: line.clone() };
        if line.refused.is_none() {
            match known.remove(&line.order_id) {
                None => line.refused = Some(LineRefused::Refund(Refused::NoSuchOrder)),
                Some(order) => {
                    previewed.currency = Some(order.currency.clone());
                    previewed.balance = order.payment.as_ref().map(ProviderPayment::left);
                    match judge(&backoffice.keys, &line, &order, reason, now)? {
                        Err(refused) => line.refused = Some(LineRefused::Refund(refused)),
                        Ok((amount, account)) => {
                            previewed.amount = Some(amount);
                            previewed.account = account;
                            if let Some((_, _, file)) =
                                earlier.iter().find(|(id, a, _)| *id == line.order_id && *a == amount)
                            {
                                line.refused = Some(LineRefused::Earlier { file: file.clone() });
                            }
                        }
                    }
                }
            }
        }
        previewed.line = line;
        done.push(previewed);
    }
    Ok(())
}

async fn known_orders(backoffice: &Backoffice, ids: &[String]) -> Result<HashMap<String, Known>, Fault> {
    let rows = sqlx::query!(
        r#"select o.order_id as "order_id!", o.currency as "currency!", p.raw as "raw?", p.refund_receive_account as "own?", o.customer_name, o.rail as "rail!: Rail", r.requested_by_name as "open_by?", r.amount as "open_amount?"
           from orders o
           left join payments p on p.payment_key = o.payment_key
           left join refunds r on r.payment_key = o.payment_key
            and r.state in ('requested', 'waiting_for_approval', 'approved', 'sending', 'unknown')
           where o.order_id = any($1)"#,
        ids,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let payment =
                row.raw.map(|raw| ProviderPayment::open(&backoffice.keys, row.rail, raw)).transpose()?;
            let buyer = match &payment {
                Some(payment) => {
                    Buyer::new(&backoffice.keys, row.own.as_deref(), row.customer_name, payment)?
                }
                None => Buyer::default(),
            };
            let open_by = row.open_by.zip(row.open_amount);
            let known = Known { currency: row.currency, payment, buyer, open_by };
            Ok((row.order_id, known))
        })
        .collect()
}

/// What earlier files have refunded of these orders, or are about to: `(order, amount, file)`.
async fn earlier_lines(
    backoffice: &Backoffice,
    ids: &[String],
) -> Result<Vec<(String, Decimal, String)>, Fault> {
    let rows = sqlx::query!(
        r#"select l.order_id, l.amount as "amount!", b.file_name
           from refund_batch_lines l join refund_batches b on b.id = l.batch_id
           left join refunds r on r.id = l.refund_id
           where l.order_id = any($1) and l.amount is not null
             and (r.state not in ('failed', 'declined')
                  or l.state = 'ready' and b.state in ('waiting_for_approval', 'running', 'stopped'))"#,
        ids,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.order_id, row.amount, row.file_name)).collect())
}

async fn keep(
    backoffice: &Backoffice,
    actor: &Actor,
    file_name: &str,
    bytes: &[u8],
    form: &Form,
    lines: Vec<Previewed>,
) -> Result<Uuid, BatchError> {
    let now = backoffice.clock.now();
    let id = Uuid::now_v7();
    let ready = lines.iter().filter(|line| line.line.refused.is_none());
    let (ready_count, ready_amount) = ready.fold((0_i32, Decimal::ZERO), |(n, sum), line| {
        // The sum is in won; a file that carries anything else needs a second person anyway.
        let won = line.currency.as_deref() == Some("KRW");
        (n + 1, sum + line.amount.filter(|_| won).unwrap_or_default())
    });
    let hash = Sha256::digest(bytes);
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!(
        "insert into refund_batches (id, file_name, file_hash, reason_code, reason, created_by, created_by_name,
                                     created_at, state, lines, ready, ready_amount)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'previewed', $9, $10, $11)",
        id,
        file_name,
        hash.as_slice(),
        form.reason_code,
        form.reason.trim(),
        actor.staff_id(),
        actor.name(),
        now,
        i32::try_from(lines.len()).unwrap_or(i32::MAX),
        ready_count,
        ready_amount,
    )
    .execute(&mut *tx)
    .await?;
    let count = lines.len();
    for chunk in lines.chunks(1000) {
        let rows: Vec<serde_json::Value> = chunk
            .iter()
            .map(|p| {
                json!({ "line": p.line.number, "order_id": p.line.order_id, "amount_text": p.line.amount,
                        "amount": p.amount, "balance": p.balance, "account": p.account.as_ref().map(|a| &a.sealed),
                        "account_masked": p.account.as_ref().map(|a| &a.masked),
                        "account_hash": p.account.as_ref().map(|a| &a.hash),
                        "account_check": p.account.as_ref().map(|a| a.check),
                        "state": if p.line.refused.is_some() { "refused" } else { "ready" },
                        "why": p.line.refused, "refund_id": Uuid::now_v7() })
            })
            .collect();
        sqlx::query!(
            "insert into refund_batch_lines (batch_id, line, order_id, amount_text, amount, balance, account, account_masked, account_hash,
                                             account_check, state, why, refund_id)
             select $1, line, order_id, amount_text, amount, balance, account, account_masked, account_hash, account_check, state, nullif(why, 'null'), refund_id
             from jsonb_to_recordset($2) as x(line int, order_id text, amount_text text, amount numeric, balance numeric, account text,
                                              account_masked text, account_hash text, account_check text,
                                              state text, why jsonb, refund_id uuid)",
            id,
            serde_json::Value::Array(rows),
        )
        .execute(&mut *tx)
        .await?;
    }
    let detail = json!({ "file": file_name, "lines": count, "ready": ready_count, "amount": ready_amount });
    note(&mut tx, now, actor, id, "refund_batch.previewed", detail).await?;
    tx.commit().await?;
    Ok(id)
}

/// The rule of the refund form, for one line.
fn judge(
    keys: &Keyring,
    line: &file::Line,
    order: &Known,
    reason: &str,
    now: time::OffsetDateTime,
) -> Result<Result<(Decimal, Option<Kept>), Refused>, Fault> {
    let (amount, account) = match judge_amount(line, order, reason, now) {
        Ok(judged) => judged,
        Err(refused) => return Ok(Err(refused)),
    };
    let kept = account
        .map(|account| account::keep(keys, seal::LINE_ACCOUNT, &account, order.buyer.check(&account)))
        .transpose()?;
    Ok(Ok((amount, kept)))
}

fn judge_amount(
    line: &file::Line,
    order: &Known,
    reason: &str,
    now: time::OffsetDateTime,
) -> Result<(Decimal, Option<RefundAccount>), Refused> {
    let payment = order.payment.as_ref().ok_or(Refused::NotPossible(WhyNot::NotPaid))?;
    if let Some((by, amount)) = &order.open_by {
        return Err(Refused::AlreadyOpen {
            by: by.clone(),
            amount: *amount,
            currency: order.currency.clone(),
        });
    }
    let may = eligibility(payment, now);
    if let Some(why_not) = may.why_not {
        return Err(Refused::NotPossible(why_not));
    }
    let amount = money::parse(&line.amount, &order.currency).map_err(Refused::Amount)?;
    check_amount(&may, amount, &order.currency)?;
    check_reason(payment.rail(), reason)?;
    if !may.needs_account {
        return Ok((amount, None));
    }
    let typed = line.account.clone().unwrap_or_default();
    Ok((amount, Some(order.buyer.account(&typed)?)))
}
