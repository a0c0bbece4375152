//! Keys of the merchant's own servers: what each opens, what it may do by itself, and what was called with it. Nobody gives a key
//! more than they may do themselves.

mod keys;
mod requests;
mod secrets;

use rust_decimal::Decimal;
use time::OffsetDateTime;
use uuid::Uuid;

pub use keys::{Change, Invalid, KeyError, Limits, Which, add, change, get, list};
pub(crate) use keys::{is_known_to, revoke};
pub use requests::{Filter, Request, RequestLog, Row, requests};
pub use secrets::{Known, Secret, recognize, rotate};

use crate::kernel::permission::Permission;

text_enum! {
    /// What a key opens.
    Scope {
        OrdersRead = "orders:read",
        /// Registering, confirming, Toss Pay.
        OrdersWrite = "orders:write",
        RefundsRead = "refunds:read",
        RefundsWrite = "refunds:write",
        TransactionsRead = "transactions:read",
        IapRead = "iap:read",
        IapWrite = "iap:write",
        PromotionsRead = "promotions:read",
        PromotionsWrite = "promotions:write",
        MessagesRead = "messages:read",
        MessagesWrite = "messages:write",
        UsersRead = "users:read",
        /// Logging in by a mini-app's code, and ending the link.
        UsersWrite = "users:write",
        EventsRead = "events:read",
    }
}

impl Scope {
    /// What whoever gives it has to hold themselves.
    pub const fn needs(self) -> Permission {
        match self {
            Self::TransactionsRead => Permission::ViewFinance,
            Self::RefundsWrite => Permission::Refund,
            Self::PromotionsWrite => Permission::Grant,
            Self::MessagesWrite => Permission::SendMessage,
            Self::UsersWrite => Permission::UnlinkUser,
            // Toss is asked, and the books change.
            Self::OrdersWrite | Self::IapWrite => Permission::LookUpAtToss,
            Self::OrdersRead
            | Self::RefundsRead
            | Self::IapRead
            | Self::PromotionsRead
            | Self::MessagesRead
            | Self::UsersRead
            | Self::EventsRead => Permission::ViewTrade,
        }
    }
}

/// A key without its secrets.
#[derive(Debug, Clone)]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub one_refund: Option<Decimal>,
    pub per_day: Option<Decimal>,
    pub grants_per_day: Option<i64>,
    /// Calls; nothing: as many as any address may.
    pub per_minute: Option<i32>,
    pub created_at: OffsetDateTime,
    pub created_by_name: String,
    pub expires_at: Option<OffsetDateTime>,
    pub revoked_at: Option<OffsetDateTime>,
    pub revoked_by_name: Option<String>,
    /// To the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// Those that open something, the newest first.
    pub secrets: Vec<Secret>,
}

impl ApiKey {
    pub fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// It opens nothing any more.
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        self.revoked_at.is_some() || self.is_expired(now)
    }
}
