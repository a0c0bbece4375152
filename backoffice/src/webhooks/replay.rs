//! Looking into deliveries once more: one at once, or all that a filter finds as a job that can be stopped. It asks
//! Toss again and believes nothing that was found before, so it is always harmless.

use serde_json::json;
use sqlx::{Postgres, QueryBuilder};
use time::OffsetDateTime;
use toss::payments::Error as TossError;
use uuid::Uuid;

use super::{Filter, apply, job::RunReplay};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    queue,
};

const JOB: Actor = Actor::Job("webhook-replay");
/// Deliveries of one job. Other work comes in between.
const CHUNK: i64 = 50;
/// How long to hold back when Toss does not answer, or says that it is too much.
const HOLD_BACK: std::time::Duration = std::time::Duration::from_secs(5);
/// More than these are not counted for a preview.
const COUNTED: i64 = 100_000;

text_enum! {
    ReplayState {
        Running = "running",
        Stopped = "stopped",
        Finished = "finished",
    }
}

#[derive(Debug, Clone)]
pub struct Replay {
    pub id: Uuid,
    pub filter: Filter,
    pub total: i64,
    pub done: i64,
    /// Deliveries whose look-up changed the books.
    pub changed: i64,
    pub state: ReplayState,
    /// Why it holds back.
    pub error: Option<String>,
    pub created_by_name: String,
    pub created_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("no such delivery or replay")]
    NotFound,
    #[error("nothing fits the filter")]
    Nothing,
    #[error("it is {0:?}")]
    State(ReplayState),
    /// Nothing was changed; it can be tried again.
    #[error("Toss does not answer")]
    TossSilent,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for ReplayError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

struct Row {
    id: Uuid,
    filter: serde_json::Value,
    total: i64,
    done: i64,
    changed: i64,
    state: ReplayState,
    error: Option<String>,
    created_by_name: String,
    created_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
}

impl TryFrom<Row> for Replay {
    type Error = Fault;

    fn try_from(row: Row) -> Result<Self, Fault> {
        let filter =
            serde_json::from_value(row.filter).map_err(Fault::unreadable("the filter of a replay"))?;
        Ok(Self {
            id: row.id,
            filter,
            total: row.total,
            done: row.done,
            changed: row.changed,
            state: row.state,
            error: row.error,
            created_by_name: row.created_by_name,
            created_at: row.created_at,
            ended_at: row.ended_at,
        })
    }
}

/// Looks into one delivery again, now. True when the books changed.
pub async fn replay(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<bool, ReplayError> {
    let mut tx = backoffice.pool.begin().await?;
    let found = sqlx::query_scalar!("select 1 as one from webhook_deliveries where id = $1", id)
        .fetch_optional(&mut *tx)
        .await?;
    if found.is_none() {
        return Err(ReplayError::NotFound);
    }
    let subject = id.to_string();
    let act =
        Act { action: "webhook.replayed", subject_kind: "webhook", subject: &subject, detail: json!({}) };
    audit::record(&mut tx, backoffice.clock.now(), actor, act).await?;
    tx.commit().await?;
    match apply::apply_again(backoffice, id).await {
        Ok(changed) => Ok(changed),
        Err(Fault::Toss(error)) => {
            tracing::warn!(%error, delivery = %id, "a replay by hand");
            Err(ReplayError::TossSilent)
        }
        Err(fault) => Err(fault.into()),
    }
}

/// How many deliveries a replay would look into. At 100,000 the counting stops.
pub async fn count(backoffice: &Backoffice, filter: &Filter) -> Result<i64, Fault> {
    let mut query =
        QueryBuilder::<Postgres>::new("select count(*) from (select 1 from webhook_deliveries where true");
    filter.push(&mut query);
    query.push(" limit ").push_bind(COUNTED).push(") found");
    Ok(query.build_query_scalar().fetch_one(&backoffice.pool).await?)
}

pub async fn start(backoffice: &Backoffice, actor: &Actor, filter: &Filter) -> Result<Uuid, ReplayError> {
    let mut query =
        QueryBuilder::<Postgres>::new("select count(*), max(id::text) from webhook_deliveries where true");
    filter.push(&mut query);
    let (total, last): (i64, Option<String>) = query.build_query_as().fetch_one(&backoffice.pool).await?;
    let Some(last_id) = last.and_then(|last| Uuid::try_parse(&last).ok()) else {
        return Err(ReplayError::Nothing);
    };
    let (id, now) = (Uuid::now_v7(), backoffice.clock.now());
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!(
        "insert into webhook_replays (id, filter, last_id, total, created_by, created_by_name, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id,
        json!(filter),
        last_id,
        total,
        actor.staff_id(),
        actor.name(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    // What was searched for may be a billing key.
    let said = Filter { q: filter.q.as_deref().map(shortened), ..filter.clone() };
    let detail = json!({ "filter": said, "deliveries": total });
    note(&mut tx, now, actor, id, "webhook_replay.started", detail).await?;
    queue::plan(&mut tx, &RunReplay { id }, std::time::Duration::ZERO).await?;
    tx.commit().await?;
    Ok(id)
}

pub async fn stop(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<(), ReplayError> {
    turn(backoffice, actor, id, ReplayState::Running, ReplayState::Stopped, "webhook_replay.stopped").await
}

/// Goes on behind the last delivery that was looked into.
pub async fn resume(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<(), ReplayError> {
    turn(backoffice, actor, id, ReplayState::Stopped, ReplayState::Running, "webhook_replay.started").await?;
    queue::plan_now(backoffice, &RunReplay { id }, std::time::Duration::ZERO).await?;
    Ok(())
}

async fn turn(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    from: ReplayState,
    to: ReplayState,
    action: &'static str,
) -> Result<(), ReplayError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let state = sqlx::query_scalar!(
        r#"select state as "state: ReplayState" from webhook_replays where id = $1 for update"#,
        id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(ReplayError::NotFound)?;
    if state != from {
        return Err(ReplayError::State(state));
    }
    sqlx::query!(
        "update webhook_replays set state = $2, ended_at = $3, error = null where id = $1",
        id,
        to.as_str(),
        (to != ReplayState::Running).then_some(now),
    )
    .execute(&mut *tx)
    .await?;
    note(&mut tx, now, actor, id, action, json!({})).await?;
    tx.commit().await?;
    Ok(())
}

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Replay>, Fault> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, filter, total, done, changed, state as "state: ReplayState", error, created_by_name, created_at, ended_at
         from webhook_replays where id = $1"#,
        id
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    row.map(Replay::try_from).transpose()
}

/// The last ones, newest first.
pub async fn list(backoffice: &Backoffice) -> Result<Vec<Replay>, Fault> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, filter, total, done, changed, state as "state: ReplayState", error, created_by_name, created_at, ended_at
         from webhook_replays order by id desc limit 50"#
    )
    .fetch_all(&backoffice.pool)
    .await?;
    rows.into_iter().map(Replay::try_from).collect()
}

/// What one job does: some deliveries, oldest first, then how far it came. When its process dies in between, they
/// are looked into once more.
pub(crate) async fn run(backoffice: &Backoffice, id: Uuid) -> Result<(), Fault> {
    let row = sqlx::query!(
        "select filter, last_id, at_id from webhook_replays where id = $1 and state = 'running'",
        id
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let filter: Filter =
        serde_json::from_value(row.filter).map_err(Fault::unreadable("the filter of a replay"))?;
    let mut query = QueryBuilder::<Postgres>::new("select id from webhook_deliveries where true");
    filter.push(&mut query);
    query.push(" and id <= ").push_bind(row.last_id);
    if let Some(at_id) = row.at_id {
        query.push(" and id > ").push_bind(at_id);
    }
    query.push(" order by id limit ").push_bind(CHUNK);
    let ids: Vec<Uuid> = query.build_query_scalar().fetch_all(&backoffice.pool).await?;
    if ids.is_empty() {
        let ended = turn(
            backoffice,
            &JOB,
            id,
            ReplayState::Running,
            ReplayState::Finished,
            "webhook_replay.finished",
        )
        .await;
        return match ended {
            // Somebody was faster.
            Ok(()) | Err(ReplayError::State(_)) => Ok(()),
            Err(ReplayError::Fault(fault)) => Err(fault),
            Err(other) => Err(Fault::Inconsistent(other.to_string())),
        };
    }
    let rate_limited = backoffice.rate_limited();
    for delivery in ids {
        let changed = match apply::apply_again(&rate_limited, delivery).await {
            Ok(changed) => changed,
            // It will not be readable the next time either: the others are not held up for it.
            Err(Fault::Toss(TossError::Unreadable { .. })) => false,
            Err(fault) => {
                let why: String = fault.to_string().chars().take(300).collect();
                sqlx::query!("update webhook_replays set error = $2 where id = $1", id, why)
                    .execute(&backoffice.pool)
                    .await?;
                return match fault {
                    Fault::Toss(_) => queue::plan_now(backoffice, &RunReplay { id }, HOLD_BACK).await,
                    other => Err(other),
                };
            }
        };
        if !step(backoffice, id, delivery, changed).await? {
            return Ok(());
        }
    }
    queue::plan_now(backoffice, &RunReplay { id }, std::time::Duration::ZERO).await
}

/// False when somebody has stopped it.
async fn step(backoffice: &Backoffice, id: Uuid, delivery: Uuid, changed: bool) -> Result<bool, Fault> {
    let stepped = sqlx::query!(
        "update webhook_replays set at_id = $2, done = done + 1, changed = changed + $3, error = null
         where id = $1 and state = 'running'",
        id,
        delivery,
        i64::from(changed),
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(stepped.rows_affected() == 1)
}

/// An id that is told from others, and of no use to anybody.
pub fn shortened(id: &str) -> String {
    let all: Vec<char> = id.chars().collect();
    if all.len() <= 16 {
        return id.to_owned();
    }
    let (head, tail) = (all.iter().take(6), all.iter().skip(all.len() - 4));
    head.chain(&['…']).chain(tail).collect()
}

async fn note(
    tx: &mut sqlx::PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    id: Uuid,
    action: &'static str,
    detail: serde_json::Value,
) -> Result<(), Fault> {
    let subject = id.to_string();
    audit::record(tx, now, actor, Act { action, subject_kind: "webhook_replay", subject: &subject, detail })
        .await
}
