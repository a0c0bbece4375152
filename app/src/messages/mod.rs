//! Messages to users of the mini-app, and their templates.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
mod wording;
