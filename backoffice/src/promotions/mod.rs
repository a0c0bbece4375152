//! Promotions of a mini-app: campaigns with a budget, and grants of Toss points that must never be paid twice.
//!
//! A grant walks `(waiting_for_approval →) requested → sending → pending | unknown → succeeded | failed`. [`mod@grant`] takes
//! it down under the campaign's ceilings, [`execute`] gets a key, stores it, pays and looks, [`batch`] does it for a file.

pub mod batch;
pub mod campaigns;
mod execute;
mod grant;
pub(crate) mod job;
mod list;
mod news;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

pub use campaigns::{Campaign, CampaignError, NewCampaign, SpendDay};
pub use execute::execute;
pub(crate) use grant::decline_of;
pub use grant::{approve, create_intent, decide, decline, grant};
pub use list::{Filter, get, list};

use crate::{Fault, kernel::second_person::NotSecond};

text_enum! {
    State {
        /// Above the campaign's limit: a second person decides.
        WaitingForApproval = "waiting_for_approval",
        Declined = "declined",
        Requested = "requested",
        Sending = "sending",
        /// Toss has it and is not done.
        Pending = "pending",
        /// It may have been paid. A job is finding out.
        Unknown = "unknown",
        Succeeded = "succeeded",
        Failed = "failed",
    }
}

/// After this long somebody, and not only a job, may settle a grant whose end Toss does not tell.
pub const TASK_AFTER: time::Duration = time::Duration::minutes(15);

impl State {
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Declined | Self::Succeeded | Self::Failed)
    }
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Grant {
    pub id: Uuid,
    pub promotion_code: String,
    pub user_key: i64,
    pub event: String,
    /// Points, each worth a won.
    pub amount: i64,
    pub is_test: bool,
    pub state: State,
    pub batch_id: Option<Uuid>,
    pub requested_by: Option<Uuid>,
    pub requested_by_name: String,
    pub requested_at: OffsetDateTime,
    pub approved_by_name: Option<String>,
    pub settled_at: Option<OffsetDateTime>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    /// Who says that it was not paid; a second person has to say so as well.
    pub not_paid_by_name: Option<String>,
}

impl Grant {
    /// Toss does not tell how it ended, and somebody who has looked into its console may.
    pub fn needs_person(&self, now: OffsetDateTime) -> bool {
        matches!(self.state, State::Unknown | State::Pending) && now - self.requested_at >= TASK_AFTER
    }
}

/// A grant form as it was filled in.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// Minted with the form: posting it twice is one grant.
    pub intent: String,
    pub promotion_code: String,
    pub user_key: String,
    pub event: String,
    /// Empty: what the campaign gives.
    pub amount: String,
    pub is_test: bool,
}

/// Why nothing is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// The form itself is damaged: it was not made by the page.
    Form,
    NoSuchCampaign,
    /// In test mode, against Toss's own host: only test grants pay nothing out.
    OnlyTests,
    NotStarted,
    Ended,
    Stopped,
    UserKey,
    Event,
    Amount,
    /// More than the campaign gives at once.
    AboveMost {
        most: i64,
    },
    /// The user would have more than a user may have.
    UserCap {
        left: i64,
    },
    Budget {
        left: i64,
    },
    /// This user has it for this event already, or is about to.
    Already {
        state: State,
    },
    NoSuchGrant,
    /// They may not be the second person.
    NotSecond(NotSecond),
    /// Its campaign gives points on one person's word, and no second one has seen it.
    NotApproved,
    /// Toss says that it was paid, or is about to be.
    PaidAtToss,
    /// Toss cannot be asked, and nobody decides without having asked.
    TossSilent,
    AlreadyDecided {
        state: State,
    },
    /// A job is still finding out.
    TooEarly,
}

#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    #[error("refused: {0:?}")]
    Refused(Refused),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for GrantError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Refused> for GrantError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}
