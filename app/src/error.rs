//! What a server function says when it does not do what was asked: safe to show, with words in the reader's language.

use leptos::{
    prelude::{FromServerFnError, ServerFnErrorErr},
    server_fn::codec::JsonEncoding,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AppError {
    /// Nobody is logged in, or the session has ended.
    #[error("log in first")]
    LoggedOut,
    /// The role does not allow it.
    #[error("not allowed")]
    Forbidden,
    /// The input needs mending; `field` is the name of the member, empty for the form as a whole.
    #[error("{message}")]
    Invalid { field: String, message: String },
    /// Ours or Toss's fault. The cause is in the log.
    #[error("something went wrong")]
    Fault,
    /// The call itself failed on its way.
    #[error("{message}")]
    Transport { message: String },
}

impl AppError {
    /// Something is wrong with one field.
    pub fn field(field: &str, message: String) -> Self {
        Self::Invalid { field: field.into(), message }
    }

    /// Something is wrong with the form as a whole.
    pub fn form(message: String) -> Self {
        Self::field("", message)
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        Self::Transport { message: error.to_string() }
    }
}
