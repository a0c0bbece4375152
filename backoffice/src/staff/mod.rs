//! People with an account: who they are, what they may do, how they come in.

/// Reads accounts: the columns stand here once.
macro_rules! accounts {
    ($which:literal $(, $value:expr)*) => {
        sqlx::query_as!(
            Staff,
            r#"select id, email, name, role as "role: Role", held(staff) as "held!: Json<Held>", created_at, disabled_at,
                      is_dormant, last_login_at,
                      password_hash is not null
                          or exists(select 1 from staff_identities i where i.staff_id = staff.id) as "has_joined!",
                      exists(select 1 from staff_factors f
                             where f.staff_id = staff.id and f.confirmed_at is not null) as "has_factor!",
                      greatest(coalesce(last_login_at, created_at), opened_at) as "active_at!" from staff "# + $which
            $(, $value)*
        )
    };
}

mod accounts;
pub mod addresses;
pub mod devices;
mod dormant;
pub mod factors;
pub mod form_answers;
pub mod identities;
pub mod invitations;
mod log_in;
pub mod notices;
pub mod oidc;
pub mod password;
pub mod register;
pub mod rights;
pub mod roles;
mod second_person;
pub mod sessions;
pub mod throttle;

use serde::Deserialize;
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use addresses::MOST_ADDRESSES;

pub use crate::kernel::{
    permission::{Permission, Permissions},
    role::Role,
};
use crate::{
    Backoffice, Fault,
    audit::{Actor, Via},
};
pub(crate) use accounts::leave_in;
pub use accounts::{add, change_password, disable, reset};
pub use devices::{Caller, DeviceKey};
pub(crate) use dormant::CloseDormant;
pub use dormant::close_dormant;
pub use invitations::{Invited, LinkEnded, Token};
pub use log_in::{LoginRefused, log_in, log_out};
pub use second_person::{others_who_approve, others_who_may, second_person};

#[derive(Debug, Clone)]
pub struct Staff {
    pub id: Uuid,
    pub email: String,
    pub name: String,
    /// One of the four; of a role of the house's own its base, whose limits hold.
    pub role: Role,
    pub held: Json<Held>,
    pub created_at: OffsetDateTime,
    pub disabled_at: Option<OffsetDateTime>,
    /// Disabled because nobody came.
    pub is_dormant: bool,
    pub last_login_at: Option<OffsetDateTime>,
    /// The last log-in, or since when there could have been one.
    pub active_at: OffsetDateTime,
    /// False for somebody who was invited and has not come yet.
    pub has_joined: bool,
    /// A passkey, or an app with codes.
    pub has_factor: bool,
}

/// What somebody holds besides one of the four roles.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    pub own_role: Option<HeldRole>,
    /// From where they may come; empty: from anywhere.
    allowed_ips: Vec<String>,
    /// Their own, which hold instead of those of the role.
    pub own_ips: Vec<String>,
}

/// A role of the house's own, as somebody has it.
#[derive(Debug, Clone, Deserialize)]
pub struct HeldRole {
    pub id: Uuid,
    pub name: String,
    pub permissions: Permissions,
}

impl Staff {
    pub fn permissions(&self) -> Permissions {
        self.held.own_role.as_ref().map_or_else(|| self.role.permissions(), |own| own.permissions)
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.permissions().contains(permission)
    }

    pub fn own_role(&self) -> Option<&HeldRole> {
        self.held.own_role.as_ref()
    }

    pub fn actor(&self, caller: &Caller<'_>) -> Actor {
        let agent = Some(caller.agent).filter(|agent| !agent.is_empty());
        let factor = match () {
            () if caller.is_known_elsewhere => "elsewhere",
            // Nobody is in without theirs.
            () if self.has_factor => "second",
            () => "password",
        };
        let via = Via {
            ip: Some(caller.ip.to_owned()),
            agent: agent.map(|agent| agent.chars().take(200).collect()),
            factor: Some(factor),
        };
        Actor::Staff { id: self.id, name: self.name.clone(), role: self.role, via }
    }

    /// The same without an address: a job goes on with what somebody has begun.
    pub(crate) fn away(&self) -> Actor {
        Actor::Staff { id: self.id, name: self.name.clone(), role: self.role, via: Via::default() }
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
    #[error("nobody gives what they do not hold, nor changes the account of somebody who may do more")]
    BeyondYours,
    #[error("nobody who could go on with it")]
    Colleague,
    #[error("addresses or networks, at most {MOST_ADDRESSES}")]
    Addresses,
    #[error("your own address has to be among them")]
    OwnAddress,
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
    Ok(accounts!("where email = $1", email).fetch_optional(&backoffice.pool).await?)
}

pub async fn list(backoffice: &Backoffice) -> Result<Vec<Staff>, Fault> {
    let staff = accounts!("order by disabled_at nulls first, created_at limit 1000")
        .fetch_all(&backoffice.pool)
        .await?;
    Ok(staff)
}

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Staff>, Fault> {
    Ok(accounts!("where id = $1", id).fetch_optional(&backoffice.pool).await?)
}

/// The same inside of a change.
pub(crate) async fn get_in(tx: &mut PgConnection, id: Uuid) -> Result<Option<Staff>, Fault> {
    Ok(accounts!("where id = $1", id).fetch_optional(tx).await?)
}

/// The same, locked until the change is over.
async fn lock(tx: &mut PgConnection, id: Uuid) -> Result<Option<Staff>, Fault> {
    Ok(accounts!("where id = $1 for no key update", id).fetch_optional(tx).await?)
}

async fn holders(tx: &mut PgConnection, own_role: Uuid) -> Result<Vec<Staff>, Fault> {
    Ok(accounts!("where own_role_id = $1 order by id for no key update", own_role).fetch_all(tx).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_reads_and_only_admins_manage_staff() {
        use crate::staff::Permission::*;
        for role in Role::ALL {
            assert!(role.may(ViewTrade) && role.may(ViewFinance));
            assert_eq!(role.may(ManageStaff), role == Role::Admin);
        }
        assert!(!Role::Viewer.may(Refund) && Role::Support.may(Refund));
        assert!(!Role::Support.may(ViewAudit) && Role::Finance.may(ViewAudit));
        assert_eq!(Role::Admin.permissions(), Permissions::ALL);
    }
}
