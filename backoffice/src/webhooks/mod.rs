//! What Toss posts to us: kept before it is believed, believed only after Toss was asked or its signature was checked.
//! [`intake`] commits, [`mod@apply`] looks into one, [`replay`] into many once more, [`missing`] finds what never came.

mod apply;
mod diff;
mod health;
mod intake;
pub(crate) mod job;
mod list;
pub mod missing;
mod months;
pub mod replay;
mod trust;

use std::net::IpAddr;

use serde_json::Value;
use time::OffsetDateTime;
use toss::payments::webhook::RETRY_GAPS_MINUTES;
use uuid::Uuid;

pub use apply::{apply, apply_all};
pub use diff::{Difference, differences};
pub use health::{Health, Silence, health, tell_silence};
pub use intake::{Intake, NotKept, any_waiting, keep};
pub use list::{Filter, UNTRUSTED, count_since, get, list, note_reveal, note_view, of_order};
pub use missing::{Gap, Missing};
pub use months::rotate_partitions;
pub use replay::{Replay, ReplayError, ReplayState, shortened};
pub use trust::Badge;

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub source_ip: Option<IpAddr>,
    /// Whether the address is one that Toss posts from. A remark, never a proof.
    pub listed: Option<bool>,
    /// In the order they came; values that are not text are kept as their lossy text.
    pub headers: Vec<(String, String)>,
    pub body: bytes::Bytes,
    /// When the last byte was read.
    pub read_at: std::time::Instant,
}

/// Minutes after the first attempt at which Toss makes each of its eight: 0, 1, 5, 21 … 5461.
pub fn attempt_minutes() -> [i64; 8] {
    let mut minutes = [0; 8];
    for (n, gap) in RETRY_GAPS_MINUTES.iter().enumerate() {
        minutes[n + 1] = minutes[n] + i64::from(*gap);
    }
    minutes
}

/// A delivery as people read it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Delivery {
    pub id: Uuid,
    pub received_at: OffsetDateTime,
    pub source_ip: Option<String>,
    pub answered_in_us: Option<i32>,
    /// `received`, `failed`, `applied`, `unchanged` or `ignored`.
    pub state: String,
    pub transmission_id: Option<String>,
    pub retried_count: Option<i32>,
    pub event_type: Option<String>,
    pub subject: Option<String>,
    pub subject_id: Option<String>,
    pub order_id: Option<String>,
    pub payment_key: Option<String>,
    pub body_status: Option<String>,
    pub dedup_key: Option<String>,
    pub duplicate_of: Option<Uuid>,
    /// See [`Badge`]; the proof first.
    pub badges: Vec<String>,
    pub proof: Option<Value>,
    pub changed: Option<Value>,
    pub error: Option<String>,
    pub processed_at: Option<OffsetDateTime>,
}

/// The same with what it carried.
#[derive(Debug, Clone)]
pub struct Opened {
    pub delivery: Delivery,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Every delivery of the same event, oldest first; this one among them.
    pub series: Vec<Delivery>,
    /// What we hold of its subject now: the payment as Toss answered last, or what a signed event told last.
    pub now: Option<(Value, OffsetDateTime)>,
}
