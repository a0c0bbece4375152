//! What a body said beside what Toss says now, member by member.

use serde_json::Value;

/// One member that is not the same: its path, what the body said, what holds now.
#[derive(Debug, PartialEq)]
pub struct Difference {
    pub path: String,
    pub said: Option<Value>,
    pub now: Option<Value>,
}

fn same(said: &Value, now: &Value) -> bool {
    let time = |value: &Value| value.as_str().and_then(toss::timestamp::parse);
    match (said, now) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::String(a), Value::String(b)) if a != b => time(said).is_some() && time(said) == time(now),
        _ => said == now,
    }
}

/// What a body says otherwise than `now` does: the payment as Toss answered last, or the entity as it was told last.
/// What the body leaves out says nothing. `None` when there is nothing to compare.
pub fn differences(body: &[u8], now: &Value) -> Option<Vec<Difference>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let (said, now) = counterpart(&body, now)?;
    let mut found = between(said, now);
    // The flat envelope stands among the members of its payment.
    found.retain(|d| {
        d.now.is_some() || !matches!(d.path.as_str(), "createdAt" | "eventType" | "transactionKey")
    });
    Some(found)
}

fn between(said: &Value, now: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(String::new(), Some(said), Some(now), &mut found);
    found
}

fn walk(path: String, said: Option<&Value>, now: Option<&Value>, found: &mut Vec<Difference>) {
    let under = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (said, now) {
        (None | Some(Value::Null), None | Some(Value::Null)) => {}
        (Some(Value::Object(said)), Some(Value::Object(now))) => {
            for (name, member) in said {
                walk(under(name), Some(member), now.get(name), found);
            }
        }
        (Some(Value::Array(said)), Some(Value::Array(now))) => {
            for at in 0..said.len().max(now.len()) {
                walk(format!("{path}[{at}]"), said.get(at), now.get(at), found);
            }
        }
        (Some(said), Some(now)) if same(said, now) => {}
        (said, now) => found.push(Difference { path, said: said.cloned(), now: now.cloned() }),
    }
}

/// The part of a body that can be held against a Payment: its `data`, the payment in it, or the cancel it names.
fn counterpart<'a>(body: &'a Value, now: &'a Value) -> Option<(&'a Value, &'a Value)> {
    if let Some(entity) = body.get("entityBody") {
        return Some((entity, now));
    }
    let data = body.get("data").filter(|data| data.is_object()).unwrap_or(body);
    let data = data.get("payment").filter(|payment| payment.is_object()).unwrap_or(data);
    if data.get("paymentKey").is_some() || data.get("orderId").is_some() {
        return Some((data, now));
    }
    let key = data.get("transactionKey")?;
    let cancel =
        now.get("cancels")?.as_array()?.iter().find(|cancel| cancel.get("transactionKey") == Some(key))?;
    Some((data, cancel))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_body_says_is_compared() {
        let said = json!({ "status": "DONE", "totalAmount": 1000, "approvedAt": "2026-11-20T10:00:00+09:00",
                           "card": { "number": "1234" }, "cancels": null });
        let now = json!({ "status": "CANCELED", "totalAmount": 1000.0, "approvedAt": "2026-11-20T01:00:00Z",
                          "card": { "number": "1234", "issuerCode": "11" }, "cancels": [{ "cancelAmount": 1000 }], "vat": 9 });
        let paths: Vec<String> = between(&said, &now).into_iter().map(|d| d.path).collect();
        assert_eq!(paths, ["cancels", "status"]);
    }

    #[test]
    fn a_cancel_is_held_against_the_one_it_names() {
        let body = json!({ "eventType": "CANCEL_STATUS_CHANGED", "data": { "transactionKey": "c2", "cancelStatus": "IN_PROGRESS" } });
        let now = json!({ "cancels": [{ "transactionKey": "c1" }, { "transactionKey": "c2", "cancelStatus": "DONE" }] });
        let (said, now) = counterpart(&body, &now).unwrap();
        assert_eq!(between(said, now).len(), 1);
    }
}
