//! Every call to Toss and how it ended: for developers, and for whoever asks Toss's support, which wants the trace id first.
//! What of a call may be kept is decided in `toss::observe`.

mod list;
mod log;
mod versions;

use serde_json::Value;
use time::OffsetDateTime;

pub use list::{Filter, get, list};
pub use log::CallLog;
/// In front of every path of Apps in Toss; the version of Toss Payments that we were written for.
pub use toss::{apps_in_toss::PREFIX, payments::VERSION};
pub use versions::{Seen, other_version};

text_enum! {
    Api {
        TossPayments = "toss_payments",
        AppsInToss = "apps_in_toss",
    }
}

text_enum! {
    Outcome {
        Ok = "ok",
        /// Toss said no.
        Refused = "refused",
        /// Nothing that can be used came back.
        NoAnswer = "no_answer",
    }
}

impl Api {
    /// All that can be asked of it.
    pub const fn paths(self) -> &'static [&'static str] {
        match self {
            Self::TossPayments => &toss::payments::PATHS,
            Self::AppsInToss => toss::apps_in_toss::PATHS,
        }
    }
}

/// One call.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub id: i64,
    pub at: OffsetDateTime,
    pub api: Api,
    pub method: String,
    /// As the contract writes it; what it was about stands beside it.
    pub path: String,
    pub order_id: Option<String>,
    pub payment_key: Option<String>,
    pub outcome: Outcome,
    /// Of HTTP.
    pub status: Option<i32>,
    /// Of [`Outcome::NoAnswer`]: [`toss::observe::Failure`], and a sentence.
    pub failure: Option<String>,
    pub why: Option<String>,
    pub took_ms: i32,
    pub trace_id: Option<String>,
    /// Of the answer that the same idempotency key got the first time.
    pub first_trace_id: Option<String>,
    pub code: Option<String>,
    pub result_type: Option<String>,
    pub version: Option<String>,
    pub is_other_version: bool,
}

impl Row {
    /// What Toss documents of its code, in Korean.
    pub fn documented(&self) -> Option<&'static str> {
        let code = self.code.as_deref()?;
        match self.api {
            Api::TossPayments => toss::payments::codes::find(code).map(|(_, said)| said),
            Api::AppsInToss => toss::apps_in_toss::codes::find(code),
        }
    }
}

/// The same with what was said.
#[derive(Debug, Clone)]
pub struct Opened {
    pub row: Row,
    pub request: Option<Value>,
    pub answer: Option<Value>,
}
