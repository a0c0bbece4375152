//! Messages to users of the mini-app, from templates that Toss has approved.
//!
//! There is no key and nothing to ask afterwards: a message whose answer was lost stays `unknown`, and no machine sends it
//! again. A message can follow a refund or a grant by itself, once for each.

pub(crate) mod job;
mod list;
mod send;
pub mod templates;

use sqlx::PgConnection;
use time::OffsetDateTime;
use toss::apps_in_toss::MessageResult;
use uuid::Uuid;

pub use list::{get, list};
pub use send::{LARGEST_BULK, send, send_bulk};
pub(crate) use send::{deliver, plan_follow_up, settle_lost};
pub use toss::apps_in_toss::Channel;

use crate::{
    Fault,
    audit::{self, Act, Actor},
    files::import::FileError,
};

#[derive(Debug, Clone)]
pub struct Template {
    pub code: String,
    pub name: String,
    /// The gaps, in the order they are asked for.
    pub fields: Vec<String>,
    /// `refund` or `grant`: sent by itself to the user it happened to.
    pub follows: Option<String>,
    pub created_by_name: String,
}

text_enum! {
    State {
        /// Waits for its minute.
        Requested = "requested",
        Sending = "sending",
        Sent = "sent",
        Failed = "failed",
        /// It may have gone out.
        Unknown = "unknown",
    }
}

#[derive(Debug, Clone)]
pub struct Message {
    pub id: Uuid,
    pub template_code: String,
    /// Nothing for a bulk send.
    pub user_key: Option<i64>,
    pub receivers: i32,
    pub is_test: bool,
    pub follows: Option<String>,
    pub state: State,
    pub result: Option<MessageResult>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub sent_by_name: String,
    pub requested_at: OffsetDateTime,
}

/// A template as it was typed.
#[derive(Debug, Clone, Default)]
pub struct NewTemplate {
    pub code: String,
    pub name: String,
    /// Separated by commas.
    pub fields: String,
    pub follows: String,
}

/// A message as it was typed.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// Minted with the form: posting it twice is one message.
    pub intent: String,
    pub template_code: String,
    pub user_key: String,
    /// Lines like `storeName=토스가게`.
    pub context: String,
    /// Of an uploaded bundle: makes it a test.
    pub deployment_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    Form,
    TemplateCode,
    TemplateTaken,
    TemplateName,
    TemplateFields,
    /// Another template follows this already.
    FollowsTaken,
    NoSuchTemplate,
    UserKey,
    /// A gap of the template is empty.
    MissingField(String),
    DeploymentId,
    File(FileError),
    /// Lines of a file that name no user, by number.
    Lines(Vec<i32>),
    TooMany,
}

#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    #[error("refused: {0:?}")]
    Refused(Refused),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for MessageError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Refused> for MessageError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

async fn note(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    template: &str,
    action: &'static str,
    detail: serde_json::Value,
) -> Result<(), Fault> {
    audit::record(tx, now, actor, Act { action, subject_kind: "message_template", subject: template, detail })
        .await
}
