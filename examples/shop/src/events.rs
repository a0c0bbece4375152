//! `POST /events`: what Jangbu tells of orders, as Standard Webhooks. The shop acts upon this, and not upon a browser that came
//! back: a browser may be closed, or lie.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde::Deserialize;
use serde_json::Value;
use standardwebhooks::{HEADER_WEBHOOK_ID, Webhook};

use crate::orders::{self, Orders, Told};

struct Receiver {
    webhook: Webhook,
    orders: Arc<Orders>,
}

pub fn router(webhook: Webhook, orders: Arc<Orders>) -> Router {
    Router::new().route("/events", post(receive)).with_state(Arc::new(Receiver { webhook, orders }))
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
}

/// An order after the change.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    order_id: String,
    balance_amount: Option<i64>,
}

impl Event {
    /// Nothing where this shop has no use for it: new kinds come without a warning.
    fn told(self) -> serde_json::Result<Option<Told>> {
        let state = match self.kind.as_str() {
            "order.paid" => orders::State::Paid,
            "order.waiting_for_deposit" => orders::State::WaitingForDeposit,
            "order.failed" => orders::State::Failed,
            "order.expired" => orders::State::Expired,
            "order.partially_canceled" => orders::State::PartlyRefunded,
            "order.canceled" => orders::State::Canceled,
            _ => return Ok(None),
        };
        let data: Data = serde_json::from_value(self.data)?;
        Ok(Some(Told { order_id: data.order_id, state, left: data.balance_amount }))
    }
}

/// 2xx says that it is ours now: Jangbu tells it no more. Anything else, and it comes again.
async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if let Err(error) = receiver.webhook.verify(&body, &headers) {
        tracing::warn!(%error, "this is not from Jangbu");
        return StatusCode::UNAUTHORIZED;
    }
    let id = headers.get(HEADER_WEBHOOK_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let told = match serde_json::from_slice::<Event>(&body).and_then(Event::told) {
        Ok(Some(told)) => told,
        Ok(None) => return StatusCode::NO_CONTENT,
        Err(error) => {
            tracing::error!(%error, id, "an event that cannot be read");
            return StatusCode::BAD_REQUEST;
        }
    };
    if receiver.orders.hear(id, &told) {
        tracing::info!(order = %told.order_id, "the goods leave");
    }
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use axum::http::{HeaderName, HeaderValue};
    use serde_json::json;
    use standardwebhooks::{HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP};

    use super::*;
    use crate::orders::PRODUCTS;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const OTHER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn receiver() -> (State<Arc<Receiver>>, String) {
        let orders = Arc::new(Orders::default());
        let id = orders.place(&PRODUCTS[0]).id;
        (State(Arc::new(Receiver { webhook: Webhook::new(SECRET).unwrap(), orders })), id)
    }

    fn event(kind: &str, order_id: &str, left: i64) -> String {
        let data = json!({ "orderId": order_id, "status": "DONE", "amount": 32_000, "balanceAmount": left });
        json!({ "type": kind, "timestamp": "2026-11-18T14:00:00+09:00", "data": data }).to_string()
    }

    #[expect(clippy::disallowed_methods, reason = "the library holds events against the real clock")]
    fn headers(secret: &str, id: &str, body: &str) -> HeaderMap {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let now = i64::try_from(now).unwrap();
        let signature = Webhook::new(secret).unwrap().sign(id, now, body.as_bytes()).unwrap();
        [
            (HEADER_WEBHOOK_ID, id.to_owned()),
            (HEADER_WEBHOOK_TIMESTAMP, now.to_string()),
            (HEADER_WEBHOOK_SIGNATURE, signature),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap()))
        .collect()
    }

    #[tokio::test]
    async fn what_is_signed_is_believed() {
        let (receiver, id) = receiver();
        let told = [
            event("order.paid", &id, 32_000),
            event("order.partially_canceled", &id, 23_000),
            event("order.invented_later", &id, 1),
        ];
        for (n, body) in told.into_iter().enumerate() {
            let headers = headers(SECRET, &format!("evt_{n}"), &body);
            assert_eq!(receive(receiver.clone(), headers, body.into()).await, StatusCode::NO_CONTENT);
        }
        let order = receiver.0.orders.get(&id).unwrap();
        assert_eq!(order.state, orders::State::PartlyRefunded);
        assert_eq!(order.left, 23_000);
        assert!(order.is_shipped);
    }

    #[tokio::test]
    async fn what_somebody_else_sends_changes_nothing() {
        let (receiver, id) = receiver();
        let body = event("order.paid", &id, 32_000);
        let altered = body.replace("32000", "1");
        for (headers, body) in [
            (HeaderMap::new(), &body),
            (headers(OTHER, "evt_1", &body), &body),
            (headers(SECRET, "evt_1", &body), &altered),
        ] {
            let answer = receive(receiver.clone(), headers, body.clone().into()).await;
            assert_eq!(answer, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(receiver.0.orders.get(&id).unwrap().state, orders::State::Placed);
    }
}
