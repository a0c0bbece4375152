//! The merchant's API: JSON in Toss's own member names, a bearer key, errors as `{code, message}`.

mod error;
mod mini_app;
mod orders;
mod toss_pay;

use app::words::{Lang, Words};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

pub(crate) use error::ApiError;

use crate::Jangbu;

const LARGEST: usize = 64 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(title = "Jangbu merchant API", description = "Orders and their payments, in Toss's own names."),
    paths(orders::register, orders::confirm, orders::read, toss_pay::make, toss_pay::execute,
        mini_app::login, mini_app::refresh, mini_app::unlink, mini_app::iap_order),
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
    Router::new()
        .route("/api/v1/orders", post(orders::register))
        .route("/api/v1/orders/{orderId}", get(orders::read))
        .route("/api/v1/orders/{orderId}/confirm", post(orders::confirm))
        .route("/api/v1/toss-pay/payments", post(toss_pay::make))
        .route("/api/v1/toss-pay/payments/{orderNo}/execute", post(toss_pay::execute))
        .route("/api/v1/login", post(mini_app::login))
        .route("/api/v1/login/refresh", post(mini_app::refresh))
        .route("/api/v1/login/unlink", post(mini_app::unlink))
        .route("/api/v1/iap/orders", post(mini_app::iap_order))
        .layer(middleware::from_fn_with_state(jangbu.clone(), authorize))
        .route("/api/v1/openapi.json", get(|| async { Json(Document::openapi()) }))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(jangbu.clone())
}

/// Lets the merchant's own server in, and nobody when no key is set.
pub(crate) async fn authorize(State(jangbu): State<Jangbu>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "))
        .unwrap_or_default();
    let fits = jangbu
        .settings
        .merchant_api_key
        .as_ref()
        .is_some_and(|key| bool::from(key.expose_secret().as_bytes().ct_eq(given.trim().as_bytes())));
    if !fits {
        return ApiError::unauthorized(words(request.headers())).into_response();
    }
    next.run(request).await
}

/// The language of the messages.
fn words(headers: &HeaderMap) -> Words {
    let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    Words::new(Lang::from_header(header.unwrap_or_default()))
}
