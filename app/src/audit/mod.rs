//! What was done, by whom: the log and its filter.

pub(crate) mod list;
