//! Who may do what: the table of it, and the roles of the house's own.

pub mod functions;

#[cfg(feature = "ssr")]
mod forms;
#[cfg(feature = "ssr")]
pub(crate) mod page;
