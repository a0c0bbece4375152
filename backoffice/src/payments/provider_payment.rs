//! A payment as its rail tells it, and what every rail has in common: what was taken, what went back, what is left.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use time::OffsetDateTime;
use toss::{
    apps_in_toss::{self, PayStatus, StepType},
    payments::{CancelStatus, Payment, PaymentStatus, RefundReceiveAccount},
    redact,
};

use crate::{
    Fault,
    kernel::{
        personal::without_card_numbers,
        seal::{Keyring, PAYMENT},
    },
    payments::SourceRow,
    rail::Rail,
    text,
};

/// Toss's whole object.
#[derive(Debug, Clone)]
pub enum ProviderPayment {
    TossPayments(Box<Payment>),
    TossPay(Box<apps_in_toss::Payment>),
}

/// How far Toss is with giving money back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelState {
    Done,
    UnderWay,
    /// It came to nothing.
    Aborted,
}

/// Money that went back, or is about to: a cancel of Toss Payments, a refund of Toss Pay.
#[derive(Debug, Clone)]
pub struct Cancellation {
    pub transaction_key: Option<String>,
    pub amount: Decimal,
    /// Toss Pay tells none.
    pub reason: Option<String>,
    pub at: Option<OffsetDateTime>,
    pub state: CancelState,
    /// What was left right after it.
    pub left: Option<Decimal>,
    /// What of it bears no VAT; Toss Pay tells none.
    pub tax_free: Option<Decimal>,
    pub request_id: Option<String>,
}

/// A movement of money, for the list of transactions.
pub(crate) struct Movement {
    pub key: String,
    /// Toss's own word for the payment at that moment.
    pub status: &'static str,
    pub amount: Decimal,
    pub at: Option<OffsetDateTime>,
    /// What of it the buyer did not pay in money; only Toss Pay tells.
    pub discount: Decimal,
    pub points: Decimal,
    /// What of it bears no VAT; nothing where that is not told.
    pub tax_free: Option<Decimal>,
}

impl Movement {
    fn plain(key: &str, status: &'static str, amount: Decimal, at: Option<OffsetDateTime>) -> Self {
        let (discount, points) = (Decimal::ZERO, Decimal::ZERO);
        Self { key: key.to_owned(), status, amount, at, discount, points, tax_free: None }
    }
}

impl ProviderPayment {
    /// As `payments.raw` has it.
    pub(crate) fn open(keys: &Keyring, rail: Rail, raw: Value) -> Result<Self, Fault> {
        Self::read(rail, keys.open_json(PAYMENT, raw)?)
    }

    pub fn read(rail: Rail, raw: Value) -> Result<Self, Fault> {
        let read = match rail {
            Rail::TossPayments => serde_json::from_value(raw).map(|p| Self::TossPayments(Box::new(p))),
            Rail::TossPay => serde_json::from_value(raw).map(|p| Self::TossPay(Box::new(p))),
            Rail::Iap => return Err(Fault::Inconsistent("a payment of an in-app purchase".into())),
        };
        read.map_err(Fault::unreadable("a payment"))
    }

    pub fn rail(&self) -> Rail {
        match self {
            Self::TossPayments(_) => Rail::TossPayments,
            Self::TossPay(_) => Rail::TossPay,
        }
    }

    pub fn key(&self) -> &str {
        match self {
            Self::TossPayments(p) => p.payment_key.as_str(),
            Self::TossPay(p) => p.pay_token.as_str(),
        }
    }

    pub fn order_id(&self) -> &str {
        match self {
            Self::TossPayments(p) => p.order_id.as_str(),
            Self::TossPay(p) => &p.order_no,
        }
    }

    pub fn status(&self) -> &str {
        match self {
            Self::TossPayments(p) => p.status.as_str(),
            Self::TossPay(p) => p.pay_status.as_str(),
        }
    }

    /// Toss's own word for how it was paid.
    pub(crate) fn method(&self) -> Option<&str> {
        match self {
            Self::TossPayments(p) => p.method.as_ref().map(toss::payments::Method::as_str),
            Self::TossPay(p) => p.pay_method.as_ref().map(apps_in_toss::PayMethod::as_str),
        }
    }

    /// Where the card, account or wallet comes from: one code or name.
    pub(super) fn method_detail(&self) -> Option<String> {
        match self {
            Self::TossPayments(p) => {
                let easy = p.easy_pay.as_ref().and_then(|e| e.provider.clone());
                let card = p.card.as_ref().and_then(|c| c.issuer_code.clone());
                let bank = p.virtual_account.as_ref().and_then(|v| v.bank_code.clone());
                let transfer = p.transfer.as_ref().and_then(|t| t.bank_code.clone());
                easy.or(card).or(bank).or(transfer)
            }
            Self::TossPay(p) => {
                let card = p.card.as_ref().and_then(|c| c.card_company_code).map(|code| code.to_string());
                card.or_else(|| p.account_bank_code.clone())
            }
        }
    }

    pub fn currency(&self) -> &str {
        match self {
            Self::TossPayments(p) => p.currency(),
            Self::TossPay(_) => "KRW",
        }
    }

    pub fn total(&self) -> Decimal {
        match self {
            Self::TossPayments(p) => p.total_amount,
            Self::TossPay(p) => p.amount.into(),
        }
    }

    /// What can still go back.
    pub fn left(&self) -> Decimal {
        match self {
            Self::TossPayments(p) => p.balance_amount,
            // Never more than was taken, whatever is told.
            Self::TossPay(p) => p.left().clamp(0, p.amount.max(0)).into(),
        }
    }

    pub(super) fn approved_at(&self) -> Option<OffsetDateTime> {
        match self {
            Self::TossPayments(p) => p.approved_at,
            Self::TossPay(p) => p.paid_ts.filter(|_| p.pay_status.is_paid()),
        }
    }

    pub(super) fn requested_at(&self) -> Option<OffsetDateTime> {
        match self {
            Self::TossPayments(p) => p.requested_at,
            Self::TossPay(p) => p.created_ts,
        }
    }

    pub(super) fn order_name(&self) -> Option<&str> {
        match self {
            Self::TossPayments(p) => p.order_name.as_deref(),
            Self::TossPay(_) => None,
        }
    }

    pub(super) fn last_transaction_key(&self) -> Option<&str> {
        match self {
            Self::TossPayments(p) => {
                p.last_transaction_key.as_ref().map(toss::payments::TransactionKey::as_str)
            }
            Self::TossPay(p) => p.transactions.last().map(|step| step.transaction_id.as_str()),
        }
    }

    /// Proves deposit callbacks.
    pub(super) fn secret(&self) -> Option<&str> {
        match self {
            Self::TossPayments(p) => p.secret.as_ref().map(|s| s.0.as_str()),
            Self::TossPay(_) => None,
        }
    }

    /// The account that the buyer left in the window. After a cancel nobody could tell it from the one that was paid to.
    pub(super) fn refund_account(&self) -> Option<&RefundReceiveAccount> {
        match self {
            Self::TossPayments(p) if !p.cancels().is_empty() => None,
            Self::TossPayments(p) => p.virtual_account.as_ref()?.refund_receive_account.as_ref(),
            Self::TossPay(_) => None,
        }
    }

    /// What the bank did with what goes back to the buyer of a virtual account; one word for all refunds of the payment.
    pub(super) fn refund_status(&self) -> Option<&str> {
        match self {
            Self::TossPayments(p) => {
                p.virtual_account.as_ref()?.refund_status.as_ref().map(toss::payments::RefundStatus::as_str)
            }
            Self::TossPay(_) => None,
        }
    }

    /// Why it was not paid: the code alone.
    pub(super) fn failure(&self) -> Option<Value> {
        match self {
            Self::TossPayments(p) => {
                let code = p.failure.as_ref()?.code.as_deref().unwrap_or_default();
                Some(json!({ "code": redact::code(code) }))
            }
            Self::TossPay(_) => None,
        }
    }

    pub fn cancellations(&self) -> Vec<Cancellation> {
        match self {
            Self::TossPayments(p) => p
                .cancels()
                .iter()
                .map(|c| Cancellation {
                    transaction_key: c.transaction_key.as_ref().map(|key| key.as_str().to_owned()),
                    amount: c.cancel_amount,
                    reason: c.cancel_reason.clone(),
                    at: c.canceled_at,
                    state: match c.cancel_status {
                        Some(CancelStatus::InProgress) => CancelState::UnderWay,
                        Some(CancelStatus::Aborted) => CancelState::Aborted,
                        _ => CancelState::Done,
                    },
                    left: c.refundable_amount,
                    tax_free: c.tax_free_amount,
                    request_id: c.cancel_request_id.clone(),
                })
                .collect(),
            Self::TossPay(p) => {
                let under_way = p.pay_status == PayStatus::RefundProgress;
                p.refunds()
                    .map(|step| Cancellation {
                        transaction_key: Some(step.transaction_id.clone()),
                        amount: step.transaction_amount.abs().into(),
                        reason: None,
                        at: step.reg_ts,
                        state: if under_way { CancelState::UnderWay } else { CancelState::Done },
                        left: None,
                        tax_free: None,
                        request_id: None,
                    })
                    .collect()
            }
        }
    }

    /// What moved money, or announced it. What the provider has not made yet, or never made, is not among it.
    pub(crate) fn movements(&self) -> Vec<Movement> {
        match self {
            Self::TossPayments(p) => of_toss_payments(p),
            Self::TossPay(p) => {
                let going_back = p.pay_status == PayStatus::RefundProgress;
                let steps =
                    p.transactions.iter().filter(|s| !(going_back && s.step_type == StepType::Refund));
                steps
                    .filter_map(|step| {
                        let status = match step.step_type {
                            StepType::Pay => PAID,
                            StepType::Refund => REFUNDED,
                            StepType::Other(_) => return None,
                        };
                        Some(Movement {
                            key: step.transaction_id.clone(),
                            status,
                            amount: step.transaction_amount.abs().into(),
                            at: step.reg_ts,
                            // Toss counts points as a discount too.
                            discount: (step.discounted_amount.abs() - step.point_amount.abs()).max(0).into(),
                            points: step.point_amount.abs().into(),
                            tax_free: p.amount_tax_free.map(Decimal::from),
                        })
                    })
                    .collect()
            }
        }
    }
}

const PAID: &str = "PAY_COMPLETE";
const REFUNDED: &str = "REFUND_SUCCESS";

/// The statuses of movements by which money goes out.
pub(crate) const OUTGOING: [&str; 4] = ["CANCELED", "PARTIAL_CANCELED", REFUNDED, "REFUNDED"];

/// Whether the buyer's money was taken, whatever became of it afterwards.
pub(super) fn is_paid(status: &str) -> bool {
    matches!(status, "DONE" | "PARTIAL_CANCELED" | "CANCELED") || PayStatus::from(status).is_paid()
}

/// The same, or an account for it issued.
pub(crate) fn holds_money(status: &str) -> bool {
    is_paid(status) || status == "WAITING_FOR_DEPOSIT"
}

fn of_toss_payments(payment: &Payment) -> Vec<Movement> {
    let mut movements = Vec::new();
    let approval = match payment.status {
        PaymentStatus::WaitingForDeposit => {
            Some(("WAITING_FOR_DEPOSIT", Decimal::ZERO, payment.requested_at))
        }
        PaymentStatus::Done => Some(("DONE", payment.total_amount, payment.approved_at)),
        PaymentStatus::PartialCanceled => {
            Some(("PARTIAL_CANCELED", payment.total_amount, payment.approved_at))
        }
        PaymentStatus::Canceled => Some(("CANCELED", payment.total_amount, payment.approved_at)),
        _ => None,
    };
    // Only while nothing was cancelled does lastTransactionKey belong to the approval (toss-api.md A5.2).
    if let (Some(key), Some((status, amount, at)), true) =
        (&payment.last_transaction_key, approval, payment.cancels().is_empty())
    {
        let tax_free =
            payment.tax_free_amount.map(|free| free + payment.tax_exemption_amount.unwrap_or_default());
        movements.push(Movement { tax_free, ..Movement::plain(key.as_str(), status, amount, at) });
    }
    for cancel in payment.cancels() {
        if matches!(cancel.cancel_status, Some(CancelStatus::InProgress | CancelStatus::Aborted)) {
            continue;
        }
        let Some(key) = &cancel.transaction_key else { continue };
        let whole = cancel.cancel_amount == payment.total_amount;
        let status = if whole { "CANCELED" } else { "PARTIAL_CANCELED" };
        let tax_free =
            cancel.tax_free_amount.map(|free| free + cancel.tax_exemption_amount.unwrap_or_default());
        movements.push(Movement {
            tax_free,
            ..Movement::plain(key.as_str(), status, cancel.cancel_amount, cancel.canceled_at)
        });
    }
    movements
}

/// What Toss told, and the very body it told it in.
#[derive(Debug)]
pub struct FetchedPayment {
    pub payment: ProviderPayment,
    pub(super) raw: Value,
}

impl FetchedPayment {
    fn new(payment: ProviderPayment, raw: &serde_json::value::RawValue) -> Result<Self, Fault> {
        let raw = serde_json::from_str(raw.get()).map_err(Fault::unreadable("a payment"))?;
        Ok(Self { payment, raw: without_card_numbers(text::without_nul(raw)) })
    }

    pub(crate) fn by_toss_payments(answer: toss::payments::Answer<Payment>) -> Result<Self, Fault> {
        Self::new(ProviderPayment::TossPayments(Box::new(answer.value)), &answer.raw)
    }

    /// Its movements as rows of a list.
    pub(crate) fn steps(&self) -> Vec<SourceRow> {
        let of = |movement: Movement| {
            Some(SourceRow {
                at: movement.at?,
                key: movement.key,
                payment_key: self.payment.key().to_owned(),
                order_id: self.payment.order_id().to_owned(),
                method: self.payment.method().map(str::to_owned),
                status: movement.status.to_owned(),
                currency: self.payment.currency().to_owned(),
                amount: movement.amount,
                discount: movement.discount,
                points: movement.points,
                raw: self.raw.clone(),
            })
        };
        self.payment.movements().into_iter().filter_map(of).collect()
    }

    pub(crate) fn by_toss_pay(answer: apps_in_toss::Answer<apps_in_toss::Payment>) -> Result<Self, Fault> {
        Self::new(ProviderPayment::TossPay(Box::new(answer.value)), &answer.raw)
    }
}
