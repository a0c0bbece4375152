//! The access record as people read it, newest first.

use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Kind;
use crate::{
    Fault,
    page::{Cursor, Page, push_sequence, push_span},
};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Record {
    /// Of its row in the audit log.
    pub seq: i64,
    pub at: OffsetDateTime,
    pub staff_id: Uuid,
    pub staff_name: String,
    pub ip: Option<String>,
    pub kind: Kind,
    /// `order`, `user`, `export` or `words`.
    pub subject_kind: String,
    pub subject: String,
    pub what: Vec<String>,
    pub is_masked: bool,
    pub reason: Option<String>,
    /// Of a file.
    pub people: Option<i64>,
}

/// Records, each with what its row in the log has.
pub(super) const RECORDS: &str =
    "select r.seq, r.at, r.staff_id, coalesce(a.actor_name, '') as staff_name, a.ip, r.kind,
        r.subject_kind, r.subject, r.what, r.is_masked, r.reason, r.people
    from access_records r left join audit a on a.seq = r.seq where true";

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Filter {
    pub staff: Option<Uuid>,
    pub kind: Option<Kind>,
    /// An order's id, a user's key, an export's id. Files that an order is in are found too.
    pub subject: Option<String>,
    /// Hashes of words that somebody was looked for by.
    #[serde(default)]
    pub words: Vec<String>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// Without this moment.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub before: Option<OffsetDateTime>,
}

/// What a row of the audit log stands for, as long as it is kept.
pub async fn get(pool: &PgPool, seq: i64) -> Result<Option<Record>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(RECORDS);
    query.push(" and r.seq = ").push_bind(seq);
    Ok(query.build_query_as().fetch_optional(pool).await?)
}

pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Record>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(RECORDS);
    if let Some(staff) = filter.staff {
        query.push(" and r.staff_id = ").push_bind(staff);
    }
    if let Some(kind) = filter.kind {
        query.push(" and r.kind = ").push_bind(kind.as_str());
    }
    if filter.subject.is_some() || !filter.words.is_empty() {
        let subject = filter.subject.clone().unwrap_or_default();
        query
            .push(" and (r.subject_kind <> 'words' and r.subject = ")
            .push_bind(subject.clone())
            .push(" or r.subject_kind = 'words' and r.subject = any(")
            .push_bind(filter.words.clone())
            .push(") or r.subject_kind = 'export' and r.subject in (select export_id::text from export_people where order_id = ")
            .push_bind(subject)
            .push("))");
    }
    push_span(&mut query, "r.at", filter.since, filter.before);
    push_sequence(&mut query, cursor, "r.seq", size);
    let rows = query.build_query_as().fetch_all(pool).await?;
    Ok(Page::new(rows, size, cursor, |record: &Record| (record.at, record.seq.to_string())))
}
