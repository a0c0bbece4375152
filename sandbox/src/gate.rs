//! What every call passes before a rule sees it: key, limit, test code, idempotency, faults.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use time::{Duration, OffsetDateTime};
use toss::payments::codes;

use crate::{
    World,
    books::Refused,
    faults::{Fault, spoil},
    ids,
    journal::{Line, Remembered},
    serve::LoseAnswer,
};

const TRACE: HeaderName = HeaderName::from_static("x-tosspayments-trace-id");
const IDEMPOTENCY: HeaderName = HeaderName::from_static("idempotency-key");
const TEST_CODE: HeaderName = HeaderName::from_static("tosspayments-test-code");

/// A key is remembered this long (toss-api.md A1.7).
const REMEMBERED_FOR: Duration = Duration::days(15);
/// Calls a minute per endpoint, when the limit is switched on (toss-api.md A1.6).
const PER_MINUTE: usize = 100;
const LARGEST_BODY: usize = 1 << 20;

#[derive(Debug, Default)]
pub struct Gate {
    remembered: HashMap<String, Remembered>,
    in_flight: HashSet<String>,
    /// Keys that came while the same one was still being worked on.
    collided: HashSet<String>,
    /// Every key that came, by path.
    keys: HashMap<String, HashSet<String>>,
    calls: HashMap<String, VecDeque<OffsetDateTime>>,
    last_cancel: HashMap<String, OffsetDateTime>,
    /// Both limits of toss-api.md A1.6.
    pub limited: bool,
}

impl Gate {
    pub fn remember(&mut self, answer: Remembered) {
        self.remembered.insert(answer.scope.clone(), answer);
    }

    fn seen(&mut self, scope: &str) {
        let mut parts = scope.split('|');
        if let (Some(key), Some(path)) = (parts.next(), parts.nth(1)) {
            self.keys.entry(path.to_owned()).or_default().insert(key.to_owned());
        }
    }

    /// Every idempotency key that was used for a path.
    pub fn keys_of(&self, path: &str) -> Vec<String> {
        self.keys.get(path).into_iter().flatten().cloned().collect()
    }

    /// Whether a key came while the same one was still being worked on.
    pub fn collided(&self, idempotency_key: &str) -> bool {
        self.collided.iter().any(|scope| scope.split('|').next() == Some(idempotency_key))
    }

    /// The first answer to a key, as long as it is remembered.
    pub fn remembered(&self, idempotency_key: &str) -> Option<&Remembered> {
        let of_key = |r: &&Remembered| r.scope.split('|').next() == Some(idempotency_key);
        self.remembered.values().find(of_key)
    }

    fn over_the_limit(&mut self, endpoint: &str, now: OffsetDateTime) -> bool {
        let calls = self.calls.entry(endpoint.to_owned()).or_default();
        while calls.front().is_some_and(|at| (now - *at).abs() >= Duration::MINUTE) {
            calls.pop_front();
        }
        calls.push_back(now);
        self.limited && calls.len() > PER_MINUTE
    }

    /// Of several cancels of one payment within a second only the first is processed.
    fn cancelled_just_now(&mut self, path: &str, now: OffsetDateTime) -> bool {
        let too_soon =
            self.limited && self.last_cancel.get(path).is_some_and(|at| (now - *at).abs() < Duration::SECOND);
        if !too_soon {
            self.last_cancel.insert(path.to_owned(), now);
        }
        too_soon
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        refusal(self.0)
    }
}

/// `{code, message}` with the status of the code.
pub fn refusal(code: &str) -> Response {
    let (status, message) = codes::find(code).unwrap_or((400, "잘못된 요청입니다."));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, axum::Json(serde_json::json!({ "code": code, "message": message }))).into_response()
}

/// `Basic base64(secretKey + ":")`. A live key is refused with words of our own: it must never reach a sandbox.
fn authorize(world: &World, headers: &HeaderMap) -> Result<String, Box<Response>> {
    let malformed = || Box::new(refusal("INCORRECT_BASIC_AUTH_FORMAT"));
    let unauthorized = || Box::new(refusal("UNAUTHORIZED_KEY"));
    let value = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).ok_or_else(unauthorized)?;
    let decoded =
        value.strip_prefix("Basic ").and_then(|b| STANDARD.decode(b.trim()).ok()).ok_or_else(malformed)?;
    let text = String::from_utf8(decoded).map_err(|_| malformed())?;
    let key = text.strip_suffix(':').ok_or_else(malformed)?;
    if key.starts_with("live_") {
        let body = serde_json::json!({ "code": "LIVE_KEY_AT_SANDBOX",
            "message": "This is a sandbox. A live secret key was sent to it: change the key or the address, and have the key re-issued if this machine is not yours." });
        return Err(Box::new((StatusCode::FORBIDDEN, axum::Json(body)).into_response()));
    }
    if !world.options.secret_keys.iter().any(|known| known == key) {
        return Err(unauthorized());
    }
    Ok(key.to_owned())
}

/// The name a fault switch uses for an endpoint.
fn endpoint(method: &Method, path: &str) -> &'static str {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["v1", "payments", "confirm"]) => "confirm",
        ("POST", ["v1", "payments", _, "cancel"]) => "cancel",
        ("POST", ["v1", "cash-receipts"]) => "cash-receipt",
        ("POST", ["v1", "cash-receipts", _, "cancel"]) => "cash-receipt-cancel",
        ("GET", ["v1", "payments", "orders", _]) => "order",
        ("GET", ["v1", "payments", _]) => "payment",
        (_, ["v1", "transactions"]) => "transactions",
        (_, ["v1", "settlements"]) => "settlements",
        (_, ["v1", "virtual-accounts"]) => "virtual-accounts",
        (_, ["v1", "billing", ..]) => "billing",
        (_, ["v1", "cash-receipts", ..]) => "cash-receipts",
        _ => "other",
    }
}

pub async fn pass(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let trace_id = ids::trace_id();
    let idempotency_key = request.headers().get(&IDEMPOTENCY).cloned();
    // On a task of its own: a caller who hangs up does not undo what was begun.
    let exchange = {
        let trace_id = trace_id.clone();
        tokio::spawn(async move { inner(world, request, next, &trace_id).await })
    };
    let Ok(mut response) = exchange.await else { return LoseAnswer::response() };
    let headers = response.headers_mut();
    if !headers.contains_key(&TRACE)
        && let Ok(value) = HeaderValue::from_str(&trace_id)
    {
        headers.insert(TRACE, value);
    }
    if let Some(key) = idempotency_key {
        headers.insert(IDEMPOTENCY, key);
    }
    response
}

async fn inner(world: Arc<World>, request: Request, next: Next, trace_id: &str) -> Response {
    let key = match authorize(&world, request.headers()) {
        Ok(key) => key,
        Err(response) => return *response,
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let name = endpoint(&method, &path);
    let now = world.clock.now();
    let test_code = request.headers().get(&TEST_CODE).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let scope = match request.headers().get(&IDEMPOTENCY).filter(|_| method == Method::POST) {
        None => None,
        Some(value) if value.len() > 300 => return refusal("INVALID_IDEMPOTENCY_KEY"),
        Some(value) => Some(format!("{}|{key}|{path}|{method}", String::from_utf8_lossy(value.as_bytes()))),
    };
    if let Some(scope) = &scope {
        let gate = world.gate();
        if let Some(known) = gate.remembered.get(scope).filter(|r| now - r.at < REMEMBERED_FOR) {
            return replay(known, trace_id);
        }
        drop(gate);
    }
    // A replay costs nothing at Toss: the limits come after it.
    if world.gate().over_the_limit(name, now) {
        return refusal("TOO_MANY_REQUESTS");
    }
    if name == "cancel" && world.gate().cancelled_just_now(&path, now) {
        return refusal("FORBIDDEN_CONSECUTIVE_REQUEST");
    }
    if let Some(scope) = &scope {
        let mut gate = world.gate();
        gate.seen(scope);
        if !gate.in_flight.insert(scope.clone()) {
            gate.collided.insert(scope.clone());
            return refusal("IDEMPOTENT_REQUEST_PROCESSING");
        }
    }
    // From here on the key must be given back whatever happens, also when the caller hangs up.
    let _flight = Flight { world: Arc::clone(&world), scope: scope.clone() };

    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, LARGEST_BODY).await else { return refusal("INVALID_REQUEST") };
    let about = format!("{path} {}", String::from_utf8_lossy(&bytes));
    let fault = world.faults().take(name, &about);
    match &fault {
        Some(Fault::LoseBefore) => return LoseAnswer::response(),
        Some(Fault::Delay { ms }) => tokio::time::sleep(std::time::Duration::from_millis(*ms)).await,
        _ => {}
    }
    let response = match (&fault, test_code) {
        (Some(Fault::Error { code }), _) => refusal(code),
        (_, Some(code)) if codes::find(&code).is_some() => refusal(&code),
        (_, Some(_)) => refusal("INVALID_TEST_CODE"),
        (_, None) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
    };
    let (mut parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    // Whether a 5xx is bound to its key is not documented; here it is not (toss-api.md Part E7).
    // "Not now" is no answer to the operation either.
    let bound = !parts.status.is_server_error() && !matches!(parts.status.as_u16(), 409 | 429);
    let forgotten = matches!(fault, Some(Fault::ErrorAfter { .. }));
    if let (Some(scope), true) = (scope, bound && !forgotten) {
        let answer = Remembered {
            scope,
            status: parts.status.as_u16(),
            body: String::from_utf8_lossy(&bytes).into_owned(),
            trace_id: trace_id.to_owned(),
            at: now,
        };
        world.journal.write(&Line::Remembered(Box::new(answer.clone())));
        world.gate().remember(answer);
    }
    if let Some(Fault::Late { ms }) = fault {
        tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
    }
    match fault {
        Some(Fault::LoseAfter) => LoseAnswer::response(),
        Some(Fault::ErrorAfter { code }) => refusal(&code),
        Some(Fault::Garbage) => {
            (StatusCode::BAD_GATEWAY, "<html><h1>502 Bad Gateway</h1></html>").into_response()
        }
        fault => {
            parts.headers.remove(header::CONTENT_LENGTH);
            let answer = Response::from_parts(parts, Body::from(bytes));
            match fault {
                Some(Fault::Spoilt { status, body, set }) => spoil(answer, status, &body, &set).await,
                _ => answer,
            }
        }
    }
}

fn replay(known: &Remembered, trace_id: &str) -> Response {
    let status = StatusCode::from_u16(known.status).unwrap_or(StatusCode::OK);
    let body = Bytes::from(known.body.clone());
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    if let Ok(both) = HeaderValue::from_str(&format!("{trace_id}, {}", known.trace_id)) {
        response.headers_mut().insert(TRACE, both);
    }
    response
}

/// Gives an idempotency key back when the exchange ends, however it ends.
struct Flight {
    world: Arc<World>,
    scope: Option<String>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(scope) = &self.scope {
            self.world.gate().in_flight.remove(scope);
        }
    }
}
