//! Money in and out, by transaction.

pub(crate) mod filter;
pub(crate) mod list;
