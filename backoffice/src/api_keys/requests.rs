//! What was called with which key: for whoever writes the shop's server, and for whoever asks what a key was used for. Never a body
//! or a query.

use serde::Serialize;
use sqlx::{PgPool, Postgres, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Backoffice, Fault,
    kernel::later::{Later, Row as LaterRow},
    page::{Cursor, Page, push_sequence},
};

/// A call that was answered.
#[derive(Debug, Serialize)]
pub struct Request {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Nothing: the key of the settings, or none.
    pub key_id: Option<Uuid>,
    pub key_name: Option<String>,
    pub method: String,
    /// As the document of the API writes it.
    pub route: String,
    pub status: u16,
    /// Of a refusal.
    pub code: Option<String>,
    pub took_ms: i32,
    pub request_id: String,
    pub ip: Option<String>,
}

impl LaterRow for Request {
    const DROPPED: &'static str = "jangbu_api_requests_dropped_total";

    async fn insert(pool: &PgPool, rows: &[Self]) -> Result<(), Fault> {
        let rows = serde_json::to_value(rows).map_err(Fault::unreadable("a call of the merchant's API"))?;
        sqlx::query!(
            "insert into api_requests (at, key_id, key_name, method, route, status, code, took_ms, request_id, ip)
             select at, key_id, key_name, method, route, status, code, took_ms, request_id, ip
             from jsonb_to_recordset($1) as r (at timestamptz, key_id uuid, key_name text, method text, route text,
                  status integer, code text, took_ms integer, request_id text, ip text)",
            rows,
        )
        .execute(pool)
        .await?;
        Ok(())
    }
}

/// Takes calls down. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RequestLog(Later<Request>);

impl RequestLog {
    /// Begins to write. Ends when the last clone is dropped.
    pub fn open(pool: PgPool) -> Self {
        Self(Later::open(pool))
    }

    pub fn write(&self, request: Request) {
        self.0.write(request);
    }

    /// Comes back once everything that came until now is written, and not later than after some seconds.
    pub async fn flush(&self) {
        self.0.flush().await;
    }
}

/// A call as people read it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub id: i64,
    pub at: OffsetDateTime,
    pub key_id: Option<Uuid>,
    pub key_name: Option<String>,
    pub method: String,
    pub route: String,
    pub status: i32,
    pub code: Option<String>,
    pub took_ms: i32,
    pub request_id: String,
    pub ip: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub key: Option<Uuid>,
    pub route: Option<String>,
    /// Only what was refused.
    pub refused: bool,
    pub request_id: Option<String>,
}

/// Newest first.
pub async fn requests(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Row>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(
        "select id, at, key_id, key_name, method, route, status, code, took_ms, request_id, ip from api_requests where true",
    );
    if let Some(key) = filter.key {
        query.push(" and key_id = ").push_bind(key);
    }
    for (column, wanted) in [("route", &filter.route), ("request_id", &filter.request_id)] {
        if let Some(wanted) = wanted {
            query.push(format!(" and {column} = ")).push_bind(wanted.clone());
        }
    }
    if filter.refused {
        query.push(" and status >= 400");
    }
    push_sequence(&mut query, cursor, "id", size);
    let rows: Vec<Row> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |row: &Row| (row.at, row.id.to_string())))
}
