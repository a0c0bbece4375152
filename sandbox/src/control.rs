//! The sandbox's own API under `/_sandbox/`: everything that at the real Toss a buyer, a bank or time does.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime};
use toss::{
    payments::{CancelStatus, RefundStatus},
    timestamp,
};

use crate::{
    World,
    books::{Choice, Event, Opening, Outcome, Spoil},
    faults::Switch,
    journal::Line,
};

type Shared = State<Arc<World>>;

pub fn router(world: &Arc<World>) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/clock", get(clock).post(turn_clock))
        .route("/idle", get(idle))
        .route("/payments", get(payments).post(open))
        .route("/payments/{key}/authenticate", post(authenticate))
        .route("/payments/{key}/deposit", post(deposit))
        .route("/payments/{key}/deposit-error", post(deposit_error))
        .route("/payments/{key}/bank-refund", post(bank_refund))
        .route("/cancels/{transactionKey}", post(finish_cancel))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/limit", post(limit))
        .route("/deliveries", get(deliveries))
        .route("/deliveries/{id}/resend", post(resend))
        .route("/webhook-urls", post(webhook_urls))
        .route("/events", post(event))
        .route("/transactions", get(transactions))
        .route("/close-day", post(close_day))
        .route("/settlements/{transaction_key}", post(spoil_settlement))
        .with_state(Arc::clone(world))
}

fn answer<T: serde::Serialize>(outcome: Outcome<T>) -> Response {
    match outcome {
        Ok(value) => Json(value).into_response(),
        Err(refused) => refused.into_response(),
    }
}

async fn clock(State(world): Shared) -> Json<Value> {
    Json(
        json!({ "now": timestamp::format(world.clock.now()), "offsetMs": world.clock.offset().whole_milliseconds() }),
    )
}

/// One of three ways to turn the clock.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Turn {
    Now(#[serde(with = "timestamp")] OffsetDateTime),
    AdvanceSeconds(i64),
    OffsetMs(i64),
}

async fn turn_clock(State(world): Shared, Json(turn): Json<Turn>) -> Json<Value> {
    match turn {
        Turn::Now(now) => world.clock.set(now),
        Turn::AdvanceSeconds(seconds) => world.clock.advance(Duration::seconds(seconds)),
        Turn::OffsetMs(ms) => world.clock.set_offset(Duration::milliseconds(ms)),
    }
    let offset = i64::try_from(world.clock.offset().whole_milliseconds()).unwrap_or_default();
    world.journal.write(&Line::ClockOffsetMs(offset));
    world.expire();
    world.wake.notify_one();
    clock(State(world)).await
}

/// Answers once every webhook that is due has been attempted, at the latest after ten seconds.
async fn idle(State(world): Shared) -> Json<Value> {
    for _ in 0..2000 {
        if world.pending_deliveries() == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    Json(json!({ "pending": world.pending_deliveries() }))
}

async fn payments(State(world): Shared) -> Json<Value> {
    Json(world.with_books(|books| json!(books.payments().map(|r| &r.payment).collect::<Vec<_>>())))
}

async fn open(State(world): Shared, Json(opening): Json<Opening>) -> Response {
    let now = world.clock.now();
    answer(world.with_books(|books| books.open(opening, now)).map(|record| {
        json!({ "paymentKey": record.payment.payment_key,
                "checkout": format!("/_sandbox/pay/{}", record.payment.payment_key) })
    }))
}

async fn authenticate(State(world): Shared, Path(key): Path<String>, Json(choice): Json<Choice>) -> Response {
    let now = world.clock.now();
    answer(world.with_books(|books| books.authenticate(&key, choice, now)).map(|r| r.payment))
}

async fn deposit(State(world): Shared, Path(key): Path<String>) -> Response {
    let now = world.clock.now();
    answer(world.with_books(|books| books.deposit(&key, now)))
}

async fn deposit_error(State(world): Shared, Path(key): Path<String>) -> Response {
    answer(world.with_books(|books| books.deposit_error(&key)))
}

/// The bank's answer: `{"status": "COMPLETED"}`. `{"sendAgain": {bankCode, accountNumber, holderName}}` is what Toss's admin
/// does with money that came back; null keeps the account.
async fn bank_refund(State(world): Shared, Path(key): Path<String>, Json(body): Json<Value>) -> Response {
    if let Some(account) = body.get("sendAgain") {
        let now = world.clock.now();
        let Ok(account) = serde_json::from_value(account.clone()) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        return answer(world.with_books(|books| books.send_again(&key, account, now)));
    }
    let status = RefundStatus::from(body["status"].as_str().unwrap_or("COMPLETED"));
    answer(world.with_books(|books| books.finish_bank_refund(&key, status)))
}

async fn finish_cancel(State(world): Shared, Path(key): Path<String>, Json(body): Json<Value>) -> Response {
    let status = CancelStatus::from(body["status"].as_str().unwrap_or("DONE"));
    answer(world.with_books(|books| books.finish_cancel(&key, status)))
}

async fn faults(State(world): Shared) -> Json<Vec<Switch>> {
    Json(world.faults().list())
}

async fn add_fault(State(world): Shared, Json(switch): Json<Switch>) -> StatusCode {
    world.faults().add(switch);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(world): Shared) -> StatusCode {
    world.faults().clear();
    StatusCode::NO_CONTENT
}

async fn limit(State(world): Shared, Json(body): Json<Value>) -> StatusCode {
    world.gate().limited = body["on"].as_bool().unwrap_or(true);
    StatusCode::NO_CONTENT
}

async fn deliveries(State(world): Shared) -> Json<Value> {
    Json(json!(world.outbox().deliveries.values().collect::<Vec<_>>()))
}

async fn resend(State(world): Shared, Path(id): Path<String>) -> StatusCode {
    if world.resend(&id) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn webhook_urls(State(world): Shared, Json(urls): Json<Vec<String>>) -> StatusCode {
    world.outbox().urls = urls;
    StatusCode::NO_CONTENT
}

/// Posts an event that no payment causes: payouts and sellers (signed), brandpay's, billing's.
async fn event(State(world): Shared, Json(body): Json<Value>) -> StatusCode {
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let event_type = text("eventType");
    if event_type.is_empty() {
        return StatusCode::BAD_REQUEST;
    }
    let event = if body["entityBody"].is_object() {
        Event::Entity { event_type, entity_type: text("entityType"), entity_body: body["entityBody"].clone() }
    } else {
        Event::Plain { event_type, data: body["data"].clone() }
    };
    world.post(vec![event]);
    StatusCode::NO_CONTENT
}

async fn transactions(State(world): Shared) -> Json<Value> {
    Json(world.with_books(|books| json!(books.all_transactions())))
}

#[derive(Deserialize)]
struct Close {
    #[serde(with = "timestamp::date")]
    day: Date,
}

async fn spoil_settlement(
    State(world): Shared,
    Path(key): Path<String>,
    Json(how): Json<Spoil>,
) -> StatusCode {
    let spoilt = world.with_books(|books| books.spoil_settlement(&key, &how));
    if spoilt { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn close_day(State(world): Shared, Json(Close { day }): Json<Close>) -> Json<Value> {
    Json(json!({ "rows": world.with_books(|books| books.close_day(day)) }))
}
