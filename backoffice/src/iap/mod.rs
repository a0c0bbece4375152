//! In-app purchases: orders that a store sells, and the refunds that Google or Apple decide (toss-api.md B6).
//!
//! Nobody tells of a change and there is no call to refund: orders are asked about one by one, and our part of a refund
//! is a decision in Toss's console. [`orders`] keeps and asks, [`refund_requests`] records requests and decisions.

pub(crate) mod job;
pub mod orders;
pub mod prices;
pub mod refund_requests;

use time::OffsetDateTime;
use uuid::Uuid;

pub use orders::{Filter, NewOrder, OrderError};
pub use prices::{Price, PriceError};
pub use refund_requests::{
    Decision, DecisionChannel, DeskError, Imported, Manual, NewRequest, Refunds, Repeater, Tab,
};

text_enum! {
    Platform {
        Android = "ANDROID",
        Ios = "IOS",
    }
}

impl Platform {
    /// As people and consoles write it.
    pub fn read(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "android" | "google" | "안드로이드" => Some(Self::Android),
            "ios" | "apple" | "아이폰" => Some(Self::Ios),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Order {
    /// A UUID.
    pub order_id: String,
    pub user_key: Option<i64>,
    pub sku: Option<String>,
    pub platform: Option<Platform>,
    /// Toss's own word; nothing until it could be asked.
    pub status: Option<String>,
    pub reason: Option<String>,
    pub determined_at: Option<OffsetDateTime>,
    pub created_at: OffsetDateTime,
    pub looked_at: Option<OffsetDateTime>,
    pub refunded_at: Option<OffsetDateTime>,
}

text_enum! {
    /// Where a refund is.
    State {
        /// We decide, in Toss's console; of an iPhone Apple decides from the beginning.
        Requested = "requested",
        /// Google decides.
        PartnerApproved = "partner_approved",
        RejectedByPartner = "rejected_by_partner",
        RejectedByStore = "rejected_by_store",
        Refunded = "refunded",
        /// Toss says it was refunded, and nobody had asked us.
        Detected = "detected",
    }
}

/// Who decides now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decider {
    You,
    Google,
    Apple,
    Nobody,
}

impl Decider {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::You => "you",
            Self::Google => "google",
            Self::Apple => "apple",
            Self::Nobody => "nobody",
        }
    }
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Refund {
    pub id: Uuid,
    pub order_id: String,
    pub user_key: Option<i64>,
    pub platform: Option<Platform>,
    pub status: Option<String>,
    pub state: State,
    pub reason: String,
    pub requested_at: OffsetDateTime,
    pub recorded_by_name: String,
    pub decided_by_name: Option<String>,
    pub decided_at: Option<OffsetDateTime>,
    pub decision_note: Option<String>,
    pub settled_at: Option<OffsetDateTime>,
}

impl Refund {
    pub fn decider(&self) -> Decider {
        match (self.state, self.platform) {
            (State::Requested | State::PartnerApproved, Some(Platform::Ios)) => Decider::Apple,
            (State::Requested, _) => Decider::You,
            (State::PartnerApproved, _) => Decider::Google,
            _ => Decider::Nobody,
        }
    }
}
