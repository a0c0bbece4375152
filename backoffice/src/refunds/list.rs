//! Reading refunds.

use rust_decimal::Decimal;
use sqlx::{Postgres, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Refund, State};
use crate::{
    Backoffice, Fault,
    page::{Cursor, Page, push_keyset},
};

#[derive(sqlx::FromRow)]
struct Stored {
    id: Uuid,
    order_id: String,
    payment_key: String,
    amount: Decimal,
    currency: String,
    refundable_amount: Decimal,
    reason_code: String,
    reason: String,
    state: String,
    requested_by_name: String,
    requested_at: OffsetDateTime,
    attempts: i32,
    settled_at: Option<OffsetDateTime>,
    transaction_key: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
}

impl TryFrom<Stored> for Refund {
    type Error = Fault;

    fn try_from(s: Stored) -> Result<Self, Fault> {
        let state = State::parse(&s.state)
            .ok_or_else(|| Fault::Inconsistent(format!("refund state {:?}", s.state)))?;
        Ok(Self {
            id: s.id,
            order_id: s.order_id,
            payment_key: s.payment_key,
            amount: s.amount,
            currency: s.currency,
            refundable_amount: s.refundable_amount,
            reason_code: s.reason_code,
            reason: s.reason,
            state,
            requested_by_name: s.requested_by_name,
            requested_at: s.requested_at,
            attempts: s.attempts,
            settled_at: s.settled_at,
            transaction_key: s.transaction_key,
            error_code: s.error_code,
            error_message: s.error_message,
        })
    }
}

const COLUMNS: &str =
    "select id, order_id, payment_key, amount, currency, refundable_amount, reason_code, reason, state,
    requested_by_name, requested_at, attempts, settled_at, transaction_key, error_code, error_message
    from refunds where true";

#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub state: Option<State>,
    pub order_id: Option<String>,
}

impl Backoffice {
    pub async fn refunds(
        &self,
        filter: &Filter,
        cursor: Option<&Cursor>,
        size: usize,
    ) -> Result<Page<Refund>, Fault> {
        let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
        if let Some(state) = filter.state {
            query.push(" and state = ").push_bind(state.as_str());
        }
        if let Some(order_id) = &filter.order_id {
            query.push(" and order_id = ").push_bind(order_id.clone());
        }
        push_keyset(&mut query, cursor, "requested_at", "id::text", size);
        let rows: Vec<Stored> = query.build_query_as().fetch_all(&self.pool).await?;
        let rows = rows.into_iter().map(Refund::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::new(rows, size, cursor, |refund| (refund.requested_at, refund.id.to_string())))
    }

    pub async fn refund_by_id(&self, id: Uuid) -> Result<Option<Refund>, Fault> {
        sqlx::query_as!(
            Stored,
            "select id, order_id, payment_key, amount, currency, refundable_amount, reason_code, reason, state,
                    requested_by_name, requested_at, attempts, settled_at, transaction_key, error_code, error_message
             from refunds where id = $1",
            id,
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Refund::try_from)
        .transpose()
    }
}
