//! Promotions: Toss points that cost the merchant money (toss-api.md B3).

use serde::{Deserialize, Serialize};

use crate::open_enum::open_enum;

/// In front of a promotion's code: nothing is paid out.
pub const TEST_PREFIX: &str = "TEST_";

crate::id! {
    /// For one payout, for one hour.
    PromotionKey
}

open_enum! {
    /// What became of a payout.
    GrantState {
        Pending = "PENDING",
        Success = "SUCCESS",
        Failed = "FAILED",
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Key {
    pub key: PromotionKey,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Execute<'a> {
    pub promotion_code: &'a str,
    pub key: &'a PromotionKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
}
