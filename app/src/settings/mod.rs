//! How it looks for this person, and how this process is set up.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod limits;
#[cfg(feature = "ssr")]
pub(crate) mod page;
#[cfg(feature = "ssr")]
pub(crate) mod preferences;
#[cfg(feature = "ssr")]
mod retention;
