//! Lists and reports as files.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod detail;
#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
pub(crate) mod progress;
#[cfg(feature = "ssr")]
pub(crate) mod request;
