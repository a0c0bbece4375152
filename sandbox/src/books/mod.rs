//! What the sandbox Toss knows: payments, transactions, settlements, billing keys, cash receipts.
//!
//! Rules only: no HTTP, no clock of its own. Every rule cites the paragraph of toss-api.md it plays.

mod bank;
mod cancel;
mod ledger;
mod life;
mod money;
mod receipts;

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};
use toss::payments::{
    Billing, Cancel, CashReceipt, Payment, PaymentStatus, RefundReceiveAccount, Settlement, Transaction,
};

pub use ledger::{SettlementQuery, Spoil, TransactionQuery};
pub use life::{Choice, Opening};
pub use receipts::WantedReceipt;

/// A refusal, by Toss's code. Status and message stand in [`toss::payments::codes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub &'static str);

pub type Outcome<T> = Result<T, Refused>;

/// A payment with what a merchant does not see of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub payment: Payment,
    #[serde(with = "toss::timestamp")]
    pub opened_at: OffsetDateTime,
    #[serde(default, with = "toss::timestamp::option")]
    pub authenticated_at: Option<OffsetDateTime>,
    #[serde(default)]
    pub success_url: Option<String>,
    #[serde(default)]
    pub fail_url: Option<String>,
    /// The code that the provider will answer the confirm with.
    #[serde(default)]
    pub decline: Option<String>,
    /// Given in the payment window; readable for 30 minutes (toss-api.md A5.3).
    #[serde(default)]
    pub refund_account: Option<RefundReceiveAccount>,
    /// Where a cancel sends the money of a virtual account.
    #[serde(default)]
    pub paid_back_to: Option<RefundReceiveAccount>,
    /// What the buyer asked for, issued with the money.
    #[serde(default)]
    pub cash_receipt: Option<WantedReceipt>,
    /// Since when a bank has the money that goes back to the buyer of a virtual account.
    #[serde(default, with = "toss::timestamp::option")]
    pub bank_since: Option<OffsetDateTime>,
    #[serde(default)]
    pub customer_key: Option<String>,
}

/// Something that Toss would post to the merchant.
#[derive(Debug, Clone)]
pub enum Event {
    PaymentStatusChanged(Box<Payment>),
    DepositCallback {
        secret: String,
        status: PaymentStatus,
        transaction_key: String,
        order_id: String,
    },
    CancelStatusChanged(Box<Cancel>),
    /// The other events of envelope (a).
    Plain {
        event_type: String,
        data: serde_json::Value,
    },
    /// Envelope (c); payouts and sellers are signed.
    Entity {
        event_type: String,
        entity_type: String,
        entity_body: serde_json::Value,
    },
}

/// What the journal keeps of a change.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Payment(Box<Record>),
    Transaction(Box<Transaction>),
    Settlement(Box<Settlement>),
    Billing(Box<Billing>),
    BillingRemoved(String),
    CashReceipt(Box<CashReceipt>),
    DayClosed(#[serde(with = "toss::timestamp::date")] Date),
}

#[derive(Debug, Default)]
pub struct Books {
    pub m_id: String,
    payments: BTreeMap<String, Record>,
    by_order: BTreeMap<String, String>,
    transactions: Vec<Transaction>,
    settlements: Vec<Settlement>,
    closed_days: std::collections::BTreeSet<Date>,
    billing: BTreeMap<String, Billing>,
    removed_billing: std::collections::BTreeSet<String>,
    cash_receipts: BTreeMap<String, CashReceipt>,
    /// Filled by the rules, emptied by whoever holds the lock.
    pub outbox: Vec<Event>,
    pub changes: Vec<Change>,
}

impl Books {
    pub fn new(m_id: impl Into<String>) -> Self {
        Self { m_id: m_id.into(), ..Self::default() }
    }

    /// Plays one line of the journal.
    pub fn replay(&mut self, change: Change) {
        match change {
            Change::Payment(record) => self.index(*record),
            Change::Transaction(row) => self.transactions.push(*row),
            Change::Settlement(row) => self.settlements.push(*row),
            Change::Billing(billing) => {
                self.billing.insert(billing.billing_key.clone(), *billing);
            }
            Change::BillingRemoved(key) => {
                self.billing.remove(&key);
                self.removed_billing.insert(key);
            }
            Change::CashReceipt(receipt) => {
                self.cash_receipts.insert(receipt.receipt_key.clone().unwrap_or_default(), *receipt);
            }
            Change::DayClosed(day) => {
                self.closed_days.insert(day);
            }
        }
    }

    pub fn payments(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.payments.values()
    }

    pub fn record(&self, payment_key: &str) -> Option<&Record> {
        self.payments.get(payment_key)
    }

    fn index(&mut self, record: Record) {
        let key = record.payment.payment_key.0.clone();
        // An order is known by the payment that holds its money, else by the one opened last.
        let held = self.by_order.get(&record.payment.order_id.0).and_then(|key| self.payments.get(key));
        let keeps = held.is_some_and(|held| {
            held.payment.payment_key != record.payment.payment_key
                && (holds_money(&held.payment.status)
                    || (!holds_money(&record.payment.status) && held.opened_at > record.opened_at))
        });
        if !keeps {
            self.by_order.insert(record.payment.order_id.0.clone(), key.clone());
        }
        self.payments.insert(key, record);
    }

    fn get(&self, payment_key: &str) -> Outcome<Record> {
        self.payments.get(payment_key).cloned().ok_or(Refused("NOT_FOUND_PAYMENT"))
    }

    /// Writes a record back and notes it for the journal.
    fn put(&mut self, record: Record) {
        self.changes.push(Change::Payment(Box::new(record.clone())));
        self.index(record);
    }

    /// Tells the merchant what a payment has become: the payment event, and for virtual accounts the deposit
    /// callback as well (toss-api.md A10.3, A10.4).
    fn announce(&mut self, payment: &Payment) {
        use PaymentStatus::{Aborted, Canceled, Done, Expired, PartialCanceled, WaitingForDeposit};
        if matches!(payment.status, Done | Canceled | PartialCanceled | Aborted | Expired) {
            self.outbox.push(Event::PaymentStatusChanged(Box::new(payment.clone())));
        }
        let told = matches!(payment.status, WaitingForDeposit | Done | Canceled | PartialCanceled);
        if let (true, Some(_), Some(secret), Some(key)) =
            (told, &payment.virtual_account, &payment.secret, &payment.last_transaction_key)
        {
            self.outbox.push(Event::DepositCallback {
                secret: secret.0.clone(),
                status: payment.status.clone(),
                transaction_key: key.0.clone(),
                order_id: payment.order_id.0.clone(),
            });
        }
    }

    fn book(&mut self, payment: &Payment, amount: Decimal, at: OffsetDateTime) {
        let row = ledger::transaction(payment, amount, at);
        self.changes.push(Change::Transaction(Box::new(row.clone())));
        self.transactions.push(row);
    }
}

/// Whether a payment in this state has taken its order.
fn holds_money(status: &PaymentStatus) -> bool {
    use PaymentStatus::{Aborted, Expired, InProgress, Ready};
    !matches!(status, Ready | InProgress | Aborted | Expired)
}
