//! The bank that pays the buyer of a virtual account back after Toss has taken the cancel (toss-api.md A5.3): two business
//! days later, or not. Nothing is posted when it does: `refundStatus` is read by look-up.

use time::{Date, OffsetDateTime, Time};
use toss::{
    calendar::add_business_days,
    payments::{Payment, RefundReceiveAccount, RefundStatus},
    timestamp::SEOUL,
};

use super::{Books, Outcome, Record, Refused};

/// What becomes of money for this account, and after how many business days. The sandbox's own rule, to rehearse with: by the
/// last digits of the number.
fn habit(account_number: &str) -> (RefundStatus, u32) {
    match account_number.get(account_number.len().saturating_sub(4)..) {
        Some("1111") => (RefundStatus::Failed, 1),
        Some("2222") => (RefundStatus::PartialFailed, 1),
        Some("9999") => (RefundStatus::Completed, 9),
        _ => (RefundStatus::Completed, 2),
    }
}

/// At ten in the morning.
fn moment(day: Date) -> OffsetDateTime {
    day.with_time(Time::from_hms(10, 0, 0).unwrap_or(Time::MIDNIGHT)).assume_offset(SEOUL)
}

/// What the bank has done by now with what it was given.
fn done_by(record: &Record, now: OffsetDateTime) -> Option<RefundStatus> {
    let since = record.bank_since?;
    let number = record.paid_back_to.as_ref()?.account_number.as_deref()?;
    let (status, days) = habit(number);
    (now >= moment(add_business_days(since.to_offset(SEOUL).date(), days))).then_some(status)
}

impl Books {
    /// The bank is done, however it ends, without waiting for its day.
    pub fn finish_bank_refund(&mut self, key: &str, status: RefundStatus) -> Outcome<Payment> {
        let mut record = self.get(key)?;
        let account = record.payment.virtual_account.as_mut().ok_or(Refused("NOT_FOUND"))?;
        account.refund_status = Some(status);
        record.bank_since = None;
        let payment = record.payment.clone();
        self.put(record);
        Ok(payment)
    }

    /// Toss's admin: the account is corrected, and what came back is sent again.
    pub fn send_again(
        &mut self,
        key: &str,
        to: Option<RefundReceiveAccount>,
        now: OffsetDateTime,
    ) -> Outcome<Payment> {
        let mut record = self.get(key)?;
        let account = record.payment.virtual_account.as_mut().ok_or(Refused("NOT_FOUND"))?;
        if !matches!(account.refund_status, Some(RefundStatus::Failed | RefundStatus::PartialFailed)) {
            return Err(Refused("NOT_CANCELABLE_PAYMENT"));
        }
        account.refund_status = Some(RefundStatus::Pending);
        record.paid_back_to = to.or(record.paid_back_to);
        record.bank_since = Some(now);
        let payment = record.payment.clone();
        self.put(record);
        Ok(payment)
    }

    pub(super) fn let_banks_work(&mut self, now: OffsetDateTime) {
        let done: Vec<(String, RefundStatus)> = self
            .payments
            .iter()
            .filter_map(|(key, record)| Some((key.clone(), done_by(record, now)?)))
            .collect();
        for (key, status) in done {
            drop(self.finish_bank_refund(&key, status));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::{Duration, macros::datetime};
    use toss::payments::{CancelRequest, ConfirmRequest, OrderId, RefundAccount};

    use super::*;
    use crate::books::{Choice, Opening};

    #[test]
    fn a_bank_pays_in_two_business_days_and_sends_back_what_it_cannot_pay() {
        // A Friday.
        let now = datetime!(2026-11-20 11:00 +9);
        for (number, days, ends) in [
            ("110123456789", 4, RefundStatus::Completed),
            ("110123451111", 3, RefundStatus::Failed),
            ("110123452222", 3, RefundStatus::PartialFailed),
            ("110123459999", 13, RefundStatus::Completed),
        ] {
            let mut books = Books::new("m");
            let opening: Opening =
                serde_json::from_value(json!({ "orderId": "ord_bank", "orderName": "x", "amount": 10_000 }))
                    .unwrap();
            let key = books.open(opening, now).unwrap().payment.payment_key;
            let choice = Choice { method: Some("가상계좌".into()), ..Choice::default() };
            books.authenticate(&key.0, choice, now).unwrap();
            let confirm = ConfirmRequest {
                payment_key: key.clone(),
                order_id: OrderId("ord_bank".into()),
                amount: 10_000.into(),
            };
            books.confirm(&confirm, now).unwrap();
            books.deposit(&key.0, now).unwrap();
            let account = RefundAccount {
                bank: "88".into(),
                account_number: number.into(),
                holder_name: "홍길동".into(),
            };
            let request = CancelRequest {
                cancel_reason: "x".into(),
                refund_receive_account: Some(account),
                ..CancelRequest::default()
            };
            books.cancel(&key.0, &request, now).unwrap();
            let mut told =
                |at| books.look_up(&key.0, at).unwrap().virtual_account.unwrap().refund_status.unwrap();
            let day = now + Duration::days(days);
            assert_eq!(told(day - Duration::hours(2)), RefundStatus::Pending, "{number}");
            assert_eq!(told(day), ends, "{number}");
            let again = books.send_again(&key.0, None, day);
            assert_eq!(again.is_ok(), ends != RefundStatus::Completed, "{number}");
        }
    }
}
