//! Who changed what. A change and its row here are one transaction, which waits for nobody; rows are sealed into a Merkle
//! tree afterwards ([`seal`]), and signed checkpoints of the tree leave the house ([`outside`]). Whoever has one of them can
//! tell whether anything before it was changed ([`verify`]), and that a row is in it ([`proof`]).
//!
//! Why not a chain: decision 20.

mod chain;
mod entry;
pub mod job;
mod list;
pub mod note;
pub mod outside;
pub mod proof;
pub mod seal;
#[cfg(test)]
mod tampering;
mod tree;
pub mod verify;

pub use list::{Filter, Row, get, list, of_subject};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Fault, kernel::role::Role};

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    Staff {
        id: Uuid,
        name: String,
        role: Role,
        ip: Option<String>,
    },
    /// A job of ours, by name.
    Job(&'static str),
    /// The merchant's own server, by its API key.
    MerchantApi,
    /// Somebody at the machine itself.
    CommandLine,
}

impl Actor {
    pub fn key(&self) -> String {
        match self {
            Self::Staff { id, .. } => format!("staff:{id}"),
            Self::Job(name) => format!("job:{name}"),
            Self::MerchantApi => "merchant-api".into(),
            Self::CommandLine => "command-line".into(),
        }
    }

    pub fn staff_id(&self) -> Option<Uuid> {
        match self {
            Self::Staff { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Empty for whoever does not come from one.
    pub fn ip(&self) -> &str {
        match self {
            Self::Staff { ip, .. } => ip.as_deref().unwrap_or_default(),
            _ => "",
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Staff { name, .. } => name,
            Self::Job(name) => name,
            Self::MerchantApi => "merchant-api",
            Self::CommandLine => "command-line",
        }
    }
}

/// What was done to what.
#[derive(Debug, Clone)]
pub struct Act<'a> {
    /// `noun.verb`, for example `refund.requested`.
    pub action: &'static str,
    pub subject_kind: &'static str,
    pub subject: &'a str,
    /// Figures and words that explain the change. No secrets, no unmasked personal data.
    pub detail: Value,
}

/// Writes one row, with the mark that it is not sealed yet.
pub async fn record(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    act: Act<'_>,
) -> Result<(), Fault> {
    let (role, ip) = match actor {
        Actor::Staff { role, ip, .. } => (Some(role.as_str()), ip.as_deref()),
        _ => (None, None),
    };
    sqlx::query!(
        "with written as (
             insert into audit (at, actor, actor_name, role, ip, action, subject_kind, subject, detail)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::json) returning seq
         )
         insert into audit_unsealed select seq from written",
        now,
        actor.key(),
        actor.name(),
        role,
        ip,
        act.action,
        act.subject_kind,
        act.subject,
        act.detail.to_string(),
    )
    .execute(tx)
    .await?;
    Ok(())
}
