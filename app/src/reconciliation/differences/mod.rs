//! What does not agree with Toss, and how it is worked.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod detail;
#[cfg(feature = "ssr")]
pub(crate) mod filter;
#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
pub(crate) mod messages;
