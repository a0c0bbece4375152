//! Toss Pay in Apps in Toss (toss-api.md B5): make, authenticate in the app, execute, refund the whole of it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::lenient;
use crate::open_enum::open_enum;

crate::id! {
    /// Toss's name for one Toss Pay payment, at most 30 characters.
    PayToken
}

open_enum! {
    /// Where a payment is (toss-api.md B5.5).
    PayStatus {
        Standby = "PAY_STANDBY",
        /// The buyer has authenticated; nothing was taken yet.
        Approved = "PAY_APPROVED",
        Cancel = "PAY_CANCEL",
        Progress = "PAY_PROGRESS",
        Complete = "PAY_COMPLETE",
        RefundProgress = "REFUND_PROGRESS",
        RefundSuccess = "REFUND_SUCCESS",
        /// Nothing can be refunded any more.
        SettlementComplete = "SETTLEMENT_COMPLETE",
        SettlementRefundComplete = "SETTLEMENT_REFUND_COMPLETE",
    }
}

impl PayStatus {
    /// The buyer's money was taken, whatever became of it afterwards.
    pub fn is_paid(&self) -> bool {
        matches!(
            self,
            Self::Complete
                | Self::RefundProgress
                | Self::RefundSuccess
                | Self::SettlementComplete
                | Self::SettlementRefundComplete
        )
    }

    /// Toss will change it without our doing.
    pub fn is_moving(&self) -> bool {
        matches!(self, Self::Standby | Self::Approved | Self::Progress | Self::RefundProgress)
    }
}

open_enum! {
    PayMethod {
        TossMoney = "TOSS_MONEY",
        Card = "CARD",
    }
}

open_enum! {
    StepType {
        Pay = "PAY",
        Refund = "REFUND",
    }
}

/// What is wrong with a request before it leaves, by Toss's member name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("orderNo: 1 to 50 characters of A-Z a-z 0-9 _ - : . ^ @")]
    OrderNo,
    #[error("productDesc: 1 to 255 characters, without backslash and quotation mark")]
    ProductDesc,
    #[error("{0}: a whole number of won, at most 9,999,999")]
    Amount(&'static str),
    #[error("amountTaxFree, amountTaxable, amountVat and amountServiceFee: together they must be the amount")]
    Sum,
    #[error("enablePayMethods: TOSS_MONEY or CARD, or both with a comma")]
    EnablePayMethods,
    #[error("{0}: at most 10 letters")]
    TooLong(&'static str),
    #[error("payToken: 1 to 30 letters, digits, - and _")]
    PayToken,
    #[error("reason: at most 55 characters")]
    ReasonTooLong,
    #[error("reason: nothing is left of it")]
    ReasonEmpty,
}

/// Seven digits (toss-api.md B5.1).
const LARGEST_AMOUNT: i64 = 9_999_999;

fn amount(name: &'static str, value: i64) -> Result<i64, Invalid> {
    (0..=LARGEST_AMOUNT).contains(&value).then_some(value).ok_or(Invalid::Amount(name))
}

/// Begins a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MakePayment {
    pub order_no: String,
    pub product_desc: String,
    pub amount: i64,
    pub amount_tax_free: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_taxable: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_vat: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_service_fee: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_pay_methods: Option<String>,
    /// Must be said now: it cannot be asked for later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cash_receipt: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cash_receipt_trade_option: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installment: Option<String>,
}

impl MakePayment {
    pub fn check(&self) -> Result<(), Invalid> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-:.^@".contains(&b);
        if !(1..=50).contains(&self.order_no.len()) || !self.order_no.bytes().all(plain) {
            return Err(Invalid::OrderNo);
        }
        let desc = &self.product_desc;
        if desc.trim().is_empty()
            || desc.chars().count() > 255
            || desc.chars().any(|c| c.is_control() || matches!(c, '\\' | '"'))
        {
            return Err(Invalid::ProductDesc);
        }
        if self.amount < 1 {
            return Err(Invalid::Amount("amount"));
        }
        amount("amount", self.amount)?;
        let tax_free = amount("amountTaxFree", self.amount_tax_free)?;
        for (name, value) in [
            ("amountTaxable", self.amount_taxable),
            ("amountVat", self.amount_vat),
            ("amountServiceFee", self.amount_service_fee),
        ] {
            amount(name, value.unwrap_or_default())?;
        }
        let known = tax_free
            + self.amount_taxable.unwrap_or_default()
            + self.amount_vat.unwrap_or_default()
            + self.amount_service_fee.unwrap_or_default();
        let complete = self.amount_taxable.is_some() && self.amount_vat.is_some();
        if known > self.amount || (complete && known != self.amount) {
            return Err(Invalid::Sum);
        }
        if let Some(methods) = &self.enable_pay_methods
            && !methods.split(',').all(|m| matches!(m.trim(), "TOSS_MONEY" | "CARD"))
        {
            return Err(Invalid::EnablePayMethods);
        }
        for (name, text) in
            [("cashReceiptTradeOption", &self.cash_receipt_trade_option), ("installment", &self.installment)]
        {
            if text.as_ref().is_some_and(|t| t.len() > 10 || !t.bytes().all(|b| b.is_ascii_graphic())) {
                return Err(Invalid::TooLong(name));
            }
        }
        Ok(())
    }
}

impl PayToken {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if (1..=30).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::PayToken)
        }
    }
}

/// A reason in the characters that Toss takes (toss-api.md B5.3, C31). Spaces are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundReason {
    pub sent: String,
    /// What is not sent of the text, spaces left out.
    pub stripped: Vec<char>,
}

impl RefundReason {
    pub const LONGEST: usize = 55;

    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let taken = |c: char| {
            c.is_ascii_alphanumeric()
                || matches!(c, '가'..='힣' | 'ㄱ'..='ㅎ' | 'ㅏ'..='ㅣ')
                || "_-:.^@()[]#/!%?&".contains(c)
        };
        let sent: String = text.chars().filter(|c| taken(*c)).collect();
        let mut stripped: Vec<char> = text.chars().filter(|c| !taken(*c) && !c.is_whitespace()).collect();
        stripped.sort_unstable();
        stripped.dedup();
        if text.trim().chars().count() > Self::LONGEST {
            return Err(Invalid::ReasonTooLong);
        }
        if sent.is_empty() {
            return Err(Invalid::ReasonEmpty);
        }
        Ok(Self { sent, stripped })
    }
}

/// Names a payment of ours to Toss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutePayment {
    pub pay_token: PayToken,
    pub order_no: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Make<'a> {
    #[serde(flatten)]
    pub payment: &'a MakePayment,
    pub is_test_payment: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Made {
    pub pay_token: PayToken,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_token: Option<&'a PayToken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_no: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    pub is_test_payment: bool,
}

/// The answer to execute-payment. A success may carry a payment that failed: `code` and `errorCode` say so.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Executed {
    #[serde(default, deserialize_with = "lenient::amount")]
    pub code: i64,
    pub order_no: String,
    #[serde(deserialize_with = "lenient::amount")]
    pub amount: i64,
    pub pay_token: PayToken,
    #[serde(default)]
    pub transaction_id: Option<String>,
    #[serde(default)]
    pub mode: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub error_code: Option<String>,
    #[serde(default)]
    pub msg: Option<String>,
}

/// The answer to refund-payment. The sign of `refundedAmount` differs from sample to sample: it is kept without one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refunded {
    #[serde(default, deserialize_with = "lenient::text")]
    pub refund_no: Option<String>,
    pub pay_token: PayToken,
    #[serde(default)]
    pub transaction_id: Option<String>,
    #[serde(default, deserialize_with = "magnitude")]
    pub refunded_amount: i64,
    #[serde(default, deserialize_with = "lenient::amount")]
    pub refundable_amount: i64,
    #[serde(default, with = "crate::timestamp::option")]
    pub approval_time: Option<OffsetDateTime>,
}

fn magnitude<'de, D: serde::Deserializer<'de>>(d: D) -> Result<i64, D::Error> {
    Ok(lenient::amount(d)?.abs())
}

/// The answer to get-payment-status. Amounts in won.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// `LIVE` or `TEST`.
    #[serde(default)]
    pub mode: Option<String>,
    pub pay_token: PayToken,
    pub order_no: String,
    pub pay_status: PayStatus,
    #[serde(default)]
    pub pay_method: Option<PayMethod>,
    #[serde(deserialize_with = "lenient::amount")]
    pub amount: i64,
    /// Instant discount and points together.
    #[serde(default, deserialize_with = "lenient::amount")]
    pub discounted_amount: i64,
    #[serde(default, deserialize_with = "lenient::number")]
    pub discount_amount_v2: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub paid_point_v2: Option<i64>,
    #[serde(default, deserialize_with = "lenient::amount")]
    pub paid_amount: i64,
    #[serde(default, deserialize_with = "lenient::number")]
    pub refundable_amount: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub amount_taxable: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub amount_tax_free: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub amount_vat: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub amount_service_fee: Option<i64>,
    #[serde(default)]
    pub account_bank_code: Option<String>,
    #[serde(default)]
    pub account_bank_name: Option<String>,
    #[serde(default)]
    pub account_number: Option<String>,
    #[serde(default)]
    pub card: Option<Card>,
    #[serde(default)]
    pub transactions: Vec<Step>,
    #[serde(default, with = "crate::timestamp::option")]
    pub created_ts: Option<OffsetDateTime>,
    #[serde(default, with = "crate::timestamp::option")]
    pub paid_ts: Option<OffsetDateTime>,
}

impl Payment {
    /// What can still go back. Toss says it; where it does not, it is what was taken less what went back.
    pub fn left(&self) -> i64 {
        let went_back: i64 = self.refunds().map(|step| step.transaction_amount.abs()).sum();
        match self.refundable_amount {
            Some(left) => left,
            None if self.pay_status.is_paid() => (self.amount - went_back).max(0),
            None => 0,
        }
    }

    /// Money that went back.
    pub fn refunds(&self) -> impl Iterator<Item = &Step> {
        self.transactions.iter().filter(|step| step.step_type == StepType::Refund)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// 1 to 10.
    #[serde(default, deserialize_with = "lenient::number")]
    pub card_company_code: Option<i64>,
    #[serde(default)]
    pub card_company_name: Option<String>,
    #[serde(default)]
    pub card_number: Option<String>,
    #[serde(default)]
    pub card_method_type: Option<String>,
    #[serde(default)]
    pub card_authorization_no: Option<String>,
    /// Months; 0 at once.
    #[serde(default, deserialize_with = "lenient::number")]
    pub spread_out: Option<i64>,
    #[serde(default, deserialize_with = "lenient::truth")]
    pub no_interest: Option<bool>,
    #[serde(default)]
    pub sales_check_link_url: Option<String>,
}

/// One movement of money. A refund's `transactionAmount` is negative.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub step_type: StepType,
    pub transaction_id: String,
    #[serde(default, deserialize_with = "lenient::amount")]
    pub transaction_amount: i64,
    #[serde(default, deserialize_with = "lenient::amount")]
    pub paid_amount: i64,
    #[serde(default, deserialize_with = "lenient::amount")]
    pub discounted_amount: i64,
    #[serde(default, deserialize_with = "lenient::amount")]
    pub point_amount: i64,
    #[serde(default, with = "crate::timestamp::option")]
    pub reg_ts: Option<OffsetDateTime>,
}

/// Bank codes of this API have three digits (toss-api.md B5.5, C39).
const BANKS: [(&str, &str); 48] = [
    ("002", "KDB산업"),
    ("003", "IBK기업"),
    ("004", "KB국민"),
    ("005", "KEB하나"),
    ("007", "수협"),
    ("011", "NH농협"),
    ("020", "우리"),
    ("023", "SC"),
    ("027", "씨티"),
    ("031", "대구"),
    ("032", "부산"),
    ("034", "광주"),
    ("035", "제주"),
    ("037", "전북"),
    ("039", "경남"),
    ("045", "MG새마을금고"),
    ("048", "신협"),
    ("050", "저축은행"),
    ("064", "산림조합"),
    ("071", "우체국"),
    ("081", "하나"),
    ("088", "신한"),
    ("089", "케이뱅크"),
    ("090", "카카오뱅크"),
    ("092", "토스뱅크"),
    ("103", "SBI저축은행"),
    ("218", "KB증권"),
    ("230", "미래에셋증권"),
    ("238", "미래에셋증권"),
    ("240", "삼성증권"),
    ("243", "한국투자증권"),
    ("247", "NH투자증권"),
    ("261", "교보증권"),
    ("262", "하이투자증권"),
    ("263", "현대차투자증권"),
    ("264", "키움증권"),
    ("265", "이베스트증권"),
    ("266", "SK증권"),
    ("267", "대신증권"),
    ("269", "한화투자증권"),
    ("270", "하나증권"),
    ("271", "토스증권"),
    ("278", "신한투자증권"),
    ("279", "DB금융투자"),
    ("280", "유진투자"),
    ("287", "메리츠증권"),
    ("888", "토스머니"),
    ("889", "토스포인트"),
];

const CARDS: [&str; 10] = ["신한", "현대", "삼성", "국민", "롯데", "하나", "우리", "농협", "씨티", "비씨"];

pub fn bank_name(code: &str) -> Option<&'static str> {
    BANKS.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

/// Of a card company's number, 1 to 10.
pub fn card_name(code: i64) -> Option<&'static str> {
    CARDS.get(usize::try_from(code.checked_sub(1)?).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(change: impl FnOnce(&mut MakePayment)) -> Result<(), Invalid> {
        let mut new = MakePayment {
            order_no: "20250417-2".into(),
            product_desc: "토끼 인형".into(),
            amount: 1000,
            amount_tax_free: 0,
            amount_taxable: None,
            amount_vat: None,
            amount_service_fee: None,
            enable_pay_methods: None,
            cash_receipt: None,
            cash_receipt_trade_option: None,
            installment: None,
        };
        change(&mut new);
        new.check()
    }

    #[test]
    fn what_toss_would_refuse_is_said_before_sending() {
        assert_eq!(payment(|_| {}), Ok(()));
        assert_eq!(payment(|p| (p.amount_taxable, p.amount_vat) = (Some(909), Some(91))), Ok(()));
        for id in ["", "a b", "주문", &"x".repeat(51), "a/b"] {
            assert_eq!(payment(|p| p.order_no = id.into()), Err(Invalid::OrderNo), "{id}");
        }
        assert_eq!(payment(|p| p.amount = 10_000_000), Err(Invalid::Amount("amount")));
        assert_eq!(payment(|p| p.amount = 0), Err(Invalid::Amount("amount")));
        assert_eq!(payment(|p| p.amount_tax_free = -1), Err(Invalid::Amount("amountTaxFree")));
        assert_eq!(payment(|p| p.amount_tax_free = 1001), Err(Invalid::Sum));
        assert_eq!(payment(|p| (p.amount_taxable, p.amount_vat) = (Some(900), Some(91))), Err(Invalid::Sum));
        for desc in ["", "  ", "a\\b", "say \"hi\"", &"x".repeat(256)] {
            assert_eq!(payment(|p| p.product_desc = desc.into()), Err(Invalid::ProductDesc), "{desc}");
        }
        assert_eq!(payment(|p| p.enable_pay_methods = Some("CASH".into())), Err(Invalid::EnablePayMethods));
        assert!(PayToken::parse(&"x".repeat(30)).is_ok() && PayToken::parse(&"x".repeat(31)).is_err());
        assert!(PayToken::parse("a/../b").is_err() && PayToken::parse("").is_err());
    }

    #[test]
    fn a_reason_says_what_is_stripped() {
        let reason = RefundReason::parse("고객 변심 ★ (파손) ~").unwrap();
        assert_eq!((reason.sent.as_str(), reason.stripped), ("고객변심(파손)", vec!['~', '★']));
        assert!(RefundReason::parse(&"가".repeat(55)).is_ok());
        assert_eq!(RefundReason::parse(&"가".repeat(56)), Err(Invalid::ReasonTooLong));
        assert_eq!(RefundReason::parse("★ ~"), Err(Invalid::ReasonEmpty));
    }
}
