//! Transactions and settlements (toss-api.md A7, A8).

use rust_decimal::{Decimal, RoundingStrategy};
use time::{Date, OffsetDateTime};
use toss::{
    calendar::add_business_days,
    payments::{
        Fee, Method, Payment, PaymentStatus, Settlement, SettlementDate, Transaction, TransactionKey,
    },
    timestamp::SEOUL,
};

use super::{Books, Change, Outcome, Refused, money::places};

/// Business days from a sale to its money.
const PAY_OUT_DAYS: u32 = 5;

/// A page is at most this long.
const MAX_PAGE: usize = 5000;

#[derive(Debug)]
pub struct TransactionQuery<'a> {
    pub from: OffsetDateTime,
    pub to: OffsetDateTime,
    pub starting_after: Option<&'a str>,
    pub limit: usize,
}

#[derive(Debug)]
pub struct SettlementQuery {
    pub from: Date,
    pub to: Date,
    pub by: SettlementDate,
    /// From 1.
    pub page: usize,
    pub size: usize,
}

/// What may be wrong with a settlement row.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Spoil {
    Missing,
    Twice,
    Fee(Decimal),
    Amount(Decimal),
}

pub(super) fn transaction(payment: &Payment, amount: Decimal, at: OffsetDateTime) -> Transaction {
    Transaction {
        m_id: payment.m_id.clone(),
        transaction_key: payment
            .last_transaction_key
            .clone()
            .unwrap_or_else(|| TransactionKey(String::new())),
        payment_key: payment.payment_key.clone(),
        order_id: payment.order_id.clone(),
        method: payment.method.clone(),
        customer_key: None,
        use_escrow: payment.use_escrow,
        receipt_url: payment.receipt.as_ref().and_then(|r| r.url.clone()),
        status: payment.status.clone(),
        transaction_at: at,
        currency: payment.currency.clone(),
        amount,
    }
}

impl Books {
    pub fn all_transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// Oldest first, after `starting_after`, which must lie in the window.
    pub fn transactions(&self, query: &TransactionQuery<'_>) -> Outcome<Vec<Transaction>> {
        if query.limit == 0 || query.limit > MAX_PAGE {
            return Err(Refused("EXCEED_MAX_QUERY_LIMIT"));
        }
        if query.from > query.to {
            return Err(Refused("INVALID_DATE"));
        }
        let mut window: Vec<&Transaction> = self
            .transactions
            .iter()
            .filter(|t| t.transaction_at >= query.from && t.transaction_at < query.to)
            .collect();
        window.sort_by_key(|t| t.transaction_at);
        let start = match query.starting_after {
            None => 0,
            Some(key) => {
                1 + window
                    .iter()
                    .position(|t| t.transaction_key.as_str() == key)
                    .ok_or(Refused("INVALID_TRANSACTION_KEY"))?
            }
        };
        Ok(window.into_iter().skip(start).take(query.limit).cloned().collect())
    }

    pub fn settlements(&self, query: &SettlementQuery) -> Outcome<Vec<Settlement>> {
        if query.size == 0 || query.size > MAX_PAGE || query.page == 0 {
            return Err(Refused("EXCEED_MAX_QUERY_LIMIT"));
        }
        if query.from > query.to {
            return Err(Refused("INVALID_DATE"));
        }
        let day = |s: &Settlement| match query.by {
            SettlementDate::Sold => s.sold_date,
            SettlementDate::PaidOut => s.paid_out_date,
        };
        Ok(self
            .settlements
            .iter()
            .filter(|s| (query.from..=query.to).contains(&day(s)))
            .skip((query.page - 1).saturating_mul(query.size))
            .take(query.size)
            .cloned()
            .collect())
    }

    /// Settles every day before `today`: rows appear on the day after the payment (toss-api.md A8.1).
    pub fn close_days_before(&mut self, today: Date) {
        let days: std::collections::BTreeSet<Date> =
            self.transactions.iter().map(|t| t.transaction_at.to_offset(SEOUL).date()).collect();
        for day in days.into_iter().filter(|day| *day < today) {
            self.close_day(day);
        }
    }

    /// Settles a Seoul day: one row per approval and per cancel of it. A day closes once.
    pub fn close_day(&mut self, day: Date) -> usize {
        if !self.closed_days.insert(day) {
            return 0;
        }
        self.changes.push(Change::DayClosed(day));
        let rows: Vec<Settlement> = self
            .transactions
            .iter()
            .filter(|t| t.transaction_at.to_offset(SEOUL).date() == day && !t.amount.is_zero())
            .filter_map(|t| self.settle(t, day))
            .collect();
        for row in &rows {
            self.changes.push(Change::Settlement(Box::new(row.clone())));
        }
        let count = rows.len();
        self.settlements.extend(rows);
        count
    }

    /// Rehearses what can go wrong with the settlement of a transaction. False when it has none.
    pub fn spoil_settlement(&mut self, transaction_key: &str, how: &Spoil) -> bool {
        let of_key = |s: &Settlement| s.transaction_key.as_str() == transaction_key;
        let Some(at) = self.settlements.iter().position(of_key) else { return false };
        match how {
            Spoil::Missing => drop(self.settlements.remove(at)),
            Spoil::Twice => self.settlements.push(self.settlements[at].clone()),
            Spoil::Fee(fee) => {
                let row = &mut self.settlements[at];
                let supply = (*fee / Decimal::new(11, 1))
                    .round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
                (row.fee, row.supply_amount, row.vat) = (Some(*fee), Some(supply), Some(*fee - supply));
                row.fees = Some(vec![Fee { kind: "BASE".into(), fee: *fee }]);
                row.pay_out_amount = Some(row.amount - *fee);
            }
            Spoil::Amount(amount) => {
                let row = &mut self.settlements[at];
                row.amount = *amount;
                row.pay_out_amount = Some(*amount - row.fee.unwrap_or_default());
            }
        }
        true
    }

    /// Rehearses a list that changes while it is read: its last row becomes the first, and every page slides.
    pub fn slide_settlement(&mut self) {
        self.settlements.rotate_right(1);
    }

    /// A deposit that the bank took back, before another one came.
    fn was_taken_back(&self, transaction: &Transaction) -> bool {
        let of_payment =
            |t: &&Transaction| t.payment_key == transaction.payment_key && t.status == PaymentStatus::Done;
        transaction.status == PaymentStatus::Done
            && self
                .transactions
                .iter()
                .rfind(of_payment)
                .is_some_and(|last| last.transaction_key != transaction.transaction_key)
    }

    fn settle(&self, transaction: &Transaction, day: Date) -> Option<Settlement> {
        let payment = &self.payments.get(transaction.payment_key.as_str())?.payment;
        if transaction.status == PaymentStatus::WaitingForDeposit || self.was_taken_back(transaction) {
            return None;
        }
        // An account nobody paid into was never sold.
        let approved_at = payment.approved_at?;
        let cancel = payment
            .cancels()
            .iter()
            .find(|c| c.transaction_key.as_ref() == Some(&transaction.transaction_key))
            .cloned();
        let amount = if cancel.is_some() { -transaction.amount } else { transaction.amount };
        let places = places(payment.currency());
        let base = fee(payment.method.as_ref(), amount, places);
        let (instalment, discount) = instalments(payment, amount, places);
        let fee = base + instalment + discount;
        let supply = (fee / Decimal::new(11, 1))
            .round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
        Some(Settlement {
            m_id: payment.m_id.clone(),
            payment_key: payment.payment_key.clone(),
            transaction_key: transaction.transaction_key.clone(),
            order_id: payment.order_id.clone(),
            currency: payment.currency.clone(),
            method: payment.method.clone(),
            amount,
            interest_fee: Some(instalment),
            fee: Some(fee),
            fees: Some(vec![
                Fee { kind: "BASE".into(), fee: base },
                Fee { kind: "INSTALLMENT_DISCOUNT".into(), fee: discount },
                Fee { kind: "INSTALLMENT".into(), fee: instalment },
                Fee { kind: "POINT_SAVING".into(), fee: Decimal::ZERO },
                Fee { kind: "ETC".into(), fee: Decimal::ZERO },
            ]),
            supply_amount: Some(supply),
            vat: Some(fee - supply),
            pay_out_amount: Some(amount - fee),
            approved_at: Some(approved_at),
            sold_date: day,
            paid_out_date: add_business_days(day, PAY_OUT_DAYS),
            card: payment.card.clone(),
            easy_pay: payment.easy_pay.clone(),
            gift_certificate: payment.gift_certificate.clone(),
            mobile_phone: payment.mobile_phone.clone(),
            transfer: payment.transfer.clone(),
            virtual_account: payment.virtual_account.clone(),
            cancel,
        })
    }
}

/// What instalments cost the sandbox's shop, and what Toss takes off: 0.5 % a month, and a tenth of it back from six on.
fn instalments(payment: &Payment, amount: Decimal, places: u32) -> (Decimal, Decimal) {
    let months = payment.card.as_ref().and_then(|card| card.installment_plan_months).unwrap_or_default();
    let round = |sum: Decimal| sum.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    let cost = round(amount * Decimal::new(5, 3) * Decimal::from(months));
    (cost, if months >= 6 { round(-cost / Decimal::TEN) } else { Decimal::ZERO })
}

/// The sandbox shop's contract, VAT included. Per mille of the amount; a virtual account costs 300 won flat.
fn fee(method: Option<&Method>, amount: Decimal, places: u32) -> Decimal {
    let per_mille = match method {
        Some(Method::VirtualAccount) => {
            let flat = Decimal::from(300);
            return if amount.is_sign_negative() { Decimal::ZERO } else { flat };
        }
        Some(Method::Transfer) => 18,
        Some(Method::MobilePhone) => 35,
        Some(Method::CultureGiftCertificate | Method::BookGiftCertificate | Method::GameGiftCertificate) => {
            66
        }
        _ => 31,
    };
    (amount * Decimal::new(per_mille, 3))
        .round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
}
