//! The bank's statement, beside which payouts are held.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod statement;
