//! What of a row is hashed.

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::Fault;

/// A row as a leaf of the tree: JSON, its members in this order, the detail as it was written.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    seq: i64,
    /// Microseconds since 1970: what PostgreSQL keeps.
    at: i64,
    actor: &'a str,
    actor_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<&'a str>,
    action: &'a str,
    subject_kind: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a RawValue>,
    /// A detail that was not written here: no JSON, or with space around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail_text: Option<&'a str>,
}

/// A row as it stands in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub seq: i64,
    pub at: OffsetDateTime,
    pub actor: String,
    pub actor_name: String,
    pub role: Option<String>,
    pub ip: Option<String>,
    pub agent: Option<String>,
    pub factor: Option<String>,
    pub action: String,
    pub subject_kind: String,
    pub subject: String,
    pub detail: String,
}

impl Written {
    /// The bytes of its leaf.
    pub(crate) fn leaf(&self) -> Result<Vec<u8>, Fault> {
        let detail = serde_json::from_str::<&RawValue>(&self.detail).ok();
        let detail = detail.filter(|detail| detail.get() == self.detail);
        let entry = Entry {
            seq: self.seq,
            at: i64::try_from(self.at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX),
            actor: &self.actor,
            actor_name: &self.actor_name,
            role: self.role.as_deref(),
            ip: self.ip.as_deref(),
            agent: self.agent.as_deref(),
            factor: self.factor.as_deref(),
            action: &self.action,
            subject_kind: &self.subject_kind,
            subject: &self.subject,
            detail,
            detail_text: detail.is_none().then_some(&self.detail),
        };
        serde_json::to_vec(&entry).map_err(Fault::unreadable("an audit row"))
    }
}
