//! Reading refunds.

use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{Refund, Stage, State, TASK_AFTER};
use crate::{
    Backoffice, Fault,
    clock::day_start,
    page::{Cursor, Page, push_keyset},
};

const COLUMNS: &str =
    "select id, order_id, payment_key, amount, currency, refundable_amount, tax_free_amount, tax_exemption_amount, reason_code, reason, state,
    requested_by, requested_by_name, requested_at, approval_reason, approved_by_name, approved_at, attempts,
    settled_at, settled_by_name, needs_person, transaction_key, arrival, stage, stage_at, stage_by_name, stage_note,
    expected_on, bank_due_on, error_code, error_message
    from refunds where true";

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Filter {
    pub state: Option<State>,
    pub stage: Option<Stage>,
    pub order_id: Option<String>,
    pub reason_code: Option<String>,
    /// A part of the name of whoever asked for it.
    pub by: Option<String>,
    /// Seoul days, both included.
    pub from: Option<Date>,
    pub to: Option<Date>,
    /// What is somebody's task: not settled after a quarter of an hour, or beyond a machine.
    #[serde(with = "toss::timestamp::option", default)]
    pub overdue_at: Option<OffsetDateTime>,
    /// On this day in Korea the buyer does not have it as they should ([`Refund::did_not_arrive`]).
    #[serde(default)]
    pub not_arrived_on: Option<Date>,
}

pub async fn list(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Refund>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    if let Some(state) = filter.state {
        query.push(" and state = ").push_bind(state.as_str());
    }
    if let Some(stage) = filter.stage {
        query.push(" and stage = ").push_bind(stage.as_str());
    }
    if let Some(order_id) = &filter.order_id {
        query.push(" and order_id = ").push_bind(order_id.clone());
    }
    if let Some(reason) = &filter.reason_code {
        query.push(" and reason_code = ").push_bind(reason.clone());
    }
    if let Some(by) = &filter.by {
        query.push(" and position(").push_bind(by.clone()).push(" in requested_by_name) > 0");
    }
    if let Some(from) = filter.from {
        query.push(" and requested_at >= ").push_bind(day_start(from));
    }
    if let Some(after) = filter.to.and_then(Date::next_day) {
        query.push(" and requested_at < ").push_bind(day_start(after));
    }
    if let Some(now) = filter.overdue_at {
        query
            .push(" and state in ('requested', 'approved', 'sending', 'unknown') and (needs_person is not null or coalesce(approved_at, requested_at) <= ")
            .push_bind(now - TASK_AFTER)
            .push(")");
    }
    if let Some(today) = filter.not_arrived_on {
        query
            .push(" and look_at is not null and (stage <> 'at_the_bank' or bank_due_on < ")
            .push_bind(today)
            .push(")");
    }
    push_keyset(&mut query, cursor, "requested_at", "id::text", size);
    let rows: Vec<Refund> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |refund| (refund.requested_at, refund.id.to_string())))
}

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Refund>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and id = ").push_bind(id);
    Ok(query.build_query_as().fetch_optional(&backoffice.pool).await?)
}
