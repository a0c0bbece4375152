//! In sandbox mode only: the dashboard's clock can be turned together with the sandbox's, to rehearse a month end.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{Jangbu, api};

pub(crate) fn router(jangbu: &Jangbu) -> Router {
    Router::new()
        .route("/_sandbox/clock", post(turn).merge(get(read)))
        .layer(axum::middleware::from_fn_with_state(jangbu.clone(), api::authorize))
        .with_state(jangbu.clone())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Turn {
    Now(#[serde(with = "toss::timestamp")] OffsetDateTime),
    OffsetMs(i64),
}

/// Turns once every delivery that has arrived was looked into: it belongs to the time before.
async fn turn(State(jangbu): State<Jangbu>, Json(turn): Json<Turn>) -> Result<Json<Value>, StatusCode> {
    for _ in 0..1000 {
        match backoffice::webhooks::any_waiting(&jangbu.backoffice).await {
            Ok(false) => break,
            Ok(true) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            Err(error) => {
                tracing::error!(%error, "the clock was not turned");
                return Err(StatusCode::SERVICE_UNAVAILABLE);
            }
        }
    }
    match turn {
        Turn::Now(now) => jangbu.backoffice.clock.set(now),
        Turn::OffsetMs(ms) => jangbu.backoffice.clock.set_offset(Duration::milliseconds(ms)),
    }
    Ok(read(State(jangbu)).await)
}

async fn read(State(jangbu): State<Jangbu>) -> Json<Value> {
    Json(json!({ "now": toss::timestamp::format(jangbu.backoffice.clock.now()) }))
}
