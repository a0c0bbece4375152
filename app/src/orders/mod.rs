//! Orders: the list, one order with its timeline, and what is done to one.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod detail;
#[cfg(feature = "ssr")]
pub(crate) mod filter;
#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
pub(crate) mod messages;
#[cfg(feature = "ssr")]
mod timeline;
