//! Taking deliveries in. What arrives together is committed together: one transaction costs the disk the same for one
//! row as for a hundred, and Toss waits ten seconds at most.

use std::{sync::Arc, time::Instant};

use serde_json::json;
use sqlx::postgres::PgDatabaseError;
use time::OffsetDateTime;
use tokio::sync::{Mutex, mpsc, oneshot};
use uuid::Uuid;

use super::Incoming;
use crate::{Backoffice, Fault, jobs, text};

/// Deliveries that may wait for a commit; more of them are told to wait at the door.
const WAITING: usize = 1024;
/// Deliveries of one commit.
const GROUP: usize = 256;
/// Bytes of bodies of one commit.
const GROUP_BYTES: usize = 4 << 20;
/// Commits at once: while one waits for the disk the next one is being sent.
const WRITERS: usize = 2;

/// It was not committed: Toss has to send it again.
#[derive(Debug, thiserror::Error)]
#[error("the delivery could not be kept")]
pub struct NotKept;

struct Waiting {
    incoming: Incoming,
    kept: oneshot::Sender<bool>,
}

/// The door for deliveries. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Intake {
    queue: mpsc::Sender<Waiting>,
}

impl Intake {
    /// Begins to take in; ends when the last clone is dropped.
    pub fn open(books: &Backoffice) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..WRITERS {
            tokio::spawn(write(books.clone(), Arc::clone(&waiting)));
        }
        Self { queue }
    }

    /// Comes back once the delivery is committed.
    pub async fn keep(&self, incoming: Incoming) -> Result<(), NotKept> {
        let (kept, answer) = oneshot::channel();
        self.queue.send(Waiting { incoming, kept }).await.map_err(|_| NotKept)?;
        match answer.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(NotKept),
        }
    }
}

/// Whatever waits right now, up to a group. Nobody waits for others to come.
async fn group(waiting: &Mutex<mpsc::Receiver<Waiting>>) -> Vec<Waiting> {
    let mut waiting = waiting.lock().await;
    let Some(first) = waiting.recv().await else { return Vec::new() };
    let mut bytes = first.incoming.body.len();
    let mut group = vec![first];
    while group.len() < GROUP
        && bytes < GROUP_BYTES
        && let Ok(next) = waiting.try_recv()
    {
        bytes += next.incoming.body.len();
        group.push(next);
    }
    group
}

async fn write(books: Backoffice, waiting: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    loop {
        let (incoming, answers): (Vec<_>, Vec<_>) =
            group(&waiting).await.into_iter().map(|w| (w.incoming, w.kept)).unzip();
        if incoming.is_empty() {
            return;
        }
        let kept = match books.keep_webhooks(&incoming).await {
            Ok(_) => vec![true; incoming.len()],
            // One that cannot be kept must not take the others with it.
            Err(fault) if incoming.len() > 1 => {
                tracing::warn!(%fault, count = incoming.len(), "a group of webhooks is kept one by one");
                let mut kept = Vec::with_capacity(incoming.len());
                for one in &incoming {
                    kept.push(is_kept(books.keep_webhooks(std::slice::from_ref(one)).await));
                }
                kept
            }
            failed => vec![is_kept(failed)],
        };
        for (answer, kept) in answers.into_iter().zip(kept) {
            if answer.send(kept).is_err() {
                tracing::debug!("somebody hung up before the delivery was kept; it comes again");
            }
        }
    }
}

fn is_kept(outcome: Result<Vec<Uuid>, Fault>) -> bool {
    outcome.inspect_err(|error| tracing::error!(%error, "a webhook could not be kept")).is_ok()
}

/// A UUID of version 7 whose time is exactly that of the arrival, to the microsecond: the months are cut by it, also
/// when a clock was turned. `n` keeps the order of what arrived together (RFC 9562, section 6.2, methods 3 and 1).
fn key(at: OffsetDateTime, n: usize) -> Uuid {
    let micros = u64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or_default();
    let fraction = u16::try_from(micros % 1000 * 4096 / 1000).unwrap_or_default();
    let order = u16::try_from(n).unwrap_or(u16::MAX) & 0x3fff;
    let mut rest: [u8; 10] = rand::random();
    rest[..2].copy_from_slice(&fraction.to_be_bytes());
    rest[2..4].copy_from_slice(&order.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(micros / 1000, &rest).into_uuid()
}

impl Backoffice {
    /// Commits deliveries together with the job that will look into them. Nothing is interpreted before that.
    pub async fn keep_webhooks(&self, incoming: &[Incoming]) -> Result<Vec<Uuid>, Fault> {
        let now = self.clock.now();
        let ids: Vec<Uuid> = (0..incoming.len()).map(|n| key(now, n)).collect();
        match self.insert_webhooks(&ids, now, incoming).await {
            // The first of its month.
            Err(Fault::Database(sqlx::Error::Database(error))) if lacks_month(error.as_ref()) => {
                self.add_webhook_month(now).await?;
                self.insert_webhooks(&ids, now, incoming).await?;
            }
            other => other?,
        }
        Ok(ids)
    }

    async fn insert_webhooks(
        &self,
        ids: &[Uuid],
        now: OffsetDateTime,
        incoming: &[Incoming],
    ) -> Result<(), Fault> {
        let headers: Vec<_> = incoming
            .iter()
            .map(|one| {
                let pairs: Vec<[&str; 2]> =
                    one.headers.iter().map(|(n, v)| [n.as_str(), v.as_str()]).collect();
                // PostgreSQL's JSON has no NUL.
                text::without_nul(json!(pairs))
            })
            .collect();
        let source_ips: Vec<_> = incoming.iter().map(|one| one.source_ip.map(|ip| ip.to_string())).collect();
        let listed: Vec<_> = incoming.iter().map(|one| one.listed).collect();
        let bodies: Vec<&[u8]> = incoming.iter().map(|one| one.body.as_ref()).collect();
        let waited: Vec<_> = incoming.iter().map(|one| micros(one.read_at)).collect();
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "insert into webhook_deliveries (id, received_at, source_ip, listed, headers, body, stored_in_us)
             select id, $1, source_ip, listed, headers, body, stored_in_us
             from unnest($2::uuid[], $3::text[], $4::boolean[], $5::jsonb[], $6::bytea[], $7::integer[])
                  as came (id, source_ip, listed, headers, body, stored_in_us)",
            now,
            ids,
            &source_ips as &[Option<String>],
            &listed as &[Option<bool>],
            &headers,
            &bodies as &[&[u8]],
            &waited as &[Option<i32>],
        )
        .execute(&mut *tx)
        .await?;
        let (unlisted, others): (Vec<_>, Vec<_>) =
            ids.iter().zip(&listed).partition(|(_, listed)| **listed == Some(false));
        for (ids, is_unlisted) in [(others, false), (unlisted, true)] {
            let ids: Vec<Uuid> = ids.into_iter().map(|(id, _)| *id).collect();
            jobs::enqueue_webhooks(&mut tx, &ids, is_unlisted).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// True while deliveries wait to be looked into.
    pub async fn webhooks_are_waiting(&self) -> Result<bool, Fault> {
        let waiting = sqlx::query_scalar!(
            r#"select exists (select 1 from webhook_deliveries where state in ('received', 'failed')) as "waiting!""#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(waiting)
    }
}

fn micros(since: Instant) -> Option<i32> {
    i32::try_from(since.elapsed().as_micros()).ok()
}

/// "no partition of relation found for row" is a check violation without a constraint's name.
fn lacks_month(error: &dyn sqlx::error::DatabaseError) -> bool {
    let error = error.downcast_ref::<PgDatabaseError>();
    error.code() == "23514" && error.constraint().is_none()
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    #[test]
    fn keys_sort_as_deliveries_came() {
        let start = OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap();
        let mut keys = Vec::new();
        for micros in [0, 1, 999, 1000, 1001, 60_000_000] {
            for n in [0, 1, 255] {
                keys.push(key(start + Duration::microseconds(micros), n));
            }
        }
        assert!(keys.is_sorted(), "{keys:?}");
        let (seconds, nanos) = keys[0].get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos / 1_000_000), (1_795_000_000, 0));
    }
}
