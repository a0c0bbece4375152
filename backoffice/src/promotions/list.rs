//! Reading grants.

use sqlx::{Postgres, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Grant, State};
use crate::{
    Backoffice, Fault,
    page::{Cursor, Page, push_keyset},
};

#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub promotion_code: Option<String>,
    pub user_key: Option<i64>,
    pub state: Option<State>,
    pub batch: Option<Uuid>,
}

#[derive(sqlx::FromRow)]
struct Stored {
    id: Uuid,
    promotion_code: String,
    user_key: i64,
    event: String,
    amount: i64,
    is_test: bool,
    state: String,
    batch_id: Option<Uuid>,
    requested_by: Option<Uuid>,
    requested_by_name: String,
    requested_at: OffsetDateTime,
    approved_by_name: Option<String>,
    settled_at: Option<OffsetDateTime>,
    error_code: Option<String>,
    error_message: Option<String>,
}

impl TryFrom<Stored> for Grant {
    type Error = Fault;

    fn try_from(s: Stored) -> Result<Self, Fault> {
        let state = State::stored(&s.state)?;
        Ok(Self {
            id: s.id,
            promotion_code: s.promotion_code,
            user_key: s.user_key,
            event: s.event,
            amount: s.amount,
            is_test: s.is_test,
            state,
            batch_id: s.batch_id,
            requested_by: s.requested_by,
            requested_by_name: s.requested_by_name,
            requested_at: s.requested_at,
            approved_by_name: s.approved_by_name,
            settled_at: s.settled_at,
            error_code: s.error_code,
            error_message: s.error_message,
        })
    }
}

const COLUMNS: &str = "select id, promotion_code, user_key, event, amount, is_test, state, batch_id, requested_by,
    requested_by_name, requested_at, approved_by_name, settled_at, error_code, error_message from grants where true";

pub async fn list(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Grant>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    if let Some(code) = &filter.promotion_code {
        query.push(" and promotion_code = ").push_bind(code.clone());
    }
    if let Some(user) = filter.user_key {
        query.push(" and user_key = ").push_bind(user);
    }
    if let Some(state) = filter.state {
        query.push(" and state = ").push_bind(state.as_str());
    }
    if let Some(batch) = filter.batch {
        query.push(" and batch_id = ").push_bind(batch);
    }
    push_keyset(&mut query, cursor, "requested_at", "id::text", size);
    let rows: Vec<Stored> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    let rows = rows.into_iter().map(Grant::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::new(rows, size, cursor, |grant| (grant.requested_at, grant.id.to_string())))
}

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Grant>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and id = ").push_bind(id);
    let row: Option<Stored> = query.build_query_as().fetch_optional(&backoffice.pool).await?;
    row.map(Grant::try_from).transpose()
}
