//! `/_sandbox/apps-in-toss/`: what a user in the Toss app, a store, or a person at Toss's console does.

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

use super::{iap::Order, login::User, pay::Choice, promotion::Promotion};
use crate::World;

type Shared = State<Arc<World>>;

pub fn router(world: &Arc<World>) -> Router {
    Router::new()
        .route("/users", get(users).post(add_user))
        .route("/users/{userKey}/authorize", post(authorize))
        .route("/users/{userKey}/unlink", post(unlink))
        .route("/payments", get(payments))
        .route("/payments/{payToken}/authenticate", post(authenticate))
        .route("/payments/{payToken}/move", post(move_payment))
        .route("/orders", get(orders).post(add_order))
        .route("/orders/{orderId}/move", post(move_order))
        .route("/orders/{orderId}/file", post(file_order))
        .route("/promotions", get(promotions).post(set_promotion))
        .route("/payouts", get(payouts))
        .route("/messages", get(messages))
        .route("/calls", get(calls))
        .with_state(Arc::clone(world))
}

fn found<T: serde::Serialize>(thing: Option<T>) -> Response {
    match thing {
        Some(thing) => Json(thing).into_response(),
        None => StatusCode::CONFLICT.into_response(),
    }
}

async fn users(State(world): Shared) -> Json<Value> {
    Json(world.with_mini_app(|app| json!(app.users.values().collect::<Vec<_>>())))
}

async fn add_user(State(world): Shared, Json(user): Json<User>) -> Json<User> {
    Json(world.with_mini_app(|app| app.add_user(user)))
}

async fn authorize(State(world): Shared, Path(user_key): Path<i64>) -> Response {
    let now = world.clock.now();
    found(
        world
            .with_mini_app(|app| app.authorize(user_key, now))
            .map(|code| json!({ "authorizationCode": code, "referrer": "sandbox" })),
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unlink {
    /// `UNLINK`, `WITHDRAWAL_TERMS` or `WITHDRAWAL_TOSS`
    referrer: String,
    /// `GET` or `POST`, as the console is set.
    #[serde(default)]
    method: Option<String>,
}

/// The user ends the link, and Toss tells the partner.
async fn unlink(State(world): Shared, Path(user_key): Path<i64>, Json(how): Json<Unlink>) -> Response {
    if !world.with_mini_app(|app| app.unlink(user_key, &how.referrer)) {
        return StatusCode::CONFLICT.into_response();
    }
    let by_get = how.method.as_deref() == Some("GET");
    Json(json!({ "status": world.tell_unlinked(user_key, &how.referrer, by_get).await })).into_response()
}

impl World {
    /// Toss's callback to the partner, in one of the two ways of its console; what it was answered.
    pub(super) async fn tell_unlinked(&self, user_key: i64, referrer: &str, by_get: bool) -> Option<u16> {
        let callback = self.options.unlink.as_ref()?;
        let user = user_key.to_string();
        let request = if by_get {
            self.http.get(&callback.url).query(&[("userKey", user.as_str()), ("referrer", referrer)])
        } else {
            self.http.post(&callback.url).json(&json!({ "userKey": user_key, "referrer": referrer }))
        };
        let request = match &callback.basic {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        };
        request.send().await.map(|answer| answer.status().as_u16()).ok()
    }
}

async fn payments(State(world): Shared) -> Json<Value> {
    Json(world.with_mini_app(|app| json!(app.payments.values().collect::<Vec<_>>())))
}

async fn authenticate(
    State(world): Shared,
    Path(token): Path<String>,
    Json(choice): Json<Choice>,
) -> Response {
    found(world.with_mini_app(|app| app.authenticate(&token, choice)))
}

#[derive(Deserialize)]
struct To {
    to: String,
}

async fn move_payment(
    State(world): Shared,
    Path(token): Path<String>,
    Json(To { to }): Json<To>,
) -> Response {
    let now = world.clock.now();
    found(world.with_mini_app(|app| app.move_payment(&token, &to, now)))
}

async fn orders(State(world): Shared) -> Json<Value> {
    Json(world.with_mini_app(|app| json!(app.orders.values().collect::<Vec<_>>())))
}

async fn add_order(State(world): Shared, Json(order): Json<Order>) -> Json<Order> {
    let now = world.clock.now();
    Json(world.with_mini_app(|app| app.add_order(order, now)))
}

async fn move_order(State(world): Shared, Path(id): Path<String>, Json(To { to }): Json<To>) -> Response {
    let now = world.clock.now();
    found(world.with_mini_app(|app| app.move_order(&id, &to, now)))
}

async fn file_order(State(world): Shared, Path(id): Path<String>, Json(To { to }): Json<To>) -> Response {
    found(world.with_mini_app(|app| app.file_order(&id, &to)))
}

async fn promotions(State(world): Shared) -> Json<Value> {
    Json(world.with_mini_app(|app| json!(app.promotions.values().collect::<Vec<_>>())))
}

async fn set_promotion(State(world): Shared, Json(promotion): Json<Promotion>) -> StatusCode {
    world.with_mini_app(|app| app.set_promotion(promotion));
    StatusCode::NO_CONTENT
}

async fn payouts(State(world): Shared) -> Json<Value> {
    Json(world.with_mini_app(|app| json!(app.payouts().collect::<Vec<_>>())))
}

async fn messages(State(world): Shared) -> Json<Value> {
    Json(world.with_mini_app(|app| json!(app.messages)))
}

async fn calls(State(world): Shared) -> Json<Value> {
    Json(world.with_mini_app(|app| json!(app.calls)))
}
