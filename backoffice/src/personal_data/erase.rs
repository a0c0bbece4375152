//! Somebody asks to be forgotten. What no law keeps goes at once; what one keeps is restricted.

use serde_json::json;
use uuid::Uuid;

use super::{
    Person,
    expire::clear,
    find::{orders_of, users_of},
};
use crate::{
    Backoffice, Fault,
    audit::{
        self, Act, Actor,
        access::{self, NoReason},
    },
    events::data::order_subject,
};

/// What became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Orders that nobody paid.
    pub orders_erased: i64,
    /// Paid ones: contracts and payments are kept.
    pub orders_restricted: i64,
    pub profiles_erased: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    #[error(transparent)]
    Reason(#[from] NoReason),
    #[error("there is nothing left to erase")]
    Nothing,
    /// Money is on its way: who gets it has to be known until it is there.
    #[error("a refund or a payment of order {0} is under way")]
    UnderWay(String),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for EraseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

pub async fn erase(
    backoffice: &Backoffice,
    actor: &Actor,
    person: &Person,
    reason: &str,
) -> Result<Erased, EraseError> {
    let reason = access::reason(reason)?;
    let orders = orders_of(backoffice, person).await?;
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    // Locked, so that no refund of them begins meanwhile.
    let held = sqlx::query!(
        r#"select o.order_id, o.paid_at is not null or exists (select from refunds r where r.order_id = o.order_id) as "is_kept!",
                  exists (select from refunds r where r.order_id = o.order_id
                          and r.state in ('requested', 'waiting_for_approval', 'approved', 'sending', 'unknown'))
                  or exists (select from refunds r where r.order_id = o.order_id and r.look_at is not null)
                  or o.status in ('IN_PROGRESS', 'WAITING_FOR_DEPOSIT', 'PAY_PROGRESS', 'PAY_APPROVED', 'REFUND_PROGRESS')
                  -- the buyer may be in the sheet of Toss Pay, and is known there by the user key alone
                  or o.rail = 'toss_pay' and o.status in ('READY', 'PAY_STANDBY')
                     and o.created_at > $2::timestamptz - interval '1 day' as "is_under_way!"
           from orders o
           where o.order_id = any($1) and o.restricted_at is null and o.cleared_at is null
           order by o.order_id for update"#,
        &orders,
        now,
    )
    .fetch_all(&mut *tx)
    .await?;
    if let Some(order) = held.iter().find(|order| order.is_under_way) {
        return Err(EraseError::UnderWay(order.order_id.clone()));
    }
    let (kept, free): (Vec<_>, Vec<_>) = held.into_iter().partition(|order| order.is_kept);
    let [kept, free] = [kept, free].map(|all| all.into_iter().map(|o| o.order_id).collect::<Vec<String>>());
    let users = users_of(backoffice, person, &orders).await?;
    clear(&mut tx, &backoffice.keys, now, &free).await?;
    sqlx::query!(
        "update orders set restricted_at = $2, updated_at = $2 where order_id = any($1)",
        &kept,
        now
    )
    .execute(&mut *tx)
    .await?;
    let subjects: Vec<String> = kept.iter().chain(&free).map(|order| order_subject(order)).collect();
    sqlx::query!(
        r#"update events set data = data || '{"userKey": null}' where subject = any($1) and data ->> 'userKey' is not null"#,
        &subjects,
    )
    .execute(&mut *tx)
    .await?;
    let profiles = sqlx::query!(
        "update toss_users set sealed = '{}' where user_key = any($1) and sealed <> '{}'",
        &users
    )
    .execute(&mut *tx)
    .await?;
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let erased = Erased {
        orders_erased: count(free.len()),
        orders_restricted: count(kept.len()),
        profiles_erased: i64::try_from(profiles.rows_affected()).unwrap_or(i64::MAX),
    };
    if erased == Erased::default() {
        return Err(EraseError::Nothing);
    }
    let id = Uuid::now_v7();
    sqlx::query!(
        "insert into data_requests (id, kind, made_at, made_by, made_by_name, reason, orders, orders_erased,
                                    orders_restricted, profiles_erased)
         values ($1, 'erased', $2, $3, $4, $5, $6, $7, $8, $9)",
        id,
        now,
        actor.staff_id(),
        actor.name(),
        reason,
        count(orders.len()),
        erased.orders_erased,
        erased.orders_restricted,
        erased.profiles_erased,
    )
    .execute(&mut *tx)
    .await?;
    let subject = id.to_string();
    let detail = json!({ "orders": orders.len(), "ordersErased": erased.orders_erased,
                         "ordersRestricted": erased.orders_restricted, "profilesErased": erased.profiles_erased });
    let act = Act { action: "data_request.erased", subject_kind: "data_request", subject: &subject, detail };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(erased)
}
