//! What was done, by whom: the log, its filter, one row of it, and whether it is what was sealed. Who saw whose personal data is
//! in [`access`].

pub mod access;

#[cfg(feature = "ssr")]
pub(crate) mod detail;
#[cfg(feature = "ssr")]
pub(crate) mod filter;
#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
mod rows;
#[cfg(feature = "ssr")]
mod state;
#[cfg(feature = "ssr")]
pub(crate) mod words;
