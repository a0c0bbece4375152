//! People with an account: who they are, what they may do, how they come in.

pub mod form_answers;
pub mod password;
mod second_person;
pub mod sessions;

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

pub use crate::kernel::role::{Permission, Role};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
};
use password::Password;
pub use second_person::{others_who_approve, second_person};

/// Failed log-ins in a quarter of an hour after which an account, or an address, has to wait.
const FAILURES_PER_ACCOUNT: i64 = 10;
const FAILURES_PER_ADDRESS: i64 = 50;

#[derive(Debug, Clone)]
pub struct Staff {
    pub id: Uuid,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub created_at: OffsetDateTime,
    pub disabled_at: Option<OffsetDateTime>,
    pub last_login_at: Option<OffsetDateTime>,
}

/// What is wrong with a new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("the e-mail address is not one")]
    Email,
    #[error("the name must have 1 to 80 characters")]
    Name,
    #[error("the password must have 12 to 128 characters")]
    Password,
    #[error("somebody has this e-mail address already")]
    EmailTaken,
    #[error("the last administrator cannot be disabled")]
    LastAdmin,
    #[error("nobody disables themselves")]
    Yourself,
    #[error("no such account")]
    NotFound,
}

#[derive(Debug, thiserror::Error)]
pub enum StaffError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for StaffError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Why nobody came in. The screen shows one message for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefused {
    Wrong,
    TooManyFailures,
}

/// A new account.
#[derive(Debug)]
pub struct NewStaff {
    pub email: String,
    pub name: String,
    pub role: Role,
    pub password: Password,
}

fn normal_email(text: &str) -> Option<String> {
    let email = text.trim().to_lowercase();
    let (local, domain) = email.split_once('@')?;
    let fits = !local.is_empty()
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && email.len() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control() || c == '<' || c == '>');
    fits.then_some(email)
}

pub async fn add(backoffice: &Backoffice, actor: &Actor, new: NewStaff) -> Result<Uuid, StaffError> {
    let email = normal_email(&new.email).ok_or(Invalid::Email)?;
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
        return Err(Invalid::Name.into());
    }
    let hash = password::hash(new.password).await?;
    let now = backoffice.clock.now();
    let id = Uuid::now_v7();
    let mut tx = backoffice.pool.begin().await?;
    let inserted = sqlx::query!(
        "insert into staff (id, email, name, role, password_hash, created_at, access_set_at, access_set_by)
         values ($1, $2, $3, $4, $5, $6, $6, $7)
         on conflict (email) do nothing",
        id,
        email,
        name,
        new.role.as_str(),
        hash,
        now,
        actor.staff_id(),
    )
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(Invalid::EmailTaken.into());
    }
    let detail = json!({ "email": email, "name": name, "role": new.role });
    let act = Act { action: "staff.added", subject_kind: "staff", subject: &id.to_string(), detail };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(id)
}

/// Ends the account and every session of it.
pub async fn disable(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<(), StaffError> {
    if matches!(actor, Actor::Staff { id: own, .. } if *own == id) {
        return Err(Invalid::Yourself.into());
    }
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    // All administrators are locked, so that two of them cannot disable each other at the same moment.
    let admins =
        sqlx::query_scalar!("select id from staff where role = 'admin' and disabled_at is null for update")
            .fetch_all(&mut *tx)
            .await?;
    if admins == [id] {
        return Err(Invalid::LastAdmin.into());
    }
    let changed =
        sqlx::query!("update staff set disabled_at = $2 where id = $1 and disabled_at is null", id, now)
            .execute(&mut *tx)
            .await?;
    if changed.rows_affected() == 0 {
        return Err(Invalid::NotFound.into());
    }
    sqlx::query!("delete from staff_sessions where staff_id = $1", id).execute(&mut *tx).await?;
    let act =
        Act { action: "staff.disabled", subject_kind: "staff", subject: &id.to_string(), detail: json!({}) };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

/// Sets a new password, opens a disabled account again, and ends every session.
pub async fn reset(
    backoffice: &Backoffice,
    actor: &Actor,
    email: &str,
    password: Password,
) -> Result<(), StaffError> {
    let email = normal_email(email).ok_or(Invalid::Email)?;
    let hash = password::hash(password).await?;
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let id = sqlx::query_scalar!(
        "update staff set password_hash = $2, disabled_at = null, access_set_at = $3, access_set_by = $4
         where email = $1 returning id",
        email,
        hash,
        now,
        actor.staff_id(),
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Invalid::NotFound)?;
    sqlx::query!("delete from staff_sessions where staff_id = $1", id).execute(&mut *tx).await?;
    let act =
        Act { action: "staff.reset", subject_kind: "staff", subject: &id.to_string(), detail: json!({}) };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

pub async fn get_by_email(backoffice: &Backoffice, email: &str) -> Result<Option<Staff>, Fault> {
    let Some(email) = normal_email(email) else { return Ok(None) };
    let staff = sqlx::query_as!(
        Staff,
        r#"select id, email, name, role as "role: Role", created_at, disabled_at, last_login_at from staff where email = $1"#,
        email,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    Ok(staff)
}

pub async fn list(backoffice: &Backoffice) -> Result<Vec<Staff>, Fault> {
    let staff = sqlx::query_as!(
        Staff,
        r#"select id, email, name, role as "role: Role", created_at, disabled_at, last_login_at from staff
         order by disabled_at nulls first, created_at limit 1000"#
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(staff)
}

/// Checks a log-in. The same work is done for an account that does not exist, so that the time tells nothing.
pub async fn log_in(
    backoffice: &Backoffice,
    email: &str,
    password: Password,
    ip: &str,
) -> Result<Result<Staff, LoginRefused>, Fault> {
    // PostgreSQL has no text with a NUL: such an address belongs to nobody, and costs the same work.
    let typed = email.trim().to_lowercase().replace('\0', "\u{fffd}");
    let email_hash = Sha256::digest(typed.as_bytes()).to_vec();
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
        r#"select id, email, name, role as "role: Role", created_at, disabled_at, last_login_at, password_hash
           from staff where email = $1 and disabled_at is null"#,
        typed,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let hash = found.as_ref().map(|row| row.password_hash.clone());
    let right = password::verify(password, hash).await?;
    let now = backoffice.clock.now();
    let Some(row) = found.filter(|_| right) else {
        return Ok(Err(LoginRefused::Wrong));
    };
    let staff = Staff {
        id: row.id,
        email: row.email,
        name: row.name,
        role: row.role,
        created_at: row.created_at,
        disabled_at: row.disabled_at,
        last_login_at: row.last_login_at,
    };
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!("update staff set last_login_at = $2 where id = $1", staff.id, now)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from login_failures where email_hash = $1", email_hash).execute(&mut *tx).await?;
    let actor =
        Actor::Staff { id: staff.id, name: staff.name.clone(), role: staff.role, ip: Some(ip.to_owned()) };
    let subject = staff.id.to_string();
    let act = Act { action: "staff.logged_in", subject_kind: "staff", subject: &subject, detail: json!({}) };
    audit::record(&mut tx, now, &actor, act).await?;
    tx.commit().await?;
    Ok(Ok(staff))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_reads_and_only_admins_manage_staff() {
        use crate::staff::Permission::*;
        for role in Role::ALL {
            assert!(role.may(ViewTrade));
            assert_eq!(role.may(ManageStaff), role == Role::Admin);
        }
        assert!(!Role::Viewer.may(Refund) && Role::Support.may(Refund));
        assert!(!Role::Support.may(ViewAudit) && Role::Finance.may(ViewAudit));
    }
}
