//! `POST /api/v1/login`, `/api/v1/login/refresh`, `/api/v1/login/unlink`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use backoffice::Fault;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use toss::apps_in_toss::{Tokens, UserKey};
use utoipa::ToSchema;

use super::{ApiError, keys::Caller, request::Body, words};
use crate::Jangbu;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginBody {
    /// From the mini-app's `appLogin()`; works once, within ten minutes
    authorization_code: String,
    /// As `appLogin()` gave it: `DEFAULT` or `sandbox`
    referrer: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefreshBody {
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnlinkBody {
    #[schema(value_type = String)]
    access_token: SecretString,
}

/// The tokens are the merchant's own and are not kept. The profile stays in the back office, encrypted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginAnswer {
    user_key: i64,
    token_type: String,
    access_token: String,
    refresh_token: String,
    /// Seconds
    expires_in: i64,
    scope: String,
}

impl LoginAnswer {
    fn new((user, tokens): (UserKey, Tokens)) -> Self {
        Self {
            user_key: user.0,
            token_type: tokens.token_type,
            access_token: tokens.access_token.expose_secret().to_owned(),
            refresh_token: tokens.refresh_token.expose_secret().to_owned(),
            expires_in: tokens.expires_in,
            scope: tokens.scope,
        }
    }
}

/// Exchanges a mini-app's authorization code for the user key and tokens
#[utoipa::path(post, path = "/api/v1/login", tag = "users", request_body = LoginBody, security(("merchantKey" = ["users:write"])),
    responses((status = 200, description = "The user and the tokens", body = LoginAnswer),
              (status = 400, description = "The code is spent, expired or unknown", body = ApiError),
              (status = 503, description = "Not reached", body = ApiError),
              (status = 504, description = "Not known: the code may be spent", body = ApiError)))]
pub(crate) async fn login(
    State(jangbu): State<Jangbu>,
    caller: Caller,
    headers: HeaderMap,
    Body(body): Body<LoginBody>,
) -> Result<Response, ApiError> {
    let logged_in = backoffice::users::log_in(
        &jangbu.backoffice,
        &caller.actor,
        &body.authorization_code,
        &body.referrer,
    )
    .await;
    answer(&headers, logged_in.map(LoginAnswer::new))
}

/// New tokens for a refresh token
#[utoipa::path(post, path = "/api/v1/login/refresh", tag = "users", request_body = RefreshBody, security(("merchantKey" = ["users:write"])),
    responses((status = 200, description = "The user and the tokens", body = LoginAnswer),
              (status = 400, description = "The token has ended", body = ApiError),
              (status = 503, description = "Not reached", body = ApiError),
              (status = 504, description = "Not known: the token may be spent", body = ApiError)))]
pub(crate) async fn refresh(
    State(jangbu): State<Jangbu>,
    caller: Caller,
    headers: HeaderMap,
    Body(body): Body<RefreshBody>,
) -> Result<Response, ApiError> {
    let refreshed = backoffice::users::refresh(&jangbu.backoffice, &caller.actor, &body.refresh_token).await;
    answer(&headers, refreshed.map(LoginAnswer::new))
}

/// Ends the link of the token's user with the mini-app
#[utoipa::path(post, path = "/api/v1/login/unlink", tag = "users", request_body = UnlinkBody, security(("merchantKey" = ["users:write"])),
    responses((status = 200, description = "Ended"), (status = 400, description = "The token has ended", body = ApiError),
              (status = 503, description = "Not reached", body = ApiError),
              (status = 504, description = "Not known: it may have ended", body = ApiError)))]
pub(crate) async fn unlink(
    State(jangbu): State<Jangbu>,
    caller: Caller,
    headers: HeaderMap,
    Body(body): Body<UnlinkBody>,
) -> Result<Response, ApiError> {
    // It goes into a header.
    let token = body.access_token.expose_secret();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(ApiError::invalid(words(&headers), "accessToken: no token"));
    }
    let unlinked =
        backoffice::users::unlink_by_token(&jangbu.backoffice, &caller.actor, &body.access_token).await;
    match unlinked {
        Ok(user) => Ok(Json(serde_json::json!({ "userKey": user })).into_response()),
        Err(fault) => Err(ApiError::unlink(words(&headers), fault)),
    }
}

fn answer<T: Serialize>(headers: &HeaderMap, outcome: Result<T, Fault>) -> Result<Response, ApiError> {
    match outcome {
        Ok(value) => Ok((StatusCode::OK, Json(value)).into_response()),
        Err(fault) => Err(ApiError::login(words(headers), fault)),
    }
}
