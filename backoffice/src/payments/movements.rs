//! What a payment tells of its own movements, and a row of Toss's lists: both are booked as transactions.

use rust_decimal::Decimal;
use serde_json::{Value, value::RawValue};
use sqlx::PgConnection;
use time::OffsetDateTime;
use toss::payments::Transaction;

use super::{FetchSeq, Movement, OUTGOING, ProviderPayment, provider_payment::is_paid};
use crate::{Fault, kernel::text};

/// Money that moved: neither issued accounts nor the cancels of accounts that nobody paid into (toss-api.md A7).
pub(crate) const MOVES: &str = "t.status <> 'WAITING_FOR_DEPOSIT'
    and not (t.method = '가상계좌' and t.status in ('CANCELED', 'PARTIAL_CANCELED')
             and not exists (select 1 from transactions d where d.payment_key = t.payment_key and d.status = 'DONE'))";

/// Books what a payment tells of its own movements. What is booked already stays as it is.
pub(crate) async fn record_movements(
    tx: &mut PgConnection,
    payment: &ProviderPayment,
    now: OffsetDateTime,
) -> Result<(), Fault> {
    for Movement { key, status, amount, at, discount, points, tax_free } in payment.movements() {
        sqlx::query!(
            "insert into transactions
                (transaction_key, payment_key, order_id, rail, method, status, currency, amount, transaction_at,
                 booked_amount, booked_currency, booked_status, discount, points, tax_free, booked_seq)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $7, $6, $10, $11, $12, nextval('fetch_seq'))
             on conflict (transaction_key) do update
                set booked_amount = excluded.booked_amount, booked_currency = excluded.booked_currency,
                    booked_status = excluded.booked_status, tax_free = excluded.tax_free,
                    booked_seq = excluded.booked_seq
                where transactions.booked_amount is null",
            key,
            payment.key(),
            payment.order_id(),
            payment.rail().as_str(),
            payment.method(),
            status,
            payment.currency(),
            amount,
            at.unwrap_or(now),
            discount,
            points,
            tax_free,
        )
        .execute(&mut *tx)
        .await?;
    }
    book_listed(tx, &[payment.key().to_owned()]).await
}

/// Whether an answer tells nothing of a movement that was booked after its question was asked: Toss gave it before that. A
/// cancel stays in every later answer, an approval is left out beside cancels. What a later question says is believed.
pub(super) async fn misses_one(
    conn: &mut PgConnection,
    seq: FetchSeq,
    payment: &ProviderPayment,
) -> Result<bool, Fault> {
    let told: Vec<String> = payment.movements().into_iter().map(|movement| movement.key).collect();
    let misses = sqlx::query_scalar!(
        r#"select exists (select from transactions
                          where payment_key = $1 and booked_seq > $2 and transaction_key <> all($3)
                            and (booked_status = any($4) or not $5)) as "misses!""#,
        payment.key(),
        seq.0,
        &told,
        &OUTGOING.map(str::to_owned),
        is_paid(payment.status()),
    )
    .fetch_one(conn)
    .await?;
    Ok(misses)
}

/// A payment that we heard of after it was cancelled no longer tells the key of its approval, nor that of the account it
/// was issued: what Toss's list says of those is in our books all the same.
pub(crate) async fn book_listed(conn: &mut PgConnection, payment_keys: &[String]) -> Result<(), Fault> {
    sqlx::query!(
        "update transactions t
         set booked_amount = case when t.listed_status = 'DONE' then p.total_amount else 0 end,
             booked_currency = p.currency, booked_status = t.listed_status
         from payments p
         where t.payment_key = any($1) and t.booked_amount is null and p.payment_key = t.payment_key
           and (t.listed_status = 'WAITING_FOR_DEPOSIT' or (t.listed_status = 'DONE' and p.approved_at is not null))",
        payment_keys,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A row of a list of Toss's, as understood and as it came.
#[derive(Debug)]
pub(crate) struct SourceRow {
    pub key: String,
    pub payment_key: String,
    pub order_id: String,
    pub method: Option<String>,
    pub status: String,
    pub currency: String,
    pub amount: Decimal,
    pub at: OffsetDateTime,
    pub discount: Decimal,
    pub points: Decimal,
    pub raw: Value,
}

impl SourceRow {
    pub fn new(row: Transaction, raw: &RawValue) -> Result<Self, Fault> {
        let raw = serde_json::from_str(raw.get()).map_err(Fault::unreadable("a row of transactions"))?;
        Ok(Self {
            key: row.transaction_key.0,
            payment_key: row.payment_key.0,
            order_id: row.order_id.0,
            method: row.method.map(|method| method.as_str().to_owned()),
            status: row.status.as_str().to_owned(),
            currency: row.currency.unwrap_or_else(|| "KRW".into()),
            amount: row.amount.abs(),
            at: row.transaction_at,
            discount: Decimal::ZERO,
            points: Decimal::ZERO,
            raw: text::without_nul(raw),
        })
    }
}
