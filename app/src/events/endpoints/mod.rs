//! Where events go: the list of endpoints, one of them, and what can be done with it.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod detail;
#[cfg(feature = "ssr")]
mod form;
#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
mod resend;
