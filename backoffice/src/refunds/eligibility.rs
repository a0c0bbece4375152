//! What may be given back, decided from a payment and the time alone (toss-api.md A5.3, B5.3). The form, the API and the
//! rules all ask here, so that nobody learns it from an error afterwards.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::{Duration, Month, OffsetDateTime};
use toss::{
    apps_in_toss::{self, PayMethod, PayStatus},
    payments::{CancelStatus, Method, Payment, PaymentStatus},
    timestamp::SEOUL,
};

use super::{Arrival, TaxLeft};
use crate::payments::ProviderPayment;

/// Why nothing can be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyNot {
    NotPaid,
    Expired,
    Aborted,
    NothingLeft,
    /// Phone payments: only in the month of payment.
    MonthIsOver,
    /// The method's own limit has passed.
    TooLate,
    /// Toss Pay: Toss is giving it back already.
    UnderWay,
    /// Toss Pay: after settlement nothing goes back any more.
    Settled,
    /// A status this version does not know: a person looks at Toss's console.
    UnknownStatus,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eligibility {
    pub left: Decimal,
    pub full: bool,
    pub part: bool,
    /// A part must be at least this much: the instant discount (toss-api.md A5.3).
    pub least: Option<Decimal>,
    /// Bank, number and holder are asked for.
    pub needs_account: bool,
    /// What of it bears no VAT: a part takes its share along.
    pub tax: TaxLeft,
    /// After this moment Toss refuses.
    pub until: Option<OffsetDateTime>,
    pub arrival: Arrival,
    /// Nothing of it is acquired: the whole goes back at once (toss-api.md A5.3).
    whole_at_once: bool,
    /// Older than a year: the card company may not find it any more.
    pub may_fail: bool,
    pub why_not: Option<WhyNot>,
}

impl Eligibility {
    /// When the buyer has so much of it.
    pub fn arrival_of(&self, amount: Decimal) -> Arrival {
        if self.whole_at_once && amount == self.left { Arrival::AtOnce } else { self.arrival }
    }
}

pub fn eligibility(payment: &ProviderPayment, now: OffsetDateTime) -> Eligibility {
    match payment {
        ProviderPayment::TossPayments(payment) => of_toss_payments(payment, now),
        ProviderPayment::TossPay(payment) => of_toss_pay(payment),
    }
}

/// The whole of it or nothing (toss-api.md B5.3).
fn of_toss_pay(payment: &apps_in_toss::Payment) -> Eligibility {
    let left = Decimal::from(payment.left());
    let why_not = match payment.pay_status {
        PayStatus::Complete if left.is_zero() => Some(WhyNot::NothingLeft),
        PayStatus::Complete => None,
        PayStatus::Standby | PayStatus::Approved | PayStatus::Progress => Some(WhyNot::NotPaid),
        PayStatus::Cancel => Some(WhyNot::Aborted),
        PayStatus::RefundProgress => Some(WhyNot::UnderWay),
        PayStatus::RefundSuccess => Some(WhyNot::NothingLeft),
        PayStatus::SettlementComplete | PayStatus::SettlementRefundComplete => Some(WhyNot::Settled),
        PayStatus::Other(_) => Some(WhyNot::UnknownStatus),
    };
    Eligibility {
        left,
        full: why_not.is_none(),
        part: false,
        least: None,
        needs_account: false,
        tax: TaxLeft { balance: left, ..TaxLeft::default() },
        until: None,
        arrival: match payment.pay_method {
            Some(PayMethod::TossMoney) => Arrival::AtOnce,
            _ => Arrival::CardThreeToFourDays,
        },
        whole_at_once: false,
        may_fail: false,
        why_not,
    }
}

fn of_toss_payments(payment: &Payment, now: OffsetDateTime) -> Eligibility {
    let left = payment.balance_amount;
    let waiting = payment.status == PaymentStatus::WaitingForDeposit;
    let until = deadline(payment);
    let why_not = match &payment.status {
        PaymentStatus::Ready | PaymentStatus::InProgress => Some(WhyNot::NotPaid),
        PaymentStatus::Expired => Some(WhyNot::Expired),
        PaymentStatus::Aborted => Some(WhyNot::Aborted),
        PaymentStatus::Canceled => Some(WhyNot::NothingLeft),
        PaymentStatus::Other(_) => Some(WhyNot::UnknownStatus),
        PaymentStatus::WaitingForDeposit | PaymentStatus::Done | PaymentStatus::PartialCanceled => {
            if left.is_zero() {
                Some(WhyNot::NothingLeft)
            } else if until.is_some_and(|until| now >= until) {
                let phone = payment.method == Some(Method::MobilePhone);
                Some(if phone { WhyNot::MonthIsOver } else { WhyNot::TooLate })
            } else {
                None
            }
        }
    };
    let tax = TaxLeft::of(payment);
    // A card with an exempt part goes back whole (toss-api.md A5.3).
    let divisible = !waiting
        && payment.is_partial_cancelable != Some(false)
        && payment.use_escrow != Some(true)
        && (payment.card.is_none() || tax.exempt.is_zero());
    // What is left of a payment that was refunded in part goes back under the rules of a part refund.
    let untouched = payment.cancels().iter().all(|c| c.cancel_status == Some(CancelStatus::Aborted));
    let full = why_not.is_none() && (divisible || untouched);
    let why_not = why_not.or((!full).then_some(WhyNot::NothingLeft));
    Eligibility {
        left,
        full,
        part: why_not.is_none() && divisible,
        least: payment
            .discount
            .as_ref()
            .map(|discount| discount.amount)
            .filter(|least| divisible && *least > Decimal::ZERO),
        needs_account: why_not.is_none() && payment.virtual_account.is_some() && !waiting,
        tax,
        until,
        arrival: arrival(payment, waiting),
        whole_at_once: untouched
            && payment.card.as_ref().is_some_and(|card| card.acquire_status.as_deref() == Some("READY")),
        may_fail: payment.card.is_some()
            && payment.approved_at.is_some_and(|at| now - at > Duration::days(365)),
        why_not,
    }
}

fn deadline(payment: &Payment) -> Option<OffsetDateTime> {
    let approved = payment.approved_at?.to_offset(SEOUL);
    match payment.method.as_ref()? {
        Method::MobilePhone => {
            let (year, month) = (approved.year(), approved.month());
            let (year, month) =
                if month == Month::December { (year + 1, Month::January) } else { (year, month.next()) };
            let first = time::Date::from_calendar_date(year, month, 1).ok()?;
            Some(first.midnight().assume_offset(SEOUL))
        }
        Method::Transfer | Method::ForeignEasyPay => Some(approved + Duration::days(180)),
        Method::VirtualAccount => Some(approved + Duration::days(365)),
        _ => None,
    }
}

fn arrival(payment: &Payment, waiting: bool) -> Arrival {
    match payment.method {
        _ if waiting => Arrival::NothingToReturn,
        Some(Method::Transfer) => Arrival::AtOnce,
        Some(Method::MobilePhone) => Arrival::SameDay,
        Some(Method::VirtualAccount) => Arrival::TwoBusinessDays,
        Some(Method::ForeignEasyPay) if payment.cancels().is_empty() => Arrival::FiveBusinessDays,
        Some(Method::ForeignEasyPay) => Arrival::UpToThirtyDays,
        Some(Method::EasyPay) if payment.card.is_none() => Arrival::AtOnce,
        Some(Method::CultureGiftCertificate | Method::BookGiftCertificate | Method::GameGiftCertificate) => {
            Arrival::SameDay
        }
        _ => Arrival::CardThreeToFourDays,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::refunds::create_intent::check_amount;

    fn payment(method: &str, status: &str, more: serde_json::Value) -> Payment {
        let mut body = json!({
            "paymentKey": "p", "orderId": "o", "status": status, "method": method, "totalAmount": 10_000,
            "balanceAmount": 10_000, "approvedAt": "2026-11-30T23:59:59+09:00", "isPartialCancelable": true,
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn a_phone_payment_goes_back_only_in_its_month_in_seoul() {
        let phone = payment("휴대폰", "DONE", json!({}));
        let last_moment = datetime!(2026-11-30 14:59:59 UTC);
        assert_eq!(of_toss_payments(&phone, last_moment).why_not, None);
        let december = datetime!(2026-11-30 15:00 UTC);
        assert_eq!(of_toss_payments(&phone, december).why_not, Some(WhyNot::MonthIsOver));
    }

    #[test]
    fn a_deposited_account_needs_one_to_pay_back_to_and_a_waiting_one_does_not() {
        let now = datetime!(2026-12-01 00:00 UTC);
        let deposited = of_toss_payments(&payment("가상계좌", "DONE", json!({"virtualAccount": {}})), now);
        assert!(deposited.needs_account && deposited.part);
        assert_eq!(deposited.arrival, Arrival::TwoBusinessDays);
        let waiting =
            payment("가상계좌", "WAITING_FOR_DEPOSIT", json!({"virtualAccount": {}, "approvedAt": null}));
        let waiting = of_toss_payments(&waiting, now);
        assert!(waiting.full && !waiting.part && !waiting.needs_account);
        assert_eq!(waiting.arrival, Arrival::NothingToReturn);
    }

    #[test]
    fn what_cannot_be_divided_goes_back_whole() {
        let now = datetime!(2026-12-01 00:00 UTC);
        for more in [
            json!({"isPartialCancelable": false}),
            json!({"useEscrow": true}),
            json!({"taxExemptionAmount": 100, "card": {}}),
        ] {
            let may = of_toss_payments(&payment("카드", "DONE", more), now);
            assert!(may.full && !may.part);
        }
    }

    #[test]
    fn nothing_goes_back_from_what_was_never_paid_or_is_spent() {
        let now = datetime!(2026-12-01 00:00 UTC);
        for (status, why) in [
            ("READY", WhyNot::NotPaid),
            ("IN_PROGRESS", WhyNot::NotPaid),
            ("EXPIRED", WhyNot::Expired),
            ("ABORTED", WhyNot::Aborted),
            ("CANCELED", WhyNot::NothingLeft),
            ("FROZEN", WhyNot::UnknownStatus),
        ] {
            assert_eq!(
                of_toss_payments(&payment("카드", status, json!({})), now).why_not,
                Some(why),
                "{status}"
            );
        }
        let spent = payment("카드", "PARTIAL_CANCELED", json!({"balanceAmount": 0}));
        assert_eq!(of_toss_payments(&spent, now).why_not, Some(WhyNot::NothingLeft));
    }

    #[test]
    fn transfers_and_paypal_end_after_180_days() {
        for method in ["계좌이체", "해외간편결제"] {
            let paid = payment(method, "DONE", json!({}));
            assert_eq!(of_toss_payments(&paid, datetime!(2027-05-29 14:59:58 UTC)).why_not, None, "{method}");
            assert_eq!(
                of_toss_payments(&paid, datetime!(2027-05-29 15:00 UTC)).why_not,
                Some(WhyNot::TooLate),
                "{method}"
            );
        }
    }

    #[test]
    fn a_part_below_the_instant_discount_is_said_beforehand() {
        let paid = payment("카드", "DONE", json!({ "discount": { "amount": 3000 } }));
        let may = of_toss_payments(&paid, datetime!(2026-12-01 00:00 UTC));
        assert_eq!(may.least, Some(Decimal::from(3000)));
        let check = |amount: i64| check_amount(&may, Decimal::from(amount), "KRW").is_ok();
        assert!(!check(2_999) && check(3_000) && check(10_000));
    }

    #[test]
    fn a_toss_pay_payment_goes_back_whole_until_it_is_settled() {
        let told = |status: &str, left: i64| {
            let body = json!({ "payToken": "t", "orderNo": "o", "payStatus": status, "payMethod": "CARD", "amount": 1000,
                               "refundableAmount": left });
            of_toss_pay(&serde_json::from_value(body).unwrap())
        };
        let may = told("PAY_COMPLETE", 1000);
        assert!(may.full && !may.part && may.why_not.is_none());
        for (status, why) in [
            ("PAY_STANDBY", WhyNot::NotPaid),
            ("PAY_APPROVED", WhyNot::NotPaid),
            ("PAY_PROGRESS", WhyNot::NotPaid),
            ("PAY_CANCEL", WhyNot::Aborted),
            ("REFUND_PROGRESS", WhyNot::UnderWay),
            ("REFUND_SUCCESS", WhyNot::NothingLeft),
            ("SETTLEMENT_COMPLETE", WhyNot::Settled),
            ("SETTLEMENT_REFUND_COMPLETE", WhyNot::Settled),
            ("NEW_WORD", WhyNot::UnknownStatus),
        ] {
            assert_eq!(told(status, 0).why_not, Some(why), "{status}");
        }
        assert_eq!(told("PAY_COMPLETE", 0).why_not, Some(WhyNot::NothingLeft));
    }

    /// One payment at the sandbox, however it was paid, and an amount that somebody wants back some days later.
    #[derive(Debug, Clone)]
    struct Case {
        method: &'static str,
        foreign: bool,
        escrow: bool,
        divisible: bool,
        discount: i64,
        deposited: bool,
        refunded_before: i64,
        days: i64,
        amount: i64,
    }

    fn case() -> impl Strategy<Value = Case> {
        let method = prop::sample::select(vec![
            "카드",
            "간편결제",
            "가상계좌",
            "계좌이체",
            "휴대폰",
            "문화상품권",
            "도서문화상품권",
            "게임문화상품권",
            "해외간편결제",
        ]);
        let days = prop_oneof![0i64..40, 170i64..190, 360i64..370];
        let discount = prop::sample::select(vec![0i64, 0, 1_500]);
        let before = prop::sample::select(vec![0i64, 0, 4_000, 10_000]);
        (
            method,
            any::<[bool; 4]>(),
            discount,
            before,
            days,
            prop::sample::select(vec![1i64, 1_000, 6_000, 9_999, 10_000, 10_001]),
        )
            .prop_map(
                |(
                    method,
                    [foreign, escrow, divisible, deposited],
                    discount,
                    refunded_before,
                    days,
                    amount,
                )| Case {
                    method,
                    foreign: foreign && method == "해외간편결제",
                    escrow,
                    divisible,
                    discount,
                    deposited,
                    refunded_before,
                    days,
                    amount,
                },
            )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn what_is_allowed_toss_does_and_what_is_not_toss_refuses(case in case(), at in 0i64..86_400) {
            use sandbox::books::{Books, Choice, Opening};
            use toss::payments::{CancelRequest, ConfirmRequest, OrderId, RefundAccount};

            let paid_at = datetime!(2026-11-14 15:00 UTC) + Duration::seconds(at);
            let mut backoffice = Books::new("m");
            let opening = json!({ "orderId": "ord_case_1", "orderName": "x", "amount": 10_000, "useEscrow": case.escrow,
                                  "currency": if case.foreign { "USD" } else { "KRW" } });
            let opening: Opening = serde_json::from_value(opening).unwrap();
            let key = backoffice.open(opening, paid_at).unwrap().payment.payment_key;
            let choice = Choice {
                method: Some(case.method.into()),
                provider: case.foreign.then(|| "PAYPAL".into()),
                partial_cancelable: Some(case.divisible),
                discount_amount: Some(case.discount.into()),
                // as long as there may be, so that it does not expire before anybody asks
                valid_hours: Some(2160),
                ..Choice::default()
            };
            backoffice.authenticate(&key.0, choice, paid_at).unwrap();
            let confirm = ConfirmRequest { payment_key: key.clone(), order_id: OrderId("ord_case_1".into()), amount: 10_000.into() };
            backoffice.confirm(&confirm, paid_at).unwrap();
            if case.deposited {
                drop(backoffice.deposit(&key.0, paid_at));
            }
            let account = RefundAccount { bank: "88".into(), account_number: "110123456789".into(), holder_name: "홍길동".into() };
            let ask = |amount: i64, currency: &str| CancelRequest {
                cancel_reason: "x".into(),
                cancel_amount: Some(amount.into()),
                refund_receive_account: Some(account.clone()),
                currency: (currency != "KRW").then(|| currency.to_owned()),
                ..CancelRequest::default()
            };
            let currency = if case.foreign { "USD" } else { "KRW" };
            if case.refunded_before > 0 {
                drop(backoffice.cancel(&key.0, &ask(case.refunded_before, currency), paid_at));
            }
            let now = paid_at + Duration::days(case.days);
            let payment = backoffice.look_up(&key.0, now).unwrap();
            let may = of_toss_payments(&payment, now);
            // That is what "may fail" means.
            prop_assume!(!may.may_fail);
            let allowed = check_amount(&may, case.amount.into(), currency);
            let done = backoffice.cancel(&key.0, &ask(case.amount, currency), now);
            prop_assert_eq!(allowed.is_ok(), done.is_ok(), "{:?} / {:?} of {:?}", allowed, done.map(|p| p.status), payment);
        }
    }
}
