//! What was done, by whom: the log, its filter, one row of it, and whether it is what was sealed.

pub(crate) mod detail;
pub(crate) mod filter;
pub(crate) mod list;
mod state;
pub(crate) mod words;
