//! A file that is previewed, started, and run line by line.

use std::fmt::Debug;

use super::import::FileError;
use crate::{Fault, kernel::second_person::NotSecond};

text_enum! {
    /// Where a file stands.
    State {
        Previewed = "previewed",
        WaitingForApproval = "waiting_for_approval",
        Declined = "declined",
        Running = "running",
        Stopped = "stopped",
        Finished = "finished",
    }
}

/// Why nothing was done with a file; `R` is what may be wrong with what it asks for.
#[derive(Debug, thiserror::Error)]
pub enum BatchError<R: Debug> {
    #[error("no such file")]
    NotFound,
    #[error("the file cannot be read: {0:?}")]
    File(FileError),
    #[error("refused: {0:?}")]
    Refused(R),
    /// It is in another state by now.
    #[error("not in this state: {0:?}")]
    State(State),
    #[error("not a second person: {0:?}")]
    NotSecond(NotSecond),
    #[error("only whoever made it starts it")]
    NotYours,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl<R: Debug> From<NotSecond> for BatchError<R> {
    fn from(not: NotSecond) -> Self {
        Self::NotSecond(not)
    }
}

impl<R: Debug> From<sqlx::Error> for BatchError<R> {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}
