//! Campaigns and the points that they grant.

pub mod batch;
pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod campaign;
#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
pub(crate) mod messages;
