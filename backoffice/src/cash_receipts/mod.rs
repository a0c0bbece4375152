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
use sqlx::{PgConnection, Postgres, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

pub use ask::{Form, Refused, cancel, issue, retry};
pub use day::{Day, Finding, Side, day};
pub use follow::read_day;

use crate::{Backoffice, Fault, kernel::seal::Keyring, payments::ProviderPayment, rail::Rail};

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
#[derive(Debug, Clone, sqlx::FromRow)]
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

const COLUMNS: &str = "select r.id, r.order_id, r.origin, r.transaction_type, r.confirm_id, r.type as kind, r.amount,
    r.tax_free_amount, r.state, r.failure_code, r.identity_masked, r.receipt_key, r.issue_number, r.receipt_url,
    r.requested_by_name, r.requested_at, r.settled_at, r.listed_amount, r.listed_at,
    exists (select 1 from cash_receipts t where t.retry_of = r.id) as is_retried,
    r.amount - coalesce((select sum(c.amount) from cash_receipts c
                         where c.confirm_id = r.id and c.state <> 'failed'), 0) as standing from ";

/// All of an order, oldest first.
pub async fn of_order(backoffice: &Backoffice, order_id: &str) -> Result<Vec<Receipt>, Fault> {
    of_order_on(&mut *backoffice.pool.acquire().await?, order_id).await
}

async fn of_order_on(connection: &mut PgConnection, order_id: &str) -> Result<Vec<Receipt>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push("cash_receipts r where r.order_id = ").push_bind(order_id);
    query.push(" order by r.requested_at, r.transaction_type = 'CANCEL', r.id limit 200");
    Ok(query.build_query_as().fetch_all(connection).await?)
}

/// Those that did not work out and wait for somebody, oldest first.
pub async fn failed(backoffice: &Backoffice) -> Result<Vec<Receipt>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push("failed_cash_receipts r order by r.requested_at, r.id limit 200");
    Ok(query.build_query_as().fetch_all(&backoffice.pool).await?)
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

/// What of a payment can still be receipted; nothing where no receipt is due.
pub fn room(payment: &ProviderPayment, receipts: &[Receipt]) -> Option<Decimal> {
    left_of(payment).map(|(left, _)| (left - receipted(receipts)).max(Decimal::ZERO))
}

async fn payment_of(
    connection: &mut PgConnection,
    keys: &Keyring,
    order_id: &str,
) -> Result<Option<ProviderPayment>, Fault> {
    let found = sqlx::query!(
        r#"select p.raw, p.rail as "rail: Rail" from orders o join payments p using (payment_key) where o.order_id = $1"#,
        order_id
    )
    .fetch_optional(connection)
    .await?;
    found.map(|found| ProviderPayment::open(keys, found.rail, found.raw)).transpose()
}
