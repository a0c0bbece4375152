//! For whoever watches the process.

use std::sync::OnceLock;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::Jangbu;

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

pub(crate) fn router(jangbu: &Jangbu) -> Router {
    recorder();
    Router::new()
        .route("/health/live", get(|| async { "ok" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(render))
        .with_state(jangbu.clone())
}

async fn ready(State(jangbu): State<Jangbu>) -> Response {
    match backoffice::home::waiting(&jangbu.backoffice).await {
        Ok(_) => "ok".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer").into_response()
        }
    }
}

async fn render(State(jangbu): State<Jangbu>) -> Response {
    let Some(recorder) = recorder() else { return StatusCode::NOT_FOUND.into_response() };
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
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], recorder.render()).into_response()
}
