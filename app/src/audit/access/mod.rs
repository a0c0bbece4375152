//! Who saw whose personal data: the record, and its review each month.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod filter;
#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
pub(crate) mod review;
