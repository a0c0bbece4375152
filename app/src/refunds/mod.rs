//! Refunds: the list, the form beside an order, and who decides.

pub mod batch;
pub mod functions;

#[cfg(feature = "ssr")]
mod desk;
#[cfg(feature = "ssr")]
pub(crate) mod filter;
#[cfg(feature = "ssr")]
pub(crate) mod form;
#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
pub(crate) mod messages;
#[cfg(feature = "ssr")]
pub(crate) mod reasons;
#[cfg(feature = "ssr")]
pub(crate) mod tabs;
