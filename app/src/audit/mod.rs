//! What was done, by whom: the log and its filter.

pub(crate) mod filter;
pub(crate) mod list;
