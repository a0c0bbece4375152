//! Apps in Toss: the partner API behind mini-apps (toss-api.md Part B), over mutual TLS on two hosts.
//!
//! Every answer comes in one envelope, most refusals with HTTP 200. What did not happen ([`NotDone`]) and what may
//! have happened ([`MaybeDone`]) are different types: there is no idempotency key, so whoever holds the second asks
//! for the status before anything else.

mod client;
pub mod codes;
mod envelope;
mod error;
mod iap;
mod identity;
mod lenient;
mod login;
mod messenger;
mod pay;
mod promotion;

pub use client::{Answer, Certificate, Client, Config, ConfigError, Headers, PATHS, PREFIX};
pub use envelope::ResultType;
pub use error::{Error, MaybeDone, NotDone, Refusal, TlsProblem};
pub use iap::{IapOrder, IapStatus};
pub use identity::{Identity, IdentityError};
pub use login::{DecryptError, Profile, ProfileKey, Tokens, UserKey};
pub use messenger::{Bulk, Channel, Counts, MessageResult, NotReached};
pub use pay::{
    Card, ExecutePayment, Executed, Invalid, MakePayment, PayMethod, PayStatus, PayToken, Payment,
    RefundReason, Refunded, Step, StepType, bank_name, card_name,
};
pub use promotion::{GrantState, PromotionKey, TEST_PREFIX};

/// Login, messages, promotions and in-app purchases.
pub const OFFICIAL_URL: &str = "https://apps-in-toss-api.toss.im";
/// Toss Pay.
pub const OFFICIAL_PAY_URL: &str = "https://pay-apps-in-toss-api.toss.im";

/// Where [`OFFICIAL_URL`] answers, port 443 (toss-api.md B1.1).
pub const ADDRESSES: [&str; 3] = ["117.52.3.192", "211.115.96.192", "106.249.5.192"];
/// Where [`OFFICIAL_PAY_URL`] answers, port 443.
pub const PAY_ADDRESSES: [&str; 3] = ["117.52.3.195", "211.115.96.195", "106.249.5.195"];
/// Where Toss calls the partner from, port 443: three addresses and three ranges of eight.
pub const SOURCE_RANGES: [&str; 6] = [
    "117.52.3.11/32",
    "211.115.96.11/32",
    "106.249.5.11/32",
    "117.52.3.80/29",
    "211.115.96.80/29",
    "106.249.5.80/29",
];
