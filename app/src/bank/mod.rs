//! The bank's statement, beside which payouts are held.

pub mod functions;

#[cfg(feature = "ssr")]
mod messages;
#[cfg(feature = "ssr")]
pub(crate) mod statement;
