//! The other Toss: Apps in Toss, for one mini-app, over mutual TLS (toss-api.md Part B).
//!
//! Rules only in this folder's nouns; [`api`] is the HTTP surface, [`control`] what at the real Toss a user, a store or
//! a person at the console does, [`tls`] the certificates. The bodies are written by hand from Toss's samples, so that a
//! mistake in our client's types cannot hide in them.

pub mod api;
pub mod control;
pub mod iap;
pub mod login;
pub mod messenger;
pub mod pages;
pub mod pay;
pub mod promotion;
pub mod tls;

use std::collections::{BTreeMap, VecDeque};

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use toss::apps_in_toss::codes;

/// A refusal in the envelope. Business errors come with HTTP 200 (toss-api.md B1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    pub code: &'static str,
    pub reason: &'static str,
    pub retry_after_seconds: Option<i64>,
}

impl Refused {
    pub const fn business(code: &'static str, reason: &'static str) -> Self {
        Self { status: 200, code, reason, retry_after_seconds: None }
    }

    pub const fn parameter(reason: &'static str) -> Self {
        Self { status: 400, code: "INVALID_PARAMETER", reason, retry_after_seconds: None }
    }

    fn too_often(seconds: i64) -> Self {
        Self {
            status: 200, code: "4095", reason: "요청이 너무 많아요.", retry_after_seconds: Some(seconds)
        }
    }
}

pub type Outcome = Result<Value, Refused>;

/// A refusal by its documented code.
pub fn refused(code: &'static str) -> Refused {
    Refused::business(code, codes::find(code).unwrap_or("요청에 실패했습니다."))
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut error = json!({ "errorCode": self.code, "reason": self.reason });
        if let Some(seconds) = self.retry_after_seconds {
            error["data"] = json!({ "retryAfterSeconds": seconds });
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        (status, Json(json!({ "resultType": "FAIL", "success": null, "error": error }))).into_response()
    }
}

/// What the journal keeps of a change. The last line about a thing wins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    User(Box<login::User>),
    Token(Box<login::Token>),
    Payment(Box<pay::Payment>),
    Order(Box<iap::Order>),
    Promotion(Box<promotion::Promotion>),
    Key(Box<promotion::Key>),
    Message(Box<messenger::Sent>),
}

/// One call that reached a rule, for whoever checks that nothing was sent twice without a look between.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    pub endpoint: String,
    pub about: String,
}

/// What Apps in Toss knows of this mini-app.
#[derive(Debug, Default)]
pub struct MiniApp {
    pub(super) users: BTreeMap<i64, login::User>,
    codes: BTreeMap<String, login::Code>,
    tokens: BTreeMap<String, login::Token>,
    pub(super) payments: BTreeMap<String, pay::Payment>,
    pub(super) orders: BTreeMap<String, iap::Order>,
    pub(super) promotions: BTreeMap<String, promotion::Promotion>,
    keys: BTreeMap<String, promotion::Key>,
    pub(super) messages: Vec<messenger::Sent>,
    /// Calls of the last minute, by what is counted.
    recent: BTreeMap<String, VecDeque<OffsetDateTime>>,
    pub calls: Vec<Call>,
    pub changes: Vec<Change>,
}

impl MiniApp {
    pub fn replay(&mut self, change: Change) {
        match change {
            Change::User(user) => drop(self.users.insert(user.user_key, *user)),
            Change::Token(token) => drop(self.tokens.insert(token.access_token.clone(), *token)),
            Change::Payment(payment) => drop(self.payments.insert(payment.pay_token.clone(), *payment)),
            Change::Order(order) => drop(self.orders.insert(order.order_id.clone(), *order)),
            Change::Promotion(promotion) => {
                drop(self.promotions.insert(promotion.promotion_code.clone(), *promotion));
            }
            Change::Key(key) => drop(self.keys.insert(key.key.clone(), *key)),
            Change::Message(message) => self.messages.push(*message),
        }
    }

    /// Writes a thing and notes it for the journal.
    fn put(&mut self, change: Change) {
        self.changes.push(change.clone());
        self.replay(change);
    }

    /// Counts a call; refuses the one above the limit of a minute.
    fn count(&mut self, what: String, most: usize, now: OffsetDateTime) -> Result<(), Refused> {
        let calls = self.recent.entry(what).or_default();
        while calls.front().is_some_and(|at| (now - *at).abs() >= Duration::MINUTE) {
            calls.pop_front();
        }
        if calls.len() >= most {
            let wait = calls.front().map_or(1, |at| (*at + Duration::MINUTE - now).whole_seconds() + 1);
            return Err(Refused::too_often(wait.max(1)));
        }
        calls.push_back(now);
        Ok(())
    }
}
