//! Cash receipts (toss-api.md A4.6): those that a merchant asks for, and those that buyers ask for with their payment.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use toss::payments::{CashReceipt, CashReceiptRequest, Failure, Payment, PaymentCashReceipt};

use super::{Books, Change, Outcome, Record, Refused};
use crate::ids;

/// How long the tax office takes for a number that it is slow with.
const SLOW: Duration = Duration::minutes(1);

/// What a buyer types in the payment window.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WantedReceipt {
    /// 소득공제 or 지출증빙.
    #[serde(rename = "type")]
    pub kind: String,
    pub number: String,
}

/// The sandbox's own rule, to rehearse with: a number that ends in 0002 is refused by the tax office, one that ends in 0001
/// takes a minute.
fn issue_status(number: &str) -> &'static str {
    match number {
        number if number.ends_with("0002") => "FAILED",
        number if number.ends_with("0001") => "IN_PROGRESS",
        _ => "COMPLETED",
    }
}

fn new(request: CashReceiptRequest, now: OffsetDateTime) -> CashReceipt {
    let status = issue_status(&request.customer_identity_number);
    CashReceipt {
        receipt_key: Some(ids::receipt_key()),
        order_id: Some(request.order_id),
        order_name: Some(request.order_name),
        kind: Some(request.kind),
        issue_number: Some(ids::digits(9)),
        receipt_url: Some("https://dashboard.tosspayments.com/receipt/mids/sandbox".into()),
        business_number: Some("1234567890".into()),
        transaction_type: Some("CONFIRM".into()),
        amount: Some(request.amount),
        tax_free_amount: Some(request.tax_free_amount.unwrap_or_default()),
        issue_status: Some(status.into()),
        failure: (status == "FAILED").then(|| Failure {
            code: Some("INVALID_IDENTITY_NUMBER".into()),
            message: Some("국세청에 등록되지 않은 번호입니다.".into()),
        }),
        customer_identity_number: Some(request.customer_identity_number),
        requested_at: Some(now),
    }
}

fn cancel_of(original: &CashReceipt, amount: Decimal, tax_free: Decimal, now: OffsetDateTime) -> CashReceipt {
    CashReceipt {
        receipt_key: Some(format!("c_{}", ids::receipt_key())),
        transaction_type: Some("CANCEL".into()),
        amount: Some(amount),
        tax_free_amount: Some(tax_free),
        requested_at: Some(now),
        ..original.clone()
    }
}

/// The money is there: the receipt that the buyer asked for comes with it.
pub(super) fn issue_with_payment(record: &mut Record, now: OffsetDateTime) {
    let Some(wanted) = &record.cash_receipt else { return };
    let payment = &mut record.payment;
    let receipt = new(
        CashReceiptRequest {
            amount: payment.total_amount,
            order_id: payment.order_id.clone(),
            order_name: payment.order_name.clone().unwrap_or_default(),
            customer_identity_number: wanted.number.clone(),
            kind: wanted.kind.clone(),
            tax_free_amount: payment.tax_free_amount,
        },
        now,
    );
    payment.cash_receipt = Some(PaymentCashReceipt {
        kind: receipt.kind.clone(),
        receipt_key: receipt.receipt_key.clone(),
        issue_number: receipt.issue_number.clone(),
        receipt_url: receipt.receipt_url.clone(),
        amount: receipt.amount,
        tax_free_amount: receipt.tax_free_amount,
    });
    payment.cash_receipts = Some(vec![receipt]);
}

/// Toss takes back of it what goes back of the payment; the key of that cancel.
pub(super) fn cancel_with_payment(
    payment: &mut Payment,
    amount: Decimal,
    tax_free: Decimal,
    now: OffsetDateTime,
) -> Option<String> {
    let receipts = payment.cash_receipts.as_mut()?;
    let cancel = cancel_of(receipts.first()?, amount, tax_free, now);
    let key = cancel.receipt_key.clone();
    receipts.push(cancel);
    key
}

impl Books {
    /// `POST /v1/cash-receipts`.
    pub fn issue_cash_receipt(
        &mut self,
        request: CashReceiptRequest,
        now: OffsetDateTime,
    ) -> Outcome<CashReceipt> {
        let number = &request.customer_identity_number;
        if number.is_empty() || number.len() > 30 || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Refused("INVALID_REQUEST"));
        }
        if !matches!(request.kind.as_str(), "소득공제" | "지출증빙") || request.order_name.is_empty()
        {
            return Err(Refused("INVALID_REQUEST"));
        }
        if request.amount <= Decimal::ZERO {
            return Err(Refused("BELOW_ZERO_AMOUNT"));
        }
        let free = request.tax_free_amount.unwrap_or_default();
        if free.is_sign_negative() && !free.is_zero() || free > request.amount {
            return Err(Refused("INVALID_REQUEST"));
        }
        Ok(self.keep_receipt(new(request, now)))
    }

    /// `POST /v1/cash-receipts/{receiptKey}/cancel`; the key of the cancel begins with `c_`.
    pub fn cancel_cash_receipt(
        &mut self,
        receipt_key: &str,
        amount: Option<Decimal>,
        now: OffsetDateTime,
    ) -> Outcome<CashReceipt> {
        let original = self.cash_receipts.get(receipt_key).cloned().ok_or(Refused("NOT_FOUND"))?;
        let original = as_of(original, now);
        let is = |receipt: &CashReceipt, kind: &str| receipt.transaction_type.as_deref() == Some(kind);
        if !is(&original, "CONFIRM") || original.issue_status.as_deref() != Some("COMPLETED") {
            return Err(Refused("INVALID_REQUEST"));
        }
        let of_it = |r: &&CashReceipt| is(r, "CANCEL") && r.issue_number == original.issue_number;
        let taken: Decimal = self.cash_receipts.values().filter(of_it).filter_map(|r| r.amount).sum();
        let left = original.amount.unwrap_or_default() - taken;
        let amount = amount.unwrap_or(left);
        if amount <= Decimal::ZERO || amount > left {
            return Err(Refused("INVALID_REQUEST"));
        }
        // What the merchant cannot say is taken back in proportion.
        let (whole, free) =
            (original.amount.unwrap_or_default(), original.tax_free_amount.unwrap_or_default());
        let free = if whole.is_zero() { Decimal::ZERO } else { (free * amount / whole).round() };
        Ok(self.keep_receipt(cancel_of(&original, amount, free, now)))
    }

    /// `GET /v1/cash-receipts`.
    pub fn cash_receipts_of(&self, day: time::Date, now: OffsetDateTime) -> Vec<CashReceipt> {
        let on = |r: &&CashReceipt| {
            r.requested_at.is_some_and(|at| at.to_offset(toss::timestamp::SEOUL).date() == day)
        };
        let mut receipts: Vec<_> =
            self.cash_receipts.values().filter(on).map(|r| as_of(r.clone(), now)).collect();
        receipts.sort_by_key(|receipt| receipt.requested_at);
        receipts
    }

    fn keep_receipt(&mut self, receipt: CashReceipt) -> CashReceipt {
        self.changes.push(Change::CashReceipt(Box::new(receipt.clone())));
        self.cash_receipts.insert(receipt.receipt_key.clone().unwrap_or_default(), receipt.clone());
        receipt
    }
}

fn as_of(mut receipt: CashReceipt, now: OffsetDateTime) -> CashReceipt {
    let is_over = receipt.requested_at.is_none_or(|at| now - at >= SLOW);
    if receipt.issue_status.as_deref() == Some("IN_PROGRESS") && is_over {
        receipt.issue_status = Some("COMPLETED".into());
    }
    receipt
}
