//! Cash receipts: those of an order, and those of a day beside Toss's.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod day;
#[cfg(feature = "ssr")]
mod messages;
#[cfg(feature = "ssr")]
pub(crate) mod section;
