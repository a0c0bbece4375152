//! What can come back instead of an answer, and what to do about it (toss-api.md A5.3).

use serde::{Deserialize, Serialize};

use super::codes;
use crate::{
    observe::{Failure, Outcome},
    redact::{self, Silence, Unreadable},
};

/// Why there is no answer to work with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Toss received the request and refused it. Nothing was done, unless the class says to look.
    #[error("{0}")]
    Refused(Refusal),
    /// No connection was made: Toss has not seen the request.
    #[error("Toss could not be reached: {0}")]
    NotSent(Silence),
    /// The request left and no readable answer came back: it may have happened.
    #[error("no answer from Toss: {0}")]
    NoAnswer(Silence),
    /// An answer came that is not what Toss documents: it may have happened.
    #[error("an answer from Toss that could not be read (HTTP {status}, trace {trace_id:?}): {how}")]
    Unreadable { status: u16, trace_id: Option<String>, how: Unreadable },
}

/// A refusal. Of Toss's answer only the code is kept: its message is free text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{code}: {message} (HTTP {status}, trace {trace_id:?})")]
pub struct Refusal {
    pub status: u16,
    pub code: String,
    /// What Toss documents of the code (toss-api.md A9), in Korean; empty for one that it does not document.
    pub message: String,
    /// `x-tosspayments-trace-id`: what Toss's support asks for first.
    pub trace_id: Option<String>,
}

/// What may be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryClass {
    /// Send the same request under the same idempotency key.
    SameKey,
    /// Nothing happened; a later try needs a new key, because a refusal is bound to its key.
    NewKey,
    /// Ask Toss how the payment stands before anything else.
    LookUp,
    /// The balance has moved: read it again and decide again.
    Refresh,
    /// Only a person can help.
    Operator,
}

impl Error {
    pub fn retry_class(&self) -> RetryClass {
        match self {
            Self::Refused(refusal) => refusal.retry_class(),
            Self::NotSent(_) | Self::NoAnswer(_) => RetryClass::SameKey,
            Self::Unreadable { .. } => RetryClass::LookUp,
        }
    }

    /// Whether the request may have had its effect although we hold no proof of it.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.status >= 500 || refusal.status == 409,
            Self::NotSent(_) => false,
            Self::NoAnswer(_) | Self::Unreadable { .. } => true,
        }
    }

    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    pub fn is_not_found(&self) -> bool {
        self.refusal().is_some_and(|r| matches!(r.code.as_str(), "NOT_FOUND_PAYMENT" | "NOT_FOUND"))
    }
}

impl From<&Error> for Outcome {
    fn from(error: &Error) -> Self {
        let no_answer = |failure, why: String| Self::NoAnswer { failure, why };
        match error {
            Error::Refused(refusal) => Self::Refused { code: refusal.code.clone(), result_type: None },
            Error::NotSent(why) | Error::NoAnswer(why) => no_answer((*why).into(), why.to_string()),
            Error::Unreadable { how, .. } => no_answer(Failure::Unreadable, how.to_string()),
        }
    }
}

impl Refusal {
    /// `code` as it came.
    pub fn new(status: u16, code: &str, trace_id: Option<String>) -> Self {
        let code = redact::code(code);
        let message = codes::find(&code).map_or_else(String::new, |(_, message)| message.to_owned());
        Self { status, code, message, trace_id }
    }

    pub fn retry_class(&self) -> RetryClass {
        match self.code.as_str() {
            "IDEMPOTENT_REQUEST_PROCESSING" => RetryClass::SameKey,
            "ALREADY_CANCELED_PAYMENT"
            | "ALREADY_REFUND_PAYMENT"
            | "ALREADY_REFUNDING_PAYMENT"
            | "NOT_CANCELABLE_AMOUNT"
            | "FAILED_PARTIAL_REFUND"
            | "ALREADY_PROCESSED_PAYMENT" => RetryClass::LookUp,
            "NOT_MATCHES_REFUNDABLE_AMOUNT" => RetryClass::Refresh,
            "PROVIDER_ERROR"
            | "FORBIDDEN_CONSECUTIVE_REQUEST"
            | "NOT_AVAILABLE_BANK"
            | "TOO_MANY_REQUESTS" => RetryClass::NewKey,
            _ if self.status == 429 => RetryClass::NewKey,
            _ if self.status >= 500 => RetryClass::NewKey,
            _ => RetryClass::Operator,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: &str) -> Refusal {
        let (status, _) = crate::payments::codes::find(code).unwrap();
        Refusal::new(status, code, None)
    }

    #[test]
    fn the_retry_table_is_the_documented_one() {
        use RetryClass::*;
        for (code, class) in [
            ("IDEMPOTENT_REQUEST_PROCESSING", SameKey),
            ("PROVIDER_ERROR", NewKey),
            ("FORBIDDEN_CONSECUTIVE_REQUEST", NewKey),
            ("NOT_AVAILABLE_BANK", NewKey),
            ("FAILED_INTERNAL_SYSTEM_PROCESSING", NewKey),
            ("FAILED_PARTIAL_REFUND", LookUp),
            ("ALREADY_CANCELED_PAYMENT", LookUp),
            ("ALREADY_REFUND_PAYMENT", LookUp),
            ("NOT_CANCELABLE_AMOUNT", LookUp),
            ("NOT_MATCHES_REFUNDABLE_AMOUNT", Refresh),
            ("INVALID_REFUND_ACCOUNT_NUMBER", Operator),
            ("INVALID_BANK", Operator),
            ("FORBIDDEN_BANK_REFUND_REQUEST", Operator),
            ("EXCEED_MAX_REFUND_DUE", Operator),
            ("EXCEED_CANCEL_LIMIT", Operator),
            ("NOT_CANCELABLE_PAYMENT", Operator),
            ("REFUND_REJECTED", Operator),
        ] {
            assert_eq!(refusal(code).retry_class(), class, "{code}");
        }
    }

    #[test]
    fn a_server_error_is_never_taken_for_a_no() {
        assert!(Error::Refused(refusal("FAILED_REFUND_PROCESS")).is_unknown());
        assert!(!Error::Refused(refusal("NOT_CANCELABLE_PAYMENT")).is_unknown());
    }
}
