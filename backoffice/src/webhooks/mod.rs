//! What Toss posts to us: kept before it is believed, believed only after Toss was asked.

mod apply;
mod list;
mod missing;

use std::net::IpAddr;

use serde_json::{Value, json};
use time::OffsetDateTime;

pub use list::Filter;
pub use missing::{Compared, Gap, Missing};

use crate::{Backoffice, Fault, jobs, text};

/// A request as it came in.
#[derive(Debug)]
pub struct Incoming {
    pub source_ip: Option<IpAddr>,
    /// In the order they came; values that are not text are kept as their lossy text.
    pub headers: Vec<(String, String)>,
    pub body: bytes::Bytes,
}

/// A delivery as people read it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Delivery {
    pub id: i64,
    pub received_at: OffsetDateTime,
    pub source_ip: Option<String>,
    pub transmission_id: Option<String>,
    pub retried_count: Option<i32>,
    pub event_type: Option<String>,
    pub order_id: Option<String>,
    pub payment_key: Option<String>,
    pub body_status: Option<String>,
    pub state: String,
    pub badge: Option<String>,
    pub duplicate_of: Option<i64>,
    pub changed: Option<Value>,
    pub error: Option<String>,
    pub processed_at: Option<OffsetDateTime>,
    pub stored_in_us: Option<i32>,
}

/// The same with what it carried.
#[derive(Debug, Clone)]
pub struct Opened {
    pub delivery: Delivery,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Later deliveries of the same event.
    pub duplicates: Vec<i64>,
}

impl Backoffice {
    /// Commits the delivery together with the job that will look into it. Nothing is interpreted before that.
    pub async fn keep_webhook(&self, incoming: &Incoming, started: std::time::Instant) -> Result<i64, Fault> {
        let headers: Vec<[&str; 2]> =
            incoming.headers.iter().map(|(n, v)| [n.as_str(), v.as_str()]).collect();
        let mut tx = self.pool.begin().await?;
        let id = sqlx::query_scalar!(
            "insert into webhook_deliveries (received_at, source_ip, headers, body, stored_in_us)
             values ($1, $2, $3, $4, $5) returning id",
            self.clock.now(),
            incoming.source_ip.map(|ip| ip.to_string()),
            // PostgreSQL's JSON has no NUL.
            text::without_nul(json!(headers)),
            incoming.body.as_ref(),
            i32::try_from(started.elapsed().as_micros()).ok(),
        )
        .fetch_one(&mut *tx)
        .await?;
        jobs::enqueue_webhook(&mut tx, id).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// True while deliveries wait to be looked into.
    pub async fn webhooks_are_waiting(&self) -> Result<bool, Fault> {
        let waiting = sqlx::query_scalar!(
            r#"select exists (select 1 from webhook_deliveries where state = 'received') as "waiting!""#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(waiting)
    }
}
