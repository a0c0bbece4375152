//! The merchant's API: JSON in Toss's own member names, a bearer key, errors as `{code, message}`.

mod error;
mod events;
mod mini_app;
mod orders;
mod request;
mod toss_pay;

use app::i18n::{Lang, Translator};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

pub(crate) use error::ApiError;

use crate::{Jangbu, authenticate, quota};

const LARGEST: usize = 64 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(title = "Jangbu merchant API", description = "Orders and their payments, in Toss's own names. Who asks too often from one address is answered 429 with Retry-After."),
    paths(orders::register, orders::confirm, orders::read, toss_pay::make, toss_pay::execute,
        mini_app::login, mini_app::refresh, mini_app::unlink, mini_app::iap_order, events::list),
    modifiers(&Bearer)
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("merchantKey", scheme);
    }
}

pub(crate) fn router(jangbu: &Jangbu) -> Router {
    let api = Router::new()
        .route("/v1/orders", post(orders::register))
        .route("/v1/orders/{orderId}", get(orders::read))
        .route("/v1/orders/{orderId}/confirm", post(orders::confirm))
        .route("/v1/toss-pay/payments", post(toss_pay::make))
        .route("/v1/toss-pay/payments/{orderNo}/execute", post(toss_pay::execute))
        .route("/v1/login", post(mini_app::login))
        .route("/v1/login/refresh", post(mini_app::refresh))
        .route("/v1/login/unlink", post(mini_app::unlink))
        .route("/v1/iap/orders", post(mini_app::iap_order))
        .route("/v1/events", get(events::list))
        .layer(middleware::from_fn_with_state(jangbu.clone(), authorize))
        .route("/v1/openapi.json", get(|| async { Json(Document::openapi()) }))
        .fallback(no_such_call)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(middleware::from_fn_with_state(jangbu.clone(), within_quota))
        .with_state(jangbu.clone());
    // A nested router has no path of its own for what is empty behind the slash.
    Router::new().route("/api/", any(no_such_call)).nest("/api", api)
}

async fn no_such_call(headers: HeaderMap) -> ApiError {
    ApiError::new(words(&headers), StatusCode::NOT_FOUND, "NOT_FOUND", "api-no-such-call")
}

async fn wrong_method(headers: HeaderMap) -> ApiError {
    ApiError::new(words(&headers), StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "api-wrong-method")
}

/// Asked before the key is.
async fn within_quota(State(jangbu): State<Jangbu>, request: Request, next: Next) -> Response {
    match quota::visit(&jangbu, &jangbu.quotas.api, &request) {
        Ok(()) => next.run(request).await,
        Err(wait) => wait.answer(ApiError::too_many(words(request.headers()))),
    }
}

/// Lets the merchant's own server in, and nobody when no key is set.
pub(crate) async fn authorize(State(jangbu): State<Jangbu>, request: Request, next: Next) -> Response {
    let key = jangbu.settings.merchant_api_key.as_ref();
    let fits = key.is_some_and(|key| authenticate::bears(request.headers(), key));
    if !fits {
        return ApiError::unauthorized(words(request.headers())).into_response();
    }
    next.run(request).await
}

/// The language of the messages.
fn words(headers: &HeaderMap) -> Translator {
    let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    Translator::new(Lang::from_header(header.unwrap_or_default()))
}
