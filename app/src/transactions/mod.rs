//! Money in and out, by transaction.

pub(crate) mod list;
