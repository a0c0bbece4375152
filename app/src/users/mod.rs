//! Users of the mini-app.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod detail;
#[cfg(feature = "ssr")]
pub(crate) mod list;
