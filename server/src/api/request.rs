//! What a call brings: the same as axum's own extractors, with refusals in the API's own form.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use super::{ApiError, LARGEST, words};

/// The body as JSON, whatever its `Content-Type` says.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let words = words(request.headers());
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::too_large(words, LARGEST)
            } else {
                ApiError::invalid(words, "the body broke off")
            }
        })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| ApiError::invalid(words, &error.to_string()))
    }
}

/// What stands behind the question mark.
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => Err(ApiError::invalid(words(&parts.headers), &rejection.body_text())),
        }
    }
}

/// The one id of the path.
pub(super) struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<String>::from_request_parts(parts, state).await {
            // PostgreSQL has no NUL: there is nothing of this id.
            Ok(Path(id)) => Ok(Self(id.replace('\0', "\u{fffd}"))),
            Err(_) => Err(ApiError::invalid(words(&parts.headers), "path: not UTF-8")),
        }
    }
}
