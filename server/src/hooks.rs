//! Where Toss posts to. What arrives is committed, then answered with 200, then looked into by a job: also what
//! cannot be read, because Toss would only send it again.

use std::{net::IpAddr, time::Instant};

use app::context::Mode;
use axum::{
    Router,
    body::Bytes,
    extract::{Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use backoffice::{
    Actor,
    users::UNLINK_REFERRERS,
    webhooks::{Incoming, NotKept},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq;
use toss::{apps_in_toss::UserKey, payments::webhook::SOURCE_ADDRESSES, redact};

use crate::{Jangbu, authenticate::address, body::unread, quota, settings::Settings};

/// Toss's largest bodies have a few kilobytes.
const LARGEST: usize = 1 << 20;
/// From an address that is not Toss's: whoever fills our disk must do so in small pieces.
const LARGEST_OF_OTHERS: usize = 64 << 10;

pub(crate) fn router(jangbu: &Jangbu) -> Router {
    Router::new()
        .route("/hooks/toss-payments", post(toss_payments))
        .route("/hooks/apps-in-toss/unlink", get(unlink_by_get).post(unlink_by_post))
        .layer(middleware::from_fn_with_state(jangbu.clone(), within_quota))
        .with_state(jangbu.clone())
}

/// Who is listed may post as fast as deliveries can be kept: what is too much for the intake it refuses itself.
async fn within_quota(State(jangbu): State<Jangbu>, request: Request, next: Next) -> Response {
    if address(&jangbu.settings, &request).is_some_and(|ip| is_listed(&jangbu.settings, ip)) {
        return next.run(request).await;
    }
    match quota::visit(&jangbu, &jangbu.quotas.hooks, &request) {
        Ok(()) => next.run(request).await,
        // Not answered with 200: Toss sends it again.
        Err(wait) => wait.answer(StatusCode::TOO_MANY_REQUESTS),
    }
}

/// A user has ended the link with the mini-app (toss-api.md B2.6).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unlink {
    user_key: Value,
    #[serde(default)]
    referrer: Option<Value>,
}

async fn unlink_by_get(
    State(jangbu): State<Jangbu>,
    headers: HeaderMap,
    unlink: Result<Query<Unlink>, QueryRejection>,
) -> StatusCode {
    unlinked(&jangbu, &headers, unlink.ok().map(|Query(unlink)| unlink)).await
}

async fn unlink_by_post(State(jangbu): State<Jangbu>, headers: HeaderMap, body: Bytes) -> StatusCode {
    unlinked(&jangbu, &headers, serde_json::from_slice(&body).ok()).await
}

/// Telling twice changes nothing. What it does is undone by the user's next log-in.
async fn unlinked(jangbu: &Jangbu, headers: &HeaderMap, unlink: Option<Unlink>) -> StatusCode {
    let Some(apps) = &jangbu.settings.apps_in_toss else { return StatusCode::NOT_FOUND };
    match &apps.unlink_auth {
        Some(pair) => {
            let wanted = format!("Basic {}", STANDARD.encode(pair.expose_secret()));
            let given = headers.get(header::AUTHORIZATION).map(|v| v.as_bytes()).unwrap_or_default();
            if !bool::from(wanted.as_bytes().ct_eq(given)) {
                return StatusCode::UNAUTHORIZED;
            }
        }
        // Closed by default: nobody proves anything without a word.
        None if jangbu.settings.mode != Mode::Sandbox => return StatusCode::UNAUTHORIZED,
        None => {}
    }
    let Some(unlink) = unlink else { return StatusCode::BAD_REQUEST };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let Some(user) = UserKey::parse(&text(&unlink.user_key)) else { return StatusCode::BAD_REQUEST };
    // The link has ended, whatever Toss calls the reason.
    let referrer = redact::code(&unlink.referrer.as_ref().map(text).unwrap_or_default());
    if !UNLINK_REFERRERS.contains(&referrer.as_str()) {
        tracing::warn!(referrer, "an unlink for a reason that is not documented");
    }
    match backoffice::users::note_unlinked(
        &jangbu.backoffice,
        &Actor::Job("unlink_callback"),
        user,
        &referrer,
    )
    .await
    {
        Ok(_) => StatusCode::OK,
        Err(fault) => {
            tracing::error!(%fault, "an unlink callback was not kept");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

/// Whether Toss posts from there; the sandbox posts from this machine.
fn is_listed(settings: &Settings, ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    SOURCE_ADDRESSES.iter().any(|known| known.parse() == Ok(ip))
        || settings.webhook_allowed_ips.iter().any(|net| net.contains(&ip))
        || (settings.mode == Mode::Sandbox && ip.is_loopback())
}

async fn toss_payments(State(jangbu): State<Jangbu>, request: Request) -> Response {
    let source_ip = address(&jangbu.settings, &request);
    let allowed = &jangbu.settings.webhook_allowed_ips;
    if !allowed.is_empty() && !source_ip.is_some_and(|ip| allowed.iter().any(|net| net.contains(&ip))) {
        metrics::counter!("jangbu_webhooks_total", "outcome" => "address_refused").increment(1);
        tracing::warn!(?source_ip, "a webhook from an address that is not allowed");
        return StatusCode::FORBIDDEN.into_response();
    }
    let headers = headers(request.headers());
    let listed = source_ip.map(|ip| is_listed(&jangbu.settings, ip));
    let largest = if listed == Some(false) { LARGEST_OF_OTHERS } else { LARGEST };
    let body = match axum::body::to_bytes(request.into_body(), largest).await {
        Ok(body) => body,
        Err(error) => return unread(&error).into_response(),
    };
    let incoming = Incoming { source_ip, listed, headers, body, read_at: Instant::now() };
    match jangbu.intake.keep(incoming).await {
        Ok(()) => {
            metrics::counter!("jangbu_webhooks_total", "outcome" => "kept").increment(1);
            StatusCode::OK.into_response()
        }
        Err(NotKept) => {
            // Not answered with 200: Toss sends it again.
            metrics::counter!("jangbu_webhooks_total", "outcome" => "not_kept").increment(1);
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}
