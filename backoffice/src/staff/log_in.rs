//! Coming in with an address and a password, and proving once more that it is the same person.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};

use super::{
    Role, Staff,
    password::{self, Password},
};
use crate::{
    Backoffice, Fault,
    audit::{self, Act},
};

/// Failed log-ins in a quarter of an hour after which an account, or an address, has to wait.
const FAILURES_PER_ACCOUNT: i64 = 10;
const FAILURES_PER_ADDRESS: i64 = 50;

/// Why nobody came in. The screen shows one message for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefused {
    Wrong,
    TooManyFailures,
}

/// PostgreSQL has no text with a NUL: such an address belongs to nobody, and costs the same work.
fn normal(email: &str) -> String {
    email.trim().to_lowercase().replace('\0', "\u{fffd}")
}

fn hash_of(email: &str) -> Vec<u8> {
    Sha256::digest(email.as_bytes()).to_vec()
}

/// Checks an address and a password. The same work is done for an account that does not exist, so that the time tells
/// nothing. Whoever lets somebody in notes it with [`note_log_in`].
pub async fn log_in(
    backoffice: &Backoffice,
    email: &str,
    password: Password,
    ip: &str,
) -> Result<Result<Staff, LoginRefused>, Fault> {
    prove(backoffice, email, password, ip).await
}

/// Somebody has shown who they are, in whichever way. `by`: where else, and whether a second factor was seen there.
pub async fn note_log_in(
    backoffice: &Backoffice,
    staff: &Staff,
    ip: &str,
    by: Option<(&str, bool)>,
) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!("update staff set last_login_at = $2 where id = $1", staff.id, now)
        .execute(&mut *tx)
        .await?;
    let actor = staff.actor(ip);
    let subject = staff.id.to_string();
    let detail =
        by.map_or(json!({}), |(issuer, factor)| json!({ "issuer": issuer, "second_factor": factor }));
    let act = Act { action: "staff.logged_in", subject_kind: "staff", subject: &subject, detail };
    audit::record(&mut tx, now, &actor, act).await?;
    tx.commit().await?;
    Ok(())
}

/// Who has this address and this password, and is not disabled.
pub(super) async fn prove(
    backoffice: &Backoffice,
    email: &str,
    password: Password,
    ip: &str,
) -> Result<Result<Staff, LoginRefused>, Fault> {
    let typed = normal(email);
    let email_hash = hash_of(&typed);
    if too_many_failures(&backoffice.pool, &email_hash, ip).await? {
        // The same time is spent as on a wrong password.
        password::verify(password, None).await?;
        return Ok(Err(LoginRefused::TooManyFailures));
    }
    // Counted before it is checked, so that a crowd of guesses cannot all arrive before the first is counted.
    sqlx::query!("insert into login_failures (email_hash, ip) values ($1, $2)", email_hash, ip)
        .execute(&backoffice.pool)
        .await?;
    let found = sqlx::query!(
        r#"select id, email, name, role as "role: Role", created_at, disabled_at, last_login_at, password_hash,
                  exists(select 1 from staff_factors f where f.staff_id = staff.id and f.confirmed_at is not null) as "has_factor!"
           from staff where email = $1 and disabled_at is null"#,
        typed,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let hash = found.as_ref().and_then(|row| row.password_hash.clone());
    let right = password::verify(password, hash).await?;
    let Some(row) = found.filter(|_| right) else {
        return Ok(Err(LoginRefused::Wrong));
    };
    forget_failures(&mut *backoffice.pool.acquire().await?, &row.email).await?;
    Ok(Ok(Staff {
        id: row.id,
        email: row.email,
        name: row.name,
        role: row.role,
        created_at: row.created_at,
        disabled_at: row.disabled_at,
        last_login_at: row.last_login_at,
        has_joined: true,
        has_factor: row.has_factor,
    }))
}

/// Whoever has shown that the account is theirs is not kept waiting for what others tried.
pub(super) async fn forget_failures(connection: &mut PgConnection, email: &str) -> Result<(), Fault> {
    sqlx::query!("delete from login_failures where email_hash = $1", hash_of(email))
        .execute(connection)
        .await?;
    Ok(())
}

async fn too_many_failures(pool: &PgPool, email_hash: &[u8], ip: &str) -> Result<bool, Fault> {
    let window = sqlx::postgres::types::PgInterval::try_from(Duration::from_secs(15 * 60))
        .map_err(|e| Fault::Inconsistent(e.to_string()))?;
    let row = sqlx::query!(
        r#"select
            (select count(*) from login_failures where email_hash = $1 and at > now() - $3::interval) as "account!",
            (select count(*) from login_failures where ip = $2 and at > now() - $3::interval) as "address!""#,
        email_hash,
        ip,
        window,
    )
    .fetch_one(pool)
    .await?;
    // Without a known address (a host that does not pass it on) everybody would share one count.
    Ok(row.account >= FAILURES_PER_ACCOUNT || (!ip.is_empty() && row.address >= FAILURES_PER_ADDRESS))
}
