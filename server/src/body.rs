//! How much is read of what is sent, and what is answered when it cannot be.

use axum::http::StatusCode;
use http_body_util::LengthLimitError;

/// The largest form.
pub(crate) const LARGEST_FORM: usize = 64 * 1024;

/// Why a body cannot be read: it is too large, or it did not come to its end.
pub(crate) fn unread(error: &axum::Error) -> StatusCode {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return StatusCode::PAYLOAD_TOO_LARGE;
        }
        cause = error.source();
    }
    StatusCode::REQUEST_TIMEOUT
}
