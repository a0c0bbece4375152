//! What an endpoint knows our events by. Each has one secret, and for a day after it was changed the one before as well: a receiver
//! can change over without refusing anything.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::PgConnection;
use standardwebhooks::Webhook;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::endpoints::{EndpointError, note};
use crate::{Backoffice, Fault, audit::Actor, kernel::seal::EVENT_SECRET};

/// How long the one before holds.
const OVERLAP: Duration = Duration::DAY;

/// In bytes; Standard Webhooks asks for 24 to 64.
const LENGTH: usize = 32;

/// A secret without itself: it is shown once, when it is made.
#[derive(Debug, Clone)]
pub struct Secret {
    pub made_at: OffsetDateTime,
    pub ends_at: Option<OffsetDateTime>,
}

/// Makes one, as every library of Standard Webhooks takes it.
pub(super) async fn make(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    endpoint: Uuid,
) -> Result<SecretString, Fault> {
    let mut bytes = [0; LENGTH];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Fault::Inconsistent("this machine gives no random numbers".into()))?;
    let secret = format!("whsec_{}", STANDARD.encode(bytes));
    sqlx::query!(
        "insert into event_secrets (id, endpoint_id, secret, made_at) values ($1, $2, $3, $4)",
        Uuid::now_v7(),
        endpoint,
        backoffice.keys.seal(EVENT_SECRET, &secret)?,
        backoffice.clock.now(),
    )
    .execute(tx)
    .await?;
    Ok(secret.into())
}

/// Makes a new one, and has the one before hold for a day.
pub async fn rotate(
    backoffice: &Backoffice,
    actor: &Actor,
    endpoint: Uuid,
) -> Result<SecretString, EndpointError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    super::endpoints::lock(&mut tx, endpoint).await?;
    sqlx::query!("delete from event_secrets where endpoint_id = $1 and ends_at <= $2", endpoint, now)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "update event_secrets set ends_at = $2 where endpoint_id = $1 and ends_at is null",
        endpoint,
        now + OVERLAP,
    )
    .execute(&mut *tx)
    .await?;
    let secret = make(backoffice, &mut tx, endpoint).await?;
    note(&mut tx, now, actor, endpoint, "event_endpoint.secret_rotated", json!({})).await?;
    tx.commit().await?;
    Ok(secret)
}

pub async fn secrets(backoffice: &Backoffice, endpoint: Uuid) -> Result<Vec<Secret>, Fault> {
    let secrets = sqlx::query_as!(
        Secret,
        "select made_at, ends_at from event_secrets where endpoint_id = $1 and (ends_at is null or ends_at > $2)
         order by made_at desc",
        endpoint,
        backoffice.clock.now(),
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(secrets)
}

/// What is signed with now, the newest first.
pub(super) async fn signers(backoffice: &Backoffice, endpoint: Uuid) -> Result<Vec<Webhook>, Fault> {
    let sealed = sqlx::query_scalar!(
        "select secret from event_secrets where endpoint_id = $1 and (ends_at is null or ends_at > $2)
         order by ends_at desc nulls first",
        endpoint,
        backoffice.clock.now(),
    )
    .fetch_all(&backoffice.pool)
    .await?;
    sealed
        .iter()
        .map(|sealed| {
            let secret = SecretString::from(backoffice.keys.open(EVENT_SECRET, sealed)?);
            Webhook::new(secret.expose_secret())
                .map_err(|_| Fault::Inconsistent("the secret of an endpoint is none".into()))
        })
        .collect()
}
