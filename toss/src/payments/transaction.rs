//! One row of `GET /v1/transactions` (toss-api.md A7): an approval, an issued account, a deposit or a cancel.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{OrderId, PaymentKey, PaymentStatus, TransactionKey};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    #[serde(default)]
    pub m_id: Option<String>,
    pub transaction_key: TransactionKey,
    pub payment_key: PaymentKey,
    pub order_id: OrderId,
    #[serde(default)]
    pub method: Option<super::Method>,
    #[serde(default)]
    pub customer_key: Option<String>,
    #[serde(default)]
    pub use_escrow: Option<bool>,
    #[serde(default)]
    pub receipt_url: Option<String>,
    /// The payment's status at that moment.
    pub status: PaymentStatus,
    #[serde(with = "crate::timestamp")]
    pub transaction_at: OffsetDateTime,
    #[serde(default)]
    pub currency: Option<String>,
    /// The sign of a cancel row is not documented: take it from `status`, the size from here.
    #[serde(with = "crate::decimal")]
    pub amount: Decimal,
}
