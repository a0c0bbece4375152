//! Reading deliveries.

use sqlx::{Postgres, QueryBuilder};

use super::{Delivery, Opened};
use crate::{
    Backoffice, Fault,
    page::{Cursor, Direction, Page},
};

const COLUMNS: &str =
    "select id, received_at, source_ip, transmission_id, retried_count, event_type, order_id, payment_key,
    body_status, state, badge, duplicate_of, changed, error, processed_at, stored_in_us
    from webhook_deliveries where true";

#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub event_type: Option<String>,
    pub state: Option<String>,
    pub badge: Option<String>,
    /// An order id, payment key or transmission id.
    pub q: Option<String>,
}

impl Backoffice {
    pub async fn webhooks(
        &self,
        filter: &Filter,
        cursor: Option<&Cursor>,
        size: usize,
    ) -> Result<Page<Delivery>, Fault> {
        let backwards = cursor.is_some_and(|c| c.direction == Direction::Newer);
        let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
        for (column, wanted) in
            [("event_type", &filter.event_type), ("state", &filter.state), ("badge", &filter.badge)]
        {
            if let Some(wanted) = wanted {
                query.push(format!(" and {column} = ")).push_bind(wanted.clone());
            }
        }
        if let Some(q) = &filter.q {
            query.push(" and (order_id = ").push_bind(q.clone());
            query.push(" or payment_key = ").push_bind(q.clone());
            query.push(" or transmission_id = ").push_bind(q.clone()).push(")");
        }
        if let Some(id) = cursor.and_then(|c| c.key.parse::<i64>().ok()) {
            query.push(if backwards { " and id > " } else { " and id < " }).push_bind(id);
        }
        query.push(if backwards { " order by id asc limit " } else { " order by id desc limit " });
        query.push_bind(i64::try_from(size + 1).unwrap_or(i64::MAX));
        let rows: Vec<Delivery> = query.build_query_as().fetch_all(&self.pool).await?;
        Ok(Page::new(rows, size, cursor, |d| (d.received_at, d.id.to_string())))
    }

    pub async fn webhooks_of_order(&self, order_id: &str) -> Result<Vec<Delivery>, Fault> {
        let rows = sqlx::query_as!(
            Delivery,
            "select id, received_at, source_ip, transmission_id, retried_count, event_type, order_id, payment_key,
                    body_status, state, badge, duplicate_of, changed, error, processed_at, stored_in_us
             from webhook_deliveries where order_id = $1 order by id desc limit 200",
            order_id,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    pub async fn webhook(&self, id: i64) -> Result<Option<Opened>, Fault> {
        let delivery = sqlx::query_as!(
            Delivery,
            "select id, received_at, source_ip, transmission_id, retried_count, event_type, order_id, payment_key,
                    body_status, state, badge, duplicate_of, changed, error, processed_at, stored_in_us
             from webhook_deliveries where id = $1",
            id,
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(delivery) = delivery else { return Ok(None) };
        let row = sqlx::query!("select headers, body from webhook_deliveries where id = $1", id)
            .fetch_one(&self.pool)
            .await?;
        let duplicates = sqlx::query_scalar!(
            "select id from webhook_deliveries where duplicate_of = $1 order by id limit 100",
            id
        )
        .fetch_all(&self.pool)
        .await?;
        let headers = serde_json::from_value(row.headers).map_err(|e| Fault::Inconsistent(e.to_string()))?;
        Ok(Some(Opened { delivery, headers, body: row.body, duplicates }))
    }

    /// How many deliveries came after one that was seen; at most a hundred are counted.
    pub async fn webhooks_since(&self, id: i64) -> Result<i64, Fault> {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from (select 1 from webhook_deliveries where id > $1 limit 100) newer"#,
            id
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(count)
    }
}
