//! Accounts, and coming in and going out.

pub mod factors;
pub mod functions;
pub mod person;
pub mod roles;

#[cfg(feature = "ssr")]
pub(crate) mod account;
#[cfg(feature = "ssr")]
pub(crate) mod devices;
#[cfg(feature = "ssr")]
mod entry;
#[cfg(feature = "ssr")]
mod gate;
#[cfg(feature = "ssr")]
pub(crate) mod invitation;
#[cfg(feature = "ssr")]
pub(crate) mod list;
#[cfg(feature = "ssr")]
pub(crate) mod login;
#[cfg(feature = "ssr")]
mod messages;
#[cfg(feature = "ssr")]
pub(crate) mod notices;
#[cfg(feature = "ssr")]
pub(crate) mod register;
#[cfg(feature = "ssr")]
mod tabs;
#[cfg(feature = "ssr")]
pub(crate) mod unsent;
#[cfg(feature = "ssr")]
mod waiting;
#[cfg(feature = "ssr")]
pub(crate) mod words;
