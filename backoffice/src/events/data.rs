//! What an event says, in Toss's own member names where Toss has one. Nobody's name, phone, mail or account is in it, and no text
//! that somebody of the staff has typed.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Kind;
use crate::Fault;

/// What happened to what.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Data {
    Order(Order),
    Refund(Refund),
    CashReceipt(CashReceipt),
    Iap(Iap),
    User(User),
    Promotion(Promotion),
    Difference(Difference),
    Silence(Silence),
    Test(Test),
}

/// An order as it stands after the change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    pub order_id: String,
    pub order_name: String,
    /// `toss_payments` or `toss_pay`
    pub rail: String,
    /// Toss's own word.
    pub status: String,
    #[serde(with = "toss::decimal")]
    pub amount: Decimal,
    #[serde(with = "toss::decimal::option")]
    pub balance_amount: Option<Decimal>,
    pub currency: String,
    pub method: Option<String>,
    pub payment_key: Option<String>,
    pub user_key: Option<String>,
    #[serde(with = "toss::timestamp::option")]
    pub approved_at: Option<OffsetDateTime>,
}

/// A refund as it stands after the change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    pub refund_id: Uuid,
    pub order_id: String,
    pub payment_key: String,
    /// requested, waiting_for_approval, approved, sending, unknown, succeeded, failed, declined, withdrawn, lapsed
    pub state: String,
    #[serde(with = "toss::decimal")]
    pub cancel_amount: Decimal,
    pub currency: String,
    pub reason_code: String,
    pub transaction_key: Option<String>,
    /// Toss's, of a refund that failed.
    pub code: Option<String>,
    /// accepted, at_the_bank, arrived, partly_arrived or returned
    pub stage: Option<String>,
    /// The day in Korea by which the buyer has it.
    pub expected_on: Option<String>,
}

/// A cash receipt, or the cancel of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct CashReceipt {
    pub receipt_id: Uuid,
    pub order_id: String,
    /// `CONFIRM` or `CANCEL`
    pub transaction_type: String,
    #[serde(with = "toss::decimal")]
    pub amount: Decimal,
    pub receipt_key: Option<String>,
    pub issue_number: Option<String>,
    /// Toss's, of one that failed.
    pub code: Option<String>,
}

/// An in-app purchase as the store tells of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Iap {
    pub order_id: String,
    pub user_key: Option<i64>,
    pub sku: Option<String>,
    /// `ANDROID` or `IOS`
    pub platform: Option<String>,
    /// Toss's own word.
    pub status: Option<String>,
    #[serde(with = "toss::timestamp::option")]
    pub refunded_at: Option<OffsetDateTime>,
}

/// A user of the mini-app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub user_key: i64,
    /// Who has ended the link: `UNLINK`, `WITHDRAWAL_TERMS`, `WITHDRAWAL_TOSS`, or `PARTNER` for us.
    pub referrer: Option<String>,
}

/// Points of a promotion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promotion {
    pub grant_id: Uuid,
    pub promotion_code: String,
    pub user_key: i64,
    pub amount: i64,
    /// Toss's, of one that failed.
    pub code: Option<String>,
}

/// Our books, Toss's list and its settlement, of one transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    pub transaction_key: String,
    pub occurrence: i32,
    pub order_id: Option<String>,
    pub payment_key: Option<String>,
    /// What does not agree.
    pub class: String,
    /// The day in Korea.
    pub day: String,
    #[serde(with = "toss::decimal::option")]
    pub ours: Option<Decimal>,
    #[serde(with = "toss::decimal::option")]
    pub toss: Option<Decimal>,
    #[serde(with = "toss::decimal::option")]
    pub settled: Option<Decimal>,
    pub currency: String,
}

/// Nothing comes from Toss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    #[serde(with = "toss::timestamp")]
    pub since: OffsetDateTime,
    /// Deliveries that the same hours of the last days brought, on average.
    pub usual: f64,
}

/// Somebody tries an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    pub endpoint_id: Uuid,
    pub message: String,
}

impl Data {
    /// What the order of telling is kept for.
    pub fn subject(&self) -> String {
        match self {
            Self::Order(order) => order_subject(&order.order_id),
            Self::Refund(refund) => order_subject(&refund.order_id),
            Self::CashReceipt(receipt) => order_subject(&receipt.order_id),
            Self::Iap(order) => format!("iap:{}", order.order_id),
            Self::User(user) => format!("user:{}", user.user_key),
            Self::Promotion(grant) => format!("grant:{}", grant.grant_id),
            Self::Difference(difference) => {
                format!("difference:{}:{}", difference.transaction_key, difference.occurrence)
            }
            Self::Silence(_) => "webhooks".to_owned(),
            Self::Test(test) => format!("endpoint:{}", test.endpoint_id),
        }
    }

    /// # Errors
    /// It was written by a version with other members.
    pub fn read(kind: Kind, data: Value) -> Result<Self, Fault> {
        use Kind::*;
        Ok(match kind {
            OrderPaid
            | OrderWaitingForDeposit
            | OrderDeposited
            | OrderFailed
            | OrderExpired
            | OrderCanceled
            | OrderPartiallyCanceled => Self::Order(read(data)?),
            RefundRequested | RefundDeclined | RefundSucceeded | RefundFailed | RefundArrived
            | RefundReturned => Self::Refund(read(data)?),
            CashReceiptIssued | CashReceiptCanceled | CashReceiptFailed => Self::CashReceipt(read(data)?),
            IapPurchased | IapRefundRequested | IapRefunded => Self::Iap(read(data)?),
            UserLinked | UserUnlinked => Self::User(read(data)?),
            PromotionGranted | PromotionFailed => Self::Promotion(read(data)?),
            DifferenceFound | DifferenceResolved => Self::Difference(read(data)?),
            WebhookSilent => Self::Silence(read(data)?),
            EndpointTest => Self::Test(read(data)?),
        })
    }
}

/// The subject of everything about an order.
pub fn order_subject(order_id: &str) -> String {
    format!("order:{order_id}")
}

fn read<T: DeserializeOwned>(data: Value) -> Result<T, Fault> {
    serde_json::from_value(data).map_err(Fault::unreadable("an event"))
}
