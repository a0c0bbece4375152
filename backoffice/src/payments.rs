//! What Toss says of a payment, and how that becomes our books.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use toss::payments::{Answer, OrderId, Payment, PaymentKey};

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    refunds, text, transactions,
};

/// A question number, taken before Toss is asked (see migration 3).
#[derive(Debug, Clone, Copy)]
pub struct Asked(i64);

/// Our copy of a payment.
#[derive(Debug, Clone)]
pub struct Record {
    pub payment_key: String,
    pub order_id: String,
    pub status: String,
    pub currency: String,
    pub total_amount: Decimal,
    pub balance_amount: Decimal,
    pub secret: Option<String>,
    pub raw: Value,
    pub fetched_at: OffsetDateTime,
}

impl Record {
    /// The whole object, as it came last.
    pub fn payment(&self) -> Result<Payment, Fault> {
        serde_json::from_value(self.raw.clone())
            .map_err(|e| Fault::Inconsistent(format!("payment {}: {e}", self.payment_key)))
    }
}

/// Takes a question number.
pub async fn ask(pool: &PgPool) -> Result<Asked, Fault> {
    let n = sqlx::query_scalar!(r#"select nextval('asked') as "n!""#).fetch_one(pool).await?;
    Ok(Asked(n))
}

/// Where the card, account or wallet of a payment comes from: one code or name.
pub fn method_detail(payment: &Payment) -> Option<String> {
    let easy = payment.easy_pay.as_ref().and_then(|e| e.provider.clone());
    let card = payment.card.as_ref().and_then(|c| c.issuer_code.clone());
    let bank = payment.virtual_account.as_ref().and_then(|v| v.bank_code.clone());
    let transfer = payment.transfer.as_ref().and_then(|t| t.bank_code.clone());
    easy.or(card).or(bank).or(transfer)
}

/// What became of an answer.
#[derive(Debug)]
pub struct Applied {
    pub changed: Map<String, Value>,
    /// The answer to a later question was written already. That question may have been asked before the effect of
    /// ours: whoever changed something at Toss has to ask once more.
    pub superseded: bool,
}

/// Writes what Toss answered into payment, order and transactions, with its audit row, and says what changed.
/// An answer to an older question than the one already written changes nothing.
pub async fn apply(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    asked: Asked,
    answer: &Answer<Payment>,
) -> Result<Applied, Fault> {
    let payment = &answer.value;
    let raw: Value =
        serde_json::from_str(answer.raw.get()).map_err(|e| Fault::Inconsistent(e.to_string()))?;
    let raw = text::without_nul(raw);
    let (key, order_id) = (payment.payment_key.as_str(), payment.order_id.as_str());
    let (method, detail) = (payment.method.as_ref().map(|m| m.as_str().to_owned()), method_detail(payment));
    adopt_order(tx, now, actor, payment).await?;
    // The order row is locked by whoever applies: answers about one order are written one after the other.
    let order = sqlx::query!(
        "select status, balance_amount, payment_key, amount, currency from orders where order_id = $1 for update",
        order_id
    )
    .fetch_one(&mut *tx)
    .await?;
    let before =
        sqlx::query!("select status, balance_amount, asked from payments where payment_key = $1", key)
            .fetch_optional(&mut *tx)
            .await?;
    let account = payment
        .virtual_account
        .as_ref()
        .and_then(|v| v.refund_receive_account.as_ref())
        .and_then(|a| serde_json::to_value(a).ok());
    if before.as_ref().is_some_and(|b| b.asked >= asked.0) {
        // What only this answer may carry is kept all the same.
        sqlx::query!(
            "update payments set secret = coalesce(secret, $2),
                    refund_receive_account = coalesce(refund_receive_account, $3) where payment_key = $1",
            key,
            payment.secret.as_ref().map(|s| s.0.clone()),
            account,
        )
        .execute(&mut *tx)
        .await?;
        return Ok(Applied { changed: Map::new(), superseded: true });
    }
    sqlx::query!(
        "insert into payments (payment_key, order_id, status, method, currency, total_amount, balance_amount, approved_at,
                               last_transaction_key, secret, refund_receive_account, raw, asked, fetched_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         on conflict (payment_key) do update set
            status = excluded.status, method = coalesce(excluded.method, payments.method),
            total_amount = excluded.total_amount, balance_amount = excluded.balance_amount,
            approved_at = excluded.approved_at, last_transaction_key = excluded.last_transaction_key,
            secret = coalesce(payments.secret, excluded.secret),
            refund_receive_account = coalesce(payments.refund_receive_account, excluded.refund_receive_account),
            raw = excluded.raw, asked = excluded.asked, fetched_at = excluded.fetched_at",
        key,
        order_id,
        payment.status.as_str(),
        method,
        payment.currency(),
        payment.total_amount,
        payment.balance_amount,
        payment.approved_at,
        payment.last_transaction_key.as_ref().map(|k| k.as_str().to_owned()),
        payment.secret.as_ref().map(|s| s.0.clone()),
        account,
        raw,
        asked.0,
        now,
    )
    .execute(&mut *tx)
    .await?;
    transactions::learn(tx, payment, now).await?;

    // A second attempt that failed must hide neither the first one that was paid nor the one that is being confirmed.
    let holds_money =
        |status: &str| matches!(status, "DONE" | "PARTIAL_CANCELED" | "CANCELED" | "WAITING_FOR_DEPOSIT");
    let shown = order.payment_key.as_deref();
    if shown.is_none_or(|shown| shown == key)
        || holds_money(payment.status.as_str())
        || (!holds_money(&order.status) && order.status != "IN_PROGRESS")
    {
        let attention = (payment.total_amount != order.amount || payment.currency() != order.currency)
            .then_some("amount_differs");
        sqlx::query!(
            "update orders set status = $2, balance_amount = $3, method = coalesce($4, method),
                method_detail = coalesce($5, method_detail), payment_key = $6, paid_at = coalesce($7, paid_at),
                attention = coalesce($8, attention), updated_at = $9
             where order_id = $1",
            order_id,
            payment.status.as_str(),
            payment.balance_amount,
            method,
            detail,
            key,
            payment.approved_at,
            attention,
            now,
        )
        .execute(&mut *tx)
        .await?;
    }

    refunds::lapse(tx, now, key).await?;

    let mut changed = Map::new();
    let was = before.as_ref().map_or(order.status.as_str(), |b| b.status.as_str());
    if was != payment.status.as_str() {
        changed.insert("status".into(), json!([was, payment.status.as_str()]));
    }
    let balance_before = before.as_ref().map(|b| b.balance_amount);
    if balance_before != Some(payment.balance_amount) {
        changed.insert("balanceAmount".into(), json!([balance_before, payment.balance_amount]));
    }
    if !changed.is_empty() {
        let mut detail = changed.clone();
        detail.insert("paymentKey".into(), json!(key));
        detail.insert("totalAmount".into(), json!(payment.total_amount));
        detail.insert("currency".into(), json!(payment.currency()));
        if let Some(failure) = &payment.failure {
            detail.insert("failure".into(), json!(failure));
        }
        let act = Act {
            action: "payment.changed",
            subject_kind: "order",
            subject: order_id,
            detail: detail.into(),
        };
        audit::record(tx, now, actor, act).await?;
    }
    Ok(Applied { changed, superseded: false })
}

/// A payment for an order that nobody registered still belongs on the list.
async fn adopt_order(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    payment: &Payment,
) -> Result<(), Fault> {
    let order_id = payment.order_id.as_str();
    let adopted = sqlx::query!(
        "insert into orders (order_id, origin, order_name, amount, currency, status, created_at, updated_at)
         values ($1, 'toss', $2, $3, $4, 'READY', $5, $6) on conflict (order_id) do nothing",
        order_id,
        payment.order_name.as_deref().unwrap_or_default().replace('\0', ""),
        payment.total_amount,
        payment.currency(),
        payment.requested_at.unwrap_or(now),
        now,
    )
    .execute(&mut *tx)
    .await?;
    if adopted.rows_affected() == 1 {
        let detail = json!({ "amount": payment.total_amount, "currency": payment.currency() });
        let act = Act { action: "order.adopted", subject_kind: "order", subject: order_id, detail };
        audit::record(tx, now, actor, act).await?;
    }
    Ok(())
}

impl Backoffice {
    /// Asks Toss how a payment stands and writes it down.
    pub async fn look_up(
        &self,
        actor: &Actor,
        key: &PaymentKey,
    ) -> Result<(Payment, Map<String, Value>), Fault> {
        let asked = ask(&self.pool).await?;
        let answer = self.toss.payment(key).await?;
        self.keep(actor, asked, answer).await
    }

    /// The same by order id, for orders whose payment key we never learned.
    pub async fn look_up_order(
        &self,
        actor: &Actor,
        order: &OrderId,
    ) -> Result<(Payment, Map<String, Value>), Fault> {
        let asked = ask(&self.pool).await?;
        let answer = self.toss.payment_by_order(order).await?;
        self.keep(actor, asked, answer).await
    }

    /// By the payment key when there is one, by the order id otherwise. Says what changed.
    pub async fn look_up_known(
        &self,
        actor: &Actor,
        order: &crate::orders::Order,
    ) -> Result<Map<String, Value>, Fault> {
        let (_, changed) = match &order.payment_key {
            Some(key) => self.look_up(actor, &PaymentKey(key.clone())).await?,
            None => self.look_up_order(actor, &OrderId(order.order_id.clone())).await?,
        };
        Ok(changed)
    }

    async fn keep(
        &self,
        actor: &Actor,
        asked: Asked,
        answer: Answer<Payment>,
    ) -> Result<(Payment, Map<String, Value>), Fault> {
        let mut tx = self.pool.begin().await?;
        let applied = apply(&mut tx, self.clock.now(), actor, asked, &answer).await?;
        tx.commit().await?;
        Ok((answer.value, applied.changed))
    }

    pub async fn payment(&self, key: &str) -> Result<Option<Record>, Fault> {
        let record = sqlx::query_as!(
            Record,
            "select payment_key, order_id, status, currency, total_amount, balance_amount, secret, raw, fetched_at
             from payments where payment_key = $1",
            key,
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(record)
    }
}
