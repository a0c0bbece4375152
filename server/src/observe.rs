//! One line for every request, and its id in the answer and in each line that is written on its behalf, the calls to
//! Toss included. Never a body, a query or a path with what somebody typed: the route as the router has it.
//!
//! Not tower-http's `TraceLayer`: who asks is known further in (`authenticate`), below a span of the sessions' library, so
//! that the request carries its span along.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, Span, field};
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_ID: usize = 64;

/// The span of the request, for whoever learns more about it.
#[derive(Clone)]
struct RequestSpan(Span);

/// The id of the request, for whatever is written on its behalf.
#[derive(Clone)]
pub(crate) struct RequestId(pub String);

/// Notices a request that goes without an answer: whoever asked hung up, or it took too long.
struct Unanswered {
    span: Span,
    began: Instant,
    is_over: bool,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if !self.is_over {
            let ms = self.began.elapsed().as_millis();
            self.span.in_scope(|| tracing::info!(ms, "not answered"));
        }
    }
}

/// Notes who asks.
pub(crate) fn note_staff(request: &Request, id: Uuid) {
    if let Some(RequestSpan(span)) = request.extensions().get() {
        span.record("staff", field::display(id));
    }
}

/// The id that a proxy has given, if it is one and no text.
fn given(request: &Request) -> Option<String> {
    let id = request.headers().get(&REQUEST_ID)?.to_str().ok()?;
    let is_id = (1..=LONGEST_ID).contains(&id.len())
        && id.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'));
    is_id.then(|| id.to_owned())
}

pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let id = given(&request).unwrap_or_else(|| Uuid::new_v4().to_string());
    let route = request.extensions().get().map_or("-", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", id, method = %request.method(), route, staff = field::Empty);
    request.extensions_mut().insert(RequestSpan(span.clone()));
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut unanswered = Unanswered { span: span.clone(), began: Instant::now(), is_over: false };
    let mut response = next.run(request).instrument(span.clone()).await;
    unanswered.is_over = true;
    let (status, ms) = (response.status().as_u16(), unanswered.began.elapsed().as_millis());
    span.in_scope(|| {
        // What a machine asks for all day long tells nothing.
        if ["/health/", "/metrics", "/pkg"].iter().any(|quiet| route.contains(quiet)) {
            tracing::debug!(status, ms, "answered");
        } else {
            tracing::info!(status, ms, "answered");
        }
    });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
