//! Approvals, issued accounts, deposits and cancels, by Toss's `transactionKey`.

use rust_decimal::Decimal;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use toss::payments::{CancelStatus, Payment, PaymentStatus, Transaction};

use crate::{
    Backoffice, Fault,
    page::{Cursor, Page, push_keyset},
};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub transaction_key: String,
    pub payment_key: String,
    pub order_id: String,
    pub method: Option<String>,
    pub status: String,
    pub currency: String,
    pub amount: Decimal,
    pub transaction_at: OffsetDateTime,
}

impl Row {
    /// Money out? The status says it; the amount's sign does not (toss-api.md A7).
    pub fn is_outgoing(&self) -> bool {
        matches!(self.status.as_str(), "CANCELED" | "PARTIAL_CANCELED")
    }
}

#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub from: Option<OffsetDateTime>,
    pub to: Option<OffsetDateTime>,
    pub outgoing: Option<bool>,
    /// An order id, payment key or transaction key.
    pub q: Option<String>,
}

struct New<'a> {
    key: &'a str,
    payment: &'a Payment,
    status: &'a str,
    amount: Decimal,
    at: OffsetDateTime,
}

async fn insert(tx: &mut PgConnection, new: New<'_>) -> Result<(), Fault> {
    sqlx::query!(
        "insert into transactions
            (transaction_key, payment_key, order_id, method, status, currency, amount, transaction_at, source)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'payment') on conflict (transaction_key) do nothing",
        new.key,
        new.payment.payment_key.as_str(),
        new.payment.order_id.as_str(),
        new.payment.method.as_ref().map(|m| m.as_str().to_owned()),
        new.status,
        new.payment.currency(),
        new.amount,
        new.at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Books what a Payment tells of its own transactions.
pub(crate) async fn learn(
    tx: &mut PgConnection,
    payment: &Payment,
    now: OffsetDateTime,
) -> Result<(), Fault> {
    // Only while nothing was cancelled does lastTransactionKey belong to the approval (toss-api.md A5.2).
    let moved = matches!(
        payment.status,
        PaymentStatus::WaitingForDeposit
            | PaymentStatus::Done
            | PaymentStatus::PartialCanceled
            | PaymentStatus::Canceled
    );
    if let (Some(key), true) = (&payment.last_transaction_key, moved && payment.cancels().is_empty()) {
        let (amount, at) = match payment.status {
            PaymentStatus::WaitingForDeposit => (Decimal::ZERO, payment.requested_at),
            _ => (payment.total_amount, payment.approved_at),
        };
        let new = New {
            key: key.as_str(),
            payment,
            status: payment.status.as_str(),
            amount,
            at: at.unwrap_or(now),
        };
        insert(tx, new).await?;
    }
    let mut left = payment.total_amount;
    for cancel in payment.cancels() {
        left -= cancel.cancel_amount;
        // What the provider has not made yet, or never made, moved no money.
        if matches!(cancel.cancel_status, Some(CancelStatus::InProgress | CancelStatus::Aborted)) {
            continue;
        }
        let Some(key) = &cancel.transaction_key else { continue };
        let whole = cancel.cancel_amount == payment.total_amount;
        let new = New {
            key: key.as_str(),
            payment,
            status: if whole { "CANCELED" } else { "PARTIAL_CANCELED" },
            amount: cancel.cancel_amount,
            at: cancel.canceled_at.unwrap_or(now),
        };
        insert(tx, new).await?;
    }
    Ok(())
}

/// Writes one row of Toss's own list. True when it was not known.
pub(crate) async fn take(pool: &PgPool, row: &Transaction) -> Result<bool, Fault> {
    let fresh = sqlx::query_scalar!(
        r#"insert into transactions
            (transaction_key, payment_key, order_id, method, status, currency, amount, transaction_at, source)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'list')
         on conflict (transaction_key) do update
            set source = 'list', status = excluded.status, amount = excluded.amount, transaction_at = excluded.transaction_at
         returning (xmax = 0) as "fresh!""#,
        row.transaction_key.as_str(),
        row.payment_key.as_str(),
        row.order_id.as_str(),
        row.method.as_ref().map(|m| m.as_str().to_owned()),
        row.status.as_str(),
        row.currency.as_deref().unwrap_or("KRW"),
        row.amount.abs(),
        row.transaction_at,
    )
    .fetch_one(pool)
    .await?;
    Ok(fresh)
}

impl Backoffice {
    pub async fn transactions(
        &self,
        filter: &Filter,
        cursor: Option<&Cursor>,
        size: usize,
    ) -> Result<Page<Row>, Fault> {
        let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(
            "select transaction_key, payment_key, order_id, method, status, currency, amount, transaction_at
             from transactions where true",
        );
        if let Some(q) = &filter.q {
            query.push(" and (transaction_key = ").push_bind(q.clone());
            query.push(" or payment_key = ").push_bind(q.clone());
            query.push(" or order_id = ").push_bind(q.clone()).push(")");
        }
        if let Some(from) = filter.from {
            query.push(" and transaction_at >= ").push_bind(from);
        }
        if let Some(to) = filter.to {
            query.push(" and transaction_at < ").push_bind(to);
        }
        match filter.outgoing {
            Some(true) => drop(query.push(" and status in ('CANCELED', 'PARTIAL_CANCELED')")),
            Some(false) => drop(query.push(" and status not in ('CANCELED', 'PARTIAL_CANCELED')")),
            None => {}
        }
        push_keyset(&mut query, cursor, "transaction_at", "transaction_key", size);
        let rows: Vec<Row> = query.build_query_as().fetch_all(&self.pool).await?;
        Ok(Page::new(rows, size, cursor, |r| (r.transaction_at, r.transaction_key.clone())))
    }

    pub async fn transactions_of_order(&self, order_id: &str) -> Result<Vec<Row>, Fault> {
        let rows = sqlx::query_as!(
            Row,
            "select transaction_key, payment_key, order_id, method, status, currency, amount, transaction_at
             from transactions where order_id = $1 order by transaction_at desc, transaction_key desc",
            order_id,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }
}
