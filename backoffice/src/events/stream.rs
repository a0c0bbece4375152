//! The same events for the program that this is mounted in, without HTTP.

use std::time::Duration;

use futures::{Stream, stream};
use uuid::Uuid;

use super::{Event, Kind, endpoints};
use crate::{Backoffice, Fault};

/// How often it is looked for events.
const EVERY: Duration = Duration::from_millis(250);

/// A reader of events by name. What it has not said to be done with comes again, also after a restart. One reader of a name at a
/// time: two would both be told.
#[derive(Debug, Clone)]
pub struct Subscription {
    backoffice: Backoffice,
    endpoint: Uuid,
}

/// An event that was told, and is told again until it is [`done`](Self::done).
#[derive(Debug)]
pub struct Received {
    pub event: Event,
    backoffice: Backoffice,
    endpoint: Uuid,
}

impl Received {
    /// It was worked on, and is not told again.
    pub async fn done(self) -> Result<(), Fault> {
        sqlx::query!(
            "delete from event_queue where endpoint_id = $1 and seq = $2",
            self.endpoint,
            self.event.seq
        )
        .execute(&self.backoffice.pool)
        .await?;
        Ok(())
    }
}

/// Begins, or goes on where the reader of this name was. It hears of what happens from its first call on.
///
/// # Errors
/// The database, or more endpoints than there may be.
pub async fn subscribe(
    backoffice: &Backoffice,
    name: &str,
    kinds: &[Kind],
) -> Result<Subscription, super::EndpointError> {
    let endpoint = endpoints::stream(backoffice, name, kinds).await?;
    Ok(Subscription { backoffice: backoffice.clone(), endpoint })
}

impl Subscription {
    /// Waits for the next event. The same one comes again until it is done.
    pub async fn next(&self) -> Result<Received, Fault> {
        loop {
            let row = sqlx::query_as!(
                Event,
                r#"select e.id, e.seq, e.kind as "kind: Kind", e.subject, e.at, e.data
                   from event_queue q join events e on e.seq = q.seq
                   where q.endpoint_id = $1 and exists (select from event_endpoints p where p.id = $1 and p.state = 'active')
                   order by q.seq limit 1"#,
                self.endpoint,
            )
            .fetch_optional(&self.backoffice.pool)
            .await?;
            if let Some(event) = row {
                return Ok(Received { event, backoffice: self.backoffice.clone(), endpoint: self.endpoint });
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// All of them, one after the other.
    pub fn into_stream(self) -> impl Stream<Item = Result<Received, Fault>> {
        stream::unfold(self, |subscription| async move {
            let next = subscription.next().await;
            Some((next, subscription))
        })
    }
}
