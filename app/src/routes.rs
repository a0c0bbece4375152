//! Every path of the dashboard, without the base it is mounted at.

pub const HOME: &str = "/";
pub const LOGIN: &str = "/login";
pub const ORDERS: &str = "/orders";
pub const TRANSACTIONS: &str = "/transactions";
pub const REFUNDS: &str = "/refunds";
pub const WEBHOOKS: &str = "/webhooks";
pub const STAFF: &str = "/staff";
pub const AUDIT: &str = "/audit";
pub const SETTINGS: &str = "/settings";

pub fn order(order_id: &str) -> String {
    format!("{ORDERS}/{}", encode(order_id))
}

pub fn webhook(id: i64) -> String {
    format!("{WEBHOOKS}/{id}")
}

/// Percent-encodes one path segment or query value.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            other => {
                out.push('%');
                for nibble in [other >> 4, other & 15] {
                    out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
        }
    }
    out
}
