//! Smart messages (toss-api.md B4). A user without push gets them in the inbox, and the push is told as failed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Change, MiniApp, Outcome, Refused};

/// Of each user (toss-api.md B1.4).
const PER_MINUTE: usize = 10;
const LARGEST_BULK: usize = 2500;

/// Templates that the console has approved.
pub const TEMPLATES: [&str; 3] = ["order_done", "refund_done", "reward_granted"];

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    pub user_key: i64,
    pub template_set_code: String,
    pub context: Value,
    pub test: bool,
    pub push: bool,
    #[serde(with = "toss::timestamp")]
    pub at: OffsetDateTime,
}

fn counts(pushed: usize, in_inbox: usize) -> Value {
    let ids = |kind: &str, n: usize| -> Vec<Value> {
        (0..n).map(|_| json!({ "contentId": format!("toss:{kind}~{}", Uuid::new_v4().simple()) })).collect()
    };
    let failed: Vec<Value> = (0..in_inbox)
        .map(|_| json!({ "contentId": format!("toss:PUSH~{}", Uuid::new_v4().simple()), "reachedFailReason": "PUSH_OFF" }))
        .collect();
    json!({
        "msgCount": pushed + in_inbox, "sentPushCount": pushed, "sentInboxCount": in_inbox, "sentSmsCount": 0,
        "sentAlimtalkCount": 0, "sentFriendtalkCount": 0,
        "detail": { "sentPush": ids("PUSH", pushed), "sentInbox": ids("INBOX", in_inbox), "sentSms": [], "sentAlimtalk": [],
                    "sentFriendtalk": [] },
        "fail": { "sentPush": failed, "sentInbox": [], "sentSms": [], "sentAlimtalk": [], "sentFriendtalk": [] },
    })
}

impl MiniApp {
    /// Everything that was sent.
    pub fn messages(&self) -> &[Sent] {
        &self.messages
    }

    fn template(body: &Value) -> Result<String, Refused> {
        let code = body["templateSetCode"].as_str().unwrap_or_default();
        if TEMPLATES.contains(&code) {
            Ok(code.to_owned())
        } else {
            Err(Refused::parameter("templateSetCode를 확인해주세요."))
        }
    }

    fn send_one(
        &mut self,
        user_key: i64,
        code: &str,
        context: &Value,
        test: bool,
        now: OffsetDateTime,
    ) -> Result<bool, Refused> {
        if !context.is_object() {
            return Err(Refused::parameter("context를 확인해주세요."));
        }
        self.count(format!("message {user_key}"), PER_MINUTE, now)?;
        let push = self.users.get(&user_key).is_some_and(|u| u.push);
        self.put(Change::Message(Box::new(Sent {
            user_key,
            template_set_code: code.to_owned(),
            context: context.clone(),
            test,
            push,
            at: now,
        })));
        Ok(push)
    }

    pub fn send_message(&mut self, user: Option<&str>, body: &Value, now: OffsetDateTime) -> Outcome {
        let user_key = self.user(user)?.user_key;
        let code = Self::template(body)?;
        let pushed = self.send_one(user_key, &code, &body["context"], false, now)?;
        Ok(counts(usize::from(pushed), usize::from(!pushed)))
    }

    pub fn send_test_message(&mut self, user: Option<&str>, body: &Value, now: OffsetDateTime) -> Outcome {
        let user_key = self.user(user)?.user_key;
        let bundle = body["deploymentId"].as_str().unwrap_or_default();
        if Uuid::parse_str(bundle).is_err() {
            return Err(Refused::parameter("deploymentId는 UUID여야 해요."));
        }
        let code = Self::template(body)?;
        let pushed = self.send_one(user_key, &code, &body["context"], true, now)?;
        Ok(counts(usize::from(pushed), usize::from(!pushed)))
    }

    pub fn send_bulk_message(&mut self, body: &Value, now: OffsetDateTime) -> Outcome {
        let code = Self::template(body)?;
        let list = body["contextList"].as_array().filter(|l| (1..=LARGEST_BULK).contains(&l.len()));
        let list = list.ok_or(Refused::parameter("contextList는 1개부터 2,500개까지예요."))?;
        let (mut pushed, mut in_inbox) = (0, 0);
        for entry in list {
            let user_key = entry["userKey"].as_i64().ok_or(Refused::parameter("userKey를 확인해주세요."))?;
            if !self.users.contains_key(&user_key) {
                continue;
            }
            if self.send_one(user_key, &code, &entry["context"], false, now)? {
                pushed += 1;
            } else {
                in_inbox += 1;
            }
        }
        Ok(counts(pushed, in_inbox))
    }
}
