//! Tells addresses what waits for them. One process at a time works on an endpoint, by a lease in the database's time; each endpoint
//! is a task of its own, so that a slow one keeps nobody else. Of one subject the next event leaves when the one before was taken.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use sqlx::PgConnection;
use standardwebhooks::Webhook;
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Event, Kind, Outcome,
    endpoints::{Why, note},
    pauses, secrets,
    send::{Sent, send},
};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    staff::notices::{self, Notice},
};

const JOB: Actor = Actor::Job("events");

/// How often it is looked for endpoints that have something to be told.
const EVERY: Duration = Duration::from_millis(250);
/// Events of one endpoint that are taken on at once, and requests to it at a time.
const AT_ONCE: i64 = 512;
const SIDE_BY_SIDE: usize = 32;
/// A process that dies leaves an endpoint to the next one after so long.
const LEASE: Duration = Duration::from_secs(45);
/// No request begins later than that: each takes 15 s at most, and has ended before the lease has.
const SENDING: Duration = Duration::from_secs(20);

/// Tells until told to stop.
pub(crate) async fn run(backoffice: &Backoffice, stop: &CancellationToken) {
    let holder = Uuid::now_v7();
    let mut working: HashMap<Uuid, JoinHandle<()>> = HashMap::new();
    while !stop.is_cancelled() {
        working.retain(|_, task| !task.is_finished());
        match due(backoffice).await {
            Ok(endpoints) => {
                for endpoint in endpoints {
                    working.entry(endpoint).or_insert_with(|| {
                        let (backoffice, stop) = (backoffice.clone(), stop.clone());
                        tokio::spawn(async move {
                            if let Err(error) = work_off(&backoffice, endpoint, holder, &stop).await {
                                tracing::warn!(%error, %endpoint, "events are not told");
                            }
                        })
                    });
                }
            }
            Err(error) => tracing::warn!(%error, "events are not told"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    for task in working.into_values() {
        drop(task.await);
    }
}

/// Endpoints that something is due for, and that nobody works on.
async fn due(backoffice: &Backoffice) -> Result<Vec<Uuid>, Fault> {
    let due = sqlx::query_scalar!(
        "select id from event_endpoints p
         where way = 'http' and state = 'active' and removed_at is null and (retry_at is null or retry_at <= $1)
           and (held_until is null or held_until < now())
           and exists (select from event_queue q where q.endpoint_id = p.id and (q.next_at <= $1 or p.failures >= $2))",
        backoffice.clock.now(),
        pauses::ENDPOINT_FAILS,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(due)
}

/// Tells one endpoint everything that is due. What a test calls, too.
pub async fn work_off(
    backoffice: &Backoffice,
    endpoint: Uuid,
    holder: Uuid,
    stop: &CancellationToken,
) -> Result<(), Fault> {
    while !stop.is_cancelled() {
        let Some(lease) = take(backoffice, endpoint, holder).await? else { break };
        let queued = claim(backoffice, endpoint, &lease).await?;
        if queued.is_empty() {
            break;
        }
        let signers = secrets::signers(backoffice, endpoint).await?;
        let results = send_all(backoffice, &lease, &signers, queued, stop).await;
        record(backoffice, endpoint, holder, &lease, results).await?;
    }
    // Its next turn may be in a moment, here or elsewhere.
    sqlx::query!(
        "update event_endpoints set held_until = null where id = $1 and holder = $2",
        endpoint,
        holder
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

struct Lease {
    name: String,
    url: String,
    failures: i32,
    failing_since: Option<OffsetDateTime>,
    last_success_at: Option<OffsetDateTime>,
    created_by: Option<Uuid>,
    taken: Instant,
}

async fn take(backoffice: &Backoffice, endpoint: Uuid, holder: Uuid) -> Result<Option<Lease>, Fault> {
    let taken = Instant::now();
    let row = sqlx::query!(
        r#"update event_endpoints set holder = $2, held_until = now() + make_interval(secs => $4)
           where id = $1 and state = 'active' and removed_at is null and (retry_at is null or retry_at <= $3)
             and (holder = $2 or held_until is null or held_until < now())
           returning name, url as "url!", failures, failing_since, last_success_at, created_by"#,
        endpoint,
        holder,
        backoffice.clock.now(),
        LEASE.as_secs_f64(),
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    Ok(row.map(|row| Lease {
        name: row.name,
        url: row.url,
        failures: row.failures,
        failing_since: row.failing_since,
        last_success_at: row.last_success_at,
        created_by: row.created_by,
        taken,
    }))
}

struct Queued {
    event: Event,
    /// Before this one.
    attempts: i32,
    first_at: Option<OffsetDateTime>,
}

struct Claimed {
    id: Uuid,
    seq: i64,
    kind: Kind,
    subject: String,
    at: OffsetDateTime,
    data: Value,
    attempts: i32,
    first_at: Option<OffsetDateTime>,
}

/// What is due, oldest first; nothing that has an event of its subject before it that waits for its next attempt.
async fn claim(backoffice: &Backoffice, endpoint: Uuid, lease: &Lease) -> Result<Vec<Queued>, Fault> {
    let rows = if lease.failures >= pauses::ENDPOINT_FAILS {
        // Of an endpoint that takes nothing one event is enough to find out, whenever it would be due itself: the one that was
        // tried least, for it may be the others that are not taken.
        sqlx::query_as!(
            Claimed,
            r#"select e.id, e.seq, e.kind as "kind: Kind", e.subject, e.at, e.data, q.attempts, q.first_at
               from (select * from event_queue q
                     where q.endpoint_id = $1
                       and not exists (select from event_queue b where b.endpoint_id = q.endpoint_id and b.subject = q.subject
                                       and b.seq < q.seq)
                     order by q.attempts, q.seq limit 1) q
               join events e on e.seq = q.seq"#,
            endpoint,
        )
        .fetch_all(&backoffice.pool)
        .await?
    } else {
        due_events(backoffice, endpoint).await?
    };
    let queued = rows.into_iter().map(|row| Queued {
        event: Event {
            id: row.id,
            seq: row.seq,
            kind: row.kind,
            subject: row.subject,
            at: row.at,
            data: row.data,
        },
        attempts: row.attempts,
        first_at: row.first_at,
    });
    Ok(queued.collect())
}

async fn due_events(backoffice: &Backoffice, endpoint: Uuid) -> Result<Vec<Claimed>, Fault> {
    let rows = sqlx::query_as!(
        Claimed,
        r#"select e.id, e.seq, e.kind as "kind: Kind", e.subject, e.at, e.data, q.attempts, q.first_at
           from (select * from event_queue q
                 where q.endpoint_id = $1 and q.next_at <= $2
                   and not exists (select from event_queue b where b.endpoint_id = q.endpoint_id and b.subject = q.subject
                                   and b.seq < q.seq and b.next_at > $2)
                 order by q.seq limit $3) q
           join events e on e.seq = q.seq order by q.seq"#,
        endpoint,
        backoffice.clock.now(),
        AT_ONCE,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(rows)
}

struct Done {
    queued: Queued,
    at: OffsetDateTime,
    sent: Sent,
}

/// Subjects side by side, the events of each one after the other.
async fn send_all(
    backoffice: &Backoffice,
    lease: &Lease,
    signers: &[Webhook],
    queued: Vec<Queued>,
    stop: &CancellationToken,
) -> Vec<Done> {
    let mut subjects: BTreeMap<String, Vec<Queued>> = BTreeMap::new();
    for queued in queued {
        subjects.entry(queued.event.subject.clone()).or_default().push(queued);
    }
    let mut subjects: Vec<Vec<Queued>> = subjects.into_values().collect();
    // The oldest first, whatever it is called.
    subjects.sort_by_key(|events| events.first().map(|first| first.event.seq));
    // Whoever fails for everything is asked no more in this turn.
    let (taken, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let is_over = || {
        stop.is_cancelled()
            || lease.taken.elapsed() > SENDING
            || taken.load(Ordering::Relaxed) == 0
                && failed.load(Ordering::Relaxed) >= pauses::ENDPOINT_FAILS.unsigned_abs() as usize
    };
    let (is_over, taken, failed) = (&is_over, &taken, &failed);
    let send_subject = |events: Vec<Queued>| async move {
        let mut done = Vec::new();
        for queued in events {
            if is_over() {
                break;
            }
            let at = backoffice.clock.now();
            let sent = send(&backoffice.outside, &lease.url, signers, &queued.event).await;
            let is_taken = sent.is_taken();
            (if is_taken { taken } else { failed }).fetch_add(1, Ordering::Relaxed);
            done.push(Done { queued, at, sent });
            if !is_taken {
                break;
            }
        }
        done
    };
    stream::iter(subjects).map(send_subject).buffer_unordered(SIDE_BY_SIDE).concat().await
}

/// What an attempt leads to: nothing more when it was taken or given up, or when the next one is due.
fn decide(lease: &Lease, done: &Done, is_answering: bool) -> (Outcome, Option<OffsetDateTime>) {
    if done.sent.is_taken() {
        return (Outcome::Delivered, None);
    }
    let jitter = time::Duration::milliseconds(rand::random_range(0..2_000));
    if let Some(pause) = pauses::of_event(done.queued.attempts + 1, done.sent.asked) {
        return (Outcome::Failed, Some(done.at + pause + jitter));
    }
    // It has taken others meanwhile: it is this one that it does not take.
    let first_at = done.queued.first_at.unwrap_or(done.at);
    if is_answering || lease.last_success_at.is_some_and(|success| success > first_at) {
        return (Outcome::GivenUp, None);
    }
    (Outcome::Failed, Some(done.at + pauses::LONGEST))
}

/// How the endpoint stands after a turn.
#[derive(Debug, PartialEq)]
struct Standing {
    failures: i32,
    failing_since: Option<OffsetDateTime>,
    retry_at: Option<OffsetDateTime>,
    paused: Option<Why>,
}

fn standing(lease: &Lease, results: &[Done], now: OffsetDateTime) -> Standing {
    let failed = results.iter().filter(|done| !done.sent.is_taken()).count();
    let gone = results.iter().any(|done| done.sent.is_gone()).then_some(Why::Gone);
    if results.is_empty() || failed < results.len() {
        let unchanged = results.is_empty();
        return Standing {
            failures: if unchanged { lease.failures } else { 0 },
            failing_since: lease.failing_since.filter(|_| unchanged),
            retry_at: None,
            paused: gone,
        };
    }
    // Of a turn in which everything failed at once, one counts that was known to fail.
    let failures = if lease.failures < pauses::ENDPOINT_FAILS {
        (lease.failures + i32::try_from(failed).unwrap_or(i32::MAX)).min(pauses::ENDPOINT_FAILS)
    } else {
        lease.failures.saturating_add(1)
    };
    let since = lease.failing_since.unwrap_or(now);
    let is_long = failures >= pauses::ENDPOINT_FAILS && now - since >= pauses::GIVE_UP_AFTER;
    Standing {
        failures,
        failing_since: Some(since),
        retry_at: pauses::of_endpoint(failures).map(|pause| now + pause),
        paused: gone.or(is_long.then_some(Why::Failing)),
    }
}

async fn record(
    backoffice: &Backoffice,
    endpoint: Uuid,
    holder: Uuid,
    lease: &Lease,
    results: Vec<Done>,
) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    let standing = standing(lease, &results, now);
    let is_answering = results.iter().any(|done| done.sent.is_taken());
    let last_error = results.iter().rev().find(|done| !done.sent.is_taken()).map(|done| done.sent.error());
    let mut tx = backoffice.pool.begin().await?;
    // Rows are locked in one order everywhere: endpoint, queue.
    let is_ours = sqlx::query!(
        "update event_endpoints set failures = $3, failing_since = $4, retry_at = $5, last_error = coalesce($6, last_error),
                last_success_at = case when $7 then $8 else last_success_at end,
                state = case when $9::text is null then state else 'paused' end, paused_because = $9
         where id = $1 and holder = $2 and state = 'active'",
        endpoint,
        holder,
        standing.failures,
        standing.failing_since,
        standing.retry_at,
        last_error,
        is_answering,
        now,
        standing.paused.map(Why::as_str),
    )
    .execute(&mut *tx)
    .await?
    .rows_affected()
        == 1;
    write_attempts(&mut tx, endpoint, lease, &results, is_answering).await?;
    if is_answering && lease.failures >= pauses::ENDPOINT_FAILS {
        // It answers again: what has waited for it goes now.
        sqlx::query!(
            "update event_queue set next_at = $2 where endpoint_id = $1 and attempts > 0 and next_at > $2",
            endpoint,
            now,
        )
        .execute(&mut *tx)
        .await?;
    }
    if let Some(why) = standing.paused.filter(|_| is_ours) {
        let detail = json!({ "endpoint": endpoint, "name": lease.name, "why": why, "since": standing.failing_since.map(OffsetDateTime::unix_timestamp),
                             "error": last_error });
        note_paused(backoffice, &mut tx, endpoint, lease, detail).await?;
    }
    tx.commit().await?;
    for done in &results {
        let outcome = if done.sent.is_taken() { "taken" } else { "failed" };
        metrics::counter!("jangbu_event_attempts_total", "outcome" => outcome).increment(1);
    }
    Ok(())
}

async fn note_paused(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    endpoint: Uuid,
    lease: &Lease,
    detail: Value,
) -> Result<(), Fault> {
    tracing::error!(%endpoint, name = lease.name, "an endpoint of the merchant is told nothing more");
    note(tx, backoffice.clock.now(), &JOB, endpoint, "event_endpoint.paused", detail.clone()).await?;
    notices::tell_with_admins(backoffice, tx, lease.created_by, Notice::EndpointPaused, &detail).await
}

/// Every request into the log, and the queue as it is after it.
async fn write_attempts(
    tx: &mut PgConnection,
    endpoint: Uuid,
    lease: &Lease,
    results: &[Done],
    is_answering: bool,
) -> Result<(), Fault> {
    let decided: Vec<(Outcome, Option<OffsetDateTime>)> =
        results.iter().map(|done| decide(lease, done, is_answering)).collect();
    sqlx::query!(
        "insert into event_attempts (endpoint_id, seq, at, attempt, outcome, status, ms, answer)
         select $1, a.* from unnest($2::bigint[], $3::timestamptz[], $4::int[], $5::text[], $6::int[], $7::int[], $8::text[]) a",
        endpoint,
        &results.iter().map(|done| done.queued.event.seq).collect::<Vec<_>>(),
        &results.iter().map(|done| done.at).collect::<Vec<_>>(),
        &results.iter().map(|done| done.queued.attempts + 1).collect::<Vec<_>>(),
        &decided.iter().map(|(outcome, _)| outcome.as_str().to_owned()).collect::<Vec<_>>(),
        &results.iter().map(|done| done.sent.status.map(|s| i32::from(s.as_u16()))).collect::<Vec<_>>() as &[Option<i32>],
        &results.iter().map(|done| done.sent.ms).collect::<Vec<_>>(),
        &results.iter().map(|done| done.sent.answer.clone()).collect::<Vec<_>>(),
    )
    .execute(&mut *tx)
    .await?;
    let (mut over, mut again, mut tried_at, mut next_at) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (done, (_, next)) in results.iter().zip(&decided) {
        match next {
            None => over.push(done.queued.event.seq),
            Some(next) => {
                again.push(done.queued.event.seq);
                tried_at.push(done.at);
                next_at.push(*next);
            }
        }
    }
    sqlx::query!("delete from event_queue where endpoint_id = $1 and seq = any($2)", endpoint, &over)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "update event_queue q set attempts = q.attempts + 1, first_at = coalesce(q.first_at, a.tried_at), next_at = a.next_at
         from unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) as a (seq, tried_at, next_at)
         where q.endpoint_id = $1 and q.seq = a.seq",
        endpoint,
        &again,
        &tried_at,
        &next_at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-30 09:00 UTC);

    fn lease(failures: i32, failing_since: Option<OffsetDateTime>) -> Lease {
        Lease {
            name: "shop".into(),
            url: "https://shop.example/".into(),
            failures,
            failing_since,
            last_success_at: None,
            created_by: None,
            taken: Instant::now(),
        }
    }

    fn done(attempts: i32, status: Option<u16>) -> Done {
        let event = Event {
            id: Uuid::nil(),
            seq: 1,
            kind: Kind::OrderPaid,
            subject: "order:o".into(),
            at: NOW,
            data: Value::Null,
        };
        let status = status.map(|status| status.try_into().unwrap());
        let first_at = (attempts > 0).then_some(NOW - Duration::days(3));
        Done {
            queued: Queued { event, attempts, first_at },
            at: NOW,
            sent: Sent { status, ms: 1, answer: String::new(), asked: None },
        }
    }

    #[test]
    fn an_event_that_alone_is_not_taken_is_given_up_after_its_attempts_and_not_before() {
        let healthy = Lease { last_success_at: Some(NOW - Duration::HOUR), ..lease(0, None) };
        for attempts in 0..9 {
            assert_eq!(decide(&healthy, &done(attempts, Some(500)), false).0, Outcome::Failed, "{attempts}");
        }
        assert_eq!(decide(&healthy, &done(9, Some(500)), false), (Outcome::GivenUp, None));
    }

    #[test]
    fn while_everything_fails_no_event_is_given_up() {
        let dead = Lease {
            last_success_at: Some(NOW - Duration::days(4)),
            ..lease(40, Some(NOW - Duration::days(3)))
        };
        let (outcome, next) = decide(&dead, &done(30, None), false);
        assert_eq!(outcome, Outcome::Failed);
        assert!(next.is_some());
    }

    #[test]
    fn an_endpoint_is_paused_after_three_days_of_nothing_but_failures() {
        let for_long = |failures, days| {
            standing(&lease(failures, Some(NOW - Duration::days(days))), &[done(1, Some(503))], NOW).paused
        };
        assert_eq!(for_long(40, 2), None);
        assert_eq!(for_long(40, 3), Some(Why::Failing));
        // Two failures in three days are too few to tell.
        assert_eq!(for_long(1, 3), None);
        let recovered = standing(&lease(40, Some(NOW - Duration::days(9))), &[done(1, Some(204))], NOW);
        assert_eq!(recovered, Standing { failures: 0, failing_since: None, retry_at: None, paused: None });
    }

    #[test]
    fn a_whole_turn_of_failures_is_one_step_of_the_pause() {
        let all: Vec<Done> = (0..32).map(|_| done(0, None)).collect();
        let first = standing(&lease(0, None), &all, NOW);
        assert_eq!((first.failures, first.retry_at), (5, Some(NOW + Duration::seconds(5))));
        let second = standing(&lease(5, first.failing_since), &[done(0, None)], NOW);
        assert_eq!((second.failures, second.retry_at), (6, Some(NOW + Duration::seconds(30))));
    }

    #[test]
    fn gone_is_believed_at_once() {
        let standing = standing(&lease(0, None), &[done(0, Some(410)), done(0, Some(200))], NOW);
        assert_eq!(standing.paused, Some(Why::Gone));
    }
}
