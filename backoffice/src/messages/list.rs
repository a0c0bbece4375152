//! Reading messages.

use sqlx::{Postgres, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Message, State};
use crate::{
    Backoffice, Fault,
    page::{Cursor, Page, push_keyset},
};

#[derive(sqlx::FromRow)]
struct Stored {
    id: Uuid,
    template_code: String,
    user_key: Option<i64>,
    receivers: i32,
    deployment_id: Option<String>,
    follows: Option<String>,
    state: State,
    result: Option<serde_json::Value>,
    error_code: Option<String>,
    error_message: Option<String>,
    sent_by_name: String,
    requested_at: OffsetDateTime,
}

impl TryFrom<Stored> for Message {
    type Error = Fault;

    fn try_from(s: Stored) -> Result<Self, Fault> {
        Ok(Self {
            state: s.state,
            id: s.id,
            template_code: s.template_code,
            user_key: s.user_key,
            receivers: s.receivers,
            is_test: s.deployment_id.is_some(),
            follows: s.follows,
            result: s.result.and_then(|result| serde_json::from_value(result).ok()),
            error_code: s.error_code,
            error_message: s.error_message,
            sent_by_name: s.sent_by_name,
            requested_at: s.requested_at,
        })
    }
}

const COLUMNS: &str =
    "select id, template_code, user_key, receivers, deployment_id, follows, state, result, error_code,
    error_message, sent_by_name, requested_at from messages where true";

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Message>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and id = ").push_bind(id);
    let row: Option<Stored> = query.build_query_as().fetch_optional(&backoffice.pool).await?;
    row.map(Message::try_from).transpose()
}

pub async fn list(
    backoffice: &Backoffice,
    user: Option<i64>,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Message>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    if let Some(user) = user {
        query.push(" and user_key = ").push_bind(user);
    }
    push_keyset(&mut query, cursor, "requested_at", "id::text", size);
    let rows: Vec<Stored> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    let rows = rows.into_iter().map(Message::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::new(rows, size, cursor, |message| (message.requested_at, message.id.to_string())))
}
