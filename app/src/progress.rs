//! How far long work is.

use serde::{Deserialize, Serialize};

/// How far a file is, for the bar that moves by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    pub done: i64,
    pub lines: i64,
    pub words: String,
    pub running: bool,
}
