//! `Idempotency-Key`: a request that is sent again is the same request. What a key means is ours to remember, as long as what was
//! made with it is kept.

use axum::http::{HeaderMap, HeaderName};
use ring::digest::{Context, SHA256};
use uuid::{Builder, Uuid};

use super::{ApiError, error::codes, keys::Caller, words};

const NAME: HeaderName = HeaderName::from_static("idempotency-key");
/// As Toss has it (toss-api.md A1.7).
const LONGEST: usize = 300;

/// The intent that a caller's key stands for: of each caller and each kind of call its own.
pub(super) fn intent(headers: &HeaderMap, caller: &Caller, kind: &str) -> Result<Uuid, ApiError> {
    let given = headers.get(&NAME).and_then(|value| value.to_str().ok()).map(str::trim);
    let key = given
        .filter(|key| !key.is_empty())
        .ok_or_else(|| ApiError::new(words(headers), codes::IDEMPOTENCY_KEY_REQUIRED))?;
    if key.len() > LONGEST {
        return Err(ApiError::invalid(words(headers), "Idempotency-Key: 1 to 300 characters"));
    }
    let mut context = Context::new(&SHA256);
    for part in [caller.actor.key().as_str(), kind, key] {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    Ok(Builder::from_custom_bytes(bytes).into_uuid())
}
