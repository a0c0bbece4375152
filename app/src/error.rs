//! What a server function says when it does not do what was asked: safe to show, with words in the reader's language.

use leptos::{
    prelude::{FromServerFnError, ServerFnErrorErr},
    server_fn::codec::JsonEncoding,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", from = "Wire")]
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
    /// Somebody has to show first who they are.
    #[error("show first who you are")]
    ProofNeeded,
    /// Too often; again in so many seconds.
    #[error("{message}")]
    Wait { message: String, seconds: u64 },
    /// Too many at once; again in so many seconds.
    #[error("{message}")]
    Busy { message: String, seconds: u64 },
    /// Ours or Toss's fault. The cause is in the log.
    #[error("something went wrong")]
    Fault,
    /// The call itself failed on its way.
    #[error("{message}")]
    Transport { message: String },
}

/// As it is read: all members beside each other. What serde makes for a tag inside weighs several kB in the browser.
#[derive(Deserialize)]
struct Wire {
    kind: String,
    #[serde(default)]
    field: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    seconds: u64,
}

impl From<Wire> for AppError {
    fn from(Wire { kind, field, message, seconds }: Wire) -> Self {
        match kind.as_str() {
            "logged_out" => Self::LoggedOut,
            "forbidden" => Self::Forbidden,
            "proof_needed" => Self::ProofNeeded,
            "invalid" => Self::Invalid { field, message },
            "wait" => Self::Wait { message, seconds },
            "busy" => Self::Busy { message, seconds },
            "fault" => Self::Fault,
            _ => Self::Transport { message },
        }
    }
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
        // What cannot be read is the fault of whoever wrote it.
        #[cfg(feature = "ssr")]
        if let ServerFnErrorErr::Args(_)
        | ServerFnErrorErr::MissingArg(_)
        | ServerFnErrorErr::Deserialization(_) = &error
            && let Some(response) = leptos::prelude::use_context::<leptos_axum::ResponseOptions>()
        {
            response.set_status(http::StatusCode::BAD_REQUEST);
        }
        Self::Transport { message: error.to_string() }
    }
}
