//! How figures, times, names and codes look on the screen.

pub use backoffice::masking::{mask_email, mask_name, mask_number, mask_phone};
use backoffice::{Decimal, clock::SEOUL, money};
use time::{Date, OffsetDateTime, macros::format_description};

use crate::i18n::{Lang, Translator};

/// What waits for people is counted up to a hundred.
pub fn counted(count: i64) -> String {
    if count >= 100 { "100+".to_owned() } else { count.to_string() }
}

/// `52,500원`, `₩52,500` in English, `USD 12.50`.
pub fn amount(words: Translator, amount: Decimal, currency: &str) -> String {
    let figures = money::group(amount, currency);
    match (currency, words.lang) {
        ("KRW", Lang::Ko) => format!("{figures}원"),
        ("KRW", Lang::En) => format!("₩{figures}"),
        _ => format!("{currency} {figures}"),
    }
}

/// Where the figures go in an amount of won, for words that an island fills in.
pub fn amount_pattern(words: Translator) -> String {
    match words.lang {
        Lang::Ko => "{}원".into(),
        Lang::En => "₩{}".into(),
    }
}

/// Figures only, with the currency where it is not won: for columns.
pub fn figures(amount: Decimal, currency: &str) -> String {
    let figures = money::group(amount, currency);
    if currency == "KRW" { figures } else { format!("{currency} {figures}") }
}

/// `1,234`
pub fn count(n: i64) -> String {
    money::group(Decimal::from(n), "KRW")
}

/// `2.75%` of a whole; a dash when there is no whole.
pub fn percent(part: Decimal, whole: Decimal) -> String {
    match (part * Decimal::ONE_HUNDRED).checked_div(whole) {
        Some(percent) => format!("{}%", money::group(percent.round_dp(2), "USD")),
        None => "–".into(),
    }
}

/// Beside the axis of a chart, where full figures have no room: `1,200만`, `1.5M`. The largest amount of the chart
/// chooses the unit for all.
pub fn on_axis(words: Translator, amount: Decimal, largest: Decimal, currency: &str) -> String {
    // From which amount on, the unit, its word.
    let units: [(i64, i64, &str); 3] = match words.lang {
        Lang::Ko => [
            (1_000_000_000_000, 1_000_000_000_000, "조"),
            (100_000_000, 100_000_000, "억"),
            (100_000, 10_000, "만"),
        ],
        Lang::En => [(1_000_000_000, 1_000_000_000, "B"), (1_000_000, 1_000_000, "M"), (10_000, 1000, "K")],
    };
    let unit = units.iter().find(|(from, ..)| largest >= Decimal::from(*from));
    let (unit, word) = unit.map_or((1, ""), |(_, unit, word)| (*unit, *word));
    let scaled = (amount / Decimal::from(unit)).normalize();
    match scaled.is_integer() {
        true if scaled.is_zero() => "0".into(),
        true => format!("{}{word}", money::group(scaled, "KRW")),
        false if word.is_empty() => money::group(amount, currency),
        false => format!("{scaled}{word}").replace('-', "−"),
    }
}

/// `11.21 14:02`
pub fn short_time(at: OffsetDateTime) -> String {
    at.to_offset(SEOUL).format(format_description!("[month].[day] [hour]:[minute]")).unwrap_or_default()
}

/// `14:02:11`
pub fn clock_time(at: OffsetDateTime) -> String {
    at.to_offset(SEOUL).format(format_description!("[hour]:[minute]:[second]")).unwrap_or_default()
}

/// `2026-11-21 14:02:11 KST`, for hovering.
pub fn full_time(at: OffsetDateTime) -> String {
    at.to_offset(SEOUL)
        .format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second] KST"))
        .unwrap_or_default()
}

pub fn day(at: OffsetDateTime) -> String {
    iso_day(at.to_offset(SEOUL).date())
}

pub fn iso_day(day: Date) -> String {
    day.format(format_description!("[year]-[month]-[day]")).unwrap_or_default()
}

/// Machine-readable, for `<time datetime>`.
pub fn iso(at: OffsetDateTime) -> String {
    at.to_offset(SEOUL)
        .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]+09:00"))
        .unwrap_or_default()
}

/// What is said of a failure, with its code where there is one.
pub fn with_code(text: Option<&str>, code: Option<&str>) -> Option<String> {
    match (text.filter(|text| !text.is_empty()), code) {
        (Some(text), Some(code)) => Some(format!("{text} ({code})")),
        (None, Some(code)) => Some(code.to_owned()),
        (text, None) => text.map(str::to_owned),
    }
}

/// Members of Toss's bodies whose value may be shown: ids of trade, amounts, times, statuses, words of the contract.
/// What is not in here may be anything, also what Toss adds tomorrow.
#[rustfmt::skip]
const SHOWN: &[&str] = &[
    "accountType", "acquirerCode", "acquireStatus", "amount", "amountTaxFree", "amountVat",
    "approvedAt", "approveNo", "balanceAmount", "bank", "bankCode", "businessType",
    "cancelAmount", "canceledAt", "cancelReason", "cancelRequestId", "cancelStatus", "cardType",
    "carrier", "cashReceiptKey", "cashReceiptMgtKey", "code", "count", "country",
    "createdAt", "cultureExpense", "currency", "discount", "discountAmount", "dueDate",
    "easyPayCardDiscountAmount", "easyPayDiscountAmount", "easyPayMonthlyInstallmentDiscountAmount", "easyPayType", "entityType", "errorCode",
    "eventId", "eventType", "expired", "fee", "feeType", "hostedPayment",
    "id", "installmentPlanMonths", "interestFee", "interestPayer", "isInterestFree", "isPartialCancelable",
    "issuedAt", "issuerCode", "issueStatus", "lastTransactionKey", "method",
    "mId", "orderId", "orderName", "orderNo", "ownerType", "paidOutDate",
    "paymentKey", "payMethod", "payOutAmount", "payoutDate", "payStatus", "payToken",
    "point", "productDesc", "provider", "publishedAt", "receiptKey",
    "refPayoutId", "refSellerId", "refundableAmount", "refundedAmount", "refundNo", "refundReason",
    "refundStatus", "registeredAt", "requestedAt", "result", "resultType", "retryCount",
    "returnCode", "salesCheckLinkUrl", "scheduleType", "seller", "sellerId", "settlementAmount",
    "settlementStatus", "soldDate", "status", "subMallId", "suppliedAmount", "supplyAmount",
    "taxAmount", "taxExemptionAmount", "taxFreeAmount", "totalAmount", "transactionAt",
    "transactionId", "transactionKey", "transactionTs", "transactionType", "transferDiscountAmount", "txType",
    "type", "updatedAt", "url", "useCardPoint", "useEscrow", "userKey",
    "vat", "version",
];

/// Translator of the contract are words, and times are times: what else stands in their place may be anything.
fn fits(name: &str, text: &str) -> bool {
    if name.ends_with("At") || name.ends_with("Date") || name.ends_with("Ts") {
        let of_time = |c: char| c.is_ascii_digit() || "-:T.+Z ".contains(c);
        return text.get(4..5).is_none_or(|dash| dash == "-") && text.chars().all(of_time);
    }
    let is_word = name.ends_with("tatus") || name.ends_with("Type") || matches!(name, "type" | "method");
    let digits = text.chars().filter(char::is_ascii_digit).count();
    !is_word || (text.chars().count() <= 64 && digits <= 2 && !text.contains(' '))
}

const BLOT: &str = "•••";

/// A Toss body as it may be shown: personal members masked at any depth, secrets and what is not known blotted out.
pub fn redact(body: &mut serde_json::Value) {
    // A text that is the whole body is none of Toss's members.
    redact_member("", body);
}

fn redact_member(name: &str, value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Object(members) => {
            // What a person is called; a company's name is no secret.
            let of_a_name = if name == "individual" { "customerName" } else { "orderName" };
            for (name, member) in members.iter_mut() {
                redact_member(if name == "name" { of_a_name } else { name }, member);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact_member(name, item)),
        Value::Null | Value::Bool(_) => {}
        Value::String(text) => {
            let masked = match name {
                "customerName" | "depositorName" | "holderName" | "representativeName" => mask_name(text),
                "customerMobilePhone" | "customerPhoneNumber" | "phone" => mask_phone(text),
                "customerEmail" | "email" => mask_email(text),
                "accountNumber"
                | "customerIdentityNumber"
                | "billingKey"
                | "businessRegistrationNumber"
                | "number" => mask_number(text),
                name if SHOWN.contains(&name) && fits(name, text) => return,
                _ => BLOT.to_owned(),
            };
            *text = masked;
        }
        Value::Number(_) if SHOWN.contains(&name) => {}
        Value::Number(_) => *value = Value::String(BLOT.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_on_an_axis_are_short() {
        let (ko, en) = (Translator::new(Lang::Ko), Translator::new(Lang::En));
        let on_axis = |words, largest: i64, n: i64| on_axis(words, n.into(), largest.into(), "KRW");
        assert_eq!(
            [0, 5_000_000, -12_000_000].map(|n| on_axis(ko, 20_000_000, n)),
            ["0", "500만", "−1,200만"]
        );
        assert_eq!([50_000_000, -150_000_000].map(|n| on_axis(ko, 160_000_000, n)), ["0.5억", "−1.5억"]);
        assert_eq!([0, 500_000, 12_000_000].map(|n| on_axis(en, 20_000_000, n)), ["0", "0.5M", "12M"]);
        assert_eq!([500, 1000, 1500].map(|n| on_axis(en, 1700, n)), ["500", "1,000", "1,500"]);
        assert_eq!(super::on_axis(en, Decimal::new(1250, 2), Decimal::from(20), "USD"), "12.50");
    }

    #[test]
    fn a_share_of_nothing_is_a_dash() {
        assert_eq!(percent(2750.into(), 100_000.into()), "2.75%");
        assert_eq!(percent((-33).into(), (-1000).into()), "3.30%");
        assert_eq!(percent(100.into(), 0.into()), "–");
    }

    #[test]
    fn nothing_personal_is_left_in_a_body() {
        let mut body = serde_json::json!({ "secret": "ps_1", "virtualAccount": { "customerName": "홍길동",
            "refundReceiveAccount": { "holderName": "홍길동", "accountNumber": "110123456789" } },
            "mobilePhone": { "customerMobilePhone": { "plain": "01012345678", "masking": "010****5678" } } });
        redact(&mut body);
        let text = body.to_string();
        for personal in ["ps_1", "홍길동", "110123456789", "01012345678"] {
            assert!(!text.contains(personal), "{text}");
        }
        // Neither in a member of tomorrow, nor in a body that is nothing but a text.
        let mut new = serde_json::json!({ "status": "DONE", "buyer": { "passport": "M1234", "amount": 5 } });
        redact(&mut new);
        assert_eq!(new, serde_json::json!({ "status": "DONE", "buyer": { "passport": "•••", "amount": 5 } }));
        let mut text = serde_json::json!("{\"secret\":\"ps_1\"}");
        redact(&mut text);
        assert_eq!(text, serde_json::json!("•••"));
    }
}
