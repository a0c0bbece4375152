//! People with an account: who they are, what they may do, how they come in.

mod accounts;
pub mod devices;
pub mod factors;
pub mod form_answers;
pub mod identities;
pub mod invitations;
mod log_in;
pub mod notices;
pub mod oidc;
pub mod password;
mod second_person;
pub mod sessions;
pub mod throttle;

use time::OffsetDateTime;
use uuid::Uuid;

pub use crate::kernel::role::{Permission, Role};
use crate::{Backoffice, Fault, audit::Actor};
pub use accounts::{add, change_password, disable, reset};
pub use devices::{Caller, DeviceKey};
pub use invitations::{Invited, LinkEnded, Token};
pub use log_in::{LoginRefused, log_in, log_out};
pub use second_person::{others_who_approve, second_person};

#[derive(Debug, Clone)]
pub struct Staff {
    pub id: Uuid,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub created_at: OffsetDateTime,
    pub disabled_at: Option<OffsetDateTime>,
    pub last_login_at: Option<OffsetDateTime>,
    /// False for somebody who was invited and has not come yet.
    pub has_joined: bool,
    /// A passkey, or an app with codes.
    pub has_factor: bool,
}

impl Staff {
    pub fn actor(&self, ip: &str) -> Actor {
        Actor::Staff { id: self.id, name: self.name.clone(), role: self.role, ip: Some(ip.to_owned()) }
    }
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
    #[error("the password is easy to guess: take more words, or unusual ones")]
    PasswordWeak,
    #[error("the password is not the right one")]
    PasswordWrong,
    #[error("too many wrong passwords: the next is looked at in {seconds} seconds")]
    Wait { seconds: u64 },
    #[error("too many passwords are being looked at: try again in a moment")]
    Busy,
    #[error("the link opens nothing: {0:?}")]
    Link(LinkEnded),
    #[error("somebody has this e-mail address already")]
    EmailTaken,
    #[error("the last administrator cannot be disabled")]
    LastAdmin,
    #[error("nobody does this to themselves")]
    Yourself,
    #[error("no such account")]
    NotFound,
    #[error("there is no second factor to take away")]
    NoFactor,
    #[error("how it was made sure that it is the person, in 1 to 200 characters")]
    Why,
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

/// A new account.
#[derive(Debug)]
pub struct NewStaff {
    pub email: String,
    pub name: String,
    pub role: Role,
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

pub async fn get_by_email(backoffice: &Backoffice, email: &str) -> Result<Option<Staff>, Fault> {
    let Some(email) = normal_email(email) else { return Ok(None) };
    let staff = sqlx::query_as!(
        Staff,
        r#"select id, email, name, role as "role: Role", created_at, disabled_at, last_login_at,
                  password_hash is not null
                      or exists (select from staff_identities i where i.staff_id = staff.id) as "has_joined!",
                  exists(select 1 from staff_factors f where f.staff_id = staff.id and f.confirmed_at is not null) as "has_factor!"
           from staff where email = $1"#,
        email,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    Ok(staff)
}

pub async fn list(backoffice: &Backoffice) -> Result<Vec<Staff>, Fault> {
    let staff = sqlx::query_as!(
        Staff,
        r#"select id, email, name, role as "role: Role", created_at, disabled_at, last_login_at,
                  password_hash is not null
                      or exists (select from staff_identities i where i.staff_id = staff.id) as "has_joined!",
                  exists(select 1 from staff_factors f where f.staff_id = staff.id and f.confirmed_at is not null) as "has_factor!"
           from staff
           order by disabled_at nulls first, created_at limit 1000"#
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(staff)
}

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Staff>, Fault> {
    let staff = sqlx::query_as!(
        Staff,
        r#"select id, email, name, role as "role: Role", created_at, disabled_at, last_login_at,
                  password_hash is not null
                      or exists (select from staff_identities i where i.staff_id = staff.id) as "has_joined!",
                  exists(select 1 from staff_factors f where f.staff_id = staff.id and f.confirmed_at is not null) as "has_factor!"
           from staff where id = $1"#,
        id,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    Ok(staff)
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
