//! What a log-in by OpenID Connect leaves between its two requests, and the log-outs that its provider tells.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use time::OffsetDateTime;

use super::sessions::{self, SessionKey};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    kernel::seal::{self, ID_TOKEN, OIDC_LOG_IN},
};

/// What goes to the provider, and what its answer is held against.
#[derive(Clone)]
pub struct Begun {
    pub state: String,
    pub nonce: String,
    /// Of PKCE (RFC 7636): only its hash leaves the house before the code comes back.
    pub verifier: String,
}

/// A log-in that comes back.
#[derive(Clone, Serialize, Deserialize)]
pub struct UnderWay {
    pub nonce: String,
    pub verifier: String,
    /// The page that somebody wanted.
    pub next: String,
    /// Somebody who is in has to show anew who they are, and did not before this moment.
    pub again_since: Option<i64>,
}

fn random() -> Result<String, Fault> {
    Ok(URL_SAFE_NO_PAD.encode(seal::random()?))
}

fn hash_of(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

/// Begins a log-in in this session. `again_since`: somebody who is in shows once more who they are.
pub async fn begin(
    backoffice: &Backoffice,
    session: &SessionKey,
    next: &str,
    again_since: Option<i64>,
) -> Result<Begun, Fault> {
    let begun = Begun { state: random()?, nonce: random()?, verifier: random()? };
    // Nobody has a page of ours with a longer address.
    let next = next.chars().take(2_000).collect();
    let kept = UnderWay { nonce: begun.nonce.clone(), verifier: begun.verifier.clone(), next, again_since };
    let kept = serde_json::to_string(&kept).map_err(Fault::unreadable("a log-in"))?;
    sqlx::query!(
        "insert into oidc_log_ins (state_hash, session_hash, secret) values ($1, $2, $3)",
        hash_of(&begun.state),
        session.hash(),
        backoffice.keys.seal(OIDC_LOG_IN, &kept)?,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(begun)
}

/// Takes the log-in that comes back. Nothing for a state that another session has begun, that came back already, or that
/// was under way for more than ten minutes.
pub async fn take(
    backoffice: &Backoffice,
    session: &SessionKey,
    state: &str,
) -> Result<Option<UnderWay>, Fault> {
    let secret = sqlx::query_scalar!(
        "delete from oidc_log_ins where state_hash = $1 and session_hash = $2 and expires_at > now() returning secret",
        hash_of(state),
        session.hash(),
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let open = |sealed: String| {
        let kept = backoffice.keys.open(OIDC_LOG_IN, &sealed)?;
        serde_json::from_str(&kept).map_err(Fault::unreadable("a log-in"))
    };
    secret.map(open).transpose()
}

/// A log-out that the provider tells.
#[derive(Debug)]
pub struct ToldLogOut<'a> {
    pub issuer: &'a str,
    /// One id for one log-out.
    pub jti: &'a str,
    pub expires_at: OffsetDateTime,
    /// The provider's session; without one all of the subject's.
    pub sid: Option<&'a str>,
    pub subject: Option<&'a str>,
}

/// Ends the sessions that the provider says have ended. How many; nothing when it was told before.
pub async fn log_out(backoffice: &Backoffice, told: &ToldLogOut<'_>) -> Result<Option<usize>, Fault> {
    let mut tx = backoffice.pool.begin().await?;
    let first = sqlx::query!(
        "insert into oidc_log_outs (token_hash, expires_at) values ($1, $2) on conflict do nothing",
        hash_of(&format!("{} {}", told.issuer, told.jti)),
        told.expires_at,
    )
    .execute(&mut *tx)
    .await?;
    if first.rows_affected() == 0 {
        return Ok(None);
    }
    let ended = sqlx::query_scalar!(
        "delete from staff_sessions
         where data ? 'oidc' and data->'oidc'->>'issuer' = $1
           and ($2::text is null or data->'oidc'->>'sid' = $2)
           and ($3::text is null or data->'oidc'->>'subject' = $3)
         returning staff_id",
        told.issuer,
        told.sid,
        told.subject,
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut people: Vec<_> = ended.iter().flatten().copied().collect();
    people.sort_unstable();
    for person in people.chunk_by(|a, b| a == b) {
        let count = u64::try_from(person.len()).unwrap_or(u64::MAX);
        sessions::note_ended(backoffice, &mut tx, &Actor::Job("oidc"), person[0], count).await?;
    }
    tx.commit().await?;
    Ok(Some(ended.len()))
}

/// The ID token waits in the session for its log-out, sealed: it tells who somebody is.
pub fn seal_token(backoffice: &Backoffice, token: &str) -> Result<String, Fault> {
    backoffice.keys.seal(ID_TOKEN, token)
}

/// Nothing when its key has gone: a log-out does without.
pub fn open_token(backoffice: &Backoffice, sealed: &str) -> Option<String> {
    backoffice.keys.open(ID_TOKEN, sealed).ok()
}

pub(super) async fn delete_expired(pool: &PgPool) -> Result<(), Fault> {
    sqlx::query!("delete from oidc_log_ins where expires_at <= now()").execute(pool).await?;
    sqlx::query!("delete from oidc_log_outs where expires_at <= now()").execute(pool).await?;
    Ok(())
}
