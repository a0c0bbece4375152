//! Who is told: addresses of the merchant's own systems, and streams of the program that this is mounted in.

use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Kind, Unfit, secrets};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
};

/// The most that there may be: each is a row more in every change.
const MOST: i64 = 20;

text_enum! {
    Way {
        Http = "http",
        Stream = "stream",
    }
}

text_enum! {
    State {
        Active = "active",
        /// By itself, see [`Why`]. What is to be told is kept.
        Paused = "paused",
        /// By somebody. Nothing more is kept for it.
        Disabled = "disabled",
    }
}

text_enum! {
    /// Why an endpoint was paused.
    Why {
        /// For three days, whatever it was sent.
        Failing = "failing",
        /// It has answered 410 Gone.
        Gone = "gone",
    }
}

/// Somebody who is told.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: Uuid,
    pub name: String,
    pub way: Way,
    /// Nothing for a stream.
    pub url: Option<String>,
    /// Empty: every kind.
    pub kinds: Vec<Kind>,
    pub state: State,
    pub paused_because: Option<Why>,
    pub created_at: OffsetDateTime,
    pub created_by_name: String,
    pub last_success_at: Option<OffsetDateTime>,
    pub failing_since: Option<OffsetDateTime>,
    pub last_error: Option<String>,
    /// While it fails for everything, nothing is sent before.
    pub retry_at: Option<OffsetDateTime>,
    /// Events that it has not taken yet; counts stop at a thousand.
    pub waiting: i64,
    pub waiting_since: Option<OffsetDateTime>,
}

/// What somebody sets.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub name: String,
    pub url: String,
    /// Empty: every kind.
    pub kinds: Vec<Kind>,
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("a name of 1 to 60 characters")]
    Name,
    #[error(transparent)]
    Url(Unfit),
    #[error("there are {MOST} endpoints")]
    TooMany,
}

#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("there is no such endpoint")]
    NotFound,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for EndpointError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// A change that can be made.
struct Checked {
    name: String,
    url: String,
    kinds: Vec<String>,
}

fn check(backoffice: &Backoffice, change: &Change) -> Result<Checked, Invalid> {
    let name = change.name.trim();
    if !(1..=60).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(Invalid::Name);
    }
    let url = backoffice.outside.check(&change.url).map_err(Invalid::Url)?;
    let mut kinds: Vec<String> = change.kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    Ok(Checked { name: name.to_owned(), url: url.into(), kinds })
}

/// Adds an address. Its secret is shown this once.
pub async fn add(
    backoffice: &Backoffice,
    actor: &Actor,
    change: &Change,
) -> Result<(Uuid, SecretString), EndpointError> {
    let checked = check(backoffice, change)?;
    let (id, now) = (Uuid::now_v7(), backoffice.clock.now());
    let mut tx = backoffice.pool.begin().await?;
    insert(&mut tx, now, actor, id, Way::Http, &checked.name, Some(&checked.url), &checked.kinds).await?;
    let secret = secrets::make(backoffice, &mut tx, id).await?;
    tx.commit().await?;
    Ok((id, secret))
}

/// The stream of this name, which is made where there is none. What it is told of is what was asked for last.
pub(super) async fn stream(
    backoffice: &Backoffice,
    name: &str,
    kinds: &[Kind],
) -> Result<Uuid, EndpointError> {
    let kinds: Vec<String> = kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('event_streams', 0))")
        .execute(&mut *tx)
        .await?;
    let known = sqlx::query_scalar!(
        "update event_endpoints set kinds = $2 where way = 'stream' and name = $1 and removed_at is null returning id",
        name,
        &kinds,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let id = match known {
        Some(id) => id,
        None => {
            let id = Uuid::now_v7();
            insert(&mut tx, now, &Actor::Job("events"), id, Way::Stream, name, None, &kinds).await?;
            id
        }
    };
    tx.commit().await?;
    Ok(id)
}

async fn insert(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    id: Uuid,
    way: Way,
    name: &str,
    url: Option<&str>,
    kinds: &[String],
) -> Result<(), EndpointError> {
    let added = sqlx::query!(
        "insert into event_endpoints (id, name, way, url, kinds, created_at, created_by, created_by_name)
         select $1, $2, $3, $4, $5, $6, $7, $8
         where (select count(*) from event_endpoints where removed_at is null) < $9",
        id,
        name,
        way.as_str(),
        url,
        kinds,
        now,
        actor.staff_id(),
        actor.name(),
        MOST,
    )
    .execute(&mut *tx)
    .await?;
    if added.rows_affected() == 0 {
        return Err(Invalid::TooMany.into());
    }
    let detail = json!({ "name": name, "url": url.map(without_query), "kinds": kinds });
    Ok(note(tx, now, actor, id, "event_endpoint.added", detail).await?)
}

pub async fn change(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    change: &Change,
) -> Result<(), EndpointError> {
    let checked = check(backoffice, change)?;
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let was = lock(&mut tx, id).await?;
    sqlx::query!(
        "update event_endpoints set name = $2, url = $3, kinds = $4 where id = $1 and way = 'http'",
        id,
        checked.name,
        checked.url,
        &checked.kinds,
    )
    .execute(&mut *tx)
    .await?;
    let url = [was.url.as_deref(), Some(checked.url.as_str())].map(|url| url.map(without_query));
    let detail = json!({ "name": [was.name, checked.name], "url": url,
                         "kinds": [was.kinds, checked.kinds] });
    note(&mut tx, now, actor, id, "event_endpoint.changed", detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Nothing is told any more, and nothing is kept for it. True when something changed.
pub async fn disable(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<bool, EndpointError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    if lock(&mut tx, id).await?.state == State::Disabled {
        return Ok(false);
    }
    sqlx::query!("update event_endpoints set state = 'disabled', paused_because = null where id = $1", id)
        .execute(&mut *tx)
        .await?;
    let dropped =
        sqlx::query!("delete from event_queue where endpoint_id = $1", id).execute(&mut *tx).await?;
    let detail = json!({ "dropped": dropped.rows_affected() });
    note(&mut tx, now, actor, id, "event_endpoint.disabled", detail).await?;
    tx.commit().await?;
    Ok(true)
}

/// Tells it again, and what was kept for it at once. True when something changed.
pub async fn enable(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<bool, EndpointError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    if lock(&mut tx, id).await?.state == State::Active {
        return Ok(false);
    }
    sqlx::query!(
        "update event_endpoints set state = 'active', paused_because = null, failures = 0, failing_since = null,
                retry_at = null where id = $1",
        id,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "update event_queue set next_at = $2, attempts = 0, first_at = null where endpoint_id = $1 and attempts > 0",
        id,
        now,
    )
    .execute(&mut *tx)
    .await?;
    note(&mut tx, now, actor, id, "event_endpoint.enabled", json!({})).await?;
    tx.commit().await?;
    Ok(true)
}

/// Takes it out of the list. What it was told stays in the log.
pub async fn remove(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<(), EndpointError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let was = lock(&mut tx, id).await?;
    sqlx::query!("update event_endpoints set removed_at = $2, state = 'disabled' where id = $1", id, now)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from event_queue where endpoint_id = $1", id).execute(&mut *tx).await?;
    sqlx::query!("delete from event_secrets where endpoint_id = $1", id).execute(&mut *tx).await?;
    let detail = json!({ "name": was.name, "url": was.url.as_deref().map(without_query) });
    note(&mut tx, now, actor, id, "event_endpoint.removed", detail).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) struct Locked {
    name: String,
    url: Option<String>,
    kinds: Vec<Kind>,
    pub state: State,
}

pub(super) async fn lock(tx: &mut PgConnection, id: Uuid) -> Result<Locked, EndpointError> {
    sqlx::query_as!(
        Locked,
        r#"select name, url, kinds as "kinds: Vec<Kind>", state as "state: State" from event_endpoints
           where id = $1 and removed_at is null for update"#,
        id,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(EndpointError::NotFound)
}

pub async fn endpoints(backoffice: &Backoffice) -> Result<Vec<Endpoint>, Fault> {
    read(backoffice, None).await
}

pub async fn endpoint(backoffice: &Backoffice, id: Uuid) -> Result<Option<Endpoint>, Fault> {
    Ok(read(backoffice, Some(id)).await?.pop())
}

async fn read(backoffice: &Backoffice, id: Option<Uuid>) -> Result<Vec<Endpoint>, Fault> {
    let endpoints = sqlx::query_as!(
        Endpoint,
        r#"select id, name, way as "way: Way", url, kinds as "kinds: Vec<Kind>", state as "state: State",
                  paused_because as "paused_because: Why", created_at, created_by_name, last_success_at, failing_since,
                  last_error, retry_at,
                  (select count(*) from (select from event_queue q where q.endpoint_id = p.id limit 1000) x) as "waiting!",
                  (select e.at from event_queue q join events e on e.seq = q.seq where q.endpoint_id = p.id
                   order by q.seq limit 1) as waiting_since
           from event_endpoints p where removed_at is null and ($1::uuid is null or id = $1) order by created_at, id"#,
        id,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(endpoints)
}

/// What stands behind a question mark may be a password, and the log is for good.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

pub(super) async fn note(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    id: Uuid,
    action: &'static str,
    detail: Value,
) -> Result<(), Fault> {
    let subject = id.to_string();
    audit::record(tx, now, actor, Act { action, subject_kind: "event_endpoint", subject: &subject, detail })
        .await
}
