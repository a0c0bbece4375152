//! The events as people read them, newest first.

use serde_json::Value;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Kind, hash_of};
use crate::{
    Backoffice, Fault,
    page::{Cursor, Page, push_sequence},
};

/// One event.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub id: i64,
    pub at: OffsetDateTime,
    pub kind: Kind,
    pub staff_id: Option<Uuid>,
    pub staff_name: Option<String>,
    pub ip: String,
    pub agent: String,
    pub detail: Value,
}

#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub kind: Option<Kind>,
    /// A name, an e-mail address or an id. An address that nobody has finds what was tried with it.
    pub person: Option<String>,
    pub ip: Option<String>,
}

pub async fn list(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Row>, Fault> {
    let pool: &PgPool = &backoffice.pool;
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(
        "select e.id, e.at, e.kind, e.staff_id, s.name as staff_name, e.ip, e.agent, e.detail
         from security_events e left join staff s on s.id = e.staff_id where true",
    );
    if let Some(kind) = filter.kind {
        query.push(" and e.kind = ").push_bind(kind.as_str());
    }
    if let Some(person) = &filter.person {
        let email = person.to_lowercase();
        query
            .push(" and (e.staff_id in (select id from staff where name = ")
            .push_bind(person.clone())
            .push(" or email = ")
            .push_bind(email.clone())
            .push(" or id::text = ")
            .push_bind(email.clone())
            .push(") or e.email = ")
            .push_bind(hash_of(backoffice, &email))
            .push(")");
    }
    if let Some(ip) = &filter.ip {
        query.push(" and e.ip = ").push_bind(ip.clone());
    }
    push_sequence(&mut query, cursor, "e.id", size);
    let rows: Vec<Row> = query.build_query_as().fetch_all(pool).await?;
    Ok(Page::new(rows, size, cursor, |row: &Row| (row.at, row.id.to_string())))
}
