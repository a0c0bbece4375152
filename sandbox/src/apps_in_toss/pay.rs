//! Toss Pay payments through their nine states (toss-api.md B5).

use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::format_description};
use uuid::Uuid;

use super::{Change, MiniApp, Outcome, Refused, refused};
use crate::ids;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    pub pay_token: String,
    pub order_no: String,
    pub user_key: i64,
    pub product_desc: String,
    pub amount: i64,
    pub amount_tax_free: i64,
    pub amount_taxable: i64,
    pub amount_vat: i64,
    pub amount_service_fee: i64,
    pub pay_status: String,
    pub pay_method: Option<String>,
    /// Instant discount, and Toss points, that the buyer did not pay.
    pub discount: i64,
    pub point: i64,
    pub steps: Vec<Step>,
    #[serde(with = "toss::timestamp")]
    pub created_at: OffsetDateTime,
    #[serde(with = "toss::timestamp::option")]
    pub paid_at: Option<OffsetDateTime>,
    pub choice: Choice,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub step_type: String,
    pub transaction_id: String,
    pub amount: i64,
    #[serde(with = "toss::timestamp")]
    pub at: OffsetDateTime,
}

/// What the buyer picks in the Toss app, and how the payment is going to behave.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Choice {
    /// `TOSS_MONEY` or `CARD`
    pub pay_method: Option<String>,
    pub discount: i64,
    pub point: i64,
    /// execute-payment answers with this code inside a success.
    pub decline: Option<String>,
    /// Taking the money stays `PAY_PROGRESS` until somebody finishes it.
    pub slow_payment: bool,
    /// Giving it back stays `REFUND_PROGRESS` until somebody finishes it.
    pub slow_refund: bool,
}

fn stamp(at: OffsetDateTime) -> String {
    let seoul = at.to_offset(toss::timestamp::SEOUL);
    seoul.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]")).unwrap_or_default()
}

fn parameter() -> Refused {
    Refused { status: 400, ..refused("COMMON_INVALID_PARAMETER") }
}

fn not_found() -> Refused {
    Refused {
        status: 404,
        code: "PAYMENT_NOT_FOUND",
        reason: "존재하지 않는 결제입니다.",
        retry_after_seconds: None,
    }
}

/// This is no Toss: what says that it moves real money is refused loudly.
fn is_test(body: &Value) -> Result<(), Refused> {
    match body["isTestPayment"].as_bool() {
        Some(true) => Ok(()),
        Some(false) => Err(Refused {
            status: 400,
            code: "LIVE_PAYMENT_AT_SANDBOX",
            reason: "isTestPayment was false: this is a sandbox, no money moves here.",
            retry_after_seconds: None,
        }),
        None => Err(parameter()),
    }
}

fn order_no(body: &Value) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-:.^@".contains(&b);
    body["orderNo"].as_str().filter(|t| (1..=50).contains(&t.len()) && t.bytes().all(plain))
}

fn won(body: &Value, name: &str) -> Result<Option<i64>, Refused> {
    match &body[name] {
        Value::Null => Ok(None),
        value => value.as_i64().filter(|n| (0..=9_999_999).contains(n)).map(Some).ok_or_else(parameter),
    }
}

impl Payment {
    fn step(&mut self, step_type: &str, amount: i64, at: OffsetDateTime) -> String {
        let transaction_id = Uuid::new_v4().to_string();
        let step_type = step_type.to_owned();
        self.steps.push(Step { step_type, transaction_id: transaction_id.clone(), amount, at });
        transaction_id
    }

    fn left(&self) -> i64 {
        match self.pay_status.as_str() {
            "PAY_COMPLETE" | "REFUND_PROGRESS" => self.steps.iter().map(|s| s.amount).sum(),
            _ => 0,
        }
    }

    fn paid_amount(&self) -> i64 {
        self.amount - self.discount - self.point
    }

    fn status(&self) -> Value {
        let money = self.pay_method.as_deref() == Some("TOSS_MONEY");
        let card = self.pay_method.as_deref() == Some("CARD");
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|s| {
                json!({ "stepType": s.step_type, "transactionId": s.transaction_id, "transactionAmount": s.amount,
                        "paidAmount": self.paid_amount(), "discountedAmount": self.discount, "pointAmount": self.point,
                        "regTs": stamp(s.at) })
            })
            .collect();
        let mut body = json!({
            "mode": "TEST", "payToken": self.pay_token, "orderNo": self.order_no, "payStatus": self.pay_status,
            "payMethod": self.pay_method, "amount": self.amount, "discountedAmount": self.discount + self.point,
            "discountAmountV2": self.discount, "paidPointV2": self.point, "paidAmount": self.paid_amount(),
            "refundableAmount": self.left(), "amountTaxable": self.amount_taxable, "amountTaxFree": self.amount_tax_free,
            "amountVat": self.amount_vat, "amountServiceFee": self.amount_service_fee, "disposableCupDeposit": 0,
            "transactions": steps, "createdTs": stamp(self.created_at), "paidTs": self.paid_at.map(stamp),
        });
        if money {
            body["accountBankCode"] = json!("092");
            body["accountBankName"] = json!("토스뱅크");
            body["accountNumber"] = json!("100******094");
        }
        if card {
            body["card"] = json!({
                "noInterest": false, "spreadOut": 0, "cardAuthorizationNo": "30019610", "cardMethodType": "CREDIT",
                "cardUserType": "PERSONAL", "cardNumber": "557042******700*", "cardBinNumber": "557042", "cardNum4Print": "700*",
                "salesCheckLinkUrl": format!("https://pay.toss.im/payfront/web/external/sales-check?payToken={}", self.pay_token),
                "cardCompanyName": "국민", "cardCompanyCode": 4,
            });
        }
        body
    }
}

impl MiniApp {
    pub fn make_payment(&mut self, user: Option<&str>, body: &Value, now: OffsetDateTime) -> Outcome {
        let user_key = self.user(user)?.user_key;
        is_test(body)?;
        let order_no = order_no(body).ok_or_else(parameter)?.to_owned();
        let desc = body["productDesc"].as_str().unwrap_or_default();
        let amount = won(body, "amount")?.filter(|n| *n > 0).ok_or_else(parameter)?;
        let amount_tax_free = won(body, "amountTaxFree")?.ok_or_else(parameter)?;
        let amount_service_fee = won(body, "amountServiceFee")?.unwrap_or(0);
        if desc.trim().is_empty() || desc.chars().count() > 255 || desc.contains(['\\', '"']) {
            return Err(parameter());
        }
        let taxable = amount - amount_tax_free - amount_service_fee;
        if taxable < 0 {
            return Err(parameter());
        }
        // An order number is never used again, whatever became of its payment.
        if self.payments.values().any(|p| p.order_no == order_no) {
            return Err(refused("PAYMENT_EXISTING_PAYMENT"));
        }
        let amount_vat = won(body, "amountVat")?.unwrap_or((taxable + 10) / 11);
        let payment = Payment {
            pay_token: ids::pay_token(),
            order_no,
            user_key,
            product_desc: desc.to_owned(),
            amount,
            amount_tax_free,
            amount_taxable: won(body, "amountTaxable")?.unwrap_or(taxable - amount_vat),
            amount_vat,
            amount_service_fee,
            pay_status: "PAY_STANDBY".into(),
            pay_method: None,
            discount: 0,
            point: 0,
            steps: Vec::new(),
            created_at: now,
            paid_at: None,
            choice: Choice::default(),
        };
        let answer = json!({ "payToken": payment.pay_token });
        self.put(Change::Payment(Box::new(payment)));
        Ok(answer)
    }

    fn find(&self, user: Option<&str>, body: &Value) -> Result<Payment, Refused> {
        let user_key = self.user(user)?.user_key;
        is_test(body)?;
        let token = body["payToken"].as_str();
        if token.is_some_and(|t| t.len() > 30) {
            return Err(parameter());
        }
        if token.is_none() && order_no(body).is_none() {
            return Err(parameter());
        }
        let found = self.payments.values().find(|p| {
            p.user_key == user_key
                && token.is_none_or(|t| p.pay_token == t)
                && order_no(body).is_none_or(|o| p.order_no == o)
        });
        found.cloned().ok_or_else(not_found)
    }

    pub fn payment_status(&self, user: Option<&str>, body: &Value) -> Outcome {
        Ok(self.find(user, body)?.status())
    }

    pub fn execute_payment(&mut self, user: Option<&str>, body: &Value, now: OffsetDateTime) -> Outcome {
        let mut payment = self.find(user, body)?;
        if payment.pay_status != "PAY_APPROVED" {
            return Err(refused("COMMON_PAY_ERROR"));
        }
        let mut answer = json!({
            "code": 0, "mode": "TEST", "orderNo": payment.order_no, "amount": payment.amount, "approvalTime": stamp(now),
            "stateMsg": "결제 완료", "discountedAmount": payment.discount + payment.point,
            "paidAmount": payment.paid_amount(), "payMethod": payment.pay_method, "payToken": payment.pay_token,
            "transactionId": null, "cardCompanyCode": null, "cardCompanyName": null, "cardAuthorizationNo": null,
            "spreadOut": null, "noInterest": null, "salesCheckLinkUrl": null, "cardMethodType": null, "cardNumber": null,
            "cardUserType": null, "cardNum4Print": null, "cardBinNumber": null, "cashReceiptMgtKey": null,
            "accountBankCode": null, "accountBankName": null, "accountNumber": null, "msg": null, "errorCode": null,
        });
        if let Some(code) = payment.choice.decline.clone() {
            payment.pay_status = "PAY_CANCEL".into();
            answer["code"] = json!(-1);
            answer["errorCode"] = json!(code);
            answer["msg"] = json!("결제가 거절되었습니다.");
            answer["stateMsg"] = json!("결제 실패");
        } else if payment.choice.slow_payment {
            payment.pay_status = "PAY_PROGRESS".into();
            self.put(Change::Payment(Box::new(payment)));
            return Err(refused("COMMON_PAY_ERROR"));
        } else {
            self.complete(&mut payment, now);
            answer["transactionId"] = json!(payment.steps.last().map(|s| s.transaction_id.clone()));
        }
        match payment.pay_method.as_deref() {
            Some("CARD") => {
                answer["cardCompanyCode"] = json!("4");
                answer["cardCompanyName"] = json!("국민");
                answer["spreadOut"] = json!("0");
                answer["noInterest"] = json!("false");
            }
            _ => {
                answer["accountBankCode"] = json!("092");
                answer["accountBankName"] = json!("토스뱅크");
                answer["accountNumber"] = json!("100******094");
            }
        }
        self.put(Change::Payment(Box::new(payment)));
        Ok(answer)
    }

    fn complete(&self, payment: &mut Payment, now: OffsetDateTime) {
        payment.pay_status = "PAY_COMPLETE".into();
        payment.paid_at = Some(now);
        payment.step("PAY", payment.amount, now);
    }

    pub fn refund_payment(&mut self, user: Option<&str>, body: &Value, now: OffsetDateTime) -> Outcome {
        let mut payment = self.find(user, body)?;
        let taken = |c: char| {
            c.is_ascii_alphanumeric()
                || ('가'..='힣').contains(&c)
                || ('ㄱ'..='ㅎ').contains(&c)
                || ('ㅏ'..='ㅣ').contains(&c)
                || "_-:.^@()[]#/!%?&".contains(c)
        };
        let reason = body["reason"].as_str().unwrap_or_default();
        if reason.is_empty() || reason.chars().count() > 55 || !reason.chars().all(taken) {
            return Err(parameter());
        }
        if self.users.get(&payment.user_key).is_some_and(|u| u.withdrawn) {
            return Err(refused("INACTIVE_USER"));
        }
        if payment.pay_status != "PAY_COMPLETE" {
            return Err(refused("COMMON_REFUND_ERROR"));
        }
        let left = payment.left();
        let transaction_id = payment.step("REFUND", -left, now);
        payment.pay_status =
            if payment.choice.slow_refund { "REFUND_PROGRESS" } else { "REFUND_SUCCESS" }.into();
        let refund_no = Uuid::new_v4().to_string();
        // The sign of refundedAmount differs from sample to sample (toss-api.md C40): both are tried.
        let sign = if rand::rng().random_bool(0.5) { 1 } else { -1 };
        let answer = json!({
            "refundNo": refund_no, "approvalTime": stamp(now), "cashReceiptMgtKey": null, "refundableAmount": 0,
            "discountedAmount": payment.discount + payment.point, "paidAmount": payment.paid_amount(),
            "refundedAmount": sign * left, "refundedDiscountAmount": payment.discount + payment.point,
            "refundedPaidAmount": payment.paid_amount(), "payToken": payment.pay_token, "transactionId": transaction_id,
            "cardMethodType": null, "cardNumber": null, "cardUserType": null, "cardNum4Print": null, "cardBinNumber": null,
            "accountBankCode": null, "accountBankName": null, "accountNumber": null,
        });
        self.put(Change::Payment(Box::new(payment)));
        Ok(answer)
    }

    /// The buyer authenticates in the Toss app.
    pub fn authenticate(&mut self, pay_token: &str, choice: Choice) -> Option<Payment> {
        let mut payment = self.payments.get(pay_token).filter(|p| p.pay_status == "PAY_STANDBY")?.clone();
        payment.pay_status = "PAY_APPROVED".into();
        payment.pay_method = Some(choice.pay_method.clone().unwrap_or_else(|| "TOSS_MONEY".into()));
        payment.discount = choice.discount;
        payment.point = choice.point;
        payment.choice = choice;
        self.put(Change::Payment(Box::new(payment.clone())));
        Some(payment)
    }

    /// What time, a bank or somebody at the console does.
    pub fn move_payment(&mut self, pay_token: &str, to: &str, now: OffsetDateTime) -> Option<Payment> {
        let mut payment = self.payments.get(pay_token)?.clone();
        match (payment.pay_status.as_str(), to) {
            ("PAY_STANDBY" | "PAY_APPROVED", "PAY_CANCEL")
            | ("PAY_COMPLETE", "SETTLEMENT_COMPLETE")
            | ("REFUND_PROGRESS", "REFUND_SUCCESS")
            | ("REFUND_SUCCESS", "SETTLEMENT_REFUND_COMPLETE") => payment.pay_status = to.to_owned(),
            ("PAY_PROGRESS", "PAY_COMPLETE") => self.complete(&mut payment, now),
            // Refunded in Toss's own console.
            ("PAY_COMPLETE", "REFUND_SUCCESS") => {
                let left = payment.left();
                payment.step("REFUND", -left, now);
                payment.pay_status = to.to_owned();
            }
            _ => return None,
        }
        self.put(Change::Payment(Box::new(payment.clone())));
        Some(payment)
    }

    pub fn payment(&self, pay_token: &str) -> Option<&Payment> {
        self.payments.get(pay_token)
    }
}
