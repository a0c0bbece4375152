//! The one way for what Toss sent into an error, a log, a job or an audit row: a list of what may pass. A body can carry
//! a payment's secret, a phone number, an account; a library's own error quotes what it could not read.

use std::{error::Error as StdError, fmt, io};

use serde_json::error::Category;

mod body;

pub use body::body;
pub(crate) use body::count;

/// Stands for a code that is none.
pub const UNKNOWN_CODE: &str = "UNKNOWN_CODE";

/// An error code or a status as it may be written down: words in capitals with at most two digits, or four or five
/// digits. Whatever else stood in its place may be anything.
pub fn code(text: &str) -> String {
    if is_code(text) { text } else { UNKNOWN_CODE }.to_owned()
}

fn is_code(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let is_word = |word: &str| {
        (1..=20).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    let is_number = matches!(text.len(), 4 | 5) && digits == text.len();
    // The one word that OAuth writes small.
    is_number
        || text == "invalid_grant"
        || (text.len() <= 64 && digits <= 2 && digits < text.len() && text.split('_').all(is_word))
}

/// How a delivery calls its event: letters, `_` and `.`.
pub fn event_type(text: &str) -> String {
    let plain = text.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.'));
    if (1..=64).contains(&text.len()) && plain { text } else { UNKNOWN_CODE }.to_owned()
}

/// A word of an enumeration that Toss may extend: letters of any script with `_`, blanks and few digits.
pub(crate) fn is_word(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let plain = |c: char| c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '_' | ' ' | '-' | '/');
    !text.is_empty() && text.chars().count() <= 40 && digits <= 2 && text.chars().all(plain)
}

/// A version of the API as it may be written down: a day, or the `1.4` of before.
pub fn version(text: &str) -> Option<String> {
    let is_day = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(n, b)| if matches!(n, 4 | 7) { b == b'-' } else { b.is_ascii_digit() });
    let is_old =
        text.len() == 3 && text.starts_with("1.") && text.bytes().skip(2).all(|b| b.is_ascii_digit());
    (is_day || is_old).then(|| text.to_owned())
}

/// One trace id, or the two of a replayed answer; nothing when it looks like something else.
pub fn trace_id(header: &reqwest::header::HeaderValue) -> Option<String> {
    trace_ids(header.to_str().ok()?)
}

/// The same of a text.
pub(crate) fn trace_ids(text: &str) -> Option<String> {
    let ids: Vec<&str> = text.split(',').map(str::trim).collect();
    let is_id = |id: &&str| {
        (8..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && id.bytes().any(|b| b.is_ascii_alphabetic())
    };
    (ids.len() <= 2 && ids.iter().all(is_id)).then(|| ids.join(", "))
}

/// How a text was not what was expected. serde's own message quotes what it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Unreadable {
    how: Category,
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self { how: error.classify(), line: error.line(), column: error.column() }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            Category::Syntax => "not JSON",
            Category::Data => "JSON of another shape",
            Category::Eof | Category::Io => "it breaks off",
        };
        write!(f, "{how}, line {} column {}", self.line, self.column)
    }
}

/// Why there is no answer. The HTTP library's own message carries the address, with the keys in it, and what the other
/// side said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    #[error("it took too long")]
    TimedOut,
    #[error("no connection ({0})")]
    NoConnection(io::ErrorKind),
    #[error("the request could not be made")]
    NoRequest,
    #[error("the connection broke off ({0})")]
    BrokeOff(io::ErrorKind),
}

impl From<&reqwest::Error> for Silence {
    fn from(error: &reqwest::Error) -> Self {
        let mut kind = io::ErrorKind::Other;
        let mut next: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(cause) = next {
            if let Some(io) = cause.downcast_ref::<io::Error>() {
                kind = io.kind();
            }
            next = cause.source();
        }
        if error.is_timeout() {
            Self::TimedOut
        } else if error.is_connect() {
            Self::NoConnection(kind)
        } else if error.is_builder() {
            Self::NoRequest
        } else {
            Self::BrokeOff(kind)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_code_passes_and_nothing_else_does() {
        let payments = crate::payments::codes::CODES.iter().map(|(_, code, _)| *code);
        let apps = crate::apps_in_toss::codes::CODES.iter().map(|(code, _)| *code);
        for known in payments.chain(apps).chain(["invalid_grant", "SOMETHING_NEW", "HTTP_TIMEOUT"]) {
            assert_eq!(code(known), known);
        }
        for other in [
            "",
            "ps_mG89ADw12pqK",
            "01012345678",
            "5e0f6a3c9b1d4e7f8a2b3c4d5e6f7081",
            "{\"code\":1}",
            "홍길동",
            "INVALID_REQUEST ",
            "A__B",
            "110123456789",
            "ACCOUNT_110123",
            &"A".repeat(65),
        ] {
            assert_eq!(code(other), UNKNOWN_CODE, "{other:?}");
        }
    }

    #[test]
    fn what_could_not_be_read_is_not_quoted() {
        let error = serde_json::from_str::<u8>("\"ps_secret\"").unwrap_err();
        assert!(error.to_string().contains("ps_secret"));
        let said = Unreadable::from(error).to_string();
        assert_eq!(said, "JSON of another shape, line 1 column 11");
    }
}
