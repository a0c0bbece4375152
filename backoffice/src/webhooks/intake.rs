//! Taking deliveries in. What arrives together is committed together: one transaction costs the disk the same for one
//! row as for a hundred, and Toss waits ten seconds at most.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use sqlx::postgres::PgDatabaseError;
use time::OffsetDateTime;
use tokio::sync::{Mutex, mpsc, oneshot};
use uuid::Uuid;

use super::{Incoming, months};
use crate::{
    Backoffice, Fault, IntakeLoad, database,
    kernel::{seal::DELIVERY, text},
};

/// Deliveries that may wait for a commit; more of them are sent away.
const WAITING: usize = 1024;
/// Deliveries of one commit.
const GROUP: usize = 256;
/// Bytes of bodies of one commit.
const GROUP_BYTES: usize = 4 << 20;
/// Answers whose time is noted in a second.
const NOTED: usize = 500;
/// Commits at once: while one waits for the disk the next one is being sent.
const WRITERS: u32 = 2;

/// It was not committed: Toss has to send it again.
#[derive(Debug, thiserror::Error)]
#[error("the delivery could not be kept")]
pub struct NotKept;

struct Waiting {
    incoming: Incoming,
    kept: oneshot::Sender<Option<Uuid>>,
}

/// How long an answer took.
struct Answered {
    id: Uuid,
    us: i32,
}

/// Takes deliveries in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Intake {
    queue: mpsc::Sender<Waiting>,
    answered: mpsc::Sender<Answered>,
    load: IntakeLoad,
}

impl Intake {
    /// Begins to take in, over connections of its own: whatever else is going on, a delivery never waits for one. Ends
    /// when the last clone is dropped.
    pub async fn open(backoffice: &Backoffice, database_url: &str) -> Result<Self, sqlx::Error> {
        // The one statement is planned once.
        let settings = [("plan_cache_mode", "force_generic_plan")];
        // One more for the times.
        let pool = database::connect_with(database_url, WRITERS + 1, &settings).await?;
        let (backoffice, load) = (Backoffice { pool, ..backoffice.clone() }, backoffice.intake_load.clone());
        let (queue, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..WRITERS {
            tokio::spawn(write(backoffice.clone(), Arc::clone(&waiting)));
        }
        let (answered, times) = mpsc::channel(NOTED);
        tokio::spawn(note_times(backoffice, times));
        Ok(Self { queue, answered, load })
    }

    /// Comes back once the delivery is committed.
    pub async fn keep(&self, incoming: Incoming) -> Result<(), NotKept> {
        let (kept, answer) = oneshot::channel();
        let (read_at, _standing) = (incoming.read_at, self.load.enter());
        // A full house turns away at once; Toss comes again.
        self.queue.try_send(Waiting { incoming, kept }).map_err(|_| NotKept)?;
        let id = answer.await.ok().flatten().ok_or(NotKept)?;
        let us = i32::try_from(read_at.elapsed().as_micros()).unwrap_or(i32::MAX);
        if self.answered.try_send(Answered { id, us }).is_err() {
            tracing::trace!("too busy to note how long an answer took");
        }
        Ok(())
    }
}

/// Writes down once a second how long the answers took, apart from the way of a delivery: nobody waits for it, and
/// under a flood only the first of each second are noted.
async fn note_times(backoffice: Backoffice, mut times: mpsc::Receiver<Answered>) {
    let mut noted = Vec::new();
    while times.recv_many(&mut noted, NOTED).await > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        while let Ok(more) = times.try_recv() {
            noted.push(more);
        }
        let (ids, us): (Vec<Uuid>, Vec<i32>) = noted.drain(..).map(|one| (one.id, one.us)).unzip();
        let written = sqlx::query!(
            "update webhook_deliveries d set answered_in_us = n.us from unnest($1::uuid[], $2::integer[]) as n (id, us)
             where d.id = n.id",
            &ids,
            &us,
        )
        .execute(&backoffice.pool)
        .await;
        if let Err(error) = written {
            tracing::warn!(%error, "how long answers took is not noted");
        }
    }
}

/// Whatever waits right now, up to a group. Waiting longer for more was measured and is slower.
async fn group(waiting: &Mutex<mpsc::Receiver<Waiting>>) -> Vec<Waiting> {
    let mut waiting = waiting.lock().await;
    let Some(first) = waiting.recv().await else { return Vec::new() };
    let mut group = vec![first];
    // Requests that have been read already join the group before it is written.
    tokio::task::yield_now().await;
    let mut bytes: usize = group.iter().map(|one| one.incoming.body.len()).sum();
    while group.len() < GROUP
        && bytes < GROUP_BYTES
        && let Ok(next) = waiting.try_recv()
    {
        bytes += next.incoming.body.len();
        group.push(next);
    }
    group
}

async fn write(backoffice: Backoffice, waiting: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    loop {
        let (incoming, answers): (Vec<_>, Vec<_>) =
            group(&waiting).await.into_iter().map(|w| (w.incoming, w.kept)).unzip();
        if incoming.is_empty() {
            return;
        }
        let kept = match keep(&backoffice, &incoming).await {
            Ok(ids) => ids.into_iter().map(Some).collect(),
            // One that cannot be kept must not take the others with it.
            Err(fault) if incoming.len() > 1 => {
                tracing::warn!(%fault, count = incoming.len(), "a group of webhooks is kept one by one");
                let mut kept = Vec::with_capacity(incoming.len());
                for one in &incoming {
                    kept.push(first(keep(&backoffice, std::slice::from_ref(one)).await));
                }
                kept
            }
            failed => vec![first(failed)],
        };
        for (answer, kept) in answers.into_iter().zip(kept) {
            if answer.send(kept).is_err() {
                tracing::debug!("somebody hung up before the delivery was kept; it comes again");
            }
        }
    }
}

fn first(outcome: Result<Vec<Uuid>, Fault>) -> Option<Uuid> {
    outcome
        .inspect_err(|error| tracing::error!(%error, "a webhook could not be kept"))
        .ok()?
        .into_iter()
        .next()
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

/// Deliveries with the job that will look into them. Those from addresses that are not Toss's come after everything
/// else and one job at a time: whoever forges them cannot keep the workers from the others.
pub(super) const KEEP: &str = "with kept as (
        insert into webhook_deliveries (id, received_at, source_ip, listed, headers, body, batch)
        select id, $1, source_ip, listed, headers, body, case when listed is false then $8 else $7 end
        from unnest($2::uuid[], $3::text[], $4::boolean[], $5::jsonb[], $6::bytea[])
             as came (id, source_ip, listed, headers, body)
        returning id, coalesce(not listed, false) as is_unlisted, batch),
     grouped as (
        select is_unlisted, batch, json_build_object('ids', json_agg(id), 'unlisted', is_unlisted, 'batch', batch) as payload
        from kept group by is_unlisted, batch)
     select count(job.id) from grouped, lateral graphile_worker.add_job(identifier => 'apply_webhooks',
        payload => grouped.payload, job_key => 'webhooks:' || batch, max_attempts => 25, priority => case when is_unlisted then 10 else 0 end,
        queue_name => case when is_unlisted then 'webhooks-unlisted' end) as job";

/// Commits deliveries together with the job that will look into them. Nothing is interpreted before that.
pub async fn keep(backoffice: &Backoffice, incoming: &[Incoming]) -> Result<Vec<Uuid>, Fault> {
    let now = backoffice.clock.now();
    let ids: Vec<Uuid> = (0..incoming.len()).map(|n| key(now, n)).collect();
    match insert(backoffice, &ids, now, incoming).await {
        // The first of its month.
        Err(Fault::Database(sqlx::Error::Database(error))) if lacks_month(error.as_ref()) => {
            months::add_partition(backoffice, now).await?;
            insert(backoffice, &ids, now, incoming).await?;
        }
        other => other?,
    }
    Ok(ids)
}

async fn insert(
    backoffice: &Backoffice,
    ids: &[Uuid],
    now: OffsetDateTime,
    incoming: &[Incoming],
) -> Result<(), Fault> {
    let headers: Vec<_> = incoming
        .iter()
        .map(|one| {
            let pairs: Vec<[&str; 2]> = one.headers.iter().map(|(n, v)| [n.as_str(), v.as_str()]).collect();
            // PostgreSQL's JSON has no NUL.
            text::without_nul(json!(pairs))
        })
        .collect();
    let source_ips: Vec<_> = incoming.iter().map(|one| one.source_ip.map(|ip| ip.to_string())).collect();
    let listed: Vec<_> = incoming.iter().map(|one| one.listed).collect();
    let sealed = incoming.iter().map(|one| backoffice.keys.seal_bytes(DELIVERY, &one.body));
    let bodies = sealed.collect::<Result<Vec<_>, Fault>>()?;
    // One statement is one round trip and one commit. Not checked while compiling: the tables of the job library are
    // not there then.
    sqlx::query(KEEP)
        .bind(now)
        .bind(ids)
        .bind(&source_ips)
        .bind(&listed)
        .bind(&headers)
        .bind(&bodies)
        .bind(Uuid::new_v4())
        .bind(Uuid::new_v4())
        .execute(&backoffice.pool)
        .await?;
    Ok(())
}

/// True while deliveries wait to be looked into.
pub async fn any_waiting(backoffice: &Backoffice) -> Result<bool, Fault> {
    let waiting = sqlx::query_scalar!(
        r#"select exists (select 1 from webhook_deliveries where state in ('received', 'failed')) as "waiting!""#
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(waiting)
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
