//! What the merchant's own systems are told: events, who took them, and the endpoints they go to.

pub mod endpoints;
pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod detail;
#[cfg(feature = "ssr")]
mod filter;
#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
mod messages;
#[cfg(feature = "ssr")]
pub(crate) mod of_order;
#[cfg(feature = "ssr")]
mod tabs;
#[cfg(feature = "ssr")]
pub(crate) mod words;
