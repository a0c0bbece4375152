//! Money that came in on the merchant's own bank account.

mod file;

pub use file::{FileError, Line, MAX_BYTES, MAX_LINES, Statement, read};
