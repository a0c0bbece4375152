//! What happened, told to the merchant's own systems: posted to addresses as Standard Webhooks 1.0, or taken as a stream by the
//! program that this is mounted in. An event is written in the transaction of its change ([`tell`]), and told at least once, of
//! one subject in the order of its changes ([`deliver`]).
//!
//! What Toss tells us is another thing: [`crate::webhooks`]. Why a row for each endpoint and no cursor: decision 23.

mod address;
pub mod data;
pub mod deliver;
mod endpoints;
mod list;
mod pauses;
mod resend;
mod secrets;
mod send;
mod stream;
mod troubles;

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

pub use address::{Outside, Unfit};
pub use data::Data;
pub use endpoints::{
    Change, Endpoint, EndpointError, Invalid, State, Way, Why, add, change, disable, enable, endpoint,
    endpoints, remove,
};
pub use list::{
    Attempt, Filter, Mark, Outcome, Told, Waiting, attempts, event, list, mark_behind, mark_of_now, since,
    waiting,
};
pub use resend::{MOST as MOST_AT_ONCE, Preview, Resend, preview, resend};
pub use secrets::{Secret, rotate, secrets};
pub use send::test;
pub use stream::{Received, Subscription, subscribe};
pub use troubles::{Troubles, troubles};

use crate::Fault;

text_enum! {
    /// What can happen, as `type` says it.
    Kind {
        /// Money is there, whatever the method.
        OrderPaid = "order.paid",
        /// An account is issued that the buyer pays into, or what was paid in was taken back.
        OrderWaitingForDeposit = "order.waiting_for_deposit",
        /// Beside `order.paid`, where it was paid into an account.
        OrderDeposited = "order.deposited",
        OrderFailed = "order.failed",
        OrderExpired = "order.expired",
        /// All of it went back, whoever asked for it and wherever.
        OrderCanceled = "order.canceled",
        OrderPartiallyCanceled = "order.partially_canceled",
        RefundRequested = "refund.requested",
        /// Declined, withdrawn or lapsed: Toss was never asked.
        RefundDeclined = "refund.declined",
        RefundSucceeded = "refund.succeeded",
        RefundFailed = "refund.failed",
        RefundArrived = "refund.arrived",
        RefundReturned = "refund.returned",
        CashReceiptIssued = "cash_receipt.issued",
        CashReceiptCanceled = "cash_receipt.canceled",
        CashReceiptFailed = "cash_receipt.failed",
        IapPurchased = "iap.purchased",
        IapRefundRequested = "iap.refund_requested",
        IapRefunded = "iap.refunded",
        UserLinked = "user.linked",
        UserUnlinked = "user.unlinked",
        PromotionGranted = "promotion.granted",
        PromotionFailed = "promotion.failed",
        /// Our books, Toss's list and its settlement do not agree.
        DifferenceFound = "difference.found",
        DifferenceResolved = "difference.resolved",
        /// Toss's webhooks are more quiet than at this time of other days.
        WebhookSilent = "webhook.silent",
        /// Somebody tries an endpoint. Not subscribed to: it goes where it is sent.
        EndpointTest = "endpoint.test",
    }
}

impl Kind {
    /// What an endpoint may ask for.
    pub fn subscribable() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| *kind != Self::EndpointTest)
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: Uuid,
    /// Grows in the order of changes of one subject.
    pub seq: i64,
    pub kind: Kind,
    /// What it is about, for example `order:ord_8fk2m1`.
    pub subject: String,
    pub at: OffsetDateTime,
    /// As it was when it happened. [`Data::read`] makes it typed.
    pub data: Value,
}

impl Event {
    /// `webhook-id`: the same each time that it is told.
    pub fn message_id(&self) -> String {
        message_id(self.id)
    }

    /// What is posted, the same bytes each time.
    pub fn body(&self) -> String {
        let timestamp = toss::timestamp::format(self.at);
        serde_json::json!({ "type": self.kind.as_str(), "timestamp": timestamp, "data": self.data })
            .to_string()
    }

    /// # Errors
    /// It was written by a version with other members.
    pub fn typed(&self) -> Result<Data, Fault> {
        Data::read(self.kind, self.data.clone())
    }
}

fn message_id(id: Uuid) -> String {
    format!("evt_{}", id.simple())
}

/// An id as it stands in `webhook-id`, or as a UUID.
pub fn parse_id(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text.strip_prefix("evt_").unwrap_or(text)).ok()
}

/// Writes what has happened, for every endpoint that is to hear of it. Whoever calls holds the row of each subject, so that its
/// events are numbered in the order of its changes, and commits the change with them.
pub(crate) async fn tell(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    events: &[(Kind, Data)],
) -> Result<(), Fault> {
    if events.is_empty() {
        return Ok(());
    }
    let (mut ids, mut kinds, mut subjects, mut data) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (kind, event) in events {
        ids.push(Uuid::now_v7());
        kinds.push(kind.as_str().to_owned());
        subjects.push(event.subject());
        data.push(serde_json::to_value(event).map_err(Fault::unreadable("an event"))?);
    }
    sqlx::query!(
        "with told as (
             insert into events (id, kind, subject, at, data)
             select e.id, e.kind, e.subject, $5, e.data
             from unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[]) with ordinality as e (id, kind, subject, data, n)
             order by e.n
             returning seq, kind, subject
         )
         insert into event_queue (endpoint_id, seq, subject, next_at)
         select p.id, told.seq, told.subject, $5 from told join event_endpoints p
             on p.removed_at is null and p.state <> 'disabled' and told.kind <> 'endpoint.test'
                and (p.kinds = '{}' or told.kind = any(p.kinds))",
        &ids,
        &kinds,
        &subjects,
        &data,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}
