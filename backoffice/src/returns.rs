//! Goods that came back and withdrawals. From then on the law gives three business days for the money.

use serde_json::json;
use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use toss::calendar;
use uuid::Uuid;

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    clock::SEOUL,
    orders,
};

/// 전자상거래법 제18조 제2항.
pub const LEGAL_DAYS: u32 = 3;

pub const KINDS: [&str; 2] = ["returned", "withdrawn"];

#[derive(Debug, Clone)]
pub struct Return {
    pub id: Uuid,
    pub order_id: String,
    pub kind: String,
    pub received_on: Date,
    /// The last day, inclusive.
    pub due_on: Date,
    pub note: Option<String>,
    pub recorded_by_name: String,
    pub recorded_at: OffsetDateTime,
    pub closed_at: Option<OffsetDateTime>,
    pub closed_reason: Option<String>,
}

impl Return {
    /// Business days that are left, today not counted; negative when it is late.
    pub fn days_left(&self, today: Date) -> i64 {
        calendar::business_days_between(today, self.due_on)
    }
}

/// What is wrong with what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    NoSuchOrder,
    NotPaid,
    Kind,
    /// Not a day, in the future, or more than a year ago.
    Day,
    NoteTooLong,
    /// Closing needs a reason.
    NoNote,
    AlreadyOpen {
        by: String,
        received_on: Date,
    },
    NotOpen,
}

#[derive(Debug, thiserror::Error)]
pub enum ReturnError {
    #[error("refused: {0:?}")]
    Refused(Refused),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for ReturnError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Refused> for ReturnError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// The money went back: the clock stops.
pub(crate) async fn close_refunded(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    order_id: &str,
    for_return: bool,
    nothing_under_way: bool,
) -> Result<(), Fault> {
    // A part that was given back for something else leaves the clock running, and so does a whole of which some is with a bank.
    let closed = sqlx::query!(
        "update returns r set closed_at = $2, closed_reason = 'refunded', closed_by_name = $3
         from orders o
         where r.order_id = $1 and r.closed_at is null and o.order_id = r.order_id
           and ($4 or o.balance_amount = 0 and $5)
         returning r.due_on",
        order_id,
        now,
        actor.name(),
        for_return,
        nothing_under_way,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(row) = closed {
        let late = now.to_offset(SEOUL).date() > row.due_on;
        let detail = json!({ "dueOn": row.due_on.to_string(), "late": late });
        let act = Act { action: "return.refunded", subject_kind: "order", subject: order_id, detail };
        audit::record(tx, now, actor, act).await?;
    }
    Ok(())
}

/// The money that stopped the clock came back: it runs on, from the day it began.
pub(crate) async fn reopen_refunded(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    order_id: &str,
) -> Result<(), Fault> {
    let reopened = sqlx::query!(
        "update returns set closed_at = null, closed_reason = null, closed_by_name = null
         where id = (select id from returns where order_id = $1 and closed_reason = 'refunded' order by closed_at desc limit 1)
           and not exists (select 1 from returns where order_id = $1 and closed_at is null)
         returning due_on",
        order_id,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(row) = reopened {
        let detail = json!({ "dueOn": row.due_on.to_string() });
        let act = Act { action: "return.reopened", subject_kind: "order", subject: order_id, detail };
        audit::record(tx, now, actor, act).await?;
    }
    Ok(())
}

/// Starts the clock for an order.
pub async fn record(
    backoffice: &Backoffice,
    actor: &Actor,
    order_id: &str,
    kind: &str,
    received_on: &str,
    note: &str,
) -> Result<Return, ReturnError> {
    if !KINDS.contains(&kind) {
        return Err(Refused::Kind.into());
    }
    let now = backoffice.clock.now();
    let today = now.to_offset(SEOUL).date();
    let received = toss::timestamp::parse_date(received_on.trim()).ok_or(Refused::Day)?;
    if received > today || received < today - time::Duration::days(366) {
        return Err(Refused::Day.into());
    }
    let note = note.trim();
    if note.chars().count() > 200 || note.contains('\0') {
        return Err(Refused::NoteTooLong.into());
    }
    let order = orders::get(backoffice, order_id).await?.ok_or(Refused::NoSuchOrder)?;
    if order.paid_at.is_none() {
        return Err(Refused::NotPaid.into());
    }
    let due_on = calendar::add_business_days(received, LEGAL_DAYS);
    let id = Uuid::now_v7();
    let mut tx = backoffice.pool.begin().await?;
    orders::hold(&mut tx, order_id).await?;
    let inserted = sqlx::query!(
        "insert into returns (id, order_id, kind, received_on, due_on, note, recorded_by_name, recorded_at)
         values ($1, $2, $3, $4, $5, nullif($6, ''), $7, $8)
         on conflict (order_id) where closed_at is null do nothing",
        id,
        order_id,
        kind,
        received,
        due_on,
        note,
        actor.name(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 0 {
        let open = sqlx::query!(
            "select recorded_by_name, received_on from returns where order_id = $1 and closed_at is null",
            order_id
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Refused::NotOpen)?;
        return Err(Refused::AlreadyOpen { by: open.recorded_by_name, received_on: open.received_on }.into());
    }
    let detail = json!({ "kind": kind, "receivedOn": received.to_string(), "dueOn": due_on.to_string(), "note": note });
    let act = Act { action: "return.recorded", subject_kind: "order", subject: order_id, detail };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    let recorded = get_open(backoffice, order_id).await?;
    Ok(recorded.ok_or(Refused::NotOpen)?)
}

/// Stops the clock without a refund: an exchange, a mistake.
pub async fn close(
    backoffice: &Backoffice,
    actor: &Actor,
    order_id: &str,
    why: &str,
) -> Result<(), ReturnError> {
    let why = why.trim();
    if why.is_empty() {
        return Err(Refused::NoNote.into());
    }
    if why.chars().count() > 200 || why.contains('\0') {
        return Err(Refused::NoteTooLong.into());
    }
    if order_id.contains('\0') {
        return Err(Refused::NoSuchOrder.into());
    }
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    orders::hold(&mut tx, order_id).await?;
    let closed = sqlx::query!(
        "update returns set closed_at = $2, closed_reason = $3, closed_by_name = $4
         where order_id = $1 and closed_at is null",
        order_id,
        now,
        why,
        actor.name(),
    )
    .execute(&mut *tx)
    .await?;
    if closed.rows_affected() == 0 {
        return Err(Refused::NotOpen.into());
    }
    let act = Act {
        action: "return.closed",
        subject_kind: "order",
        subject: order_id,
        detail: json!({ "note": why }),
    };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

pub async fn get_open(backoffice: &Backoffice, order_id: &str) -> Result<Option<Return>, Fault> {
    let found = sqlx::query_as!(
        Return,
        "select id, order_id, kind, received_on, due_on, note, recorded_by_name, recorded_at, closed_at, closed_reason
         from returns where order_id = $1 and closed_at is null",
        order_id,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    Ok(found)
}

/// What is open, worst first; at most 500.
pub async fn list_open(backoffice: &Backoffice) -> Result<Vec<Return>, Fault> {
    let rows = sqlx::query_as!(
        Return,
        "select id, order_id, kind, received_on, due_on, note, recorded_by_name, recorded_at, closed_at, closed_reason
         from returns where closed_at is null order by due_on, id limit 500",
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(rows)
}
