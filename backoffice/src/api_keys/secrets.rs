//! What a key is shown by: a long random text, of which only the hash is kept. One that was changed holds for a day beside the new
//! one, so that servers can be changed over one after the other.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    Scope,
    keys::{self, KeyError},
};
use crate::{Backoffice, Fault, audit::Actor};

/// In front of each, so that whoever finds one knows what it is.
const PREFIX: &str = "jangbu_";
/// In bytes.
const LENGTH: usize = 32;
/// How long the one before holds.
const OVERLAP: Duration = Duration::DAY;
/// The last use is written down no more often.
const USE_EVERY: Duration = Duration::MINUTE;

/// A secret without itself: it is shown once, when it is made.
#[derive(Debug, Clone, Deserialize)]
pub struct Secret {
    /// Its last characters.
    pub ending: String,
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ends_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
}

/// A key that somebody has shown.
#[derive(Debug, Clone)]
pub struct Known {
    pub id: Uuid,
    pub name: String,
    pub scopes: Vec<Scope>,
    /// Calls that it may make.
    pub per_minute: Option<i32>,
    pub is_expired: bool,
}

fn hash(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}

pub(super) async fn make(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    key: Uuid,
) -> Result<SecretString, Fault> {
    let mut bytes = [0; LENGTH];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Fault::Inconsistent("this machine gives no random numbers".into()))?;
    let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let ending: String = secret.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
    sqlx::query!(
        "insert into api_key_secrets (hash, key_id, ending, made_at) values ($1, $2, $3, $4)",
        hash(&secret),
        key,
        ending,
        now,
    )
    .execute(tx)
    .await?;
    Ok(secret.into())
}

/// Makes a new one, and has the one before hold for a day.
pub async fn rotate(backoffice: &Backoffice, actor: &Actor, key: Uuid) -> Result<SecretString, KeyError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let known = keys::lock(&mut tx, key).await?;
    // Whoever sees the new one can do what it opens.
    keys::reach(&mut tx, actor, now, key, &known.scopes, known.limits).await?;
    sqlx::query!(
        "update api_key_secrets set ends_at = least(ends_at, case when ends_at is null then $2::timestamptz else $3 end)
         where key_id = $1",
        key,
        now + OVERLAP,
        now,
    )
    .execute(&mut *tx)
    .await?;
    let secret = make(&mut tx, now, key).await?;
    sqlx::query!(
        "update api_keys set seen_by = seen_by || $2::uuid where id = $1 and $2::uuid is not null and $2::uuid <> all(seen_by)",
        key,
        actor.staff_id(),
    )
    .execute(&mut *tx)
    .await?;
    keys::note(&mut tx, now, actor, key, "api_key.secret_rotated", json!({ "name": known.name })).await?;
    tx.commit().await?;
    Ok(secret)
}

/// The key that this is a secret of, unless it was taken back.
pub async fn recognize(backoffice: &Backoffice, secret: &SecretString) -> Result<Option<Known>, Fault> {
    let secret = secret.expose_secret();
    if !secret.starts_with(PREFIX) {
        return Ok(None);
    }
    let (now, hash) = (backoffice.clock.now(), hash(secret));
    let row = sqlx::query!(
        r#"select k.id, k.name, k.scopes as "scopes: Vec<Scope>", k.per_minute, k.expires_at, s.last_used_at
           from api_key_secrets s join api_keys k on k.id = s.key_id
           where s.hash = $1 and (s.ends_at is null or s.ends_at > $2) and k.revoked_at is null"#,
        hash,
        now,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let is_expired = row.expires_at.is_some_and(|end| end <= now);
    if !is_expired && row.last_used_at.is_none_or(|last| now - last >= USE_EVERY) {
        sqlx::query!("update api_key_secrets set last_used_at = $2 where hash = $1", hash, now)
            .execute(&backoffice.pool)
            .await?;
    }
    Ok(Some(Known { id: row.id, name: row.name, scopes: row.scopes, per_minute: row.per_minute, is_expired }))
}
