//! Reading deliveries.

use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Badge, Delivery, Opened};
use crate::{
    Backoffice, Fault,
    audit::{
        Actor,
        access::{self, Access, NotShown, Whose},
    },
    kernel::{
        personal,
        seal::{DELIVERY, SNAPSHOT},
    },
    page::{Cursor, Direction, Page},
    payments,
};

const COLUMNS: &str = "select id, received_at, source_ip, answered_in_us, state, transmission_id, retried_count, event_type,
    subject, subject_id, order_id, payment_key, body_status, dedup_key, duplicate_of, badges, proof, changed, error,
    processed_at from webhook_deliveries where true";

/// Any of [`Badge::LOUD`].
pub const UNTRUSTED: &str = "untrusted";

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    pub event_type: Option<String>,
    pub state: Option<String>,
    /// See [`super::Badge`], or [`UNTRUSTED`].
    pub badge: Option<String>,
    #[serde(with = "toss::timestamp::option", default)]
    pub from: Option<OffsetDateTime>,
    /// Exclusive.
    #[serde(with = "toss::timestamp::option", default)]
    pub to: Option<OffsetDateTime>,
    /// Any id that stands in the body, or the transmission id.
    pub q: Option<String>,
}

impl Filter {
    /// The rows it means, behind a `where true`.
    pub(super) fn push(&self, query: &mut QueryBuilder<Postgres>) {
        for (column, wanted) in [("event_type", &self.event_type), ("state", &self.state)] {
            if let Some(wanted) = wanted {
                query.push(format!(" and {column} = ")).push_bind(wanted.clone());
            }
        }
        match self.badge.as_deref() {
            Some(UNTRUSTED) => drop(query.push(" and badges && ").push_bind(Badge::loud())),
            Some(badge) => drop(query.push(" and badges @> ").push_bind(vec![badge.to_owned()])),
            None => {}
        }
        if let Some(q) = &self.q {
            query.push(" and ids @> ").push_bind(vec![q.clone()]);
        }
        // By the key, whose time is that of the arrival: months outside are not even opened.
        for (sign, moment) in [(">=", self.from), ("<", self.to)] {
            if let Some(moment) = moment {
                query.push(format!(" and id {sign} webhook_floor(")).push_bind(moment).push(")");
            }
        }
    }
}

pub async fn list(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Delivery>, Fault> {
    let backwards = cursor.is_some_and(|c| c.direction == Direction::Newer);
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    filter.push(&mut query);
    if let Some(id) = cursor.and_then(|c| Uuid::try_parse(&c.key).ok()) {
        query.push(if backwards { " and id > " } else { " and id < " }).push_bind(id);
    }
    query.push(if backwards { " order by id asc limit " } else { " order by id desc limit " });
    query.push_bind(i64::try_from(size + 1).unwrap_or(i64::MAX));
    let rows: Vec<Delivery> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |d| (d.received_at, d.id.to_string())))
}

pub async fn of_order(backoffice: &Backoffice, order_id: &str) -> Result<Vec<Delivery>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and order_id = ").push_bind(order_id.to_owned()).push(" order by id desc limit 200");
    Ok(query.build_query_as().fetch_all(&backoffice.pool).await?)
}

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Opened>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and id = ").push_bind(id);
    let Some(delivery) = query.build_query_as::<Delivery>().fetch_optional(&backoffice.pool).await? else {
        return Ok(None);
    };
    let row = sqlx::query!("select headers, body from webhook_deliveries where id = $1", id)
        .fetch_one(&backoffice.pool)
        .await?;
    let body = backoffice.keys.open_bytes(DELIVERY, &row.body)?;
    let headers =
        serde_json::from_value(row.headers).map_err(Fault::unreadable("the headers of a delivery"))?;
    let series = match &delivery.dedup_key {
        Some(key) => series(backoffice, key).await?,
        None => vec![delivery.clone()],
    };
    let now = match (delivery.subject.as_deref(), &delivery.subject_id) {
        (Some("payout" | "seller"), Some(id)) => {
            event_snapshot(backoffice, delivery.subject.as_deref(), id).await?
        }
        _ => payment_now(backoffice, &delivery).await?,
    };
    Ok(Some(Opened { delivery, headers, body, series, now }))
}

async fn series(backoffice: &Backoffice, dedup_key: &str) -> Result<Vec<Delivery>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(" and dedup_key = ").push_bind(dedup_key.to_owned()).push(" order by id limit 50");
    Ok(query.build_query_as().fetch_all(&backoffice.pool).await?)
}

async fn payment_now(
    backoffice: &Backoffice,
    delivery: &Delivery,
) -> Result<Option<(serde_json::Value, OffsetDateTime)>, Fault> {
    let Some(key) = &delivery.payment_key else { return Ok(None) };
    Ok(payments::get(backoffice, key).await?.map(|record| (record.raw, record.fetched_at)))
}

async fn event_snapshot(
    backoffice: &Backoffice,
    subject: Option<&str>,
    id: &str,
) -> Result<Option<(serde_json::Value, OffsetDateTime)>, Fault> {
    let row = sqlx::query!(
        "select body, happened_at from event_snapshots where subject = $1 and subject_id = $2",
        subject,
        id
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    row.map(|row| Ok((backoffice.keys.open_json(SNAPSHOT, row.body)?, row.happened_at))).transpose()
}

/// How many deliveries came after one that was seen; at most a hundred are counted.
pub async fn count_since(backoffice: &Backoffice, id: Uuid) -> Result<i64, Fault> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from (select 1 from webhook_deliveries where id > $1 limit 100) newer"#,
        id
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(count)
}

/// Keeps that somebody opened a delivery that says whom it is about.
pub async fn note_view(backoffice: &Backoffice, actor: &Actor, opened: &Opened) -> Result<(), Fault> {
    let what = serde_json::from_slice(&opened.body).map(|body| personal::kinds(&body)).unwrap_or_default();
    if what.is_empty() {
        return Ok(());
    }
    let whose = Whose::Webhook(opened.delivery.id);
    let seen = Access { kind: access::Kind::Viewed, whose, what: &what, is_masked: true, reason: None };
    access::note(backoffice, actor, seen).await
}

/// Keeps that somebody reads a body that hides nothing because it is no JSON, and why. Only after this may it be shown.
pub async fn note_reveal(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    why: &str,
) -> Result<Result<(), NotShown>, Fault> {
    let why = match access::reason(why) {
        Ok(why) => why,
        Err(no) => return Ok(Err(no.into())),
    };
    if get(backoffice, id).await?.is_none() {
        return Ok(Err(NotShown::Nothing));
    }
    let seen = Access {
        kind: access::Kind::Revealed,
        whose: Whose::Webhook(id),
        what: &["body"],
        is_masked: false,
        reason: Some(&why),
    };
    access::note(backoffice, actor, seen).await?;
    Ok(Ok(()))
}
