//! The log as people read it, newest first: the chain of before among it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::{
    Fault,
    page::{Cursor, Page, push_sequence, push_span},
};

/// A row as people read it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub seq: i64,
    pub at: OffsetDateTime,
    pub actor: String,
    pub actor_name: String,
    pub role: Option<String>,
    pub ip: Option<String>,
    pub agent: Option<String>,
    pub factor: Option<String>,
    pub action: String,
    pub subject_kind: String,
    pub subject: String,
    /// Of somebody of the staff, or of an endpoint of the merchant's, their name of today, in lists.
    #[sqlx(default)]
    pub subject_name: Option<String>,
    pub detail: Value,
}

/// Rows of the view, each with the name of whom it is about.
const NAMED: &str =
    "select a.*, coalesce((select s.name from staff s where a.subject_kind = 'staff' and s.id::text = a.subject),
                              (select p.name from event_endpoints p
                               where a.subject_kind = 'event_endpoint' and p.id::text = a.subject),
                              (select k.name from api_keys k
                               where a.subject_kind = 'api_key' and k.id::text = a.subject)) as subject_name
                     from audit_rows a where true";

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Filter {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub subject: Option<String>,
    /// Without rows that say who saw personal data: they have a list of their own ([`super::access`]).
    #[serde(default)]
    pub is_changes: bool,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// Without this moment.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub before: Option<OffsetDateTime>,
}

pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Row>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(NAMED);
    if let Some(actor) = &filter.actor {
        query
            .push(" and (actor = ")
            .push_bind(actor.clone())
            .push(" or actor_name = ")
            .push_bind(actor.clone())
            .push(")");
    }
    if let Some(action) = &filter.action {
        query.push(" and action = ").push_bind(action.clone());
    }
    if let Some(subject) = &filter.subject {
        query.push(" and subject = ").push_bind(subject.clone());
    }
    if filter.is_changes {
        // As the index has it.
        query.push(" and action not like 'personal.%'");
    }
    push_span(&mut query, "at", filter.since, filter.before);
    push_sequence(&mut query, cursor, "seq", size);
    let rows = query.build_query_as().fetch_all(pool).await?;
    Ok(Page::new(rows, size, cursor, |row: &Row| (row.at, row.seq.to_string())))
}

pub async fn get(pool: &PgPool, seq: i64) -> Result<Option<Row>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(NAMED);
    query.push(" and seq = ").push_bind(seq);
    Ok(query.build_query_as().fetch_optional(pool).await?)
}

/// Everything that happened to one thing, newest first.
pub async fn of_subject(pool: &PgPool, kind: &str, subject: &str) -> Result<Vec<Row>, Fault> {
    let rows = sqlx::query_as(
        "select * from audit_rows where subject_kind = $1 and subject = $2 order by seq desc limit 500",
    )
    .bind(kind)
    .bind(subject)
    .fetch_all(pool)
    .await?;
    Ok(rows)
}
