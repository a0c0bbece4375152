//! The refund desk. What users ask for, what we decided, and what the store did.

use async_trait::async_trait;
use serde_json::json;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use time::OffsetDateTime;
use toss::apps_in_toss::UserKey;
use uuid::Uuid;

use super::{Decider, Platform, Refund, State, orders};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    events::Kind,
    files::import::{self, FileError},
    iap,
    page::{Cursor, Page, push_keyset},
};

/// Who carries a decision out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecisionChannel {
    /// A person, in Toss's console: remind them.
    Manual,
    /// Toss was told.
    Machine,
}

/// The way a decision reaches Toss. Today there is none but a person (toss-api.md B6.2); should Toss offer a call, it is
/// another implementation of this and nothing else changes.
#[async_trait]
pub trait Refunds: std::fmt::Debug + Send + Sync {
    async fn decide(&self, order_id: &str, approve: bool) -> Result<DecisionChannel, Fault>;
}

/// A person does it in the console.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manual;

#[async_trait]
impl Refunds for Manual {
    async fn decide(&self, _: &str, _: bool) -> Result<DecisionChannel, Fault> {
        Ok(DecisionChannel::Manual)
    }
}

/// The console's four lists of refunds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// 환불 요청
    Requested,
    /// 요청 승인
    Approved,
    /// 환불 반려
    Rejected,
    /// 환불 완료
    Done,
}

impl Tab {
    pub const ALL: [Self; 4] = [Self::Requested, Self::Approved, Self::Rejected, Self::Done];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Done => "done",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.as_str() == text)
    }

    fn states(self) -> &'static [&'static str] {
        match self {
            Self::Requested => &["requested"],
            Self::Approved => &["partner_approved"],
            Self::Rejected => &["rejected_by_partner", "rejected_by_store"],
            Self::Done => &["refunded", "detected"],
        }
    }
}

/// A request as an agent records it.
#[derive(Debug, Clone, Default)]
pub struct NewRequest {
    pub order_id: String,
    pub user_key: String,
    pub platform: String,
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Reject,
    /// The store has said no.
    StoreRejected,
}

#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error("orderId: a UUID")]
    OrderId,
    #[error("userKey: digits")]
    UserKey,
    #[error("platform: Android or iOS")]
    Platform,
    #[error("reason: at most 500 characters")]
    Reason,
    #[error("a request for this order is open already")]
    AlreadyOpen,
    #[error("refunded already")]
    AlreadyRefunded,
    #[error("no such request")]
    NotFound,
    /// It is not ours to decide now.
    #[error("not to be decided now: {0:?}")]
    NotNow(State),
    #[error("on iOS only Apple decides")]
    Apple,
    #[error("the list cannot be read: {0:?}")]
    File(FileError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for DeskError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// What became of a pasted list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    pub recorded: usize,
    /// Open or refunded already.
    pub known: usize,
    /// Lines that could not be read, by number.
    pub unread: Vec<i32>,
}

/// A user with several refunds.
#[derive(Debug, Clone, Copy)]
pub struct Repeater {
    pub user_key: i64,
    pub refunds: i64,
}

const COLUMNS: &str =
    "select r.id, r.order_id, o.user_key, o.platform, o.status, r.state, r.reason, r.requested_at,
    r.recorded_by_name, r.decided_by_name, r.decided_at, r.decision_note, r.settled_at
    from iap_refunds r join iap_orders o on o.order_id = r.order_id where true";

/// Records that a user has asked for a refund, and asks Toss about the order.
pub async fn record(backoffice: &Backoffice, actor: &Actor, new: &NewRequest) -> Result<Uuid, DeskError> {
    let order_id = orders::order_id(&new.order_id).ok_or(DeskError::OrderId)?;
    let user = match new.user_key.trim() {
        "" => None,
        text => Some(UserKey::parse(text).ok_or(DeskError::UserKey)?),
    };
    let platform = match new.platform.trim() {
        "" => None,
        text => Some(Platform::read(text).ok_or(DeskError::Platform)?),
    };
    let reason = new.reason.trim();
    if reason.chars().count() > 500 || reason.contains('\0') {
        return Err(DeskError::Reason);
    }
    orders::keep(backoffice, actor, &order_id, user, None, platform).await?;
    let (now, id) = (backoffice.clock.now(), Uuid::now_v7());
    let mut tx = backoffice.pool.begin().await?;
    let order = sqlx::query!("select status from iap_orders where order_id = $1 for update", order_id)
        .fetch_one(&mut *tx)
        .await?;
    if order.status.as_deref() == Some("REFUNDED") {
        return Err(DeskError::AlreadyRefunded);
    }
    let made = sqlx::query!(
        "insert into iap_refunds (id, order_id, state, reason, requested_at, recorded_by_name)
         values ($1, $2, 'requested', $3, $4, $5)
         on conflict (order_id) where state in ('requested', 'partner_approved') do nothing",
        id,
        order_id,
        reason,
        now,
        actor.name(),
    )
    .execute(&mut *tx)
    .await?;
    if made.rows_affected() == 0 {
        return Err(DeskError::AlreadyOpen);
    }
    note(&mut tx, now, actor, &order_id, "iap_refund.requested", json!({ "refund": id, "reason": reason }))
        .await?;
    orders::tell(&mut tx, now, &order_id, Kind::IapRefundRequested).await?;
    tx.commit().await?;
    if let Err(fault) = iap::orders::look_up(backoffice, actor, &order_id).await {
        tracing::info!(%fault, order_id, "no look-up after a request");
    }
    Ok(id)
}

/// Records what was pasted or uploaded from the console: order, user, platform and reason in each line.
pub async fn import(backoffice: &Backoffice, actor: &Actor, bytes: &[u8]) -> Result<Imported, DeskError> {
    let lines = import::cells(bytes, &["orderid", "주문번호", "주문id"]).map_err(DeskError::File)?;
    let mut imported = Imported::default();
    for (number, cells) in lines {
        let cell = |n: usize| cells.get(n).cloned().unwrap_or_default();
        let new = NewRequest { order_id: cell(0), user_key: cell(1), platform: cell(2), reason: cell(3) };
        match record(backoffice, actor, &new).await {
            Ok(_) => imported.recorded += 1,
            Err(DeskError::AlreadyOpen | DeskError::AlreadyRefunded) => imported.known += 1,
            Err(DeskError::Fault(fault)) => return Err(fault.into()),
            Err(_) => imported.unread.push(number),
        }
    }
    if imported == Imported::default() { Err(DeskError::File(FileError::Empty)) } else { Ok(imported) }
}

/// Records our decision, or that the store has said no.
pub async fn decide(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    decision: Decision,
    text: &str,
) -> Result<DecisionChannel, DeskError> {
    let text = text.trim();
    if text.chars().count() > 500 || text.contains('\0') {
        return Err(DeskError::Reason);
    }
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!("select 1 as one from iap_refunds where id = $1 for update", id)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(DeskError::NotFound)?;
    let refund = get(backoffice, id).await?.ok_or(DeskError::NotFound)?;
    let (to, action) = match (decision, refund.decider()) {
        (Decision::Approve | Decision::Reject, Decider::Apple) => return Err(DeskError::Apple),
        (Decision::Approve, Decider::You) => (State::PartnerApproved, "iap_refund.approved"),
        (Decision::Reject, Decider::You) => (State::RejectedByPartner, "iap_refund.rejected"),
        (Decision::StoreRejected, Decider::Google | Decider::Apple) => {
            (State::RejectedByStore, "iap_refund.rejected_by_store")
        }
        _ => return Err(DeskError::NotNow(refund.state)),
    };
    let told = match decision {
        Decision::StoreRejected => DecisionChannel::Manual,
        _ => Manual.decide(&refund.order_id, decision == Decision::Approve).await?,
    };
    sqlx::query!(
        "update iap_refunds set state = $2, decided_by_name = $3, decided_at = $4::timestamptz, decision_note = nullif($5, ''),
                settled_at = case when $2 = 'partner_approved' then null else $4::timestamptz end where id = $1",
        id,
        to.as_str(),
        actor.name(),
        now,
        text,
    )
    .execute(&mut *tx)
    .await?;
    note(&mut tx, now, actor, &refund.order_id, action, json!({ "refund": id, "note": text })).await?;
    tx.commit().await?;
    Ok(told)
}

/// Toss says that an order was refunded: the open request is done, or one that nobody asked us about is filed.
pub(super) async fn file_refunded(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    order_id: &str,
    at: OffsetDateTime,
) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    let closed = sqlx::query!(
        "update iap_refunds set state = 'refunded', settled_at = $2
         where order_id = $1 and state in ('requested', 'partner_approved')",
        order_id,
        at,
    )
    .execute(&mut *tx)
    .await?;
    if closed.rows_affected() > 0 {
        return note(tx, now, actor, order_id, "iap_refund.refunded", json!({ "at": at.unix_timestamp() }))
            .await;
    }
    sqlx::query!(
        "insert into iap_refunds (id, order_id, state, requested_at, recorded_by_name, settled_at)
         values ($1, $2, 'detected', $3, $4, $5)",
        Uuid::now_v7(),
        order_id,
        now,
        actor.name(),
        at,
    )
    .execute(&mut *tx)
    .await?;
    note(tx, now, actor, order_id, "iap_refund.detected", json!({ "at": at.unix_timestamp() })).await
}

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Refund>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and r.id = ").push_bind(id);
    Ok(query.build_query_as().fetch_optional(&backoffice.pool).await?)
}

pub async fn list(
    backoffice: &Backoffice,
    tab: Tab,
    user: Option<i64>,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Refund>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and r.state = any(").push_bind(tab.states()).push(")");
    if let Some(user) = user {
        query.push(" and o.user_key = ").push_bind(user);
    }
    push_keyset(&mut query, cursor, "r.requested_at", "r.id::text", size);
    let rows: Vec<Refund> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |refund| (refund.requested_at, refund.id.to_string())))
}

/// Users with two refunds or more, most first.
pub async fn repeaters(backoffice: &Backoffice, most: i64) -> Result<Vec<Repeater>, Fault> {
    let rows = sqlx::query_as!(
        Repeater,
        r#"select user_key as "user_key!", count(*) as "refunds!" from iap_orders
           where status = 'REFUNDED' and user_key is not null group by user_key having count(*) > 1
           order by count(*) desc, user_key limit $1"#,
        most
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(rows)
}

async fn note(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    order_id: &str,
    action: &'static str,
    detail: serde_json::Value,
) -> Result<(), Fault> {
    audit::record(tx, now, actor, Act { action, subject_kind: "iap_order", subject: order_id, detail }).await
}
