//! Approvals, issued accounts, deposits and cancels, by Toss's `transactionKey`.

use rust_decimal::Decimal;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use toss::payments::Transaction;

use crate::{
    Backoffice, Fault,
    page::{Cursor, Page, push_keyset},
    payments::{Held, Movement, OUTGOING},
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
        OUTGOING.contains(&self.status.as_str())
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

/// Books what a payment tells of its own movements.
pub(crate) async fn learn(tx: &mut PgConnection, payment: &Held, now: OffsetDateTime) -> Result<(), Fault> {
    for Movement { key, status, amount, at } in payment.movements() {
        sqlx::query!(
            "insert into transactions
                (transaction_key, payment_key, order_id, method, status, currency, amount, transaction_at, source)
             values ($1, $2, $3, $4, $5, $6, $7, $8, 'payment') on conflict (transaction_key) do nothing",
            key,
            payment.key(),
            payment.order_id(),
            payment.method(),
            status,
            payment.currency(),
            amount,
            at.unwrap_or(now),
        )
        .execute(&mut *tx)
        .await?;
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
            Some(true) => drop(query.push(" and status = any(").push_bind(OUTGOING).push(")")),
            Some(false) => drop(query.push(" and status <> all(").push_bind(OUTGOING).push(")")),
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
