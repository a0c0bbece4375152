//! Toss Payments: the card, bank and phone side (toss-api.md Part A).
//!
//! [`VERSION`] of the API is modelled. Unknown members are ignored, unknown words are kept.

mod client;
pub mod codes;
mod error;
pub mod institutions;
mod payment;
mod requests;
mod settlement;
mod transaction;
pub mod webhook;

pub use client::{Answer, Client, Config, ConfigError, OFFICIAL_URL, PATHS};
pub use error::{Error, Refusal, RetryClass};
pub use payment::*;
pub use requests::*;
pub use settlement::*;
pub use transaction::*;

/// Of the API, as every answer with a payment says it (toss-api.md A1.3). Which one answers is set in Toss's developer
/// centre, not in a request.
pub const VERSION: &str = "2022-11-16";
