//! What Toss Payments posts to us (toss-api.md A10): three envelopes, headers, and the signature that only payout
//! and seller events carry.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

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

/// What a body says of itself. Nothing in here is proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `DEPOSIT_CALLBACK` for the flat envelope, which names none.
    pub event_type: String,
    pub created_at: Option<String>,
    pub order_id: Option<String>,
    pub payment_key: Option<String>,
    pub status: Option<String>,
    pub transaction_key: Option<String>,
    pub secret: Option<String>,
    /// Equal for all deliveries of the same event.
    pub dedup_key: Option<String>,
}

/// Reads any of the three envelopes; `None` is "kept, but not understood".
pub fn parse(body: &[u8]) -> Option<Event> {
    let root: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value, key: &str| match value.get(key)? {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    };
    let created_at = text(&root, "createdAt");
    let event_type = text(&root, "eventType");

    if let Some(entity) = root.get("entityBody").filter(|e| e.is_object()) {
        let event_id = text(&root, "eventId");
        return Some(Event {
            event_type: event_type?,
            created_at,
            order_id: None,
            payment_key: None,
            status: text(entity, "status"),
            transaction_key: None,
            secret: None,
            dedup_key: event_id,
        });
    }
    // The guide's sample wraps the deposit callback in `data`; the real one is flat (Part C4).
    let (data, flat) = match root.get("data").filter(|d| d.is_object()) {
        Some(data) => (data, false),
        None => (&root, true),
    };
    let order_id = text(data, "orderId");
    let payment_key = text(data, "paymentKey");
    let status = text(data, "status").or_else(|| text(data, "cancelStatus"));
    let secret = text(data, "secret").or_else(|| text(&root, "secret"));
    let transaction_key = text(data, "lastTransactionKey").or_else(|| text(data, "transactionKey"));
    let event_type = match event_type {
        Some(named) => named,
        None if flat && secret.is_some() && transaction_key.is_some() && order_id.is_some() => {
            "DEPOSIT_CALLBACK".to_owned()
        }
        None => return None,
    };
    let subject = payment_key.as_deref().or(order_id.as_deref());
    let dedup_key = subject.zip(status.as_deref()).map(|(subject, status)| {
        format!("{event_type}|{subject}|{status}|{}", transaction_key.as_deref().unwrap_or("-"))
    });
    Some(Event { event_type, created_at, order_id, payment_key, status, transaction_key, secret, dedup_key })
}

/// Which reading of the 64 hexadecimal characters signed a body (toss-api.md A10.8 leaves it open).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyReading {
    DecodedBytes,
    Ascii,
}

/// `base64(HMAC-SHA256(key, body + ":" + transmission time))`.
pub fn sign(security_key: &str, reading: KeyReading, body: &[u8], transmission_time: &str) -> Option<String> {
    let mac = mac(security_key, reading, body, transmission_time)?;
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

/// Checks every `v1:` value of the header against both readings of the key, in constant time.
pub fn verify_signature(
    security_key: &str,
    body: &[u8],
    transmission_time: &str,
    header: &str,
) -> Option<KeyReading> {
    let candidates: Vec<Vec<u8>> = header
        .split(',')
        .filter_map(|part| part.trim().strip_prefix("v1:"))
        .filter_map(|value| STANDARD.decode(value.trim()).ok())
        .collect();
    [KeyReading::DecodedBytes, KeyReading::Ascii].into_iter().find(|&reading| {
        candidates.iter().any(|candidate| {
            mac(security_key, reading, body, transmission_time)
                .is_some_and(|m| m.verify_slice(candidate).is_ok())
        })
    })
}

fn mac(
    security_key: &str,
    reading: KeyReading,
    body: &[u8],
    transmission_time: &str,
) -> Option<Hmac<Sha256>> {
    let key = match reading {
        KeyReading::DecodedBytes => decode_hex(security_key)?,
        KeyReading::Ascii => security_key.as_bytes().to_vec(),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(body);
    mac.update(b":");
    mac.update(transmission_time.as_bytes());
    Some(mac)
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn the_three_envelopes_are_told_apart() {
        let deposit = parse(
            br#"{"createdAt":"2022-01-01T00:00:00.000000","secret":"ps_x","status":"DONE","transactionKey":"9FF1","orderId":"a4CWyWY5m89PNh7xJwhk1"}"#,
        )
        .unwrap();
        assert_eq!(deposit.event_type, "DEPOSIT_CALLBACK");
        assert_eq!(deposit.dedup_key.unwrap(), "DEPOSIT_CALLBACK|a4CWyWY5m89PNh7xJwhk1|DONE|9FF1");

        let payment = parse(
            br#"{"createdAt":"2026-01-02T14:46:59.65327","eventType":"PAYMENT_STATUS_CHANGED","data":{"paymentKey":"p","orderId":"o","status":"DONE","lastTransactionKey":"t"}}"#,
        )
        .unwrap();
        assert_eq!(payment.payment_key.as_deref(), Some("p"));

        let payout = parse(
            br#"{"eventType":"payout.changed","createdAt":"x","version":"2022-11-16","eventId":"e1","entityType":"payout","entityBody":{"status":"COMPLETED"}}"#,
        )
        .unwrap();
        assert_eq!((payout.event_type.as_str(), payout.dedup_key.as_deref()), ("payout.changed", Some("e1")));
        assert_eq!(parse(br#"{"hello":1}"#), None);
        assert_eq!(parse(b"\xff\x00"), None);
    }

    #[test]
    fn either_value_and_either_key_reading_verifies() {
        let (body, at) = (br#"{"a":1}"#.as_slice(), "2024-09-05T12:19:21+09:00");
        for reading in [KeyReading::DecodedBytes, KeyReading::Ascii] {
            let good = sign(KEY, reading, body, at).unwrap();
            assert_eq!(verify_signature(KEY, body, at, &format!("v1:AAAA,v1:{good}")), Some(reading));
            assert_eq!(verify_signature(KEY, br#"{"a":2}"#, at, &format!("v1:{good}")), None);
        }
        assert_eq!(verify_signature(KEY, body, at, "v2:zzz"), None);
    }

    proptest! {
        #[test]
        fn no_body_panics_the_parser(body in proptest::collection::vec(any::<u8>(), 0..512)) {
            drop(parse(&body));
        }
    }
}
