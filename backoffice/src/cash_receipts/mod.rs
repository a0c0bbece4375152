//! Cash receipts (현금영수증, toss-api.md A4.6): asked for, taken back, tried again, and held against Toss's list of the day.
//!
//! What always holds: no more is receipted for an order than is left of its payment. Receipts that came with a payment are
//! taken back by Toss with the money; those that were asked for here are taken back by [`follow`].

mod ask;
mod day;
mod execute;
mod follow;
pub(crate) mod job;

use rust_decimal::Decimal;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

pub use ask::{Form, LONGEST_NUMBER, Refused, cancel, issue, retry, room};
pub use day::{Day, Finding, Side, day};
pub use follow::read_day;

use crate::{Backoffice, Fault, payments::ProviderPayment};

text_enum! {
    Origin {
        /// Asked for by us.
        Here = "here",
        /// With the payment, by the buyer: Toss takes it back with the money.
        Payment = "payment",
        /// Seen in Toss's list first.
        Toss = "toss",
    }
}

text_enum! {
    /// Toss's `transactionType`.
    Transaction {
        Confirm = "CONFIRM",
        Cancel = "CANCEL",
    }
}

text_enum! {
    /// How far a receipt is.
    State {
        Requested = "requested",
        /// Sent, and no answer came.
        Unknown = "unknown",
        /// The tax office has it.
        InProgress = "in_progress",
        Completed = "completed",
        Failed = "failed",
    }
}

text_enum! {
    /// What it is for, in Toss's word.
    Kind {
        /// A person's.
        IncomeDeduction = "소득공제",
        /// A business's.
        ProofOfExpense = "지출증빙",
    }
}

/// A receipt, or the taking back of one.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub id: Uuid,
    pub order_id: String,
    pub origin: Origin,
    pub transaction_type: Transaction,
    pub confirm_id: Option<Uuid>,
    /// Toss's word; one of [`Kind`] on those that were asked for here.
    pub kind: String,
    pub amount: Decimal,
    pub tax_free_amount: Decimal,
    pub state: State,
    /// Toss's code of why not.
    pub failure_code: Option<String>,
    pub identity_masked: Option<String>,
    pub receipt_key: Option<String>,
    pub issue_number: Option<String>,
    pub receipt_url: Option<String>,
    pub requested_by_name: Option<String>,
    pub requested_at: OffsetDateTime,
    pub settled_at: Option<OffsetDateTime>,
    /// What Toss's list had of it when it was last read.
    pub listed_amount: Option<Decimal>,
    pub listed_at: Option<OffsetDateTime>,
    /// Somebody has asked for it again.
    pub is_retried: bool,
    /// What is not taken back of it, nor being taken back.
    pub standing: Decimal,
}

impl Receipt {
    /// Whether somebody can take it back: what came with a payment goes back with the money.
    pub fn can_be_cancelled(&self) -> bool {
        self.transaction_type == Transaction::Confirm
            && self.state == State::Completed
            && self.origin != Origin::Payment
            && !self.standing.is_zero()
    }

    pub fn can_be_retried(&self) -> bool {
        self.state == State::Failed && self.origin == Origin::Here && !self.is_retried
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    #[error("refused: {0:?}")]
    Refused(Refused),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for ReceiptError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Refused> for ReceiptError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// All of an order, oldest first.
pub async fn of_order(backoffice: &Backoffice, order_id: &str) -> Result<Vec<Receipt>, Fault> {
    of_order_on(&mut *backoffice.pool.acquire().await?, order_id).await
}

async fn of_order_on(connection: &mut PgConnection, order_id: &str) -> Result<Vec<Receipt>, Fault> {
    let receipts = sqlx::query_as!(
        Receipt,
        r#"select id, order_id, origin as "origin: Origin", transaction_type as "transaction_type: Transaction", confirm_id,
                  type as kind, amount, tax_free_amount, state as "state: State", failure_code, identity_masked,
                  receipt_key, issue_number, receipt_url, requested_by_name, requested_at, settled_at, listed_amount,
                  listed_at,
                  exists (select 1 from cash_receipts t where t.retry_of = r.id) as "is_retried!",
                  amount - coalesce((select sum(c.amount) from cash_receipts c
                                     where c.confirm_id = r.id and c.state <> 'failed'), 0) as "standing!"
           from cash_receipts r where order_id = $1 order by requested_at, transaction_type = 'CANCEL', id limit 200"#,
        order_id,
    )
    .fetch_all(connection)
    .await?;
    Ok(receipts)
}

/// Those that did not work out and wait for somebody, oldest first.
pub async fn failed(backoffice: &Backoffice) -> Result<Vec<Receipt>, Fault> {
    let receipts = sqlx::query_as!(
        Receipt,
        r#"select id as "id!", order_id as "order_id!", origin as "origin!: Origin",
                  transaction_type as "transaction_type!: Transaction", confirm_id, type as "kind!", amount as "amount!",
                  tax_free_amount as "tax_free_amount!", state as "state!: State", failure_code, identity_masked,
                  receipt_key, issue_number, receipt_url, requested_by_name, requested_at as "requested_at!", settled_at,
                  listed_amount, listed_at, false as "is_retried!", amount as "standing!"
           from failed_cash_receipts order by requested_at, id limit 200"#,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(receipts)
}

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Receipt>, Fault> {
    let order = sqlx::query_scalar!("select order_id from cash_receipts where id = $1", id)
        .fetch_optional(&backoffice.pool)
        .await?;
    let Some(order_id) = order else { return Ok(None) };
    Ok(of_order(backoffice, &order_id).await?.into_iter().find(|receipt| receipt.id == id))
}

/// What is receipted of an order: what stands of those that did not fail, as far as cancels name what they take back;
/// those of a payment do not, and count by themselves.
fn receipted(receipts: &[Receipt]) -> Decimal {
    receipts
        .iter()
        .filter(|receipt| receipt.state != State::Failed)
        .map(|receipt| match receipt.transaction_type {
            Transaction::Confirm => receipt.amount,
            Transaction::Cancel => -receipt.amount,
        })
        .sum()
}

/// What is left of a payment, and what of that bears no VAT; nothing where no receipt is due.
fn left_of(payment: &ProviderPayment) -> Option<(Decimal, Decimal)> {
    let ProviderPayment::TossPayments(payment) = payment else { return None };
    let is_cash = payment.virtual_account.is_some() || payment.transfer.is_some();
    let is_there = payment.approved_at.is_some() && payment.currency() == "KRW";
    (is_cash && is_there).then(|| (payment.balance_amount, payment.tax_free_amount.unwrap_or_default()))
}
