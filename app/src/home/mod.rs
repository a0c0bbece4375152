//! The first page.

pub(crate) mod page;
