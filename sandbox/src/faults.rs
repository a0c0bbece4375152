//! Fault switches: what can go wrong between a merchant and Toss, on purpose and counted.

use std::collections::{BTreeMap, VecDeque};

use axum::{
    body::to_bytes,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the fault does to one exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Fault {
    /// The connection dies and nothing happened.
    LoseBefore,
    /// It happened, and the connection dies before the answer.
    LoseAfter,
    /// The request takes this long (real time) to be worked on.
    #[serde(rename_all = "camelCase")]
    Delay { ms: u64 },
    /// It happened, and the answer takes this long (real time).
    #[serde(rename_all = "camelCase")]
    Late { ms: u64 },
    /// Refused with this code of toss-api.md A9; nothing happened.
    Error { code: String },
    /// Answered with this code although it happened, and the key forgotten: whether Toss binds a 5xx to its key is
    /// not documented (toss-api.md Part E7).
    ErrorAfter { code: String },
    /// Apps in Toss answers with this `resultType` (`HTTP_TIMEOUT`, `NETWORK_ERROR`, `INTERRUPTED`, `INTERNAL_ERROR`, …);
    /// nothing happened.
    ResultType { word: String },
    /// The same, although it happened.
    ResultTypeAfter { word: String },
    /// Answered 502 with a page that is not JSON, although it happened.
    Garbage,
    /// It happened, and the answer is made of `body`: `{answer}` stands for the real one, `{quoted}` for the same as a
    /// JSON string, `{half}` for its first half. Before that, `set` writes members by JSON pointer.
    Spoilt {
        #[serde(default)]
        status: Option<u16>,
        #[serde(default = "whole")]
        body: String,
        #[serde(default)]
        set: BTreeMap<String, Value>,
    },
    /// A webhook is delivered this many times.
    Duplicate { copies: u32 },
    /// A webhook is held back for this long (the sandbox's clock), so that later ones overtake it.
    #[serde(rename_all = "camelCase")]
    Hold { seconds: i64 },
    /// A webhook is never sent at all.
    Drop,
}

fn whole() -> String {
    "{answer}".to_owned()
}

/// What is sent instead of an answer, by [`Fault::Spoilt`].
pub async fn spoil(
    answer: Response,
    status: Option<u16>,
    body: &str,
    set: &BTreeMap<String, Value>,
) -> Response {
    let (parts, real) = answer.into_parts();
    let real = to_bytes(real, usize::MAX).await.unwrap_or_default();
    let mut text = String::from_utf8_lossy(&real).into_owned();
    if !set.is_empty()
        && let Ok(mut value) = serde_json::from_str::<Value>(&text)
    {
        for (pointer, member) in set {
            let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
            if let Some(Value::Object(members)) = value.pointer_mut(parent) {
                members.insert(name.to_owned(), member.clone());
            }
        }
        text = value.to_string();
    }
    let half: String = text.chars().take(text.chars().count() / 2).collect();
    let body = body
        .replace("{quoted}", &Value::from(text.as_str()).to_string())
        .replace("{half}", &half)
        .replace("{answer}", &text);
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(parts.status);
    (status, body).into_response()
}

/// A fault that waits for its moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Switch {
    /// `confirm`, `cancel`, `payment`, `order`, `transactions`, `settlements`, …, `webhook`; of Apps in Toss the end of the path,
    /// like `refund-payment`; or `*`.
    pub on: String,
    #[serde(flatten)]
    pub fault: Fault,
    /// How many exchanges it spoils.
    #[serde(default = "once")]
    pub times: u32,
    /// How many exchanges go well before.
    #[serde(default)]
    pub after: u32,
    /// Only exchanges about this payment or order.
    #[serde(default)]
    pub about: Option<String>,
}

fn once() -> u32 {
    1
}

#[derive(Debug, Default)]
pub struct Faults {
    switches: VecDeque<Switch>,
}

impl Faults {
    pub fn add(&mut self, switch: Switch) {
        self.switches.push_back(switch);
    }

    pub fn clear(&mut self) {
        self.switches.clear();
    }

    /// Takes back what waits for this payment or order.
    pub fn clear_about(&mut self, about: &str) {
        self.switches.retain(|switch| switch.about.as_deref() != Some(about));
    }

    pub fn list(&self) -> Vec<Switch> {
        self.switches.iter().cloned().collect()
    }

    /// Takes the first fault that is due for this exchange.
    pub fn take(&mut self, endpoint: &str, about: &str) -> Option<Fault> {
        let at = self.switches.iter().position(|s| {
            (s.on == "*" && endpoint != "webhook" || s.on == endpoint)
                && s.about.as_ref().is_none_or(|wanted| about.contains(wanted.as_str()))
        })?;
        let switch = self.switches.get_mut(at)?;
        if switch.after > 0 {
            switch.after -= 1;
            return None;
        }
        let fault = switch.fault.clone();
        switch.times = switch.times.saturating_sub(1);
        if switch.times == 0 {
            self.switches.remove(at);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_waits_fires_and_is_gone() {
        let mut faults = Faults::default();
        faults
            .add(serde_json::from_str(r#"{"on":"cancel","kind":"lose_after","after":1,"times":2}"#).unwrap());
        assert_eq!(faults.take("confirm", "p"), None);
        assert_eq!(faults.take("cancel", "p"), None);
        assert_eq!(faults.take("cancel", "p"), Some(Fault::LoseAfter));
        assert_eq!(faults.take("cancel", "p"), Some(Fault::LoseAfter));
        assert_eq!(faults.take("cancel", "p"), None);
    }
}
