//! The HTTP surface on both hosts (toss-api.md B1.5). Each host knows its own paths only.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use toss::apps_in_toss::codes;

use super::{Call, MiniApp, Outcome, Refused};
use crate::{
    World,
    faults::{Fault, spoil},
    serve::LoseAnswer,
};

const PREFIX: &str = "/api-partner/v1/apps-in-toss";
const LARGEST_BODY: usize = 2 << 20;

/// Login, messages, promotions and in-app purchases.
pub fn general(world: &Arc<World>) -> Router {
    Router::new().fallback(host_general).with_state(Arc::clone(world))
}

/// Toss Pay.
pub fn pay(world: &Arc<World>) -> Router {
    Router::new().fallback(host_pay).with_state(Arc::clone(world))
}

async fn host_general(State(world): State<Arc<World>>, request: Request) -> Response {
    apart(world, request, false).await
}

async fn host_pay(State(world): State<Arc<World>>, request: Request) -> Response {
    apart(world, request, true).await
}

/// On a task of its own: a caller who hangs up does not undo what was begun.
async fn apart(world: Arc<World>, request: Request, is_pay: bool) -> Response {
    tokio::spawn(exchange(world, request, is_pay)).await.unwrap_or_else(|_| LoseAnswer::response())
}

struct Asked<'a> {
    user: Option<&'a str>,
    token: Option<&'a str>,
    body: Value,
}

fn success(content: Value) -> Response {
    Json(json!({ "resultType": "SUCCESS", "success": content })).into_response()
}

/// Neither success nor refusal: one of the words that leave open what happened.
fn word(result_type: &str) -> Response {
    let error = json!({ "errorCode": result_type, "reason": "요청을 처리하는 도중에 문제가 발생했습니다." });
    Json(json!({ "resultType": result_type, "success": null, "error": error })).into_response()
}

async fn exchange(world: Arc<World>, request: Request, is_pay: bool) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return Refused::parameter("요청이 너무 커요.").into_response();
    };
    let path = parts.uri.path();
    let endpoint = path.rsplit('/').next().unwrap_or_default().to_owned();
    let is_pays = path.strip_prefix(PREFIX).is_some_and(|path| path.starts_with("/pay/"));
    if !path.starts_with(PREFIX) || is_pay != is_pays {
        return not_there();
    }
    let about = about(&parts.headers, &bytes);
    // On arrival: also what is lost afterwards was sent.
    let call = Call { endpoint: endpoint.clone(), about: about.clone() };
    world.with_mini_app(|app| app.calls.push(call));
    let fault = world.faults().take(&endpoint, &about);
    match &fault {
        Some(Fault::LoseBefore) => return LoseAnswer::response(),
        Some(Fault::Delay { ms }) => tokio::time::sleep(std::time::Duration::from_millis(*ms)).await,
        Some(Fault::ResultType { word: result_type }) => return word(result_type),
        Some(Fault::Error { code }) => return by_code(code),
        _ => {}
    }
    let now = world.clock.now();
    let outcome = world.with_mini_app(|app| {
        let body = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
        let Ok(body) = body else { return Some(Err(Refused::parameter("JSON을 읽을 수 없어요."))) };
        let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let asked =
            Asked { user: user(&parts.headers), token: bearer.and_then(|v| v.strip_prefix("Bearer ")), body };
        route(app, &parts.method, path, &asked, now)
    });
    let response = match outcome {
        None => return not_there(),
        // Without an envelope, as the login calls answer it.
        Some(Err(refused)) if refused.code == "invalid_grant" => {
            (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response()
        }
        Some(Err(refused)) => refused.into_response(),
        Some(Ok(content)) => success(content),
    };
    if let Some(Fault::Late { ms }) = fault {
        tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
    }
    match fault {
        Some(Fault::LoseAfter) => LoseAnswer::response(),
        Some(Fault::ResultTypeAfter { word: result_type }) => word(&result_type),
        Some(Fault::ErrorAfter { code }) => by_code(&code),
        Some(Fault::Garbage) => {
            (StatusCode::BAD_GATEWAY, "<html><h1>502 Bad Gateway</h1></html>").into_response()
        }
        Some(Fault::Spoilt { status, body, set }) => spoil(response, status, &body, &set).await,
        _ => response,
    }
}

fn not_there() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "resultType": "FAIL", "error": { "errorCode": "NOT_FOUND", "reason": "없는 경로예요." } })))
        .into_response()
}

fn by_code(code: &str) -> Response {
    let (code, reason) = codes::CODES
        .iter()
        .find(|(known, _)| *known == code)
        .copied()
        .unwrap_or(("INVALID_PARAMETER", "알 수 없는 코드"));
    Refused::business(code, reason).into_response()
}

fn user(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-toss-user-key").and_then(|v| v.to_str().ok())
}

fn about(headers: &HeaderMap, body: &Bytes) -> String {
    format!("{} {}", user(headers).unwrap_or_default(), String::from_utf8_lossy(body))
}

fn route(
    app: &mut MiniApp,
    method: &Method,
    path: &str,
    asked: &Asked<'_>,
    now: time::OffsetDateTime,
) -> Option<Outcome> {
    let Asked { user, token, body } = asked;
    let path = path.strip_prefix(PREFIX)?;
    Some(match (method.as_str(), path) {
        ("POST", "/user/oauth2/generate-token") => app.generate_token(body, now),
        ("POST", "/user/oauth2/refresh-token") => app.refresh_token(body, now),
        ("GET", "/user/oauth2/login-me") => app.login_me(*token, now),
        ("POST", "/user/oauth2/access/remove-by-access-token") => app.remove_by_access_token(*token, now),
        ("POST", "/user/oauth2/access/remove-by-user-key") => app.remove_by_user_key(body),
        ("POST", "/promotion/execute-promotion/get-key") => app.promotion_key(*user, now),
        ("POST", "/promotion/execute-promotion") => app.execute_promotion(*user, body, now),
        ("POST", "/promotion/execution-result") => app.promotion_result(*user, body),
        ("POST", "/messenger/send-message") => app.send_message(*user, body, now),
        ("POST", "/messenger/send-test-message") => app.send_test_message(*user, body, now),
        ("POST", "/messenger/send-bulk-message") => app.send_bulk_message(body, now),
        ("POST", "/order/get-order-status") => app.order_status(*user, body, now),
        ("POST", "/pay/make-payment") => app.make_payment(*user, body, now),
        ("POST", "/pay/execute-payment") => app.execute_payment(*user, body, now),
        ("POST", "/pay/refund-payment") => app.refund_payment(*user, body, now),
        ("POST", "/pay/get-payment-status") => app.payment_status(*user, body),
        _ => return None,
    })
}
