//! Reading grants.

use sqlx::{Postgres, QueryBuilder};
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

const COLUMNS: &str =
    "select id, promotion_code, user_key, event, amount, is_test, state, batch_id, requested_by,
    requested_by_name, requested_at, approved_by_name, settled_at, error_code, error_message, not_paid_by_name
    from grants where true";

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
    let rows: Vec<Grant> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |grant| (grant.requested_at, grant.id.to_string())))
}

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Grant>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and id = ").push_bind(id);
    Ok(query.build_query_as().fetch_optional(&backoffice.pool).await?)
}
