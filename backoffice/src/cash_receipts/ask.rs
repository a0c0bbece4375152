//! A person asks for a receipt, takes one back, or tries one again.

use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::json;
use sqlx::PgConnection;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    Kind, Receipt, ReceiptError, State, Transaction, execute, get, job::ExecuteReceipt, left_of, of_order_on,
    payment_of, receipted,
};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    kernel::{masking::mask_number, seal::RECEIPT_IDENTITY},
    money, orders,
    payments::ProviderPayment,
    queue,
};

/// A job looks after it when whoever asked did not come so far.
const PATIENCE: Duration = Duration::from_secs(20);

/// Digits that Toss takes of a phone, a card for cash receipts or a business.
const LONGEST_NUMBER: usize = 30;
const SHORTEST_NUMBER: usize = 10;

/// Why nothing was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    NoSuchOrder,
    NoSuchReceipt,
    /// Only money that came from an account is receipted.
    NotCash,
    Kind,
    Number,
    Amount,
    /// More than is left of it.
    TooMuch(Decimal),
    /// Everything that was paid is receipted.
    AlreadyReceipted,
    /// Its state is another by now.
    NotNow,
    /// The form was left open and its id belongs to something else.
    Intent,
}

/// What somebody types.
#[derive(Debug, Clone)]
pub struct Form {
    pub order_id: String,
    /// Minted with the page: sent twice it is one receipt.
    pub intent: Uuid,
    pub kind: String,
    pub number: String,
}

/// What an order has when somebody asks for something, held until the end of the transaction.
struct Held {
    receipts: Vec<Receipt>,
    payment: Option<ProviderPayment>,
    /// The form was sent before.
    is_repeated: bool,
}

impl Held {
    async fn take(
        tx: &mut PgConnection,
        backoffice: &Backoffice,
        order_id: &str,
        intent: Uuid,
    ) -> Result<Self, ReceiptError> {
        if order_id.contains('\0') || !orders::hold(tx, order_id).await? {
            return Err(Refused::NoSuchOrder.into());
        }
        let receipts = of_order_on(tx, order_id).await?;
        let payment = payment_of(tx, &backoffice.keys, order_id).await?;
        Ok(Self { is_repeated: receipts.iter().any(|receipt| receipt.id == intent), receipts, payment })
    }

    fn find(&self, id: Uuid) -> Option<&Receipt> {
        self.receipts.iter().find(|receipt| receipt.id == id)
    }

    /// What is left of the payment, what of that is not receipted, and what of the first bears no VAT.
    fn left(&self) -> Option<(Decimal, Decimal, Decimal)> {
        let (left, free) = left_of(self.payment.as_ref()?)?;
        Some((left, left - receipted(&self.receipts), free))
    }
}

/// Asks Toss for a receipt over what is not receipted yet, and waits for the answer.
pub async fn issue(backoffice: &Backoffice, actor: &Actor, form: &Form) -> Result<Receipt, ReceiptError> {
    let kind = Kind::parse(&form.kind).ok_or(Refused::Kind)?;
    let number: String = form.number.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    if !(SHORTEST_NUMBER..=LONGEST_NUMBER).contains(&number.len())
        || !number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(Refused::Number.into());
    }
    let mut tx = backoffice.pool.begin().await?;
    let held = Held::take(&mut tx, backoffice, &form.order_id, form.intent).await?;
    if held.is_repeated {
        drop(tx);
        return execute_detached(backoffice, form.intent).await;
    }
    let (left, room, free) = held.left().ok_or(Refused::NotCash)?;
    if room <= Decimal::ZERO {
        return Err(Refused::AlreadyReceipted.into());
    }
    let new = New {
        id: form.intent,
        order_id: &form.order_id,
        transaction: Transaction::Confirm,
        confirm: None,
        retry_of: None,
        kind: kind.as_str(),
        amount: room,
        // Of a part that is receipted already nobody knows which part it was.
        tax_free: if room == left { free } else { (free * room / left).round() },
        identity: Some(&number),
    };
    new.write(backoffice, &mut tx, actor, PATIENCE).await?;
    tx.commit().await?;
    execute_detached(backoffice, form.intent).await
}

/// Takes back a receipt of an order that was asked for here or in Toss's admin, all of it or a part.
pub async fn cancel(
    backoffice: &Backoffice,
    actor: &Actor,
    order_id: &str,
    id: Uuid,
    intent: Uuid,
    amount: &str,
) -> Result<Receipt, ReceiptError> {
    let mut tx = backoffice.pool.begin().await?;
    let held = Held::take(&mut tx, backoffice, order_id, intent).await?;
    if held.is_repeated {
        drop(tx);
        return execute_detached(backoffice, intent).await;
    }
    let receipt = held.find(id).ok_or(Refused::NoSuchReceipt)?;
    if !receipt.can_be_cancelled() {
        return Err(Refused::NotNow.into());
    }
    let amount = match amount.trim() {
        "" => receipt.standing,
        typed => money::parse(typed, "KRW").map_err(|_| Refused::Amount)?,
    };
    if amount > receipt.standing {
        return Err(Refused::TooMuch(receipt.standing).into());
    }
    New::taking_back(receipt, intent, amount).write(backoffice, &mut tx, actor, PATIENCE).await?;
    tx.commit().await?;
    execute_detached(backoffice, intent).await
}

/// Asks again for what failed of an order, the very same.
pub async fn retry(
    backoffice: &Backoffice,
    actor: &Actor,
    order_id: &str,
    id: Uuid,
    intent: Uuid,
) -> Result<Receipt, ReceiptError> {
    let mut tx = backoffice.pool.begin().await?;
    let held = Held::take(&mut tx, backoffice, order_id, intent).await?;
    if held.is_repeated {
        drop(tx);
        return execute_detached(backoffice, intent).await;
    }
    let failed = held.find(id).ok_or(Refused::NoSuchReceipt)?;
    if !failed.can_be_retried() {
        return Err(Refused::NotNow.into());
    }
    // What was right when it failed may be too much by now.
    let room = match failed.confirm_id {
        Some(confirm) => held.find(confirm).map(|receipt| receipt.standing),
        None => held.left().map(|(_, room, _)| room),
    };
    let room = room.ok_or(Refused::NotCash)?;
    if failed.amount > room {
        return Err(Refused::TooMuch(room.max(Decimal::ZERO)).into());
    }
    let sealed = sqlx::query_scalar!("select identity_number from cash_receipts where id = $1", id)
        .fetch_one(&mut *tx)
        .await?;
    let number = sealed.map(|sealed| backoffice.keys.open(RECEIPT_IDENTITY, &sealed)).transpose()?;
    let new = New {
        id: intent,
        order_id: &failed.order_id,
        transaction: failed.transaction_type,
        confirm: failed.confirm_id,
        retry_of: Some(id),
        kind: &failed.kind,
        amount: failed.amount,
        tax_free: failed.tax_free_amount,
        identity: number.as_deref(),
    };
    new.write(backoffice, &mut tx, actor, PATIENCE).await?;
    tx.commit().await?;
    execute_detached(backoffice, intent).await
}

/// What is about to be asked of Toss.
pub(super) struct New<'a> {
    id: Uuid,
    order_id: &'a str,
    transaction: Transaction,
    confirm: Option<Uuid>,
    retry_of: Option<Uuid>,
    kind: &'a str,
    amount: Decimal,
    tax_free: Decimal,
    identity: Option<&'a str>,
}

impl<'a> New<'a> {
    pub fn taking_back(receipt: &'a Receipt, id: Uuid, amount: Decimal) -> Self {
        Self {
            id,
            order_id: &receipt.order_id,
            transaction: Transaction::Cancel,
            confirm: Some(receipt.id),
            retry_of: None,
            kind: &receipt.kind,
            amount,
            tax_free: Decimal::ZERO,
            identity: None,
        }
    }

    /// With its audit row and the job that asks Toss after `patience`, should nobody have done so before.
    pub async fn write(
        &self,
        backoffice: &Backoffice,
        tx: &mut PgConnection,
        actor: &Actor,
        patience: Duration,
    ) -> Result<(), ReceiptError> {
        let now = backoffice.clock.now();
        let seal = |number: &str| backoffice.keys.seal(RECEIPT_IDENTITY, number);
        let masked = self.identity.map(mask_number);
        let written = sqlx::query!(
            "insert into cash_receipts (id, order_id, origin, transaction_type, confirm_id, retry_of, type, amount,
                                        tax_free_amount, state, identity_number, identity_masked, requested_by_name,
                                        requested_at)
             values ($1, $2, 'here', $3, $4, $5, $6, $7, $8, 'requested', $9, $10, $11, $12) on conflict (id) do nothing",
            self.id,
            self.order_id,
            self.transaction.as_str(),
            self.confirm,
            self.retry_of,
            self.kind,
            self.amount,
            self.tax_free,
            self.identity.map(seal).transpose()?,
            masked,
            actor.name(),
            now,
        )
        .execute(&mut *tx)
        .await?;
        if written.rows_affected() == 0 {
            return Err(Refused::Intent.into());
        }
        let detail = json!({ "receipt": self.id, "for": self.kind,
                             "amount": self.amount, "number": masked, "again": self.retry_of });
        let action = match self.transaction {
            Transaction::Confirm => "cash_receipt.asked",
            Transaction::Cancel => "cash_receipt.cancel_asked",
        };
        let act = Act { action, subject_kind: "order", subject: self.order_id, detail };
        audit::record(tx, now, actor, act).await?;
        queue::plan(tx, &ExecuteReceipt { id: self.id }, patience).await?;
        Ok(())
    }
}

/// Goes on when whoever asked hangs up.
async fn execute_detached(backoffice: &Backoffice, id: Uuid) -> Result<Receipt, ReceiptError> {
    let own = backoffice.clone();
    let tried = tokio::spawn(async move { execute::execute(&own, id).await }.in_current_span());
    if let Err(fault) = tried.await.map_err(Fault::from).and_then(|tried| tried) {
        tracing::warn!(%fault, receipt = %id, "a cash receipt is not settled yet: a job asks again");
    }
    let receipt = get(backoffice, id).await?.ok_or(Refused::NoSuchReceipt)?;
    // The job would only find that it has nothing to do.
    if !matches!(receipt.state, State::Requested | State::Unknown) {
        let mut connection = backoffice.pool.acquire().await?;
        queue::forget(&mut connection, &ExecuteReceipt { id }).await?;
    }
    Ok(receipt)
}
