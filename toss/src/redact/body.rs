//! What of a body may be written down: members that the contract knows, each in the form that it has there. Nothing that
//! people write, nobody's name, number, account or address, no secret and no link; and nothing that Toss adds tomorrow.

use serde_json::{Map, Value};

use super::{UNKNOWN_CODE, code, version};

/// Items of a list that are kept.
const ITEMS: usize = 20;

/// What stands in a member.
#[derive(Clone, Copy)]
enum Form {
    /// More members.
    Inside,
    Figure,
    Flag,
    /// A word of the contract.
    Word,
    /// Of a bank or a card company: two or three characters.
    Institution,
    Code,
    Time,
    Version,
    /// Of an order or a payment. Only the one that was asked about: what else stands in its place may be anything.
    Id,
    /// Toss's own name for a transaction.
    Key,
}

#[rustfmt::skip]
const MEMBERS: &[(Form, &[&str])] = &[
    (Form::Inside, &[
        "card", "cancels", "cashReceipt", "cashReceipts", "data", "discount", "easyPay", "error", "failure", "giftCertificate",
        "mobilePhone", "result", "success", "transactions", "transfer", "virtualAccount",
    ]),
    (Form::Figure, &[
        "amount", "amountServiceFee", "amountTaxable", "amountTaxFree", "amountVat", "balanceAmount", "cancelAmount",
        "cardInstallmentPlan", "discountAmount", "discountAmountV2", "discountedAmount", "easyPayDiscountAmount", "expiresIn",
        "fee", "installmentPlanMonths", "limit", "msgCount", "page", "paidAmount", "paidPointV2", "pointAmount",
        "refundableAmount", "refundedAmount",
        "retryAfterSeconds", "sentAlimtalkCount", "sentFriendtalkCount", "sentInboxCount", "sentPushCount", "sentSmsCount",
        "size", "suppliedAmount", "taxAmount", "taxExemptionAmount", "taxFreeAmount", "totalAmount", "transactionAmount",
        "transferDiscountAmount", "validHours", "vat",
    ]),
    (Form::Flag, &[
        "cultureExpense", "expired", "hasNext", "isInterestFree", "isPartialCancelable", "isTestPayment", "useCardPoint",
        "useEscrow",
    ]),
    (Form::Word, &[
        "accountType", "acquireStatus", "cancelStatus", "cardType", "country", "currency", "dateType", "interestPayer",
        "issueStatus", "method", "mode", "ownerType", "payMethod", "payStatus", "promotionCode", "provider", "refundStatus",
        "resultType", "settlementStatus", "status", "stepType", "templateSetCode", "tokenType", "transactionType", "txType", "type",
    ]),
    (Form::Institution, &["accountBankCode", "acquirerCode", "bankCode", "issuerCode"]),
    (Form::Code, &["code", "errorCode", "returnCode"]),
    (Form::Time, &[
        "approvalTime", "approvedAt", "canceledAt", "createdTs", "dueDate", "endDate", "paidTs", "regTs", "requestDate",
        "requestedAt", "startDate", "statusDeterminedAt", "transactionAt", "transactionTs",
    ]),
    (Form::Version, &["version"]),
    (Form::Id, &["orderId", "orderNo", "paymentKey", "payToken"]),
    (Form::Key, &["lastTransactionKey", "refundNo", "startingAfter", "transactionId", "transactionKey"]),
];

/// Words that Toss writes in Korean.
#[rustfmt::skip]
const KOREAN: &[&str] = &[
    "카드", "가상계좌", "간편결제", "휴대폰", "계좌이체", "문화상품권", "도서문화상품권", "게임문화상품권", "해외간편결제",
    "신용", "체크", "기프트", "개인", "법인", "미확인", "일반", "고정", "소득공제", "지출증빙", "미발행",
    "토스페이", "네이버페이", "카카오페이", "삼성페이", "애플페이", "페이코", "엘페이", "핀페이",
];

fn form_of(name: &str) -> Option<Form> {
    MEMBERS.iter().find(|(_, names)| names.contains(&name)).map(|(form, _)| *form)
}

fn is_word(text: &str) -> bool {
    code(text) == text || KOREAN.contains(&text)
}

fn is_time(text: &str) -> bool {
    (10..=40).contains(&text.len())
        && text.get(4..5) == Some("-")
        && text.bytes().all(|b| b.is_ascii_digit() || b"-:T.+Z ".contains(&b))
}

fn is_key(text: &str) -> bool {
    let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    let rest = text.strip_prefix("txrd_").unwrap_or_default();
    let is_named = (8..=60).contains(&rest.len())
        && rest.bytes().all(|b| b.is_ascii_alphanumeric())
        && rest.bytes().any(|b| b.is_ascii_alphabetic());
    let is_uuid = text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(n, b)| if matches!(n, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() });
    is_hex || is_named || is_uuid
}

fn kept(form: Form, value: &Value, known: &[&str]) -> Option<Value> {
    let may_stay = match (form, value) {
        (_, Value::Null) | (Form::Flag | Form::Inside, Value::Bool(_)) => true,
        (Form::Inside, Value::Object(members)) => return Some(Value::Object(inside(members, known))),
        (Form::Inside, Value::Array(items)) => {
            let items = items.iter().take(ITEMS).filter_map(|item| kept(Form::Inside, item, known));
            return Some(Value::Array(items.collect()));
        }
        // The whole content of an answer may be one word.
        (Form::Inside, Value::String(text)) => code(text) == *text && text != UNKNOWN_CODE,
        (Form::Figure, Value::Number(_)) => true,
        (Form::Code, Value::Number(number)) => {
            number.as_i64().is_some_and(|n| (-99_999..=99_999).contains(&n))
        }
        (Form::Word, Value::String(text)) => is_word(text),
        (Form::Institution, Value::String(text)) => {
            (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
        }
        (Form::Code, Value::String(text)) => return Some(Value::String(code(text))),
        (Form::Time, Value::String(text)) => is_time(text),
        (Form::Version, Value::String(text)) => version(text).is_some(),
        (Form::Id, Value::String(text)) => known.contains(&text.as_str()),
        (Form::Key, Value::String(text)) => is_key(text),
        _ => false,
    };
    may_stay.then(|| value.clone())
}

fn inside(members: &Map<String, Value>, known: &[&str]) -> Map<String, Value> {
    let kept =
        members.iter().filter_map(|(name, value)| Some((name.clone(), kept(form_of(name)?, value, known)?)));
    kept.collect()
}

/// A body with nothing but what may be written down. `known`: ids that were asked about. Of a list only how many there
/// are: its rows are about others.
pub fn body(body: &Value, known: &[&str]) -> Value {
    match body {
        Value::Object(members) => Value::Object(inside(members, known)),
        Value::Array(items) => count(items.len()),
        _ => Value::Null,
    }
}

/// What is kept of a list.
pub(crate) fn count(items: usize) -> Value {
    serde_json::json!({ "count": items })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_payment_stays_what_the_contract_calls_trade() {
        let payment: Value =
            serde_json::from_str(include_str!("../../tests/bodies/virtual-account.json")).unwrap();
        let id = payment["orderId"].as_str().unwrap();
        let kept = body(&payment, &[id]);
        for name in ["orderId", "status", "method", "totalAmount", "balanceAmount", "approvedAt", "version"] {
            assert_eq!(kept[name], payment[name], "{name}");
        }
        assert_eq!(kept["virtualAccount"]["bankCode"], payment["virtualAccount"]["bankCode"]);
        for name in ["paymentKey", "orderName", "secret", "receipt", "checkout", "metadata"] {
            assert_eq!(kept.get(name), None, "{name}");
        }
        for name in ["accountNumber", "customerName", "refundReceiveAccount", "depositorName"] {
            assert_eq!(kept["virtualAccount"].get(name), None, "{name}");
        }
    }

    #[test]
    fn nothing_stays_that_is_not_what_the_member_is_for() {
        let phone = "01077316482";
        let odd = json!({
            "status": phone, "method": "홍길동", "approvedAt": phone, "totalAmount": "홍길동", "orderId": "MarkedBuyer",
            "paymentKey": "9031775524081", "lastTransactionKey": "9031775524081", "version": phone, "success": phone,
            "card": { "number": "43301234****123*", "issuerCode": phone, "amount": 5 }, "useEscrow": "ps_1",
            "failure": { "code": phone, "message": "free text" }, "cancels": [{ "cancelReason": "홍길동", "cancelAmount": 7 }],
            "tomorrow": { "amount": 3 }, "customerMobilePhone": phone, "url": "https://a.example/?t=1", "reason": "왜",
        });
        assert_eq!(
            body(&odd, &["ord_1"]),
            json!({ "card": { "amount": 5 }, "failure": { "code": UNKNOWN_CODE }, "cancels": [{ "cancelAmount": 7 }] })
        );
        assert_eq!(body(&json!("ps_1"), &[]), Value::Null);
        assert_eq!(body(&json!([{ "orderId": "a" }, { "orderId": "b" }]), &["a"]), json!({ "count": 2 }));
    }

    #[test]
    fn a_mini_app_s_envelope_keeps_how_it_ended() {
        let known = ["pay-token-1"];
        let answer = json!({ "resultType": "SUCCESS", "success": { "payToken": "pay-token-1", "payStatus": "PAY_COMPLETE", "amount": 10,
            "transactionId": "5b1f4c1e-8f5c-4c88-9c53-3b4f3f1c2a10", "accountNumber": "110" } });
        assert_eq!(
            body(&answer, &known),
            json!({ "resultType": "SUCCESS", "success": { "payToken": "pay-token-1", "payStatus": "PAY_COMPLETE", "amount": 10,
                "transactionId": "5b1f4c1e-8f5c-4c88-9c53-3b4f3f1c2a10" } })
        );
        let word = json!({ "resultType": "SUCCESS", "success": "PENDING" });
        assert_eq!(body(&word, &[]), word);
        let secret = json!({ "accessToken": "eyJ", "refreshToken": "xN", "authorizationCode": "c", "key": "k", "context": { "name": "홍길동" } });
        assert_eq!(body(&secret, &[]), json!({}));
    }
}
