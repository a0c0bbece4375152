//! What Toss posted: the list, one delivery, and what never came.

pub mod functions;
pub mod replay;

#[cfg(feature = "ssr")]
pub(crate) mod detail;
#[cfg(feature = "ssr")]
mod diff;
#[cfg(feature = "ssr")]
pub(crate) mod filter;
#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
pub(crate) mod missing;
#[cfg(feature = "ssr")]
mod series;
#[cfg(feature = "ssr")]
mod tabs;
