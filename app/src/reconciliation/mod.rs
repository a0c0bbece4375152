//! Our books beside Toss's: months, days and the contract.

pub mod differences;
pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod contract;
#[cfg(feature = "ssr")]
pub(crate) mod day;
#[cfg(feature = "ssr")]
pub(crate) mod fee_parts;
#[cfg(feature = "ssr")]
mod messages;
#[cfg(feature = "ssr")]
pub(crate) mod month;
#[cfg(feature = "ssr")]
pub(crate) mod tabs;
