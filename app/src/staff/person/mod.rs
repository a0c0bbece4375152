//! One account: what it may do, from where, and how it ends.

pub mod functions;

#[cfg(feature = "ssr")]
pub(crate) mod addresses;
#[cfg(feature = "ssr")]
mod leaving;
#[cfg(feature = "ssr")]
pub(crate) mod page;
