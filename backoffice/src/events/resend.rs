//! Telling an endpoint again what it was told before, or was not told because it was disabled. The ids stay the same.

use serde_json::json;
use sqlx::{Postgres, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Kind,
    endpoints::{EndpointError, State, lock, note},
};
use crate::{Backoffice, Fault, audit::Actor};

/// The most in one go.
pub const MOST: i64 = 10_000;

/// What is told again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resend {
    One(Uuid),
    Many {
        from: OffsetDateTime,
        /// Exclusive.
        to: OffsetDateTime,
        /// Empty: every kind.
        kinds: Vec<Kind>,
        /// Only what the endpoint has never taken.
        only_missed: bool,
    },
}

/// What would be told again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Counts stop at [`MOST`].
    pub events: i64,
    pub first_at: Option<OffsetDateTime>,
    pub last_at: Option<OffsetDateTime>,
}

/// Which events, oldest first. What waits already is told anyway.
fn push_chosen(query: &mut QueryBuilder<Postgres>, endpoint: Uuid, which: &Resend) {
    query.push("select e.seq, e.subject, e.at from events e where ");
    match which {
        Resend::One(id) => drop(query.push("e.id = ").push_bind(*id)),
        Resend::Many { from, to, kinds, only_missed } => {
            query.push("e.kind <> 'endpoint.test' and e.at >= ").push_bind(*from);
            query.push(" and e.at < ").push_bind(*to);
            if !kinds.is_empty() {
                let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
                query.push(" and e.kind = any(").push_bind(kinds).push(")");
            }
            if *only_missed {
                query.push(" and not exists (select from event_attempts a where a.seq = e.seq and a.outcome = 'delivered'");
                query.push(" and a.endpoint_id = ").push_bind(endpoint).push(")");
            }
        }
    }
    query.push(" and not exists (select from event_queue q where q.seq = e.seq and q.endpoint_id = ");
    query.push_bind(endpoint).push(") order by e.seq limit ").push_bind(MOST);
}

pub async fn preview(backoffice: &Backoffice, endpoint: Uuid, which: &Resend) -> Result<Preview, Fault> {
    let mut query = QueryBuilder::new("select count(*), min(at), max(at) from (");
    push_chosen(&mut query, endpoint, which);
    query.push(") chosen");
    let (events, first_at, last_at) = query.build_query_as().fetch_one(&backoffice.pool).await?;
    Ok(Preview { events, first_at, last_at })
}

/// How many are told again.
pub async fn resend(
    backoffice: &Backoffice,
    actor: &Actor,
    endpoint: Uuid,
    which: &Resend,
) -> Result<u64, EndpointError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    if lock(&mut tx, endpoint).await?.state == State::Disabled {
        return Err(EndpointError::NotFound);
    }
    let mut query = QueryBuilder::new("insert into event_queue (endpoint_id, seq, subject, next_at) select ");
    query.push_bind(endpoint).push(", seq, subject, ").push_bind(now).push(" from (");
    push_chosen(&mut query, endpoint, which);
    query.push(") chosen on conflict do nothing");
    let queued = query.build().execute(&mut *tx).await?.rows_affected();
    if queued > 0 {
        let detail = match which {
            Resend::One(id) => json!({ "event": id, "count": queued }),
            Resend::Many { from, to, kinds, only_missed } => {
                json!({ "count": queued, "from": from.unix_timestamp(), "to": to.unix_timestamp(), "kinds": kinds,
                        "onlyMissed": only_missed })
            }
        };
        note(&mut tx, now, actor, endpoint, "event_endpoint.resent", detail).await?;
    }
    tx.commit().await?;
    Ok(queued)
}
