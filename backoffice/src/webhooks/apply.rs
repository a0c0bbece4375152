//! Looking into a delivery: read it, prove it, let a fresh look-up change the books.

use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use toss::payments::{
    OrderId, Payment, PaymentKey, WebhookSecret,
    webhook::{self, Event},
};

use crate::{Backoffice, Fault, audit::Actor};

const JOB: Actor = Actor::Job("webhook");

/// What looking into it led to.
struct Finding {
    state: &'static str,
    badge: Option<&'static str>,
    changed: Map<String, Value>,
}

impl Finding {
    fn ignored(badge: Option<&'static str>) -> Self {
        Self { state: "ignored", badge, changed: Map::new() }
    }
}

/// A column takes neither NUL nor a novel.
fn column(text: Option<String>) -> Option<String> {
    text.map(|t| t.chars().filter(|c| *c != '\0').take(300).collect())
}

impl Backoffice {
    /// Does the work of one delivery. Doing it again is harmless. An error means "not now": the job comes back.
    pub async fn apply_webhook(&self, id: i64) -> Result<(), Fault> {
        let row = sqlx::query!("select headers, body, state from webhook_deliveries where id = $1", id)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row.filter(|row| row.state == "received") else { return Ok(()) };
        let header = |name: &str| {
            row.headers.as_array()?.iter().find_map(|pair| {
                (pair.get(0)?.as_str()?.eq_ignore_ascii_case(name))
                    .then(|| pair.get(1)?.as_str().map(str::to_owned))?
            })
        };
        let event = webhook::parse(&row.body);
        let duplicate_of = self.read_off(id, event.as_ref(), &header).await?;
        let finding = match &event {
            None => Finding::ignored(Some("unreadable")),
            Some(event) => match self.look_into(event, &row.body, &header, duplicate_of).await {
                Ok(finding) => finding,
                Err(fault) => {
                    let why: String = fault.to_string().chars().take(300).collect();
                    sqlx::query!("update webhook_deliveries set error = $2 where id = $1", id, why)
                        .execute(&self.pool)
                        .await?;
                    return Err(fault);
                }
            },
        };
        sqlx::query!(
            "update webhook_deliveries set state = $2, badge = $3, changed = $4, processed_at = $5, error = null
             where id = $1",
            id,
            finding.state,
            finding.badge,
            Value::Object(finding.changed),
            self.clock.now(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Writes the searchable parts beside the raw ones, and finds the first delivery of the same event.
    async fn read_off(
        &self,
        id: i64,
        event: Option<&Event>,
        header: &impl Fn(&str) -> Option<String>,
    ) -> Result<Option<i64>, Fault> {
        let dedup_key = column(event.and_then(|e| e.dedup_key.clone()));
        let transaction_key = column(event.and_then(|e| e.transaction_key.clone()));
        let mut tx = self.pool.begin().await?;
        // Copies are looked into at the same time; the first that gets here is the one the others are copies of.
        sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(&dedup_key)
            .execute(&mut *tx)
            .await?;
        let duplicate_of = sqlx::query_scalar!(
            "select id from webhook_deliveries where dedup_key = $1 and id <> $2 and duplicate_of is null
             order by id limit 1",
            dedup_key,
            id
        )
        .fetch_optional(&mut *tx)
        .await?;
        sqlx::query!(
            "update webhook_deliveries set transmission_id = $2, retried_count = $3, event_type = $4, order_id = $5,
                payment_key = $6, body_status = $7, dedup_key = $8, duplicate_of = $9, transaction_key = $10 where id = $1",
            id,
            column(header(webhook::TRANSMISSION_ID)),
            header(webhook::RETRIED_COUNT).and_then(|n| n.trim().parse::<i32>().ok()),
            column(event.map(|e| e.event_type.clone())),
            column(event.and_then(|e| e.order_id.clone())),
            column(event.and_then(|e| e.payment_key.clone())),
            column(event.and_then(|e| e.status.clone())),
            dedup_key,
            duplicate_of,
            transaction_key,
        )
        .execute(&mut *tx)
        .await?;
        if let Some(key) = &transaction_key {
            sqlx::query!(
                "update missing_events set came_at = $2 where transaction_key = $1 and came_at is null",
                key,
                self.clock.now()
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(duplicate_of)
    }

    async fn look_into(
        &self,
        event: &Event,
        body: &[u8],
        header: &impl Fn(&str) -> Option<String>,
        duplicate_of: Option<i64>,
    ) -> Result<Finding, Fault> {
        if let Some(signature) = header(webhook::SIGNATURE) {
            let at = header(webhook::TRANSMISSION_TIME).unwrap_or_default();
            let verified = self
                .security_key
                .as_ref()
                .and_then(|key| webhook::verify_signature(key.expose_secret(), body, &at, &signature));
            return Ok(Finding::ignored(Some(if verified.is_some() {
                "signature_verified"
            } else {
                "signature_wrong"
            })));
        }
        let (key, order) = (event.payment_key.as_deref(), event.order_id.as_deref());
        let sane = |text: &str| !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control);
        // CANCEL_STATUS_CHANGED names neither order nor payment, only its own transaction (toss-api.md A10.5).
        let by_transaction = match (key, order, event.transaction_key.as_deref().filter(|t| sane(t))) {
            (None, None, Some(transaction)) => {
                sqlx::query_scalar!(
                    "select payment_key from transactions where transaction_key = $1",
                    transaction
                )
                .fetch_optional(&self.pool)
                .await?
            }
            _ => None,
        };
        let key = key.or(by_transaction.as_deref());
        let proof = match order.filter(|o| sane(o)) {
            Some(order) => self.secret_matches(order, event).await?,
            None => None,
        };
        let fetched = match (key.filter(|k| sane(k)), order.filter(|o| sane(o))) {
            (Some(key), _) => self.look_up(&JOB, &PaymentKey(key.to_owned())).await,
            (None, Some(order)) => self.look_up_order(&JOB, &OrderId(order.to_owned())).await,
            // Nothing to ask Toss about: billing keys, customers.
            (None, None) => return Ok(Finding::ignored(Some("not_verifiable"))),
        };
        let (payment, changed) = match fetched {
            Ok(found) => found,
            Err(Fault::Toss(error)) if error.is_not_found() => {
                return Ok(Finding::ignored(Some("unknown_to_toss")));
            }
            Err(fault) => return Err(fault),
        };
        let badge = match proof {
            Some(false) => "secret_wrong",
            Some(true) if agrees(event, &payment) => "secret_matched",
            _ if agrees(event, &payment) => "fetched_equal",
            _ => "fetched_different",
        };
        let badge = if duplicate_of.is_some() && badge != "secret_wrong" { "duplicate" } else { badge };
        let state = if changed.is_empty() { "unchanged" } else { "applied" };
        Ok(Finding { state, badge: Some(badge), changed })
    }

    /// Compares the body's secret with the one kept from the confirm. `None` when there is nothing to compare.
    async fn secret_matches(&self, order_id: &str, event: &Event) -> Result<Option<bool>, Fault> {
        let Some(theirs) = &event.secret else { return Ok(None) };
        let ours = sqlx::query_scalar!(
            r#"select secret as "secret!" from payments where order_id = $1 and secret is not null
               order by asked desc limit 1"#,
            order_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(ours.map(|ours| WebhookSecret(ours).matches(theirs)))
    }
}

fn agrees(event: &Event, payment: &Payment) -> bool {
    event.status.as_deref() == Some(payment.status.as_str())
}
