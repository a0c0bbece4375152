//! What Toss says of a payment, and how that becomes our books. [`provider_payment`] is what the rails have in common.

pub(crate) mod confirm;
mod failures;
pub(crate) mod job;
mod movements;
mod news;
mod provider_payment;
mod receipts;
pub mod toss_pay;

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use toss::{
    apps_in_toss::PayToken,
    payments::{Answer, OrderId, Payment, PaymentKey, RefundReceiveAccount, codes},
    redact,
};

pub use confirm::{Confirm, ConfirmError, confirm};
pub use failures::{NotNoted, note_failed_attempt};
pub(crate) use movements::{MOVES, SourceRow, book_listed, record_movements};
pub use provider_payment::{CancelState, Cancellation, FetchedPayment, ProviderPayment};
pub(crate) use provider_payment::{Movement, OUTGOING, holds_money};
pub(crate) use receipts::{failure_of, state_of, tell as tell_receipt};

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    kernel::{
        personal,
        seal::{BUYERS_ACCOUNT, Keyring, PAYMENT},
    },
    orders,
    rail::Rail,
};

/// A question number, taken before Toss is asked (see migration 3).
#[derive(Debug, Clone, Copy)]
pub struct FetchSeq(i64);

/// Our copy of a payment.
#[derive(Debug, Clone)]
pub struct Record {
    pub payment_key: String,
    pub order_id: String,
    pub rail: Rail,
    pub status: String,
    pub currency: String,
    pub total_amount: Decimal,
    pub balance_amount: Decimal,
    pub secret: Option<String>,
    pub raw: Value,
    pub fetched_at: OffsetDateTime,
}

impl Record {
    /// What of it is somebody's, by kind.
    pub fn personal(&self) -> Vec<&'static str> {
        personal::kinds(&self.raw)
    }

    /// Without what tells whose it is: the buyer has asked to be forgotten.
    pub fn without_persons(self) -> Self {
        let blank = &mut || Ok::<_, std::convert::Infallible>(String::new());
        let Ok(raw) = personal::without_persons(self.raw, blank);
        Self { raw, ..self }
    }

    /// Why it was not paid: Toss's code, and what Toss documents of it, in Korean.
    pub fn failure(&self) -> Option<(String, Option<&'static str>)> {
        let code = redact::code(self.raw.pointer("/failure/code")?.as_str()?);
        let documented = codes::find(&code).map(|(_, message)| message);
        Some((code, documented))
    }

    /// The whole object, as it came last.
    pub fn payment(&self) -> Result<ProviderPayment, Fault> {
        ProviderPayment::read(self.rail, self.raw.clone())
    }
}

/// Takes a question number.
pub async fn next_fetch_seq(pool: &PgPool) -> Result<FetchSeq, Fault> {
    let n = sqlx::query_scalar!(r#"select nextval('fetch_seq') as "n!""#).fetch_one(pool).await?;
    Ok(FetchSeq(n))
}

/// What became of an answer.
#[derive(Debug)]
pub struct Applied {
    pub changed: Map<String, Value>,
    /// The books knew more: the answer to a later question was written already, or money has moved since it was asked that
    /// it does not tell of. The later question may have been asked before the effect of ours: whoever changed something at
    /// Toss has to ask once more.
    pub superseded: bool,
}

/// Writes what Toss answered into payment, order and transactions, with its audit row, and says what changed.
/// An answer that is older than what is already written changes nothing: it is to an older question, or was given before a
/// movement that was booked while it was on its way.
pub async fn apply(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    keys: &Keyring,
    seq: FetchSeq,
    fetched: &FetchedPayment,
) -> Result<Applied, Fault> {
    let payment = &fetched.payment;
    if payment.left() > payment.total() || payment.left().is_sign_negative() {
        return Err(Fault::Inconsistent("an answer of Toss with more left than there was".into()));
    }
    let (key, order_id) = (payment.key(), payment.order_id());
    adopt_order(tx, now, actor, payment).await?;
    // The order row is locked by whoever applies: answers about one order are written one after the other.
    let order = sqlx::query_as!(
        Shown,
        r#"select order_id, rail as "rail: Rail", status, payment_key, amount, currency, cleared_at is not null as "is_cleared!"
           from orders where order_id = $1 for update"#,
        order_id
    )
    .fetch_one(&mut *tx)
    .await?;
    let before = sqlx::query!(
        "select order_id, status, balance_amount, fetch_seq from payments where payment_key = $1",
        key
    )
    .fetch_optional(&mut *tx)
    .await?;
    let is_older = match &before {
        Some(before) => before.fetch_seq >= seq.0 || movements::misses_one(&mut *tx, seq, payment).await?,
        None => false,
    };
    // A payment never changes its order. Found out late: whoever called rolls the rest back.
    if before.as_ref().is_some_and(|b| b.order_id != order_id) {
        return Err(Fault::Inconsistent("an answer of Toss with the payment of another order".into()));
    }
    if is_older {
        // What only this answer may carry is kept all the same.
        sqlx::query!(
            "update payments set secret = coalesce(secret, $2),
                    refund_receive_account = coalesce(refund_receive_account, $3) where payment_key = $1",
            key,
            payment.secret(),
            if order.is_cleared { None } else { refund_account(keys, payment)? },
        )
        .execute(&mut *tx)
        .await?;
        return Ok(Applied { changed: Map::new(), superseded: true });
    }
    upsert(tx, keys, seq, fetched, order.is_cleared, now).await?;
    record_movements(tx, payment, now).await?;

    let is_shown = show_on_order(tx, &order, payment, now).await?;

    let mut changed = Map::new();
    let was = before.as_ref().map_or(order.status.as_str(), |b| b.status.as_str());
    if was != payment.status() {
        changed.insert("status".into(), json!([was, redact::code(payment.status())]));
    }
    let balance_before = before.as_ref().map(|b| b.balance_amount);
    if balance_before != Some(payment.left()) {
        changed.insert("balanceAmount".into(), json!([balance_before, payment.left()]));
    }
    receipts::record_receipts(tx, payment, !changed.is_empty(), now).await?;
    if !changed.is_empty() {
        note_change(tx, now, actor, payment, changed.clone()).await?;
        if is_shown {
            let was = before.map(|b| news::Was { status: b.status, left: b.balance_amount });
            news::tell(tx, now, was.as_ref(), payment).await?;
        }
    }
    Ok(Applied { changed, superseded: false })
}

/// The payment as Toss has it now. What Toss shows only once is kept.
async fn upsert(
    tx: &mut PgConnection,
    keys: &Keyring,
    seq: FetchSeq,
    fetched: &FetchedPayment,
    is_cleared: bool,
    now: OffsetDateTime,
) -> Result<(), Fault> {
    let payment = &fetched.payment;
    let (account, raw) = if is_cleared {
        (None, personal::without_persons(fetched.raw.clone(), &mut || keys.seal(PAYMENT, ""))?)
    } else {
        (refund_account(keys, payment)?, keys.seal_json(PAYMENT, fetched.raw.clone())?)
    };
    sqlx::query!(
        "insert into payments (payment_key, order_id, status, method, currency, total_amount, balance_amount, approved_at,
                               last_transaction_key, secret, refund_receive_account, raw, fetch_seq, fetched_at, rail,
                               refund_status)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         on conflict (payment_key) do update set
            status = excluded.status, method = coalesce(excluded.method, payments.method),
            total_amount = excluded.total_amount, balance_amount = excluded.balance_amount,
            approved_at = excluded.approved_at, last_transaction_key = excluded.last_transaction_key,
            secret = coalesce(payments.secret, excluded.secret),
            refund_receive_account = coalesce(payments.refund_receive_account, excluded.refund_receive_account),
            bank_news = payments.bank_news
                or coalesce(excluded.refund_status, payments.refund_status) is distinct from payments.refund_status,
            refund_status = coalesce(excluded.refund_status, payments.refund_status),
            raw = excluded.raw, fetch_seq = excluded.fetch_seq, fetched_at = excluded.fetched_at",
        payment.key(),
        payment.order_id(),
        payment.status(),
        payment.method(),
        payment.currency(),
        payment.total(),
        payment.left(),
        payment.approved_at(),
        payment.last_transaction_key(),
        payment.secret(),
        account,
        raw,
        seq.0,
        now,
        payment.rail().as_str(),
        payment.refund_status(),
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// The account that the buyer left, sealed: Toss tells it for thirty minutes (toss-api.md A5.3).
fn refund_account(keys: &Keyring, payment: &ProviderPayment) -> Result<Option<String>, Fault> {
    let Some(account) = payment.refund_account() else { return Ok(None) };
    let text = serde_json::to_string(account).map_err(Fault::unreadable("an account"))?;
    keys.seal(BUYERS_ACCOUNT, &text).map(Some)
}

pub(crate) fn open_refund_account(keys: &Keyring, sealed: &str) -> Result<RefundReceiveAccount, Fault> {
    serde_json::from_str(&keys.open(BUYERS_ACCOUNT, sealed)?)
        .map_err(Fault::unreadable("the account of a buyer"))
}

/// What an order shows of its payment, while it is written to.
struct Shown {
    order_id: String,
    rail: Rail,
    status: String,
    payment_key: Option<String>,
    /// Nothing of it is anybody's any more: what Toss tells of that is not kept.
    is_cleared: bool,
    amount: Decimal,
    currency: String,
}

/// Whether the order shows it.
async fn show_on_order(
    tx: &mut PgConnection,
    order: &Shown,
    payment: &ProviderPayment,
    now: OffsetDateTime,
) -> Result<bool, Fault> {
    // A second attempt that failed must hide neither the first one that was paid nor the one that is being confirmed.
    let shown = order.payment_key.as_deref();
    let is_shown = shown.is_none_or(|shown| shown == payment.key())
        || holds_money(payment.status())
        || (!holds_money(&order.status) && order.status != "IN_PROGRESS");
    // The same number on the other rail is another order's money.
    if !is_shown || order.rail != payment.rail() {
        return Ok(false);
    }
    let attention =
        (payment.total() != order.amount || payment.currency() != order.currency).then_some("amount_differs");
    sqlx::query!(
        "update orders set status = $2, balance_amount = $3, method = coalesce($4, method),
            method_detail = coalesce($5, method_detail), payment_key = $6, paid_at = coalesce($7, paid_at),
            attention = coalesce($8, attention), updated_at = $9
         where order_id = $1",
        order.order_id,
        payment.status(),
        payment.left(),
        payment.method(),
        payment.method_detail(),
        payment.key(),
        payment.approved_at(),
        attention,
        now,
    )
    .execute(&mut *tx)
    .await?;
    Ok(true)
}

async fn note_change(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    payment: &ProviderPayment,
    mut detail: Map<String, Value>,
) -> Result<(), Fault> {
    detail.insert("paymentKey".into(), json!(payment.key()));
    detail.insert("totalAmount".into(), json!(payment.total()));
    detail.insert("currency".into(), json!(redact::code(payment.currency())));
    if let Some(failure) = payment.failure() {
        detail.insert("failure".into(), failure);
    }
    let subject = payment.order_id();
    let act = Act { action: "payment.changed", subject_kind: "order", subject, detail: detail.into() };
    audit::record(tx, now, actor, act).await
}

/// A payment for an order that nobody registered still belongs on the list.
async fn adopt_order(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    payment: &ProviderPayment,
) -> Result<(), Fault> {
    let order_id = payment.order_id();
    let adopted = sqlx::query!(
        "insert into orders (order_id, origin, order_name, amount, currency, status, created_at, updated_at, rail)
         values ($1, 'toss', $2, $3, $4, 'READY', $5, $6, $7) on conflict (order_id) do nothing",
        order_id,
        payment.order_name().unwrap_or_default().replace('\0', ""),
        payment.total(),
        payment.currency(),
        payment.requested_at().unwrap_or(now),
        now,
        payment.rail().as_str(),
    )
    .execute(&mut *tx)
    .await?;
    if adopted.rows_affected() == 1 {
        let detail = json!({ "amount": payment.total(), "currency": redact::code(payment.currency()) });
        let act = Act { action: "order.adopted", subject_kind: "order", subject: order_id, detail };
        audit::record(&mut *tx, now, actor, act).await?;
        // One that is older than what retention has looked at has its turn of its own.
        sqlx::query!(
            "insert into retention_deferred (order_id, due_at)
             select o.order_id, $2::timestamptz + interval '1 day' from orders o
             join retention_runs r on r.class = 'contracts' and o.created_at <= r.done_to
             where o.order_id = $1 on conflict do nothing",
            order_id,
            now,
        )
        .execute(tx)
        .await?;
    }
    Ok(())
}

/// Asks Toss Payments how a payment stands and writes it down.
pub async fn look_up(
    backoffice: &Backoffice,
    actor: &Actor,
    key: &PaymentKey,
) -> Result<(Payment, Map<String, Value>), Fault> {
    let seq = next_fetch_seq(&backoffice.pool).await?;
    let answer = backoffice.toss.payment(key).await?;
    if answer.value.payment_key != *key {
        return Err(Fault::Inconsistent("Toss answered about another payment".into()));
    }
    keep(backoffice, actor, seq, answer).await
}

/// The same by order id, for orders whose payment key we never learned.
pub async fn look_up_order(
    backoffice: &Backoffice,
    actor: &Actor,
    order: &OrderId,
) -> Result<(Payment, Map<String, Value>), Fault> {
    let seq = next_fetch_seq(&backoffice.pool).await?;
    let answer = backoffice.toss.payment_by_order(order).await?;
    if answer.value.order_id != *order {
        return Err(Fault::Inconsistent("Toss answered about another order".into()));
    }
    keep(backoffice, actor, seq, answer).await
}

/// Asks the rail that an order is on, about this payment of it or about the one it shows.
pub async fn look_up_on_rail(
    backoffice: &Backoffice,
    actor: &Actor,
    order_id: &str,
    key: Option<&str>,
) -> Result<(ProviderPayment, Map<String, Value>), Fault> {
    let order = orders::get(backoffice, order_id).await?;
    let order = order.ok_or_else(|| Fault::Inconsistent(format!("order {order_id} is gone")))?;
    if order.rail == Rail::TossPay {
        return look_up_toss_pay(backoffice, actor, &order).await;
    }
    let (payment, changed) = match key.map(str::to_owned).or(order.payment_key) {
        Some(key) => look_up(backoffice, actor, &PaymentKey(key)).await?,
        None => look_up_order(backoffice, actor, &OrderId(order.order_id)).await?,
    };
    Ok((ProviderPayment::TossPayments(Box::new(payment)), changed))
}

async fn look_up_toss_pay(
    backoffice: &Backoffice,
    actor: &Actor,
    order: &orders::Order,
) -> Result<(ProviderPayment, Map<String, Value>), Fault> {
    let user = order.user()?;
    let token = order.payment_key.clone().map(PayToken);
    let client = backoffice.apps_in_toss()?;
    let seq = next_fetch_seq(&backoffice.pool).await?;
    let answer = client.payment_status(user, token.as_ref(), Some(&order.order_id)).await?;
    let fetched = FetchedPayment::by_toss_pay(answer)?;
    // What is told of another order would be written into that one.
    let other_token = token.is_some_and(|token| token.as_str() != fetched.payment.key());
    if fetched.payment.order_id() != order.order_id || other_token {
        let order = &order.order_id;
        return Err(Fault::Inconsistent(format!("asked about {order}, told of another payment")));
    }
    let applied = apply_fetched(backoffice, actor, seq, &fetched).await?;
    Ok((fetched.payment, applied.changed))
}

async fn keep(
    backoffice: &Backoffice,
    actor: &Actor,
    seq: FetchSeq,
    answer: Answer<Payment>,
) -> Result<(Payment, Map<String, Value>), Fault> {
    let payment = answer.value.clone();
    let applied = apply_fetched(backoffice, actor, seq, &FetchedPayment::by_toss_payments(answer)?).await?;
    Ok((payment, applied.changed))
}

async fn apply_fetched(
    backoffice: &Backoffice,
    actor: &Actor,
    seq: FetchSeq,
    fetched: &FetchedPayment,
) -> Result<Applied, Fault> {
    let mut tx = backoffice.pool.begin().await?;
    let now = backoffice.clock.now();
    let applied = apply(&mut tx, now, actor, &backoffice.keys, seq, fetched).await?;
    tx.commit().await?;
    Ok(applied)
}

pub async fn get(backoffice: &Backoffice, key: &str) -> Result<Option<Record>, Fault> {
    let record = sqlx::query_as!(
        Record,
        r#"select payment_key, order_id, rail as "rail: Rail", status, currency, total_amount, balance_amount, secret, raw, fetched_at
         from payments where payment_key = $1"#,
        key,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let open = |record: Record| {
        let raw = backoffice.keys.open_json(PAYMENT, record.raw)?;
        Ok(Record { raw, ..record })
    };
    record.map(open).transpose()
}
