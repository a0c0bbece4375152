//! What people ask of us about their own data: what we have of them, a copy, and that it is erased.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod page;
