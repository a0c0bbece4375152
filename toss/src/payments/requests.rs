//! What is sent to Toss Payments. Members that are `None` are left out: to Toss, absent means "all of it".

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{OrderId, PaymentKey};

/// `POST /v1/payments/confirm` (toss-api.md A4.1).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmRequest {
    pub payment_key: PaymentKey,
    pub order_id: OrderId,
    /// Must equal the amount the buyer authenticated.
    #[serde(with = "crate::decimal")]
    pub amount: Decimal,
}

/// `POST /v1/payments/{paymentKey}/cancel` (toss-api.md A5.1).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelRequest {
    /// 1 to 200 characters.
    pub cancel_reason: String,
    /// `None` cancels the whole balance.
    #[serde(default, with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub cancel_amount: Option<Decimal>,
    /// Only, and always, for a virtual account that was paid into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_receive_account: Option<RefundAccount>,
    #[serde(default, with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub tax_free_amount: Option<Decimal>,
    #[serde(default, with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub tax_exemption_amount: Option<Decimal>,
    /// For PayPal and foreign currencies: the currency of the approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The balance we believe in. Another balance at Toss refuses the cancel: an optimistic lock.
    #[serde(default, with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub refundable_amount: Option<Decimal>,
    /// 6 to 64 characters; only for methods that cancel later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_request_id: Option<String>,
}

/// Where a deposited virtual account's money goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundAccount {
    /// Code or name; see [`super::institutions`].
    pub bank: String,
    /// Up to 20 digits.
    pub account_number: String,
    /// Up to 60 characters; Toss checks that it is the account's holder.
    pub holder_name: String,
}

/// `POST /v1/virtual-accounts` (toss-api.md A4.3).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualAccountRequest {
    #[serde(with = "crate::decimal")]
    pub amount: Decimal,
    pub order_id: OrderId,
    pub order_name: String,
    pub customer_name: String,
    pub bank: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_key: Option<String>,
    /// Default 168, at most 2160; not together with `due_date`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_hours: Option<u32>,
    #[serde(default, with = "crate::timestamp::option", skip_serializing_if = "Option::is_none")]
    pub due_date: Option<OffsetDateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_mobile_phone: Option<String>,
    #[serde(default, with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub tax_free_amount: Option<Decimal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_escrow: Option<bool>,
}

/// `POST /v1/billing/authorizations/issue` (toss-api.md A4.5).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingIssueRequest {
    /// From the success URL; good for one call.
    pub auth_key: String,
    pub customer_key: String,
}

/// `POST /v1/billing/{billingKey}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingChargeRequest {
    #[serde(with = "crate::decimal")]
    pub amount: Decimal,
    pub customer_key: String,
    pub order_id: OrderId,
    pub order_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_installment_plan: Option<u8>,
    #[serde(default, with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub tax_free_amount: Option<Decimal>,
}

/// A billing key cannot be looked up again: store it at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Billing {
    #[serde(default)]
    pub m_id: Option<String>,
    pub customer_key: String,
    #[serde(default, with = "crate::timestamp::option")]
    pub authenticated_at: Option<OffsetDateTime>,
    #[serde(default)]
    pub method: Option<String>,
    pub billing_key: String,
    #[serde(default)]
    pub card: Option<super::Card>,
}

/// `POST /v1/cash-receipts` (toss-api.md A4.6).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CashReceiptRequest {
    #[serde(with = "crate::decimal")]
    pub amount: Decimal,
    pub order_id: OrderId,
    pub order_name: String,
    pub customer_identity_number: String,
    /// 소득공제 or 지출증빙.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub tax_free_amount: Option<Decimal>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CashReceiptPage {
    #[serde(default)]
    pub has_next: bool,
    #[serde(default)]
    pub last_cursor: Option<i64>,
    #[serde(default)]
    pub data: Vec<super::CashReceipt>,
}
