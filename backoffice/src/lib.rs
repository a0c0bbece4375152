//! The rules and the books of Jangbu: orders, payments, refunds, webhooks, staff, audit. One module per noun, each
//! with its types, its rules, its SQL and its tests.
//!
//! Nothing here knows a web page. Whoever calls says who they are ([`Actor`]).

#![expect(
    deprecated,
    reason = "sqlx 0.9.0 warns of chrono, which the job library switches on, beside time; its own remedy does not work"
)]

#[macro_use]
mod kernel;

pub mod api_keys;
pub mod audit;
pub mod bank;
pub mod cash_receipts;
pub mod database;
pub mod events;
pub mod exports;
pub mod files;
pub mod firewall;
pub mod home;
pub mod iap;
pub mod keys;
pub mod leaving;
pub mod limits;
pub mod mail;
pub mod messages;
pub mod orders;
pub mod payments;
pub mod payouts;
pub mod personal_data;
pub mod promotions;
mod queue;
pub mod reconciliation;
pub mod refunds;
pub mod reports;
pub mod retention;
pub mod returns;
pub mod security;
pub mod settlements;
pub mod staff;
pub mod toss_calls;
pub mod transactions;
pub mod users;
pub mod webhooks;
pub mod worker;

use std::fmt;

pub use audit::Actor;
pub use ipnet::IpNet;
use kernel::text;
pub use kernel::{
    apps_in_toss::AppsInToss,
    card_number::contains_card_number,
    clock::{self, Clock},
    intake_load::IntakeLoad,
    masking, money, page,
    rail::{self, Rail},
    seal::{DataKey, Keyring, NoKey},
    second_person::NotSecond,
    turns::Turns,
};
pub use rust_decimal::Decimal;
use secrecy::SecretString;
pub use sqlx::PgPool;
use toss::redact::Unreadable;

/// What the rules work with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Backoffice {
    pub pool: PgPool,
    pub toss: toss::payments::Client,
    /// The mini-app's side, where the merchant has one.
    pub apps_in_toss: Option<AppsInToss>,
    pub clock: Clock,
    /// What a dump must not tell is sealed with it.
    pub keys: Keyring,
    /// What the audit log is sealed with.
    pub sealing: audit::seal::Sealing,
    /// Where security events are told.
    pub security_places: Vec<kernel::place::Place>,
    /// Whether Toss settles what is sold: with test keys at Toss it does not (toss-api.md A8.1).
    pub settles: bool,
    /// Proves payout and seller events.
    pub security_key: Option<SecretString>,
    /// How long one attempt at a refund may take; see [`REFUND_LEASE`].
    pub refund_lease: std::time::Duration,
    /// How old an account, its role and its password have to be before it approves anything.
    pub approver_age: time::Duration,
    /// Who has to have a second factor.
    pub second_factor: staff::factors::SecondFactor,
    /// Where letters to staff leave, if whoever runs it has set a mail server.
    pub mail: Option<mail::Mailer>,
    /// Where browsers can have passkeys of ours.
    pub passkeys: Option<staff::factors::Passkeys>,
    /// The way to the merchant's own systems.
    pub outside: events::Outside,
    /// How long what is kept is kept.
    pub retention: retention::Periods,
    /// What waits, as the menu shows it.
    pub counts: home::Counts,
    /// How much is being taken in by this process.
    pub intake_load: IntakeLoad,
    /// Whose password is looked at by this process.
    pub turns: Turns,
}

/// One attempt is at most a look-up, a cancel and a look-up, of a minute each: a lease never ends while its holder
/// is still waiting.
pub const REFUND_LEASE: std::time::Duration = std::time::Duration::from_secs(190);

/// Anything that stops a rule and is not a decision of it. Whatever is printed of it is safe to be kept: jobs and logs
/// keep it.
#[derive(thiserror::Error)]
pub enum Fault {
    #[error("database: {}", text::of_database(.0))]
    Database(sqlx::Error),
    #[error("Toss: {0}")]
    Toss(#[from] toss::payments::Error),
    #[error("Apps in Toss: {0}")]
    AppsInToss(#[from] toss::apps_in_toss::Error),
    /// Something of a mini-app was asked for, and there is none.
    #[error("Apps in Toss is not set up: APPS_IN_TOSS_CERT and APPS_IN_TOSS_KEY are missing")]
    NoAppsInToss,
    /// JSON that is not what it was when it was kept, or that Toss has written in another way than it documents.
    #[error("{what} cannot be read: {how}")]
    Unreadable { what: &'static str, how: Unreadable },
    /// A file could not be written or read: a full disk, for example.
    #[error("a file: {0}")]
    File(#[from] std::io::Error),
    /// Work of ours broke off. Its own words are on the standard error stream.
    #[error("a task of this process broke off")]
    BrokeOff,
    /// The books say something that cannot be.
    #[error("the books contradict themselves: {0}")]
    Inconsistent(String),
}

/// The job library keeps this form, and a database error's own holds whole rows.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<tokio::task::JoinError> for Fault {
    fn from(_: tokio::task::JoinError) -> Self {
        Self::BrokeOff
    }
}

impl Fault {
    /// Toss did not answer, or not in a way that can be used.
    pub fn is_of_toss(&self) -> bool {
        matches!(self, Self::Toss(_) | Self::AppsInToss(_))
    }

    /// Toss knows of no such thing.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Toss(error) => error.is_not_found(),
            Self::AppsInToss(error) => error.is_not_found(),
            _ => false,
        }
    }

    /// For `map_err`: `what` could not be read.
    pub(crate) fn unreadable(what: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |error| Self::Unreadable { what, how: error.into() }
    }
}
