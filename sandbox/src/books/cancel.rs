//! `POST /v1/payments/{paymentKey}/cancel`, to the code of toss-api.md A5.3.

use rust_decimal::Decimal;
use time::{Duration, OffsetDateTime};
use toss::{
    payments::{
        Cancel, CancelRequest, CancelStatus, Method, Payment, PaymentStatus, RefundReceiveAccount,
        RefundStatus, TransactionKey,
    },
    timestamp::SEOUL,
};

use super::{Books, Event, Outcome, Refused, life::bank_code, money::set_balance, receipts};
use crate::ids;

impl Books {
    pub fn cancel(&mut self, key: &str, request: &CancelRequest, now: OffsetDateTime) -> Outcome<Payment> {
        self.expire_due(now);
        let mut record = self.get(key)?;
        let payment = &mut record.payment;

        let reason_len = request.cancel_reason.chars().count();
        if reason_len == 0 || reason_len > 200 {
            return Err(Refused("INVALID_REQUEST"));
        }
        match payment.status {
            PaymentStatus::Done | PaymentStatus::PartialCanceled | PaymentStatus::WaitingForDeposit => {}
            PaymentStatus::Canceled => return Err(Refused("ALREADY_CANCELED_PAYMENT")),
            _ => return Err(Refused("NOT_CANCELABLE_PAYMENT")),
        }
        let balance = payment.balance_amount;
        if request.refundable_amount.is_some_and(|believed| believed != balance) {
            return Err(Refused("NOT_MATCHES_REFUNDABLE_AMOUNT"));
        }
        let amount = request.cancel_amount.unwrap_or(balance);
        if request.cancel_amount.is_some_and(|a| a <= Decimal::ZERO) {
            return Err(Refused("INVALID_REQUEST"));
        }
        if amount > balance || balance.is_zero() {
            return Err(Refused("NOT_CANCELABLE_AMOUNT"));
        }
        if request.currency.as_deref().is_some_and(|c| c != payment.currency()) {
            return Err(Refused("INVALID_CURRENCY"));
        }
        let whole_at_once = amount == payment.total_amount;
        let waiting = payment.status == PaymentStatus::WaitingForDeposit;
        if !whole_at_once {
            if waiting {
                return Err(Refused("NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT"));
            }
            if payment.is_partial_cancelable == Some(false) || payment.use_escrow == Some(true) {
                return Err(Refused("NOT_ALLOWED_PARTIAL_REFUND"));
            }
            if payment.discount.as_ref().is_some_and(|d| amount < balance && amount < d.amount) {
                return Err(Refused("EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT"));
            }
        }
        let parts = tax_parts(payment, request, amount)?;
        if !whole_at_once
            && payment.card.is_some()
            && !payment.tax_exemption_amount.unwrap_or_default().is_zero()
        {
            return Err(Refused("NOT_ALLOWED_PARTIAL_REFUND"));
        }
        if past_its_window(payment, now) {
            return Err(Refused("EXCEED_MAX_REFUND_DUE"));
        }
        if let (Some(account), false) = (&mut payment.virtual_account, waiting) {
            let to = request.refund_receive_account.as_ref().ok_or(Refused("INVALID_REFUND_ACCOUNT_INFO"))?;
            let bank = bank_code(&to.bank).ok_or(Refused("INVALID_BANK"))?;
            let number = &to.account_number;
            if number.is_empty() || number.len() > 20 || !number.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Refused("INVALID_REFUND_ACCOUNT_NUMBER"));
            }
            // The sandbox's own rule, to rehearse with: an account that ends in 0000 belongs to somebody else.
            if to.holder_name.is_empty() || to.holder_name.chars().count() > 60 || number.ends_with("0000") {
                return Err(Refused("INVALID_REFUND_ACCOUNT_INFO"));
            }
            account.refund_status = Some(RefundStatus::Pending);
            record.bank_since = Some(now);
            record.paid_back_to = Some(RefundReceiveAccount {
                bank_code: Some(bank.into()),
                account_number: Some(number.clone()),
                holder_name: Some(to.holder_name.clone()),
            });
        }
        // Some overseas easy pays give the money back later (toss-api.md A10.5).
        let later = payment.method == Some(Method::ForeignEasyPay)
            && payment.easy_pay.as_ref().and_then(|e| e.provider.as_deref()) != Some("PAYPAL");
        let key = TransactionKey(ids::transaction_key());
        let receipt = receipts::cancel_with_payment(payment, amount, parts.0, now);
        let cancel = Cancel {
            cancel_amount: amount,
            cancel_reason: Some(request.cancel_reason.clone()),
            tax_free_amount: Some(parts.0),
            tax_exemption_amount: Some(parts.1),
            refundable_amount: Some(balance - amount),
            card_discount_amount: Some(Decimal::ZERO),
            transfer_discount_amount: Some(Decimal::ZERO),
            easy_pay_discount_amount: Some(Decimal::ZERO),
            canceled_at: Some(now),
            transaction_key: Some(key.clone()),
            receipt_key: receipt,
            cancel_status: Some(if later { CancelStatus::InProgress } else { CancelStatus::Done }),
            cancel_request_id: request.cancel_request_id.clone(),
        };
        payment.cancels.get_or_insert_default().push(cancel);
        payment.last_transaction_key = Some(key);
        // In several parts it stays PARTIAL_CANCELED, also at a balance of zero.
        payment.status = if whole_at_once { PaymentStatus::Canceled } else { PaymentStatus::PartialCanceled };
        payment.tax_free_amount = payment.tax_free_amount.map(|free| free - parts.0);
        payment.tax_exemption_amount = payment.tax_exemption_amount.map(|exempt| exempt - parts.1);
        set_balance(payment, balance - amount);
        let payment = payment.clone();
        self.put(record);
        self.book(&payment, amount, now);
        self.announce(&payment);
        Ok(payment)
    }

    /// The provider ends a cancel that was still under way.
    pub fn finish_cancel(&mut self, transaction_key: &str, status: CancelStatus) -> Outcome<Payment> {
        let mut record = self
            .payments
            .values()
            .find(|r| {
                r.payment
                    .cancels()
                    .iter()
                    .any(|c| c.transaction_key.as_ref().is_some_and(|k| k.0 == transaction_key))
            })
            .cloned()
            .ok_or(Refused("NOT_FOUND"))?;
        let payment = &mut record.payment;
        let mut finished = None;
        for cancel in payment.cancels.iter_mut().flatten() {
            if cancel.transaction_key.as_ref().is_some_and(|k| k.0 == transaction_key)
                && cancel.cancel_status == Some(CancelStatus::InProgress)
            {
                cancel.cancel_status = Some(status.clone());
                finished = Some(cancel.clone());
            }
        }
        let cancel = finished.ok_or(Refused("NOT_CANCELABLE_PAYMENT"))?;
        if status == CancelStatus::Aborted {
            let back = payment.balance_amount + cancel.cancel_amount;
            set_balance(payment, back);
            payment.status = if back == payment.total_amount {
                PaymentStatus::Done
            } else {
                PaymentStatus::PartialCanceled
            };
        }
        let payment = payment.clone();
        self.put(record);
        self.outbox.push(Event::CancelStatusChanged(Box::new(cancel)));
        Ok(payment)
    }
}

/// What of a cancel is free of VAT, and what is exempt: as asked for, all of it with the last of the balance, nothing
/// otherwise. What is left has to add up (toss-api.md A6); the code of the refusal is not documented.
fn tax_parts(
    payment: &Payment,
    request: &CancelRequest,
    amount: Decimal,
) -> Result<(Decimal, Decimal), Refused> {
    let (free, exempt) =
        (payment.tax_free_amount.unwrap_or_default(), payment.tax_exemption_amount.unwrap_or_default());
    let last = amount == payment.balance_amount;
    let part = |asked: Option<Decimal>, left| asked.unwrap_or(if last { left } else { Decimal::ZERO });
    let parts = (part(request.tax_free_amount, free), part(request.tax_exemption_amount, exempt));
    let taxable = payment.balance_amount - free - exempt;
    let fits = !parts.0.is_sign_negative()
        && !parts.1.is_sign_negative()
        && parts.0 <= free
        && parts.1 <= exempt
        && parts.0 + parts.1 <= amount
        && amount - parts.0 - parts.1 <= taxable;
    if fits { Ok(parts) } else { Err(Refused("INVALID_REQUEST")) }
}

/// The windows per method of S001 (toss-api.md A5.3).
fn past_its_window(payment: &Payment, now: OffsetDateTime) -> bool {
    let Some(approved) = payment.approved_at.map(|at| at.to_offset(SEOUL)) else { return false };
    let age = now - approved;
    match payment.method {
        Some(Method::MobilePhone) => {
            let now = now.to_offset(SEOUL);
            (approved.year(), approved.month()) != (now.year(), now.month())
        }
        Some(Method::Transfer | Method::ForeignEasyPay) => age >= Duration::days(180),
        Some(Method::VirtualAccount) => age >= Duration::days(365),
        // The card company may not keep it any longer; here it never does.
        _ if payment.card.is_some() => age > Duration::days(365),
        _ => false,
    }
}
