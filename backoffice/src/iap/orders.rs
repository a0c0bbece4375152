//! Orders of the stores: kept when somebody names one, and asked about until they are over.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use time::OffsetDateTime;
use toss::apps_in_toss::{IapOrder, IapStatus, UserKey};
use uuid::Uuid;

use super::{Order, Platform, prices, refund_requests};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    events::{self, Data, Kind, data},
    page::{Cursor, Page, push_keyset},
};

/// Asked about by one run of the job: far below the 3,000 a minute that Toss allows (toss-api.md B1.4).
const AT_ONCE: i64 = 300;
/// A paid order is asked about again after this long; refunds come within months.
const ASK_AGAIN: time::Duration = time::Duration::hours(6);
/// What Toss did not know, or called failed, may have been named too early: it is asked about again for this long.
const DOUBT_FOR: time::Duration = time::Duration::days(3);
/// Older orders than this are not asked about any more.
const ASK_FOR: time::Duration = time::Duration::days(180);

/// An order as somebody names it.
#[derive(Debug, Clone, Default)]
pub struct NewOrder {
    pub order_id: String,
    pub user_key: Option<UserKey>,
    pub sku: Option<String>,
    pub platform: Option<Platform>,
}

#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    #[error("orderId: a UUID")]
    OrderId,
    #[error("sku: at most 200 characters")]
    Sku,
    #[error(transparent)]
    Fault(#[from] Fault),
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Filter {
    /// An order id or a user key.
    pub q: Option<String>,
    pub status: Option<String>,
    pub user_key: Option<i64>,
}

/// The canonical text of a UUID.
pub(super) fn order_id(text: &str) -> Option<String> {
    let text = text.trim();
    Uuid::parse_str(text).ok().filter(|_| text.len() == 36).map(|id| id.to_string())
}

/// Keeps an order and asks Toss how it stands. The same order again is the same one; what was not known is added.
pub async fn add(backoffice: &Backoffice, actor: &Actor, new: &NewOrder) -> Result<Order, OrderError> {
    let id = order_id(&new.order_id).ok_or(OrderError::OrderId)?;
    let sku = new.sku.as_deref().map(str::trim).filter(|sku| !sku.is_empty());
    if sku.is_some_and(|sku| sku.chars().count() > 200 || sku.chars().any(char::is_control)) {
        return Err(OrderError::Sku);
    }
    keep(backoffice, actor, &id, new.user_key, sku, new.platform).await?;
    match look_up(backoffice, actor, &id).await {
        Ok(order) => Ok(order),
        // It is kept, and the job goes on asking.
        Err(Fault::AppsInToss(error)) => {
            tracing::warn!(%error, order_id = id, "an in-app purchase could not be looked up");
            Ok(get(backoffice, &id).await?.ok_or_else(|| Fault::Inconsistent(format!("{id} is gone")))?)
        }
        Err(fault) => Err(fault.into()),
    }
}

pub(super) async fn keep(
    backoffice: &Backoffice,
    actor: &Actor,
    id: &str,
    user: Option<UserKey>,
    sku: Option<&str>,
    platform: Option<Platform>,
) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let fresh = sqlx::query_scalar!(
        r#"insert into iap_orders (order_id, user_key, sku, platform, created_at) values ($1, $2, $3, $4, $5)
           on conflict (order_id) do update set
               -- the merchant's server knows better than a typed request, and anybody knows better than "not found"
               user_key = case when $6 or iap_orders.status is null or iap_orders.status = 'NOT_FOUND'
                               then coalesce(excluded.user_key, iap_orders.user_key)
                               else coalesce(iap_orders.user_key, excluded.user_key) end,
               sku = coalesce(iap_orders.sku, excluded.sku), platform = coalesce(iap_orders.platform, excluded.platform)
           returning (xmax = 0) as "fresh!""#,
        id,
        user.map(|user| user.0),
        sku,
        platform.map(Platform::as_str),
        now,
        actor.is_merchant(),
    )
    .fetch_one(&mut *tx)
    .await?;
    if fresh {
        let detail = json!({ "userKey": user, "platform": platform });
        let act = Act { action: "iap_order.added", subject_kind: "iap_order", subject: id, detail };
        audit::record(&mut tx, now, actor, act).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Asks Toss about an order and moves whatever follows from the answer.
pub async fn look_up(backoffice: &Backoffice, actor: &Actor, id: &str) -> Result<Order, Fault> {
    let known = get(backoffice, id).await?;
    let known = known.ok_or_else(|| Fault::Inconsistent(format!("in-app order {id} is gone")))?;
    let client = backoffice.apps_in_toss()?;
    let told = client.iap_order(known.user_key.map(UserKey), id).await?.value;
    if told.order_id != id {
        return Err(Fault::Inconsistent(format!("asked about {id}, told of another order")));
    }
    apply(backoffice, actor, &known, &told).await?;
    get(backoffice, id).await?.ok_or_else(|| Fault::Inconsistent(format!("in-app order {id} is gone")))
}

async fn apply(backoffice: &Backoffice, actor: &Actor, known: &Order, told: &IapOrder) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let was =
        sqlx::query_scalar!("select status from iap_orders where order_id = $1 for update", known.order_id)
            .fetch_one(&mut *tx)
            .await?;
    // What was refunded stays so, and "there is none" does not take back what Toss has said before.
    let says_less = was.is_some() && !told.status.is_about_ours();
    if was.as_deref() == Some("REFUNDED") || says_less {
        sqlx::query!("update iap_orders set looked_at = $2 where order_id = $1", known.order_id, now)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        return Ok(());
    }
    let refunded = told.status == IapStatus::Refunded;
    let refunded_at = refunded.then(|| told.status_determined_at.unwrap_or(now));
    sqlx::query!(
        "update iap_orders set status = $2, reason = $3, determined_at = $4, sku = coalesce($5, sku), looked_at = $6,
                refunded_at = $7 where order_id = $1",
        known.order_id,
        told.status.as_str(),
        told.reason,
        told.status_determined_at,
        told.sku,
        now,
        refunded_at,
    )
    .execute(&mut *tx)
    .await?;
    prices::record_movements(&mut tx, &known.order_id, now).await?;
    if was.as_deref() != Some(told.status.as_str()) {
        let detail = json!({ "status": [was, told.status] });
        let act =
            Act { action: "iap_order.changed", subject_kind: "iap_order", subject: &known.order_id, detail };
        audit::record(&mut tx, now, actor, act).await?;
        let was_paid = was.map(|was| IapStatus::from(was.as_str()).is_paid()) == Some(true);
        if told.status.is_paid() && !was_paid {
            tell(&mut tx, now, &known.order_id, Kind::IapPurchased).await?;
        }
        if refunded {
            tell(&mut tx, now, &known.order_id, Kind::IapRefunded).await?;
        }
    }
    if refunded {
        refund_requests::file_refunded(
            backoffice,
            &mut tx,
            actor,
            &known.order_id,
            refunded_at.unwrap_or(now),
        )
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Tells the merchant's own systems of an order, whose row is held.
pub(super) async fn tell(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    id: &str,
    kind: Kind,
) -> Result<(), Fault> {
    let order = sqlx::query_as!(
        data::Iap,
        "select order_id, user_key, sku, platform, status, refunded_at from iap_orders where order_id = $1",
        id,
    )
    .fetch_one(&mut *tx)
    .await?;
    events::tell(tx, now, &[(kind, Data::Iap(order))]).await
}

pub async fn get(backoffice: &Backoffice, id: &str) -> Result<Option<Order>, Fault> {
    let order = sqlx::query_as!(
        Order,
        r#"select order_id, user_key, sku, platform as "platform: Platform", status, reason, determined_at, created_at,
                  looked_at, refunded_at
           from iap_orders where order_id = $1"#,
        id,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    Ok(order)
}

pub async fn list(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Order>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(
        "select order_id, user_key, sku, platform, status, reason, determined_at, created_at, looked_at, refunded_at
         from iap_orders where true",
    );
    if let Some(q) = &filter.q {
        match UserKey::parse(q) {
            Some(user) => drop(query.push(" and user_key = ").push_bind(user.0)),
            None => drop(query.push(" and order_id = ").push_bind(q.trim().to_lowercase())),
        }
    }
    if let Some(status) = &filter.status {
        query.push(" and status = ").push_bind(status.clone());
    }
    if let Some(user) = filter.user_key {
        query.push(" and user_key = ").push_bind(user);
    }
    push_keyset(&mut query, cursor, "created_at", "order_id", size);
    let rows: Vec<Order> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |order: &Order| (order.created_at, order.order_id.clone())))
}

/// Asks about orders that can still change. How many were asked about.
pub async fn poll(backoffice: &Backoffice) -> Result<usize, Fault> {
    if backoffice.apps_in_toss.is_none() {
        return Ok(0);
    }
    let now = backoffice.clock.now();
    let due = sqlx::query_scalar!(
        "select o.order_id from iap_orders o
         where status is distinct from 'REFUNDED' and created_at > $2
           and (looked_at is null
                or looked_at < $1 and (status in ('PURCHASED', 'PAYMENT_COMPLETED', 'ORDER_IN_PROGRESS', 'ERROR')
                                       or created_at > $5)
                or exists (select 1 from iap_refunds r where r.order_id = o.order_id
                           and r.state in ('requested', 'partner_approved'))
                   and looked_at < $3)
         order by looked_at nulls first limit $4",
        now - ASK_AGAIN,
        now - ASK_FOR,
        now - time::Duration::minutes(10),
        AT_ONCE,
        now - DOUBT_FOR,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    for id in &due {
        match look_up(backoffice, &Actor::Job("iap"), id).await {
            Ok(_) => {}
            Err(Fault::AppsInToss(error)) if error.is_silence() => {
                tracing::warn!(%error, "Apps in Toss does not answer");
                break;
            }
            Err(fault @ Fault::Database(_)) => return Err(fault),
            Err(fault) => {
                tracing::info!(%fault, order_id = id, "an in-app look-up");
                // The next run begins with others.
                sqlx::query!("update iap_orders set looked_at = $2 where order_id = $1", id, now)
                    .execute(&backoffice.pool)
                    .await?;
            }
        }
    }
    Ok(due.len())
}
