//! What came back, and the legal clock on it.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod clock;
#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
mod messages;
