//! Who changed what. A change and its row here are one transaction, which waits for nobody; rows are sealed into a Merkle
//! tree afterwards ([`seal`]), and signed checkpoints of the tree leave the house ([`outside`]). Whoever has one of them can
//! tell whether anything before it was changed ([`verify`]), and that a row is in it ([`proof`]). Who saw whose personal data is
//! told in it too, and may go earlier ([`access`]).
//!
//! Why not a chain: decision 20.

pub mod access;
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
        via: Via,
    },
    /// A job of ours, by name.
    Job(&'static str),
    /// The merchant's own server, by the key of the settings.
    MerchantApi,
    /// The same by a key of its own.
    ApiKey {
        id: Uuid,
        name: String,
        via: Via,
    },
    /// Somebody at the machine itself, who did not say who.
    CommandLine,
    /// The same, by the name they gave.
    Operator(String),
}

/// How somebody of the staff came: nothing for a job that goes on with what they have begun.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Via {
    pub ip: Option<String>,
    /// What the browser calls itself.
    pub agent: Option<String>,
    /// What they have shown: `password`, `second`, or `elsewhere` where somebody else says who they are.
    pub factor: Option<&'static str>,
}

impl Actor {
    pub fn key(&self) -> String {
        match self {
            Self::Staff { id, .. } => format!("staff:{id}"),
            Self::Job(name) => format!("job:{name}"),
            Self::MerchantApi => "merchant-api".into(),
            Self::ApiKey { id, .. } => format!("api-key:{id}"),
            Self::CommandLine | Self::Operator(_) => "command-line".into(),
        }
    }

    pub fn staff_id(&self) -> Option<Uuid> {
        match self {
            Self::Staff { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The key that it is.
    pub fn api_key(&self) -> Option<Uuid> {
        match self {
            Self::ApiKey { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The merchant's own server.
    pub fn is_merchant(&self) -> bool {
        matches!(self, Self::MerchantApi | Self::ApiKey { .. })
    }

    /// Empty for whoever does not come from one.
    pub fn ip(&self) -> &str {
        match self {
            Self::Staff { via, .. } | Self::ApiKey { via, .. } => via.ip.as_deref().unwrap_or_default(),
            _ => "",
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Staff { name, .. } => name,
            Self::Job(name) => name,
            Self::MerchantApi => "merchant-api",
            Self::ApiKey { name, .. } => name,
            Self::CommandLine => "command-line",
            Self::Operator(name) => name,
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

/// Who it was, as it stands in a row.
pub(crate) struct Author<'a> {
    pub actor: String,
    pub name: &'a str,
    pub role: Option<&'a str>,
    pub ip: Option<&'a str>,
    pub agent: Option<&'a str>,
    pub factor: Option<&'a str>,
}

impl<'a> Author<'a> {
    pub fn of(actor: &'a Actor) -> Self {
        let (role, via) = match actor {
            Actor::Staff { role, via, .. } => (Some(role.as_str()), Some(via)),
            Actor::ApiKey { via, .. } => (None, Some(via)),
            _ => (None, None),
        };
        Self {
            actor: actor.key(),
            name: actor.name(),
            role,
            ip: via.and_then(|via| via.ip.as_deref()),
            agent: via.and_then(|via| via.agent.as_deref()),
            factor: via.and_then(|via| via.factor),
        }
    }
}

/// Writes one row, with the mark that it is not sealed yet. Registering an order does the same in its own statement.
pub async fn record(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    act: Act<'_>,
) -> Result<(), Fault> {
    let author = Author::of(actor);
    sqlx::query!(
        "with written as (
             insert into audit (at, actor, actor_name, role, ip, agent, factor, action, subject_kind, subject, detail)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::json) returning seq
         )
         insert into audit_unsealed (seq) select seq from written",
        now,
        author.actor,
        author.name,
        author.role,
        author.ip,
        author.agent,
        author.factor,
        act.action,
        act.subject_kind,
        act.subject,
        act.detail.to_string(),
    )
    .execute(tx)
    .await?;
    Ok(())
}
