//! Where Toss posts to. What arrives is committed, then answered with 200, then looked into by a job: also what
//! cannot be read, because Toss would only send it again.

use std::{net::IpAddr, time::Instant};

use app::context::Mode;
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use backoffice::webhooks::{Incoming, NotKept};
use toss::payments::webhook::SOURCE_ADDRESSES;

use crate::{Jangbu, identify::address, settings::Settings};

/// Toss's largest bodies have a few kilobytes.
const LARGEST: usize = 1 << 20;
/// From an address that is not Toss's: whoever fills our disk must do so in small pieces.
const LARGEST_OF_OTHERS: usize = 64 << 10;

pub(crate) fn router(jangbu: &Jangbu) -> Router {
    Router::new().route("/hooks/toss-payments", post(toss_payments)).with_state(jangbu.clone())
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
        Err(_) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
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
