//! In-app purchases and the requests to refund them.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
pub(crate) mod messages;
