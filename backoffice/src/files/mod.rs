//! Files that people upload: how they are read, and how one of many lines goes on.

pub mod batch;
pub mod import;
pub(crate) mod text;
