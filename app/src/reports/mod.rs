//! A month in figures.

pub(crate) mod page;
mod tables;
