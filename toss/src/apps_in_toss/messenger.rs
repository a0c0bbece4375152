//! Smart messages (toss-api.md B4): a template that Toss has approved, sent on the channels that reach the user.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{UserKey, lenient};

/// Where a message can go, in Toss's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Push,
    Inbox,
    Sms,
    Alimtalk,
    Friendtalk,
}

impl Channel {
    pub const ALL: [Self; 5] = [Self::Push, Self::Inbox, Self::Sms, Self::Alimtalk, Self::Friendtalk];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Inbox => "inbox",
            Self::Sms => "sms",
            Self::Alimtalk => "alimtalk",
            Self::Friendtalk => "friendtalk",
        }
    }
}

/// What was sent, and where it did not arrive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageResult {
    #[serde(deserialize_with = "lenient::amount")]
    pub msg_count: i64,
    #[serde(flatten)]
    pub sent: Counts,
    pub fail: Failures,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    #[serde(deserialize_with = "lenient::amount")]
    pub sent_push_count: i64,
    #[serde(deserialize_with = "lenient::amount")]
    pub sent_inbox_count: i64,
    #[serde(deserialize_with = "lenient::amount")]
    pub sent_sms_count: i64,
    #[serde(deserialize_with = "lenient::amount")]
    pub sent_alimtalk_count: i64,
    #[serde(deserialize_with = "lenient::amount")]
    pub sent_friendtalk_count: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Failures {
    sent_push: Vec<NotReached>,
    sent_inbox: Vec<NotReached>,
    sent_sms: Vec<NotReached>,
    sent_alimtalk: Vec<NotReached>,
    sent_friendtalk: Vec<NotReached>,
}

/// One message that did not arrive, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NotReached {
    pub content_id: Option<String>,
    /// `reachFailReason` in older answers.
    #[serde(alias = "reachFailReason")]
    pub reached_fail_reason: Option<String>,
}

impl MessageResult {
    pub fn sent_by(&self, channel: Channel) -> i64 {
        match channel {
            Channel::Push => self.sent.sent_push_count,
            Channel::Inbox => self.sent.sent_inbox_count,
            Channel::Sms => self.sent.sent_sms_count,
            Channel::Alimtalk => self.sent.sent_alimtalk_count,
            Channel::Friendtalk => self.sent.sent_friendtalk_count,
        }
    }

    pub fn failed_by(&self, channel: Channel) -> &[NotReached] {
        match channel {
            Channel::Push => &self.fail.sent_push,
            Channel::Inbox => &self.fail.sent_inbox,
            Channel::Sms => &self.fail.sent_sms,
            Channel::Alimtalk => &self.fail.sent_alimtalk,
            Channel::Friendtalk => &self.fail.sent_friendtalk,
        }
    }
}

/// One receiver of a bulk send.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bulk {
    pub user_key: UserKey,
    /// The words of the template's gaps.
    pub context: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Send<'a> {
    pub template_set_code: &'a str,
    pub context: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SendBulk<'a> {
    pub template_set_code: &'a str,
    pub context_list: &'a [Bulk],
}
