//! What was told to whom, and what waits.

use serde_json::Value;
use sqlx::{Postgres, QueryBuilder, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Event, Kind};
use crate::{
    Backoffice, Fault,
    page::{Cursor, Page, push_keyset},
};

text_enum! {
    /// What became of an attempt.
    Outcome {
        Delivered = "delivered",
        /// It is tried again.
        Failed = "failed",
        /// It is not.
        GivenUp = "given_up",
    }
}

/// What a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub kind: Option<Kind>,
    /// As [`Event::subject`] has it.
    pub subject: Option<String>,
    pub endpoint: Option<Uuid>,
    pub outcome: Option<Outcome>,
}

/// An event in a list, and how far it is told.
#[derive(Debug, Clone)]
pub struct Told {
    pub event: Event,
    /// For endpoints that have not taken it yet.
    pub waiting: i64,
    pub delivered: i64,
    pub given_up: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    seq: i64,
    kind: Kind,
    subject: String,
    at: OffsetDateTime,
    data: Json<Value>,
    waiting: i64,
    delivered: i64,
    given_up: i64,
}

impl From<Row> for Told {
    fn from(row: Row) -> Self {
        let Row { id, seq, kind, subject, at, data, waiting, delivered, given_up } = row;
        Self { event: Event { id, seq, kind, subject, at, data: data.0 }, waiting, delivered, given_up }
    }
}

const COLUMNS: &str = "select e.id, e.seq, e.kind, e.subject, e.at, e.data,
        (select count(*) from event_queue q where q.seq = e.seq and q.endpoint_id in (select id from event_endpoints)) as waiting,
        (select count(distinct endpoint_id) from event_attempts a where a.seq = e.seq and a.outcome = 'delivered') as delivered,
        (select count(distinct endpoint_id) from event_attempts a where a.seq = e.seq and a.outcome = 'given_up') as given_up
    from events e where true";

/// Newest first.
pub async fn list(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Told>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    if let Some(kind) = filter.kind {
        query.push(" and e.kind = ").push_bind(kind.as_str());
    }
    if let Some(subject) = &filter.subject {
        query.push(" and e.subject = ").push_bind(subject.replace('\0', ""));
    }
    match filter.outcome {
        None => {}
        // It waits for its next attempt.
        Some(Outcome::Failed) => {
            query.push(" and exists (select from event_queue q where q.seq = e.seq and q.attempts > 0");
            query.push(" and q.endpoint_id in (select id from event_endpoints)");
            push_endpoint(&mut query, "q", filter.endpoint);
            query.push(")");
        }
        Some(outcome) => {
            query.push(" and exists (select from event_attempts a where a.seq = e.seq and a.outcome = ");
            query.push_bind(outcome.as_str());
            push_endpoint(&mut query, "a", filter.endpoint);
            query.push(")");
        }
    }
    if let (Some(endpoint), None) = (filter.endpoint, filter.outcome) {
        query.push(" and (exists (select from event_attempts a where a.seq = e.seq and a.endpoint_id = ");
        query.push_bind(endpoint);
        query.push(") or exists (select from event_queue q where q.seq = e.seq and q.endpoint_id = ");
        query.push_bind(endpoint).push("))");
    }
    push_keyset(&mut query, cursor, "e.at", "e.id::text", size);
    let rows: Vec<Row> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    let rows = rows.into_iter().map(Told::from).collect();
    Ok(Page::new(rows, size, cursor, |told: &Told| (told.event.at, told.event.id.to_string())))
}

fn push_endpoint(query: &mut QueryBuilder<Postgres>, table: &str, endpoint: Option<Uuid>) {
    if let Some(endpoint) = endpoint {
        query.push(format!(" and {table}.endpoint_id = ")).push_bind(endpoint);
    }
}

pub async fn event(backoffice: &Backoffice, id: Uuid) -> Result<Option<Told>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and e.id = ").push_bind(id);
    let row: Option<Row> = query.build_query_as().fetch_optional(&backoffice.pool).await?;
    Ok(row.map(Told::from))
}

/// One request and what was answered.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub endpoint_id: Uuid,
    pub endpoint_name: String,
    pub at: OffsetDateTime,
    pub attempt: i32,
    pub outcome: Outcome,
    pub status: Option<i32>,
    pub ms: i32,
    pub answer: String,
}

/// The last hundred requests about an event, newest first.
pub async fn attempts(backoffice: &Backoffice, seq: i64) -> Result<Vec<Attempt>, Fault> {
    let attempts = sqlx::query_as!(
        Attempt,
        r#"select a.endpoint_id, p.name as endpoint_name, a.at, a.attempt, a.outcome as "outcome: Outcome", a.status, a.ms, a.answer
           from event_attempts a join event_endpoints p on p.id = a.endpoint_id
           where a.seq = $1 order by a.id desc limit 100"#,
        seq,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(attempts)
}

/// An endpoint that has not taken an event yet.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub endpoint_id: Uuid,
    pub endpoint_name: String,
    pub attempts: i32,
    pub next_at: OffsetDateTime,
    /// An event before this one, of the same subject, has to be taken first.
    pub is_behind: bool,
}

pub async fn waiting(backoffice: &Backoffice, seq: i64) -> Result<Vec<Waiting>, Fault> {
    let waiting = sqlx::query_as!(
        Waiting,
        r#"select q.endpoint_id, p.name as endpoint_name, q.attempts, q.next_at,
                  exists (select from event_queue b where b.endpoint_id = q.endpoint_id and b.subject = q.subject
                          and b.seq < q.seq) as "is_behind!"
           from event_queue q join event_endpoints p on p.id = q.endpoint_id where q.seq = $1 order by p.created_at"#,
        seq,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(waiting)
}

/// Where a reader of all events stands: between one and the next, in the order in which their transactions ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    xact: String,
    seq: i64,
}

impl Mark {
    /// Before everything.
    pub const START: Self = Self { xact: String::new(), seq: 0 };
}

/// Behind one event; nothing where it is not kept.
pub async fn mark_behind(backoffice: &Backoffice, id: Uuid) -> Result<Option<Mark>, Fault> {
    let mark = sqlx::query_as!(Mark, r#"select xact::text as "xact!", seq from events where id = $1"#, id)
        .fetch_optional(&backoffice.pool)
        .await?;
    Ok(mark)
}

/// Behind everything that has ended by now.
pub async fn mark_of_now(backoffice: &Backoffice) -> Result<Mark, Fault> {
    let xact = sqlx::query_scalar!(r#"select pg_snapshot_xmin(pg_current_snapshot())::text as "xact!""#)
        .fetch_one(&backoffice.pool)
        .await?;
    Ok(Mark { xact, seq: 0 })
}

/// Events behind a mark, oldest first, and the mark behind them. None is passed over whose transaction began earlier and took
/// longer: those that are still open, and everything behind them, come next time.
pub async fn since(
    backoffice: &Backoffice,
    mark: &Mark,
    kinds: &[Kind],
    most: i64,
) -> Result<(Vec<Event>, Mark), Fault> {
    let kinds: Vec<String> = kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    let rows = sqlx::query!(
        r#"select xact::text as "xact!", id, seq, kind as "kind: Kind", subject, at, data from events
           where (xact, seq) > (coalesce(nullif($1::text, ''), '0')::xid8, $2) and xact < pg_snapshot_xmin(pg_current_snapshot())
             and ($3::text[] = '{}' or kind = any($3))
           order by xact, seq limit $4"#,
        mark.xact,
        mark.seq,
        &kinds,
        most,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let next = rows.last().map_or_else(|| mark.clone(), |row| Mark { xact: row.xact.clone(), seq: row.seq });
    let events = rows.into_iter().map(|row| Event {
        id: row.id,
        seq: row.seq,
        kind: row.kind,
        subject: row.subject,
        at: row.at,
        data: row.data,
    });
    Ok((events.collect(), next))
}
