//! What happened at the door: the list and its filter.

pub(crate) mod filter;
pub(crate) mod list;
