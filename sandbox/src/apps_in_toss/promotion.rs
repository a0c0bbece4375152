//! Promotions: keys that live an hour, budgets, and payouts that take a moment (toss-api.md B3).

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{Change, MiniApp, Outcome, Refused, refused};
use crate::ids;

const KEY_LIFE: Duration = Duration::HOUR;
/// Of each user, over the three calls of a payout (toss-api.md B3.1).
const PER_MINUTE: usize = 10;
const TEST: &str = "TEST_";

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Promotion {
    pub promotion_code: String,
    pub budget: i64,
    pub paid_out: i64,
    /// The most of one payout.
    pub most: i64,
    /// `RUNNING`, `READY`, `STOPPED`, `ENDED` or `NOT_APPROVED`
    pub status: String,
    /// A test payout was made, without which no promotion can begin.
    pub tested: bool,
    /// What the partner has put in for all promotions.
    pub wallet: i64,
    /// How many look-ups are answered `PENDING` before the result.
    pub pending_looks: u32,
    /// Payouts come to nothing.
    pub fails: bool,
}

impl Default for Promotion {
    fn default() -> Self {
        Self {
            promotion_code: String::new(),
            budget: 1_000_000,
            paid_out: 0,
            most: 5_000,
            status: "RUNNING".into(),
            tested: true,
            wallet: i64::MAX,
            pending_looks: 0,
            fails: false,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    pub key: String,
    pub user_key: i64,
    #[serde(with = "toss::timestamp")]
    pub made_at: OffsetDateTime,
    pub promotion_code: Option<String>,
    pub amount: i64,
    /// `PENDING`, `SUCCESS` or `FAILED` once it was executed.
    pub state: Option<String>,
    pub looks_left: u32,
}

impl MiniApp {
    fn often(&mut self, user: Option<&str>, now: OffsetDateTime) -> Result<i64, Refused> {
        let user_key = self.user(user)?.user_key;
        Ok(user_key).and_then(|key| self.count(format!("promotion {key}"), PER_MINUTE, now).map(|()| key))
    }

    pub fn promotion_key(&mut self, user: Option<&str>, now: OffsetDateTime) -> Outcome {
        let user_key = self.user(user)?.user_key;
        let key = STANDARD.encode(ids::receipt_key());
        self.put(Change::Key(Box::new(Key {
            key: key.clone(),
            user_key,
            made_at: now,
            promotion_code: None,
            amount: 0,
            state: None,
            looks_left: 0,
        })));
        Ok(json!({ "key": key }))
    }

    pub fn execute_promotion(&mut self, user: Option<&str>, body: &Value, now: OffsetDateTime) -> Outcome {
        let user_key = self.often(user, now)?;
        let code = body["promotionCode"].as_str().unwrap_or_default();
        let amount =
            body["amount"].as_i64().filter(|n| *n > 0).ok_or(Refused::parameter("amount를 확인해주세요."))?;
        let (test, code) = code.strip_prefix(TEST).map_or((false, code), |code| (true, code));
        let mut promotion = self.promotions.get(code).cloned().ok_or(refused("4100"))?;
        let given = body["key"].as_str().unwrap_or_default();
        let mut key =
            self.keys.get(given).filter(|k| k.user_key == user_key).cloned().ok_or(refused("4110"))?;
        if key.state.is_some() {
            return Err(refused("4113"));
        }
        if now - key.made_at >= KEY_LIFE {
            return Err(refused("4110"));
        }
        if amount > promotion.most {
            return Err(refused("4114"));
        }
        if test {
            promotion.tested = true;
        } else {
            match promotion.status.as_str() {
                "RUNNING" => {}
                "STOPPED" => return Err(refused("4104")),
                "ENDED" => return Err(refused("4105")),
                "NOT_APPROVED" => return Err(refused("4108")),
                _ => return Err(refused("4109")),
            }
            let left = promotion.budget - promotion.paid_out;
            if left <= 0 {
                return Err(refused("4109"));
            }
            if amount > left {
                return Err(refused("4116"));
            }
            if amount > promotion.wallet {
                return Err(refused("4112"));
            }
            if !promotion.fails {
                promotion.paid_out += amount;
                promotion.wallet -= amount;
            }
        }
        key.promotion_code = Some(body["promotionCode"].as_str().unwrap_or_default().to_owned());
        key.amount = amount;
        key.looks_left = promotion.pending_looks;
        key.state = Some(if promotion.fails && !test { "FAILED" } else { "SUCCESS" }.into());
        self.put(Change::Promotion(Box::new(promotion)));
        self.put(Change::Key(Box::new(key)));
        Ok(json!({ "key": given }))
    }

    pub fn promotion_result(&mut self, user: Option<&str>, body: &Value) -> Outcome {
        let user_key = self.user(user)?.user_key;
        let key =
            body["key"].as_str().and_then(|k| self.keys.get(k)).filter(|k| k.user_key == user_key).cloned();
        let mut key = key
            .filter(|k| k.state.is_some() && k.promotion_code.as_deref() == body["promotionCode"].as_str())
            .ok_or(refused("4111"))?;
        if key.looks_left > 0 {
            key.looks_left -= 1;
            self.put(Change::Key(Box::new(key)));
            return Ok(json!("PENDING"));
        }
        Ok(json!(key.state))
    }

    /// The console: makes a promotion, or changes one.
    pub fn set_promotion(&mut self, promotion: Promotion) {
        self.put(Change::Promotion(Box::new(promotion)));
    }

    pub fn promotion(&self, code: &str) -> Option<&Promotion> {
        self.promotions.get(code)
    }

    /// Every payout that was executed.
    pub fn payouts(&self) -> impl Iterator<Item = &Key> {
        self.keys.values().filter(|k| k.state.is_some())
    }
}
