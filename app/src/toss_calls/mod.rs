//! Every call to Toss: the list, and one of them.

pub(crate) mod detail;
mod filter;
pub(crate) mod list;
