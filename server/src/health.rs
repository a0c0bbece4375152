//! For whoever watches the process, and in live mode for nobody else: counts tell strangers how the shop is doing.

use std::{sync::OnceLock, time::Duration};

use app::context::Mode;
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use sqlx::Connection;
use tokio::{sync::Mutex, time::Instant};

use crate::{Jangbu, authenticate, settings::Settings};

/// One recorder for the whole process, also when several routers live in it (as in tests).
static METRICS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

fn recorder() -> Option<&'static PrometheusHandle> {
    METRICS
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(
                    Matcher::Suffix("_seconds".into()),
                    &[0.005, 0.02, 0.1, 0.5, 2.0, 10.0],
                )
                .ok()?;
            builder
                .install_recorder()
                .inspect_err(|error| tracing::warn!(%error, "a host records its own metrics"))
                .ok()
        })
        .as_ref()
}

/// Nothing is counted twice within this time, whoever asks.
const FRESH: Duration = Duration::from_secs(1);

/// What was found out last. While one finds out, the others wait for it.
#[derive(Debug, Default)]
struct Found<T>(Mutex<Option<(Instant, T)>>);

impl<T: Clone> Found<T> {
    async fn or(&self, fresh: Duration, find: impl Future<Output = T>) -> T {
        let mut found = self.0.lock().await;
        if let Some((at, known)) = &*found
            && at.elapsed() < fresh
        {
            return known.clone();
        }
        let known = find.await;
        *found = Some((Instant::now(), known.clone()));
        known
    }
}

#[derive(Debug, Default)]
pub(crate) struct Known {
    is_ready: Found<bool>,
    metrics: Found<Option<String>>,
}

/// On the listener that everybody reaches.
pub(crate) fn router(jangbu: &Jangbu) -> Router {
    recorder();
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics_if_allowed))
        .with_state(jangbu.clone())
}

/// On a listener of its own (`JANGBU_METRICS_ADDR`): whoever reaches it may know.
pub(crate) fn own_router(jangbu: &Jangbu) -> Router {
    recorder();
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(async |State(jangbu): State<Jangbu>| tell_ready(&jangbu, true).await))
        .route("/metrics", get(async |State(jangbu): State<Jangbu>| tell_metrics(&jangbu).await))
        .with_state(jangbu.clone())
}

/// Whether who asks on the listener of everybody may know what is counted here.
fn may_know(settings: &Settings, headers: &HeaderMap) -> Result<(), StatusCode> {
    match (&settings.metrics_token, settings.metrics_addr, settings.mode) {
        (Some(token), ..) if authenticate::bears(headers, token) => Ok(()),
        (Some(_), ..) => Err(StatusCode::UNAUTHORIZED),
        (None, None, Mode::Sandbox | Mode::Test) => Ok(()),
        // As if it were not there.
        (None, ..) => Err(StatusCode::NOT_FOUND),
    }
}

async fn live() -> &'static str {
    "ok"
}

async fn ready(State(jangbu): State<Jangbu>, headers: HeaderMap) -> Response {
    let in_full = may_know(&jangbu.settings, &headers).is_ok();
    tell_ready(&jangbu, in_full).await
}

async fn tell_ready(jangbu: &Jangbu, in_full: bool) -> Response {
    if jangbu.known.is_ready.or(FRESH, is_ready(jangbu)).await {
        return "ok".into_response();
    }
    let why = if in_full { "the database does not answer" } else { "unavailable" };
    (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
}

async fn is_ready(jangbu: &Jangbu) -> bool {
    let answered = async { jangbu.backoffice.pool.acquire().await?.ping().await };
    answered.await.inspect_err(|error| tracing::warn!(%error, "not ready")).is_ok()
}

async fn metrics_if_allowed(State(jangbu): State<Jangbu>, headers: HeaderMap) -> Response {
    match may_know(&jangbu.settings, &headers) {
        Ok(()) => tell_metrics(&jangbu).await,
        Err(StatusCode::UNAUTHORIZED) => {
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()
        }
        Err(status) => status.into_response(),
    }
}

async fn tell_metrics(jangbu: &Jangbu) -> Response {
    match jangbu.known.metrics.or(FRESH, render(jangbu)).await {
        Some(metrics) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn render(jangbu: &Jangbu) -> Option<String> {
    let recorder = recorder()?;
    if let Ok(waiting) = backoffice::home::waiting(&jangbu.backoffice).await {
        #[expect(clippy::cast_precision_loss, reason = "counts up to a hundred")]
        for (what, count) in [
            ("refunds_unknown", waiting.refunds_unknown),
            ("refunds_under_way", waiting.refunds_under_way),
            ("refunds_overdue", waiting.refunds_overdue),
            ("refunds_not_arrived", waiting.refunds_not_arrived),
            ("refunds_to_approve", waiting.refunds_to_approve),
            ("limits_to_approve", waiting.limits_to_approve),
            ("campaigns_to_approve", waiting.campaigns_to_approve),
            ("batches_to_approve", waiting.batches_to_approve),
            ("returns_due", waiting.returns_due),
            ("receipts_failed", waiting.receipts_failed),
            ("orders_to_look_at", waiting.orders_to_look_at),
            ("webhooks_stuck", waiting.webhooks_stuck),
            ("webhooks_missing", waiting.webhooks_missing),
            ("iap_requested", waiting.iap_requested),
            ("grants_to_approve", waiting.grants_to_approve),
            ("differences", waiting.differences),
            ("audit_log_findings", waiting.log_findings),
            ("access_reviews", waiting.access_reviews),
            ("security_places_unreachable", waiting.security_places),
        ] {
            metrics::gauge!("jangbu_waiting", "what" => what).set(count as f64);
        }
    }
    if let Ok(health) = backoffice::webhooks::health(&jangbu.backoffice).await {
        let silent = if health.silence.is_some() { 1.0 } else { 0.0 };
        metrics::gauge!("jangbu_webhooks_silent").set(silent);
        if let Some(last) = health.last_at {
            let ago = jangbu.backoffice.clock.now() - last;
            metrics::gauge!("jangbu_webhook_age_seconds").set(ago.as_seconds_f64());
        }
        #[expect(clippy::cast_precision_loss, reason = "counts up to a hundred")]
        for (what, count) in [
            ("webhooks_failed", health.failed),
            ("webhooks_untrusted", health.untrusted),
            ("webhooks_retried", health.retried),
        ] {
            metrics::gauge!("jangbu_waiting", "what" => what).set(count as f64);
        }
    }
    if let Ok(events) = backoffice::events::troubles(&jangbu.backoffice).await {
        #[expect(clippy::cast_precision_loss, reason = "counts up to ten thousand")]
        for (what, count) in [
            ("events", events.waiting),
            ("events_given_up", events.given_up),
            ("event_endpoints_failing", events.failing),
            ("event_endpoints_paused", events.paused),
        ] {
            metrics::gauge!("jangbu_waiting", "what" => what).set(count as f64);
        }
    }
    if let Some(apps) = &jangbu.backoffice.apps_in_toss {
        for certificate in apps.client.certificates() {
            let used = if certificate.is_used { "true" } else { "false" };
            let subject = certificate.identity.subject.clone();
            #[expect(clippy::cast_precision_loss, reason = "days")]
            metrics::gauge!("jangbu_apps_in_toss_certificate_days", "subject" => subject, "used" => used)
                .set(certificate.days_left as f64);
        }
    }
    if let Ok(open) = backoffice::refunds::count_open(&jangbu.backoffice).await {
        #[expect(clippy::cast_precision_loss, reason = "counts of what is open")]
        for row in open {
            metrics::gauge!("jangbu_refunds_open", "state" => row.state.as_str(), "age" => row.age)
                .set(row.count as f64);
        }
    }
    recorder.run_upkeep();
    Some(recorder.render())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn who_asks_while_it_is_found_out_waits_for_it() {
        let (found, times) = (Found::default(), AtomicU32::new(0));
        let ask = async |fresh| {
            let find = async {
                let nth = times.fetch_add(1, Ordering::Relaxed) + 1;
                tokio::task::yield_now().await;
                nth
            };
            found.or(fresh, find).await
        };
        let hour = Duration::from_secs(3600);
        assert_eq!(tokio::join!(ask(hour), ask(hour), ask(hour)), (1, 1, 1));
        assert_eq!(ask(Duration::ZERO).await, 2, "what is old is found out anew");
    }
}
