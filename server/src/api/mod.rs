//! The merchant's API: JSON in Toss's own member names, bearer keys with scopes, errors as `{code, message, documentationUrl}`.

mod document;
mod error;
mod events;
mod explanations;
mod iap;
mod idempotency;
mod keys;
mod list;
mod messages;
mod mini_app;
mod orders;
mod promotions;
mod refunds;
mod request;
mod toss_pay;
mod transactions;
mod users;

use app::i18n::{Lang, Translator};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use backoffice::api_keys::Scope::{self, *};

pub(crate) use error::ApiError;

use crate::{Jangbu, quota};
use error::codes;

const LARGEST: usize = 64 * 1024;

pub(crate) fn router(jangbu: &Jangbu) -> Router {
    let by = |scope: Scope, methods| keys::opened_by(jangbu, scope, methods);
    let api = Router::new()
        .route("/v1/orders", by(OrdersWrite, post(orders::register)).merge(by(OrdersRead, get(orders::list))))
        .route("/v1/orders/{orderId}", by(OrdersRead, get(orders::read)))
        .route("/v1/orders/{orderId}/confirm", by(OrdersWrite, post(orders::confirm)))
        .route("/v1/orders/{orderId}/failures", by(OrdersWrite, post(orders::fail)))
        .route("/v1/orders/{orderId}/refunds", by(RefundsWrite, post(refunds::make)))
        .route("/v1/refunds", by(RefundsRead, get(refunds::list)))
        .route("/v1/refunds/{refundId}", by(RefundsRead, get(refunds::read)))
        .route("/v1/transactions", by(TransactionsRead, get(transactions::list)))
        .route("/v1/toss-pay/payments", by(OrdersWrite, post(toss_pay::make)))
        .route("/v1/toss-pay/payments/{orderNo}/execute", by(OrdersWrite, post(toss_pay::execute)))
        .route("/v1/login", by(UsersWrite, post(mini_app::login)))
        .route("/v1/login/refresh", by(UsersWrite, post(mini_app::refresh)))
        .route("/v1/login/unlink", by(UsersWrite, post(mini_app::unlink)))
        .route("/v1/users", by(UsersRead, get(users::list)))
        .route("/v1/users/{userKey}", by(UsersRead, get(users::read)))
        .route("/v1/users/{userKey}/unlink", by(UsersWrite, post(users::unlink)))
        .route("/v1/iap/orders", by(IapWrite, post(iap::add)).merge(by(IapRead, get(iap::list))))
        .route("/v1/iap/orders/{orderId}", by(IapRead, get(iap::read)))
        .route(
            "/v1/promotions/{promotionCode}/grants",
            by(PromotionsWrite, post(promotions::grant)).merge(by(PromotionsRead, get(promotions::list))),
        )
        .route("/v1/grants/{grantId}", by(PromotionsRead, get(promotions::read)))
        .route("/v1/messages", by(MessagesWrite, post(messages::send)))
        .route("/v1/messages/{messageId}", by(MessagesRead, get(messages::read)))
        .route("/v1/events", by(EventsRead, get(events::list)))
        .fallback(no_such_call)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(middleware::from_fn_with_state(jangbu.clone(), keys::record));
    let open = Router::new()
        .route("/v1/openapi.json", get(|| async { Json(document::document()) }))
        .route("/v1/errors", get(explanations::page))
        .method_not_allowed_fallback(wrong_method);
    let api = open
        .merge(api)
        .layer(middleware::from_fn_with_state(jangbu.clone(), within_quota))
        .with_state(jangbu.clone());
    // A nested router has no path of its own for what is empty behind the slash.
    Router::new()
        .route("/api/", any(no_such_call))
        .nest("/api", api)
        .layer(middleware::from_fn_with_state(jangbu.clone(), error::explained))
}

async fn no_such_call(headers: HeaderMap) -> ApiError {
    ApiError::new(words(&headers), codes::NOT_FOUND)
}

async fn wrong_method(headers: HeaderMap) -> ApiError {
    ApiError::new(words(&headers), codes::METHOD_NOT_ALLOWED)
}

/// Asked before the key is.
async fn within_quota(State(jangbu): State<Jangbu>, request: Request, next: Next) -> Response {
    match quota::visit(&jangbu, &jangbu.quotas.api, &request) {
        Ok(()) => next.run(request).await,
        Err(wait) => wait.answer(ApiError::new(words(request.headers()), codes::TOO_MANY_REQUESTS)),
    }
}

/// Lets whoever has the key of the settings in, and nobody when there is none.
pub(crate) async fn authorize(State(jangbu): State<Jangbu>, request: Request, next: Next) -> Response {
    if !keys::bears_the_first(&jangbu, request.headers()) {
        return ApiError::unauthorized(words(request.headers())).into_response();
    }
    next.run(request).await
}

/// The language of the messages.
fn words(headers: &HeaderMap) -> Translator {
    let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    Translator::new(Lang::from_header(header.unwrap_or_default()))
}
