//! Webhooks as Toss sends them: three envelopes, real headers, seven retries, on the sandbox's clock
//! (toss-api.md A10).

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::{Duration, OffsetDateTime, macros::format_description};
use toss::{
    payments::webhook::{
        RETRIED_COUNT, RETRY_GAPS_MINUTES, SIGNATURE, TRANSMISSION_ID, TRANSMISSION_TIME, is_signed,
    },
    timestamp,
};

use crate::{World, books::Event, faults::Fault, ids, signature};

/// Toss waits ten seconds, real ones, for a 200.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// Deliveries under way at once.
const AT_ONCE: usize = 16;

/// In the words of Toss's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryState {
    #[serde(rename = "전송 중")]
    Sending,
    #[serde(rename = "성공")]
    Succeeded,
    #[serde(rename = "실패")]
    Failed,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    #[serde(with = "timestamp")]
    pub at: OffsetDateTime,
    /// Absent when no answer came in time.
    pub status: Option<u16>,
    pub took_ms: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub id: String,
    pub url: String,
    pub event_type: String,
    pub body: String,
    pub state: DeliveryState,
    pub attempts: Vec<Attempt>,
    #[serde(with = "timestamp::option")]
    pub next_at: Option<OffsetDateTime>,
    /// Sent this many times at each attempt; more than one is a fault.
    #[serde(default = "one")]
    pub copies: u32,
    #[serde(skip)]
    in_flight: bool,
}

fn one() -> u32 {
    1
}

/// Every delivery, by id; ids sort by time.
#[derive(Debug, Default)]
pub struct Outbox {
    pub deliveries: BTreeMap<String, Delivery>,
    pub urls: Vec<String>,
}

/// The text of an event. Plain times, no zone, as the real ones.
fn body(event: &Event, now: OffsetDateTime) -> (String, String) {
    let created = now
        .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]"))
        .unwrap_or_default();
    let (event_type, value) = match event {
        Event::PaymentStatusChanged(payment) => {
            let name = "PAYMENT_STATUS_CHANGED";
            (name, json!({ "createdAt": created, "eventType": name, "data": payment }))
        }
        Event::DepositCallback { secret, status, transaction_key, order_id } => (
            "DEPOSIT_CALLBACK",
            json!({ "createdAt": created, "secret": secret, "status": status, "transactionKey": transaction_key, "orderId": order_id }),
        ),
        Event::CancelStatusChanged(cancel) => {
            let name = "CANCEL_STATUS_CHANGED";
            (name, json!({ "eventType": name, "createdAt": created, "data": cancel }))
        }
        Event::Plain { event_type, data } => {
            (event_type.as_str(), json!({ "eventType": event_type, "createdAt": created, "data": data }))
        }
        Event::Entity { event_type, entity_type, entity_body } => (
            event_type.as_str(),
            json!({ "eventType": event_type, "createdAt": timestamp::format(now), "version": "2022-11-16",
                    "eventId": uuid::Uuid::new_v4(), "entityType": entity_type, "entityBody": entity_body }),
        ),
    };
    (event_type.to_owned(), value.to_string())
}

impl World {
    /// Puts events into the outbox, one delivery per registered address.
    pub fn post(&self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let now = self.clock.now();
        for event in events {
            let (event_type, body) = body(&event, now);
            let fault = self.faults().take("webhook", &body);
            if fault == Some(Fault::Drop) {
                continue;
            }
            let hold = match fault {
                Some(Fault::Hold { seconds }) => Duration::seconds(seconds),
                _ => Duration::ZERO,
            };
            let copies = match fault {
                Some(Fault::Duplicate { copies }) => copies,
                _ => 1,
            };
            let mut outbox = self.outbox();
            for url in outbox.urls.clone() {
                let delivery = Delivery {
                    id: ids::transmission_id(),
                    url,
                    event_type: event_type.clone(),
                    body: body.clone(),
                    state: DeliveryState::Sending,
                    attempts: Vec::new(),
                    next_at: Some(now + hold),
                    copies,
                    in_flight: false,
                };
                self.journal.delivery(&delivery);
                outbox.deliveries.insert(delivery.id.clone(), delivery);
            }
        }
        self.wake.notify_one();
    }

    /// The button 다시 시도 of the developer centre.
    pub fn resend(&self, id: &str) -> bool {
        let now = self.clock.now();
        let mut outbox = self.outbox();
        let Some(delivery) = outbox.deliveries.get_mut(id) else { return false };
        delivery.state = DeliveryState::Sending;
        delivery.next_at = Some(now);
        self.wake.notify_one();
        true
    }

    /// Deliveries that will be attempted once their time has come.
    pub fn pending_deliveries(&self) -> usize {
        let now = self.clock.now();
        self.outbox()
            .deliveries
            .values()
            .filter(|d| d.in_flight || d.next_at.is_some_and(|at| at <= now))
            .count()
    }

    fn due(&self) -> Vec<Delivery> {
        let now = self.clock.now();
        let mut outbox = self.outbox();
        let mut due = Vec::new();
        for delivery in outbox.deliveries.values_mut() {
            if !delivery.in_flight && delivery.next_at.is_some_and(|at| at <= now) && due.len() < AT_ONCE {
                delivery.in_flight = true;
                due.push(delivery.clone());
            }
        }
        due
    }

    async fn attempt(self: Arc<Self>, delivery: Delivery) {
        let now = self.clock.now();
        let transmitted = timestamp::format(now);
        let started = std::time::Instant::now();
        let mut status = None;
        for _ in 0..delivery.copies.max(1) {
            let mut request = self
                .http
                .post(&delivery.url)
                .timeout(PATIENCE)
                .header("content-type", "application/json")
                .header(TRANSMISSION_TIME, &transmitted)
                .header(TRANSMISSION_ID, &delivery.id)
                .header(RETRIED_COUNT, delivery.attempts.len().to_string());
            if is_signed(&delivery.event_type) {
                let (key, body) = (&self.options.security_key, delivery.body.as_bytes());
                if let Some(mac) = signature::sign(key, self.options.sign_ascii, body, &transmitted) {
                    request = request.header(SIGNATURE, format!("v1:{mac}"));
                }
            }
            status = request.body(delivery.body.clone()).send().await.ok().map(|r| r.status().as_u16());
        }
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut outbox = self.outbox();
        let Some(delivery) = outbox.deliveries.get_mut(&delivery.id) else { return };
        delivery.in_flight = false;
        let failures = delivery.attempts.len();
        delivery.attempts.push(Attempt { at: now, status, took_ms });
        if status == Some(200) {
            delivery.state = DeliveryState::Succeeded;
            delivery.next_at = None;
        } else if let Some(gap) = RETRY_GAPS_MINUTES.get(failures) {
            delivery.next_at = Some(now + Duration::minutes(i64::from(*gap)));
        } else {
            delivery.state = DeliveryState::Failed;
            delivery.next_at = None;
        }
        self.journal.delivery(delivery);
        drop(outbox);
        self.wake.notify_one();
    }

    /// Sends what is due until the sandbox ends; wakes for new events, for a turned clock, and every half second.
    pub(crate) async fn deliver(self: Arc<Self>) {
        let mut running = tokio::task::JoinSet::new();
        loop {
            while running.try_join_next().is_some() {}
            self.expire();
            if running.len() < AT_ONCE {
                for delivery in self.due() {
                    running.spawn(Arc::clone(&self).attempt(delivery));
                }
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(std::time::Duration::from_millis(500)) => {}
            }
        }
    }
}
