//! Calls as people read them, newest first.

use sqlx::{Postgres, QueryBuilder};

use super::{Api, Opened, Outcome, Row};
use crate::{
    Backoffice, Fault,
    page::{Cursor, Page, push_sequence},
};

const COLUMNS: &str = "select id, at, api, method, path, order_id, payment_key, outcome, status, failure, why, took_ms, trace_id,
    first_trace_id, code, result_type, version, is_other_version from toss_calls where true";

#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub api: Option<Api>,
    pub outcome: Option<Outcome>,
    /// As the contract writes it.
    pub path: Option<String>,
    pub code: Option<String>,
    /// Of a replay either of the two.
    pub trace_id: Option<String>,
    /// An order or a payment. With an order come the calls that name its payment only.
    pub order: Option<String>,
}

pub async fn list(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Row>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    let (api, outcome) = (filter.api.map(Api::as_str), filter.outcome.map(Outcome::as_str));
    let (path, code) = (filter.path.as_deref(), filter.code.as_deref());
    for (column, wanted) in [("api", api), ("outcome", outcome), ("path", path), ("code", code)] {
        if let Some(wanted) = wanted {
            query.push(format!(" and {column} = ")).push_bind(wanted.to_owned());
        }
    }
    if let Some(trace) = &filter.trace_id {
        query.push(" and (trace_id = ").push_bind(trace.clone());
        query.push(" or first_trace_id = ").push_bind(trace.clone()).push(")");
    }
    if let Some(order) = &filter.order {
        let mut keys = payment_keys(backoffice, order).await?;
        keys.push(order.clone());
        query.push(" and (order_id = ").push_bind(order.clone());
        query.push(" or payment_key = any(").push_bind(keys).push("))");
    }
    push_sequence(&mut query, cursor, "id", size);
    let rows: Vec<Row> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |row: &Row| (row.at, row.id.to_string())))
}

/// An order that was tried twice may have had more than one payment.
async fn payment_keys(backoffice: &Backoffice, order_id: &str) -> Result<Vec<String>, Fault> {
    let keys = sqlx::query_scalar!(
        r#"select payment_key as "key!" from orders where order_id = $1 and payment_key is not null
           union select payment_key from payments where order_id = $1"#,
        order_id
    );
    Ok(keys.fetch_all(&backoffice.pool).await?)
}

pub async fn get(backoffice: &Backoffice, id: i64) -> Result<Option<Opened>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and id = ").push_bind(id);
    let Some(row) = query.build_query_as::<Row>().fetch_optional(&backoffice.pool).await? else {
        return Ok(None);
    };
    let said = sqlx::query!("select request, answer from toss_calls where id = $1", id)
        .fetch_optional(&backoffice.pool)
        .await?;
    let (request, answer) = said.map(|said| (said.request, said.answer)).unwrap_or_default();
    Ok(Some(Opened { row, request, answer }))
}
