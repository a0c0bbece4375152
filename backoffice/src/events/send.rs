//! One request: signed, sent, and what came back.

use std::time::Instant;

use reqwest::{StatusCode, header};
use serde_json::json;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};
use time::Duration;
use uuid::Uuid;

use super::{
    Data, Event, Kind, Outside, data,
    endpoints::{EndpointError, State, lock, note},
    tell,
};
use crate::{Backoffice, audit::Actor, clock};

/// What of an answer is kept.
const LONGEST_ANSWER: usize = 1024;

/// What became of a request.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub status: Option<StatusCode>,
    pub ms: i32,
    /// The first of the answer's body, or why there was none.
    pub answer: String,
    /// `Retry-After`
    pub asked: Option<Duration>,
}

impl Sent {
    pub fn is_taken(&self) -> bool {
        self.status.is_some_and(|status| status.is_success())
    }

    /// It says that nothing will ever be taken there again.
    pub fn is_gone(&self) -> bool {
        self.status == Some(StatusCode::GONE)
    }

    pub fn error(&self) -> String {
        match self.status {
            Some(status) => status.to_string(),
            None => self.answer.clone(),
        }
    }
}

/// Sends an event. The receiver's clock is the real one, whatever ours is turned to.
pub(super) async fn send(outside: &Outside, url: &str, signers: &[Webhook], event: &Event) -> Sent {
    let begun = Instant::now();
    let ms = || i32::try_from(begun.elapsed().as_millis()).unwrap_or(i32::MAX);
    let failed = |answer: String| Sent { status: None, ms: ms(), answer, asked: None };
    let url = match outside.check(url) {
        Ok(url) => url,
        Err(unfit) => return failed(unfit.to_string()),
    };
    let (id, body) = (event.message_id(), event.body());
    let timestamp = clock::real_now().unix_timestamp();
    let signatures: Result<Vec<String>, _> =
        signers.iter().map(|signer| signer.sign(&id, timestamp, body.as_bytes())).collect();
    let Ok(signatures) = signatures else { return failed("it could not be signed".to_owned()) };
    let request = outside
        .post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .header(HEADER_WEBHOOK_ID, &id)
        .header(HEADER_WEBHOOK_TIMESTAMP, timestamp.to_string())
        .header(HEADER_WEBHOOK_SIGNATURE, signatures.join(" "))
        .body(body);
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return failed(reason(&error)),
    };
    let status = response.status();
    let asked = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::seconds);
    let mut bytes = Vec::new();
    while bytes.len() < LONGEST_ANSWER {
        // What was said by the status stands, however the body ends.
        let Ok(Some(chunk)) = response.chunk().await else { break };
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(LONGEST_ANSWER);
    let answer = String::from_utf8_lossy(&bytes).replace(|c: char| c.is_control() && c != '\n', " ");
    Sent { status: Some(status), ms: ms(), answer, asked }
}

/// The innermost cause, which says more than that a request failed. No address: it may hold a secret.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if cause.source().is_none() && cause.to_string() == error.to_string() {
        return "the request failed".to_owned();
    }
    cause.to_string().replace(char::is_control, " ")
}

/// Writes a test event for one endpoint. It is told like every other.
pub async fn test(backoffice: &Backoffice, actor: &Actor, endpoint: Uuid) -> Result<Uuid, EndpointError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    if lock(&mut tx, endpoint).await?.state != State::Active {
        return Err(EndpointError::NotFound);
    }
    let message = "jangbu".to_owned();
    let data = Data::Test(data::Test { endpoint_id: endpoint, message });
    let subject = data.subject();
    tell(&mut tx, now, &[(Kind::EndpointTest, data)]).await?;
    // Nobody has subscribed to it.
    let id = sqlx::query_scalar!(
        "with newest as (select id, seq from events where subject = $2 order by seq desc limit 1),
              queued as (insert into event_queue (endpoint_id, seq, subject, next_at) select $1, seq, $2, $3 from newest)
         select id from newest",
        endpoint,
        subject,
        now,
    )
    .fetch_one(&mut *tx)
    .await?;
    note(&mut tx, now, actor, endpoint, "event_endpoint.tested", json!({ "event": id })).await?;
    tx.commit().await?;
    Ok(id)
}
