//! `POST /api/v1/login`, `/api/v1/login/refresh`, `/api/v1/login/unlink`, `POST /api/v1/iap/orders`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use backoffice::{
    Actor, Fault,
    iap::{NewOrder, OrderError, Platform},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use toss::apps_in_toss::{Tokens, UserKey};
use utoipa::ToSchema;

use super::{ApiError, request::Body, toss_pay::user_key, words};
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

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IapBody {
    /// A UUID
    order_id: String,
    #[schema(value_type = Option<String>)]
    user_key: Option<serde_json::Value>,
    sku: Option<String>,
    /// `ANDROID` or `IOS`
    platform: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IapAnswer {
    order_id: String,
    user_key: Option<i64>,
    sku: Option<String>,
    #[schema(value_type = Option<String>)]
    platform: Option<Platform>,
    /// Toss's own word; absent until Toss could be asked
    status: Option<String>,
    reason: Option<String>,
    #[serde(with = "toss::timestamp::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    status_determined_at: Option<OffsetDateTime>,
}

/// Exchanges a mini-app's authorization code for the user key and tokens
#[utoipa::path(post, path = "/api/v1/login", request_body = LoginBody, security(("merchantKey" = [])),
    responses((status = 200, description = "The user and the tokens", body = LoginAnswer),
              (status = 400, description = "The code is spent, expired or unknown", body = ApiError),
              (status = 503, description = "Not reached", body = ApiError),
              (status = 504, description = "Not known: the code may be spent", body = ApiError)))]
pub(crate) async fn login(
    State(jangbu): State<Jangbu>,
    headers: HeaderMap,
    Body(body): Body<LoginBody>,
) -> Result<Response, ApiError> {
    let actor = Actor::MerchantApi;
    let logged_in =
        backoffice::users::log_in(&jangbu.backoffice, &actor, &body.authorization_code, &body.referrer).await;
    answer(&headers, logged_in.map(LoginAnswer::new))
}

/// New tokens for a refresh token
#[utoipa::path(post, path = "/api/v1/login/refresh", request_body = RefreshBody, security(("merchantKey" = [])),
    responses((status = 200, description = "The user and the tokens", body = LoginAnswer),
              (status = 400, description = "The token has ended", body = ApiError),
              (status = 504, description = "Not known: the token may be spent", body = ApiError)))]
pub(crate) async fn refresh(
    State(jangbu): State<Jangbu>,
    headers: HeaderMap,
    Body(body): Body<RefreshBody>,
) -> Result<Response, ApiError> {
    let refreshed =
        backoffice::users::refresh(&jangbu.backoffice, &Actor::MerchantApi, &body.refresh_token).await;
    answer(&headers, refreshed.map(LoginAnswer::new))
}

/// Ends the link of the token's user with the mini-app
#[utoipa::path(post, path = "/api/v1/login/unlink", request_body = UnlinkBody, security(("merchantKey" = [])),
    responses((status = 200, description = "Ended"), (status = 400, description = "The token has ended", body = ApiError),
              (status = 504, description = "Not known: it may have ended", body = ApiError)))]
pub(crate) async fn unlink(
    State(jangbu): State<Jangbu>,
    headers: HeaderMap,
    Body(body): Body<UnlinkBody>,
) -> Result<Response, ApiError> {
    let unlinked =
        backoffice::users::unlink_by_token(&jangbu.backoffice, &Actor::MerchantApi, &body.access_token).await;
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

/// Makes an in-app purchase known; Toss is asked how it stands, now and from then on
#[utoipa::path(post, path = "/api/v1/iap/orders", request_body = IapBody, security(("merchantKey" = [])),
    responses((status = 200, description = "The order", body = IapAnswer),
              (status = 400, description = "Not a UUID", body = ApiError)))]
pub(crate) async fn iap_order(
    State(jangbu): State<Jangbu>,
    headers: HeaderMap,
    Body(body): Body<IapBody>,
) -> Result<Response, ApiError> {
    let user = body.user_key.as_ref().map(|value| user_key(&headers, value)).transpose()?;
    let platform = match body.platform.as_deref() {
        None => None,
        Some(text) => match Platform::read(text) {
            Some(platform) => Some(platform),
            None => return Err(ApiError::invalid(words(&headers), "platform: ANDROID or IOS")),
        },
    };
    let new = NewOrder { order_id: body.order_id, user_key: user, sku: body.sku, platform };
    match backoffice::iap::orders::add(&jangbu.backoffice, &Actor::MerchantApi, &new).await {
        Ok(order) => answer(
            &headers,
            Ok(IapAnswer {
                order_id: order.order_id,
                user_key: order.user_key,
                sku: order.sku,
                platform: order.platform,
                status: order.status,
                reason: order.reason,
                status_determined_at: order.determined_at,
            }),
        ),
        Err(OrderError::Fault(Fault::AppsInToss(error))) => {
            Err(ApiError::toss_pay(words(&headers), error.into()))
        }
        Err(OrderError::Fault(fault)) => Err(ApiError::fault(words(&headers), &fault)),
        Err(wrong) => Err(ApiError::invalid(words(&headers), &wrong.to_string())),
    }
}
