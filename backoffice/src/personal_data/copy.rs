//! A copy of what we have of somebody, in the clear: one line for each value.

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    Backoffice, Fault,
    kernel::seal::{DELIVERY, ORDER_EMAIL, ORDER_PHONE, PAYMENT, RECEIPT_IDENTITY, REFUND_ACCOUNT},
    users,
};

text_enum! {
    /// Where a value of somebody's stands.
    Source {
        Order = "order",
        Payment = "payment",
        Refund = "refund",
        CashReceipt = "cash_receipt",
        Return = "return",
        Webhook = "webhook",
        User = "user",
        Message = "message",
        Grant = "grant",
        IapOrder = "iap_order",
    }
}

/// One value.
#[derive(Debug, Clone)]
pub struct Line {
    pub source: Source,
    pub id: String,
    pub at: Option<OffsetDateTime>,
    pub field: String,
    pub value: String,
}

/// What opens something of ours, and is nobody's data.
const SECRETS: [&str; 2] = ["secret", "billingKey"];

struct Lines(Vec<Line>);

impl Lines {
    /// Every value of a JSON object, by its path.
    fn add(&mut self, source: Source, id: &str, at: Option<OffsetDateTime>, value: &Value) {
        self.walk(source, id, at, "", value);
    }

    fn walk(&mut self, source: Source, id: &str, at: Option<OffsetDateTime>, path: &str, value: &Value) {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match value {
            Value::Null => {}
            Value::Object(members) => {
                for (name, member) in members.iter().filter(|(name, _)| !SECRETS.contains(&name.as_str())) {
                    self.walk(source, id, at, &below(name), member);
                }
            }
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.walk(source, id, at, &below(&n.to_string()), item);
                }
            }
            Value::String(text) if text.is_empty() => {}
            value => self.0.push(Line {
                source,
                id: id.to_owned(),
                at,
                field: path.to_owned(),
                value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            }),
        }
    }
}

/// All that belongs to these orders, what is restricted among it.
pub(crate) async fn copy_of_orders(backoffice: &Backoffice, orders: &[String]) -> Result<Vec<Line>, Fault> {
    let (keys, mut lines) = (&backoffice.keys, Lines(Vec::new()));
    let open = |column: &str, sealed: &Option<String>| {
        sealed.as_deref().map(|sealed| keys.open(column, sealed)).transpose()
    };
    for row in sqlx::query!(
        "select order_id, order_name, amount, currency, status, customer_name, customer_mobile_phone, customer_email, user_key,
                created_at, paid_at from orders where order_id = any($1) order by created_at desc",
        orders
    )
    .fetch_all(&backoffice.pool)
    .await?
    {
        let value = json!({
            "orderName": row.order_name, "amount": row.amount, "currency": row.currency, "status": row.status,
            "customerName": row.customer_name,
            "customerMobilePhone": open(ORDER_PHONE, &row.customer_mobile_phone)?,
            "customerEmail": open(ORDER_EMAIL, &row.customer_email)?,
            "userKey": row.user_key, "approvedAt": row.paid_at.map(|at| at.to_string()),
        });
        lines.add(Source::Order, &row.order_id, Some(row.created_at), &value);
    }
    for row in sqlx::query!(
        "select payment_key, approved_at, raw from payments where order_id = any($1) order by payment_key",
        orders
    )
    .fetch_all(&backoffice.pool)
    .await?
    {
        lines.add(Source::Payment, &row.payment_key, row.approved_at, &keys.open_json(PAYMENT, row.raw)?);
    }
    for row in sqlx::query!(
        "select order_id, amount, currency, state, reason, requested_at, refund_account from refunds
         where order_id = any($1) order by requested_at",
        orders
    )
    .fetch_all(&backoffice.pool)
    .await?
    {
        let account = open(REFUND_ACCOUNT, &row.refund_account)?;
        let account: Option<Value> = account.and_then(|text| serde_json::from_str(&text).ok());
        let value = json!({ "cancelAmount": row.amount, "currency": row.currency, "state": row.state,
                            "cancelReason": row.reason, "refundReceiveAccount": account });
        lines.add(Source::Refund, &row.order_id, Some(row.requested_at), &value);
    }
    for row in sqlx::query!(
        "select order_id, type as kind, amount, state, identity_number, issue_number, requested_at from cash_receipts
         where order_id = any($1) order by requested_at",
        orders
    )
    .fetch_all(&backoffice.pool)
    .await?
    {
        let value = json!({ "type": row.kind, "amount": row.amount, "state": row.state, "issueNumber": row.issue_number,
                            "customerIdentityNumber": open(RECEIPT_IDENTITY, &row.identity_number)? });
        lines.add(Source::CashReceipt, &row.order_id, Some(row.requested_at), &value);
    }
    for row in sqlx::query!(
        "select order_id, kind, received_on, note, recorded_at from returns where order_id = any($1) order by recorded_at",
        orders
    )
    .fetch_all(&backoffice.pool)
    .await?
    {
        let value =
            json!({ "kind": row.kind, "receivedOn": row.received_on.to_string(), "note": row.note });
        lines.add(Source::Return, &row.order_id, Some(row.recorded_at), &value);
    }
    for row in sqlx::query!(
        "select id, received_at, event_type, body from webhook_deliveries where order_id = any($1) order by id",
        orders
    )
    .fetch_all(&backoffice.pool)
    .await?
    {
        let body = keys.open_bytes(DELIVERY, &row.body)?;
        // What is no JSON is nobody's data that could be told apart in it.
        let body: Value = serde_json::from_slice(&body).unwrap_or(json!({ "bytes": body.len() }));
        lines.add(Source::Webhook, &row.id.to_string(), Some(row.received_at), &body);
    }
    Ok(lines.0)
}

/// All that belongs to a user of the mini-app.
pub(crate) async fn copy_of_user(backoffice: &Backoffice, user_key: i64) -> Result<Vec<Line>, Fault> {
    let (mut lines, id) = (Lines(Vec::new()), user_key.to_string());
    if let Some(user) = users::get(backoffice, user_key).await? {
        let value = json!({ "scope": user.scope, "agreedTerms": user.agreed_terms,
                            "lastLoginAt": user.last_login_at.to_string() });
        lines.add(Source::User, &id, Some(user.first_login_at), &value);
        lines.add(Source::User, &id, None, &json!(users::open_profile(backoffice, &user)));
    }
    for row in sqlx::query!(
        "select template_code, context, state, requested_at from messages where user_key = $1 order by requested_at",
        user_key
    )
    .fetch_all(&backoffice.pool)
    .await?
    {
        let value = json!({ "templateSetCode": row.template_code, "context": row.context, "state": row.state });
        lines.add(Source::Message, &id, Some(row.requested_at), &value);
    }
    for row in sqlx::query!(
        "select promotion_code, amount, state, requested_at from grants where user_key = $1 order by requested_at",
        user_key
    )
    .fetch_all(&backoffice.pool)
    .await?
    {
        let value = json!({ "promotionCode": row.promotion_code, "amount": row.amount, "state": row.state });
        lines.add(Source::Grant, &id, Some(row.requested_at), &value);
    }
    for row in sqlx::query!(
        "select order_id, sku, platform, status, created_at from iap_orders where user_key = $1 order by created_at",
        user_key
    )
    .fetch_all(&backoffice.pool)
    .await?
    {
        let value = json!({ "sku": row.sku, "platform": row.platform, "status": row.status });
        lines.add(Source::IapOrder, &row.order_id, Some(row.created_at), &value);
    }
    Ok(lines.0)
}
