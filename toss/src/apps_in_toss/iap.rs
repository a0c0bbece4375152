//! In-app purchases: one call, which says how an order stands (toss-api.md B6).

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::open_enum::open_enum;

open_enum! {
    /// In the newer of two readings (toss-api.md C35): `PAYMENT_COMPLETED` is paid and not granted yet, `PURCHASED`
    /// is paid and granted.
    IapStatus {
        Purchased = "PURCHASED",
        PaymentCompleted = "PAYMENT_COMPLETED",
        Failed = "FAILED",
        Refunded = "REFUNDED",
        OrderInProgress = "ORDER_IN_PROGRESS",
        NotFound = "NOT_FOUND",
        MiniappMismatch = "MINIAPP_MISMATCH",
        Error = "ERROR",
    }
}

impl IapStatus {
    /// The user's money was taken and is still with the store.
    pub fn is_paid(&self) -> bool {
        matches!(self, Self::Purchased | Self::PaymentCompleted)
    }

    /// Toss says something about an order of ours, and not that there is none or that it could not tell.
    pub fn is_about_ours(&self) -> bool {
        !matches!(self, Self::NotFound | Self::MiniappMismatch | Self::Error | Self::Other(_))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IapOrder {
    pub order_id: String,
    /// Absent for `NOT_FOUND`, `MINIAPP_MISMATCH` and `ERROR`.
    #[serde(default)]
    pub sku: Option<String>,
    /// Without a zone in the samples: Seoul. Of `REFUNDED` it is when the refund was completed.
    #[serde(default, with = "crate::timestamp::option")]
    pub status_determined_at: Option<OffsetDateTime>,
    pub status: IapStatus,
    #[serde(default)]
    pub reason: Option<String>,
}
