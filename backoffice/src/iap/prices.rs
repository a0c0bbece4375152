//! What in-app products cost. Toss tells no figures of them: what finance sees of the stores is an estimate.

use rust_decimal::Decimal;
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    money::{self, AmountError},
};

#[derive(Debug, Clone)]
pub struct Price {
    pub sku: String,
    /// In won, with VAT; nothing where nobody has said it.
    pub price: Option<Decimal>,
    pub orders: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("sku: 1 to 200 characters")]
    Sku,
    #[error("price: {0}")]
    Price(AmountError),
}

/// Books a purchase, and its refund, once Toss has said that there was one.
pub(super) async fn record_movements(
    tx: &mut PgConnection,
    order_id: &str,
    now: OffsetDateTime,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into transactions
            (transaction_key, payment_key, order_id, rail, method, status, currency, amount, transaction_at, booked_amount,
             booked_currency, booked_status, listed_amount, listed_status, listed_times, listed_at, is_estimate)
         select o.order_id || m.mark, o.order_id, o.order_id, 'iap', o.platform, m.status, 'KRW', coalesce(p.price, 0),
                case when m.mark <> '' then coalesce(o.refunded_at, $2)
                     when o.status = 'REFUNDED' then o.created_at
                     else coalesce(o.determined_at, o.created_at) end,
                coalesce(p.price, 0), 'KRW', m.status, coalesce(p.price, 0), m.status, 1, $2, true
         from iap_orders o
         left join iap_prices p on p.sku = o.sku
         cross join (values ('', 'PURCHASED'), (':refund', 'REFUNDED')) as m (mark, status)
         where o.order_id = $1
           and (o.status = 'REFUNDED' or (o.status in ('PURCHASED', 'PAYMENT_COMPLETED') and m.mark = ''))
         on conflict (transaction_key) do nothing",
        order_id,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Every product that was ever bought or has a price.
pub async fn list(backoffice: &Backoffice) -> Result<Vec<Price>, Fault> {
    let prices = sqlx::query_as!(
        Price,
        r#"select coalesce(o.sku, p.sku) as "sku!", p.price as "price?", coalesce(o.orders, 0) as "orders!"
           from (select sku, count(*) as orders from iap_orders where sku is not null group by sku) o
           full join iap_prices p on p.sku = o.sku order by 1"#
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(prices)
}

/// Sets what a product costs from now on. What was booked without a price gets this one.
pub async fn set(
    backoffice: &Backoffice,
    actor: &Actor,
    sku: &str,
    price: &str,
) -> Result<Result<(), PriceError>, Fault> {
    let sku = sku.trim();
    if sku.is_empty() || sku.chars().count() > 200 || sku.chars().any(char::is_control) {
        return Ok(Err(PriceError::Sku));
    }
    let price = match money::parse(price, "KRW") {
        Ok(price) => price,
        Err(error) => return Ok(Err(PriceError::Price(error))),
    };
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!(
        "insert into iap_prices (sku, price) values ($1, $2) on conflict (sku) do update set price = excluded.price",
        sku,
        price,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "update transactions t set amount = $2, booked_amount = $2, listed_amount = $2
         from iap_orders o where t.rail = 'iap' and t.booked_amount = 0 and o.order_id = t.order_id and o.sku = $1",
        sku,
        price,
    )
    .execute(&mut *tx)
    .await?;
    let act = Act {
        action: "iap_price.changed",
        subject_kind: "product",
        subject: sku,
        detail: json!({ "price": price }),
    };
    audit::record(&mut tx, backoffice.clock.now(), actor, act).await?;
    tx.commit().await?;
    Ok(Ok(()))
}
