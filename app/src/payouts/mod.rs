//! What Toss pays out, by day.

pub(crate) mod detail;
pub(crate) mod list;
