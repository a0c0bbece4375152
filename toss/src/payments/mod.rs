//! Toss Payments: the card, bank and phone side (toss-api.md Part A).
//!
//! Version 2022-11-16 of the API is modelled. Unknown members are ignored, unknown words are kept.

mod client;
pub mod codes;
mod error;
pub mod institutions;
mod payment;
mod requests;
mod settlement;
mod transaction;
pub mod webhook;

pub use client::{Answer, Client, Config, ConfigError, OFFICIAL_URL};
pub use error::{Error, Refusal, RetryClass};
pub use payment::*;
pub use requests::*;
pub use settlement::*;
pub use transaction::*;
