//! What Toss Payments posts to us (toss-api.md A10): three envelopes, headers, and the signature that only payout
//! and seller events carry.

mod event;
mod signature;

pub use event::{Claims, Event, Subject, parse};
pub use signature::{KeyReading, Proof, sign, verify_signature};

pub const TRANSMISSION_TIME: &str = "tosspayments-webhook-transmission-time";
pub const TRANSMISSION_ID: &str = "tosspayments-webhook-transmission-id";
pub const RETRIED_COUNT: &str = "tosspayments-webhook-transmission-retried-count";
pub const SIGNATURE: &str = "tosspayments-webhook-signature";

/// Minutes between one attempt and the next: seven retries, 3 days 19 hours in all.
pub const RETRY_GAPS_MINUTES: [u32; 7] = [1, 4, 16, 64, 256, 1024, 4096];

/// Addresses that Toss Payments posts from (toss-api.md A1.9). Worth a remark when different, never a proof.
pub const SOURCE_ADDRESSES: [&str; 10] = [
    "13.124.18.147",
    "13.124.108.35",
    "3.36.173.151",
    "3.38.81.32",
    "115.92.221.121",
    "115.92.221.122",
    "115.92.221.123",
    "115.92.221.125",
    "115.92.221.126",
    "115.92.221.127",
];

/// Toss signs these and no others (toss-api.md A10.1).
pub fn is_signed(event_type: &str) -> bool {
    matches!(event_type, "payout.changed" | "seller.changed")
}
