//! Reading refunds.

use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{Refund, RefundError, Stage, State, TASK_AFTER};
use crate::{
    Backoffice, Fault,
    clock::day_start,
    page::{Cursor, Direction, Page, push_keyset},
    payments::MOVES,
};

text_enum! {
    /// Who sent money back.
    Origin {
        /// Asked for here.
        Here = "here",
        /// In Toss's console, or by another system with the same key: Toss does not tell which.
        Toss = "toss",
        /// A store gave back an in-app purchase.
        Store = "store",
    }
}

/// The reason of what was not asked for here.
pub const ELSEWHERE: &str = "elsewhere";

const OURS: &str = "select id::text as key, id, 'here' as origin, order_id, payment_key, amount, currency, refundable_amount, tax_free_amount,
    reason_code, reason, state, requested_by, requested_by_name, requested_at, approval_reason,
    approved_by_name, approved_at, attempts, settled_at, settled_by_name, needs_person, transaction_key, stage,
    stage_at, stage_by_name, stage_note, expected_on, bank_due_on, look_at, error_code, error_message
    from refunds";

/// What the books of transactions know of money that went back and no intent of ours is. An intent that is not settled may
/// still turn out to be it.
fn elsewhere() -> String {
    format!(
        "select t.transaction_key as key, md5(t.transaction_key)::uuid as id, case t.rail when 'iap' then 'store' else 'toss' end as origin, t.order_id,
            t.payment_key, t.amount, t.currency, t.amount as refundable_amount, t.tax_free as tax_free_amount,
            '{ELSEWHERE}' as reason_code, '' as reason, 'succeeded' as state,
            null::uuid as requested_by, '' as requested_by_name, t.transaction_at as requested_at,
            null::text as approval_reason, null::text as approved_by_name, null::timestamptz as approved_at, 0 as attempts,
            t.transaction_at as settled_at, null::text as settled_by_name, null::text as needs_person, t.transaction_key,
            null::text as stage, null::timestamptz as stage_at, null::text as stage_by_name,
            null::text as stage_note, null::date as expected_on, null::date as bank_due_on, null::timestamptz as look_at,
            null::text as error_code, null::text as error_message
         from transactions t where {}",
        went_back_elsewhere()
    )
}

/// Of a transaction `t`: it sent money back, and is no intent of ours. Its statuses are written out for the index of migration 24.
pub(super) fn went_back_elsewhere() -> String {
    format!(
        "t.status in ('CANCELED', 'PARTIAL_CANCELED', 'REFUND_SUCCESS', 'REFUNDED') and {MOVES} and {NOT_OURS}"
    )
}

/// Asked row by row: a list that is cut off after a page must not read all refunds first.
const NOT_OURS: &str = "(select 1 from refunds r where r.transaction_key = t.transaction_key limit 1) is null
    and (select 1 from refunds r where r.order_id = t.order_id and r.payment_key = t.payment_key and r.amount = t.amount
           and coalesce(r.transaction_key, '') = '' and r.state not in ('failed', 'declined') limit 1) is null";

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Filter {
    #[serde(default)]
    pub origin: Option<Origin>,
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

impl Filter {
    /// Only what was asked for here can be it.
    fn is_ours_only(&self) -> bool {
        self.origin == Some(Origin::Here)
            || self.state.is_some_and(|state| state != State::Succeeded)
            || self.reason_code.as_deref().is_some_and(|code| code != ELSEWHERE)
            || self.stage.is_some()
            || self.by.is_some()
            || self.overdue_at.is_some()
            || self.not_arrived_on.is_some()
    }

    fn push(&self, query: &mut QueryBuilder<Postgres>) {
        if let Some(origin) = self.origin {
            query.push(" and origin = ").push_bind(origin.as_str());
        }
        if let Some(state) = self.state {
            query.push(" and state = ").push_bind(state.as_str());
        }
        if let Some(stage) = self.stage {
            query.push(" and stage = ").push_bind(stage.as_str());
        }
        if let Some(order_id) = &self.order_id {
            query.push(" and order_id = ").push_bind(order_id.clone());
        }
        if let Some(reason) = &self.reason_code {
            query.push(" and reason_code = ").push_bind(reason.clone());
        }
        if let Some(by) = &self.by {
            query.push(" and position(").push_bind(by.clone()).push(" in requested_by_name) > 0");
        }
        if let Some(from) = self.from {
            query.push(" and requested_at >= ").push_bind(day_start(from));
        }
        if let Some(after) = self.to.and_then(Date::next_day) {
            query.push(" and requested_at < ").push_bind(day_start(after));
        }
        if let Some(now) = self.overdue_at {
            query
                .push(" and state in ('requested', 'approved', 'sending', 'unknown') and (needs_person is not null or coalesce(approved_at, requested_at) <= ")
                .push_bind(now - TASK_AFTER)
                .push(")");
        }
        if let Some(today) = self.not_arrived_on {
            query
                .push(" and look_at is not null and (stage <> 'at_the_bank' or bank_due_on < ")
                .push_bind(today)
                .push(")");
        }
    }
}

/// What was asked for here, newest first.
pub async fn list(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Refund>, Fault> {
    let rows = rows_of(backoffice, OURS, filter, cursor, size).await?;
    Ok(Page::new(rows, size, cursor, |refund| (refund.requested_at, key_of(refund))))
}

/// All money that went back, or is to: what was asked for here, in Toss's console, by another system, by a store.
pub async fn history(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Refund>, Fault> {
    if filter.is_ours_only() {
        return list(backoffice, filter, cursor, size).await;
    }
    let mut rows = rows_of(backoffice, OURS, filter, cursor, size).await?;
    // Nothing beyond a full page of ours can stand on it: the other books are read no further than that.
    let backwards = cursor.is_some_and(|cursor| cursor.direction == Direction::Newer);
    let end = rows.last().filter(|_| rows.len() > size).map(|last| {
        let compare = if backwards { "<=" } else { ">=" };
        (compare, last.requested_at)
    });
    let mut query = QueryBuilder::<Postgres>::new("select * from (");
    query.push(elsewhere()).push(") x where true");
    if let Some((compare, at)) = end {
        query.push(format!(" and requested_at {compare} ")).push_bind(at);
    }
    filter.push(&mut query);
    push_keyset(&mut query, cursor, "requested_at", KEY, size);
    rows.extend(query.build_query_as::<Refund>().fetch_all(&backoffice.pool).await?);
    rows.sort_by(|a, b| {
        let order = (a.requested_at, key_of(a)).cmp(&(b.requested_at, key_of(b)));
        if backwards { order } else { order.reverse() }
    });
    rows.truncate(size + 1);
    Ok(Page::new(rows, size, cursor, |refund| (refund.requested_at, key_of(refund))))
}

async fn rows_of(
    backoffice: &Backoffice,
    from: &str,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Vec<Refund>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new("select * from (");
    query.push(from).push(") x where true");
    filter.push(&mut query);
    push_keyset(&mut query, cursor, "requested_at", KEY, size);
    Ok(query.build_query_as().fetch_all(&backoffice.pool).await?)
}

/// The key of a page, ordered by its bytes: here and in the database alike.
const KEY: &str = r#"key collate "C""#;

/// In the order of an index on both sides.
fn key_of(refund: &Refund) -> String {
    match (refund.origin, &refund.transaction_key) {
        (Origin::Toss | Origin::Store, Some(key)) => key.clone(),
        _ => refund.id.to_string(),
    }
}

/// How an intent stands that was there a moment ago.
pub(super) async fn get_known(backoffice: &Backoffice, id: Uuid) -> Result<Refund, RefundError> {
    get(backoffice, id).await?.ok_or_else(|| Fault::Inconsistent(format!("refund {id} is gone")).into())
}

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Refund>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(OURS);
    query.push(" where id = ").push_bind(id);
    Ok(query.build_query_as().fetch_optional(&backoffice.pool).await?)
}
