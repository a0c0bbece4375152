//! One row of `GET /v1/settlements` (toss-api.md A8).

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

use super::{
    Cancel, Card, EasyPay, GiftCertificate, Method, MobilePhone, OrderId, PaymentKey, TransactionKey,
    Transfer, VirtualAccount,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settlement {
    #[serde(default)]
    pub m_id: Option<String>,
    pub payment_key: PaymentKey,
    pub transaction_key: TransactionKey,
    pub order_id: OrderId,
    #[serde(default)]
    pub currency: Option<String>,
    #[serde(default)]
    pub method: Option<Method>,
    /// Negative on a cancel row.
    #[serde(with = "crate::decimal")]
    pub amount: Decimal,
    #[serde(default, with = "crate::decimal::option")]
    pub interest_fee: Option<Decimal>,
    #[serde(default, with = "crate::decimal::option")]
    pub fee: Option<Decimal>,
    /// Absent on shops of version 1.x.
    #[serde(default)]
    pub fees: Option<Vec<Fee>>,
    /// `supplyAmount + vat = fee`. Some copies of the reference spell it `suppliedAmount`.
    #[serde(default, with = "crate::decimal::option", alias = "suppliedAmount")]
    pub supply_amount: Option<Decimal>,
    #[serde(default, with = "crate::decimal::option")]
    pub vat: Option<Decimal>,
    /// `amount − fee`.
    #[serde(default, with = "crate::decimal::option")]
    pub pay_out_amount: Option<Decimal>,
    /// On a cancel row: when the original was approved.
    #[serde(default, with = "crate::timestamp::option")]
    pub approved_at: Option<OffsetDateTime>,
    #[serde(with = "crate::timestamp::date")]
    pub sold_date: Date,
    #[serde(with = "crate::timestamp::date")]
    pub paid_out_date: Date,
    #[serde(default)]
    pub card: Option<Card>,
    #[serde(default)]
    pub easy_pay: Option<EasyPay>,
    #[serde(default)]
    pub gift_certificate: Option<GiftCertificate>,
    #[serde(default)]
    pub mobile_phone: Option<MobilePhone>,
    #[serde(default)]
    pub transfer: Option<Transfer>,
    #[serde(default)]
    pub virtual_account: Option<VirtualAccount>,
    #[serde(default)]
    pub cancel: Option<Cancel>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fee {
    /// BASE, INSTALLMENT_DISCOUNT, INSTALLMENT, POINT_SAVING or ETC.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(with = "crate::decimal")]
    pub fee: Decimal,
}

/// Which day of a settlement a window is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettlementDate {
    Sold,
    PaidOut,
}

impl SettlementDate {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sold => "soldDate",
            Self::PaidOut => "paidOutDate",
        }
    }
}
