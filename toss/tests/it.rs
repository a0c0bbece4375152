//! The real bodies printed in the API contract are read and written back without losing a member.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use toss::payments::{Cancel, Payment, Settlement, Transaction};

/// Members whose value differs only in spelling are compared by meaning: times and numbers.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::String(a), Value::String(b)) => {
            a == b || toss::timestamp::parse(a).is_some_and(|t| Some(t) == toss::timestamp::parse(b))
        }
        _ => a == b,
    }
}

fn lost(original: &Value, written: &Value, path: &str, out: &mut Vec<String>) {
    match (original, written) {
        (Value::Object(original), Value::Object(written)) => {
            for (key, value) in original {
                let path = format!("{path}.{key}");
                match written.get(key) {
                    Some(kept) => lost(value, kept, &path, out),
                    None if value.is_null() => {}
                    None => out.push(path),
                }
            }
        }
        (Value::Array(original), Value::Array(written)) if original.len() == written.len() => {
            for (i, (a, b)) in original.iter().zip(written).enumerate() {
                lost(a, b, &format!("{path}[{i}]"), out);
            }
        }
        (a, b) if same(a, b) => {}
        (a, b) => out.push(format!("{path}: {a} became {b}")),
    }
}

fn round_trip<T: Serialize + DeserializeOwned>(body: &str) {
    let original: Value = serde_json::from_str(body).unwrap();
    let typed: T = serde_json::from_str(body).unwrap();
    let written = serde_json::to_value(&typed).unwrap();
    let mut missing = Vec::new();
    lost(&original, &written, "", &mut missing);
    assert!(missing.is_empty(), "lost: {missing:#?}");
}

#[test]
fn payments_round_trip() {
    round_trip::<Payment>(include_str!("bodies/virtual-account.json"));
    round_trip::<Payment>(include_str!("bodies/card.json"));
    let webhook: Value = serde_json::from_str(include_str!("bodies/webhook-payment.json")).unwrap();
    round_trip::<Payment>(&webhook["data"].to_string());
}

#[test]
fn cancels_round_trip() {
    let body: Value = serde_json::from_str(include_str!("bodies/cancel.json")).unwrap();
    round_trip::<Cancel>(&body["cancels"][0].to_string());
}

#[test]
fn transactions_and_settlements_round_trip() {
    round_trip::<Vec<Transaction>>(include_str!("bodies/transactions.json"));
    round_trip::<Settlement>(include_str!("bodies/settlement-cancel.json"));
}

#[test]
fn words_that_toss_adds_tomorrow_are_kept() {
    let mut body: Value = serde_json::from_str(include_str!("bodies/card.json")).unwrap();
    body["status"] = "FROZEN".into();
    body["method"] = "양자결제".into();
    body["quantum"] = serde_json::json!({ "qubits": 3 });
    let payment: Payment = serde_json::from_value(body).unwrap();
    assert_eq!(payment.status.as_str(), "FROZEN");
    assert_eq!(payment.method.unwrap().as_str(), "양자결제");
}
