//! Sessions, by the hash of their cookie. How long they live is decided here, in the database's time: an hour
//! without a request, twelve hours in all.

use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;

use super::{Role, Staff};
use crate::Fault;

/// `sha256` of the cookie's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKey(Vec<u8>);

impl SessionKey {
    pub fn of(cookie_id: &[u8]) -> Self {
        Self(Sha256::digest(cookie_id).to_vec())
    }

    pub(super) fn hash(&self) -> &[u8] {
        &self.0
    }
}

/// False when the key exists already.
pub async fn create(
    pool: &PgPool,
    key: &SessionKey,
    staff: Option<Uuid>,
    data: &Value,
) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "insert into staff_sessions (id_hash, staff_id, data, expires_at)
         values ($1, $2, $3, now() + interval '1 hour') on conflict do nothing",
        key.0,
        staff,
        data,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes a session that still exists. One that was ended meanwhile stays ended: a request that was under way must
/// not bring it back.
pub async fn save(pool: &PgPool, key: &SessionKey, staff: Option<Uuid>, data: &Value) -> Result<(), Fault> {
    sqlx::query!("update staff_sessions set data = $2, staff_id = $3 where id_hash = $1", key.0, data, staff)
        .execute(pool)
        .await?;
    Ok(())
}

/// Reads a live session and keeps it alive; written at most twice a minute.
pub async fn load(pool: &PgPool, key: &SessionKey) -> Result<Option<Value>, Fault> {
    let data = sqlx::query_scalar!(
        "with touched as (
            update staff_sessions
            set last_seen_at = now(), expires_at = least(now() + interval '1 hour', created_at + interval '12 hours')
            where id_hash = $1 and expires_at > now() and last_seen_at < now() - interval '30 seconds'
        )
        select data from staff_sessions where id_hash = $1 and expires_at > now()",
        key.0,
    )
    .fetch_optional(pool)
    .await?;
    Ok(data)
}

pub async fn end(pool: &PgPool, key: &SessionKey) -> Result<(), Fault> {
    sqlx::query!("delete from staff_sessions where id_hash = $1", key.0).execute(pool).await?;
    Ok(())
}

pub async fn delete_expired(pool: &PgPool) -> Result<u64, Fault> {
    let done = sqlx::query!("delete from staff_sessions where expires_at <= now()").execute(pool).await?;
    sqlx::query!("delete from login_failures where at < now() - interval '1 day'").execute(pool).await?;
    Ok(done.rows_affected())
}

/// The person behind a session, as the account stands now: a changed role counts at once.
pub async fn staff(pool: &PgPool, id: Uuid) -> Result<Option<Staff>, Fault> {
    let staff = sqlx::query_as!(
        Staff,
        r#"select id, email, name, role as "role: Role", created_at, disabled_at, last_login_at from staff
         where id = $1 and disabled_at is null"#,
        id,
    )
    .fetch_optional(pool)
    .await?;
    Ok(staff)
}
