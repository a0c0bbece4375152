//! Identifiers in the shapes that Toss's have. All of them are opaque to a merchant.

use time::{OffsetDateTime, macros::format_description};
use uuid::Uuid;

const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

fn random(len: usize) -> String {
    (0..len.div_ceil(16))
        .flat_map(|_| Uuid::new_v4().into_bytes())
        .map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]))
        .take(len)
        .collect()
}

/// `<first five of the shop's id><yyyyMMddHHmmss><five characters>`.
pub fn payment_key(m_id: &str, now: OffsetDateTime) -> String {
    let stamp =
        now.format(format_description!("[year][month][day][hour][minute][second]")).unwrap_or_default();
    let prefix: String = m_id.chars().take(5).collect();
    format!("{prefix}{stamp}{}", random(5))
}

pub fn transaction_key() -> String {
    Uuid::new_v4().simple().to_string().to_uppercase()
}

pub fn secret() -> String {
    format!("ps_{}", random(28))
}

pub fn transmission_id() -> String {
    format!("whtrans_a01{}", Uuid::now_v7().simple())
}

pub fn trace_id() -> String {
    Uuid::new_v4().simple().to_string()
}

pub fn billing_key() -> String {
    format!("{}=", random(43))
}

/// At most 30 characters.
pub fn pay_token() -> String {
    random(22)
}

pub fn receipt_key() -> String {
    random(24)
}

/// Test accounts begin with an X, so that nobody pays into one (toss-api.md A4.3).
pub fn account_number() -> String {
    format!("X{}", digits(13))
}

pub fn digits(len: usize) -> String {
    random(len).bytes().map(|b| char::from(b'0' + b % 10)).collect()
}
