//! Giving money back, at most once.
//!
//! An intent and its idempotency key are committed before Toss is called. No answer means `unknown`, and unknown is
//! resolved by asking Toss: never by a timer, never under a second key.
//!
//! One intent walks `requested → (waiting_for_approval → approved | declined) → sending → succeeded | failed |
//! unknown → succeeded | failed`. [`create_intent`] begins it, [`approval`] is the second person, [`execute`] carries it out on
//! its rail, [`mod@decide`] is the person who settles what no machine can tell, [`mod@follow`] follows the money from Toss to
//! the buyer, [`batch`] does it for a whole file.

pub mod account;
mod approval;
pub mod arrival;
mod at_toss_pay;
mod at_toss_payments;
pub mod batch;
mod create_intent;
mod decide;
pub mod eligibility;
mod execute;
mod follow;
pub(crate) mod job;
mod limits;
mod list;
mod news;
mod report;
pub mod tax;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Date, OffsetDateTime};
use toss::payments::institutions;
use uuid::Uuid;

pub use account::{AccountCheck, AccountFacts, OWN_ACCOUNT, Shown, account_facts, own_account};
pub(crate) use approval::lapse_stale;
pub(crate) use approval::withdraw_of;
pub use approval::{approve, decline, withdraw};
pub use arrival::{Arrival, Stage};
pub use create_intent::{create_intent, request};
pub use decide::{Candidate, Decision, Facts, decide, facts};
pub use eligibility::{Eligibility, WhyNot, eligibility};
pub use execute::execute;
pub use follow::{WayOut, follow, follow_due, record_way_out};
pub use limits::ApprovalReason;
use list::get_known;
pub use list::{ELSEWHERE, Filter, Origin, get, history, list};
pub use report::{MonthOfReasons, OpenCount, count_open, reasons};
pub use tax::{TaxLeft, TaxSplit};

use crate::{
    Fault,
    audit::{self, Act, Actor},
    kernel::second_person::NotSecond,
    money::AmountError,
};

/// Toss keeps a key for 15 days (toss-api.md A1.7); one day before that we only look.
pub const KEY_LIFE: time::Duration = time::Duration::days(14);

/// Why money goes back, so that it can be counted.
pub const REASONS: [&str; 7] =
    ["changed_mind", "defect", "not_delivered", "duplicate", "price", "fraud", "other"];

/// Banks that money can be paid back to: `(code, name)`.
pub fn banks() -> &'static [(&'static str, &'static str)] {
    institutions::BANKS
}

/// A name for an intent that does not exist yet; a form carries it.
pub fn new_intent() -> String {
    Uuid::now_v7().to_string()
}

/// After this long somebody, and not only a job, looks after a refund that is not settled.
pub const TASK_AFTER: time::Duration = time::Duration::minutes(15);

text_enum! {
    State {
        Requested = "requested",
        /// Above a limit: a second person decides.
        WaitingForApproval = "waiting_for_approval",
        Approved = "approved",
        Declined = "declined",
        Sending = "sending",
        Succeeded = "succeeded",
        Failed = "failed",
        /// It may have happened. Somebody, or a job, is finding out.
        Unknown = "unknown",
    }
}

impl State {
    /// Nothing more will happen to it.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Declined | Self::Succeeded | Self::Failed)
    }

    /// A job carries it on, without a person.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Requested | Self::Approved | Self::Sending | Self::Unknown)
    }
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Refund {
    pub id: Uuid,
    pub origin: Origin,
    pub order_id: String,
    pub payment_key: String,
    pub amount: Decimal,
    pub currency: String,
    pub refundable_amount: Decimal,
    /// What of a part bears no VAT.
    pub tax_free_amount: Option<Decimal>,
    pub reason_code: String,
    pub reason: String,
    pub state: State,
    pub requested_by: Option<Uuid>,
    pub requested_by_name: String,
    pub requested_at: OffsetDateTime,
    /// The limit that asks for a second person.
    pub approval_reason: Option<ApprovalReason>,
    pub approved_by_name: Option<String>,
    pub approved_at: Option<OffsetDateTime>,
    pub attempts: i32,
    pub settled_at: Option<OffsetDateTime>,
    /// The person who settled it, where it was one.
    pub settled_by_name: Option<String>,
    /// Why no machine can tell how it ended.
    pub needs_person: Option<String>,
    pub transaction_key: Option<String>,
    /// Where the money is since Toss took it; nothing where none goes back.
    pub stage: Option<Stage>,
    pub stage_at: Option<OffsetDateTime>,
    /// The person who said so, where it was one, and their words.
    pub stage_by_name: Option<String>,
    pub stage_note: Option<String>,
    /// The day in Korea by which the buyer has it.
    pub expected_on: Option<Date>,
    /// The last day that a bank may take.
    pub bank_due_on: Option<Date>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
}

impl Refund {
    /// Since when it could have been sent.
    pub fn sendable_since(&self) -> OffsetDateTime {
        self.approved_at.unwrap_or(self.requested_at)
    }

    /// Whether it is somebody's task by now, and no longer only a job's.
    pub fn is_overdue(&self, now: OffsetDateTime) -> bool {
        self.state.is_under_way()
            && (self.needs_person.is_some() || now - self.sendable_since() >= TASK_AFTER)
    }

    /// Toss took it, and the buyer does not have it as they should: it came back, or a bank has had it for too long.
    pub fn did_not_arrive(&self, today: Date) -> bool {
        self.stage.is_some_and(Stage::needs_person)
            || self.stage == Some(Stage::AtTheBank) && self.bank_due_on.is_some_and(|due| today > due)
    }
}

/// A refund form as it was filled in.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// Minted with the form: posting it twice is one intent.
    pub intent: String,
    pub order_id: String,
    pub amount: String,
    pub reason_code: String,
    pub reason: String,
    /// [`OWN_ACCOUNT`] stands for the account that the buyer left.
    pub bank: String,
    pub account_number: String,
    pub holder_name: String,
    /// It is the refund of what came back, and stops the legal clock.
    pub for_return: bool,
    /// What of a part bears no VAT; empty means in proportion.
    pub tax_free_amount: String,
    /// All that is left, whatever it is: nothing is typed as `amount`.
    pub whole: bool,
}

/// What is wrong with it, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// The form itself is damaged: it was not made by the page.
    Form,
    NoSuchOrder,
    Amount(AmountError),
    /// More than is left.
    OverBalance {
        left: Decimal,
        currency: String,
    },
    /// Only the whole balance can go back.
    WholeOnly,
    /// A part must not be smaller than this (toss-api.md A5.3: the instant discount).
    BelowLeast {
        least: Decimal,
        currency: String,
    },
    /// What of a part bears no VAT: not a number.
    TaxFreeAmount(AmountError),
    /// It has to be between these, in the payment's currency.
    TaxFree {
        least: Decimal,
        most: Decimal,
    },
    ReasonCode,
    ReasonTooShort,
    ReasonTooLong,
    /// The rail takes fewer characters.
    ReasonTooLongFor {
        most: usize,
    },
    /// The rail takes other characters: which it does not take, and what would be sent without them.
    ReasonCharacters {
        not_taken: String,
        sent: String,
    },
    Bank,
    AccountNumber,
    HolderName,
    /// The buyer left no account.
    NoOwnAccount,
    NotPossible(WhyNot),
    /// Another refund of this payment is under way.
    AlreadyOpen {
        by: String,
        amount: Decimal,
        currency: String,
    },
    NoSuchRefund,
    /// They may not be the second person.
    NotSecond(NotSecond),
    /// Somebody was faster: how it stands now.
    AlreadyDecided {
        state: State,
        by: Option<String>,
    },
    /// Amount or balance are no longer what they were when it was asked for.
    Lapsed,
    NoteTooShort,
    NoteTooLong,
    /// What Toss says is no longer what the decision was made on.
    FactsChanged,
    /// A job is still finding out.
    TooEarly,
    /// Toss cannot be asked, and nobody decides without having asked.
    TossSilent,
    /// Its money did not come back.
    NotReturned,
    /// A cancel at Toss that could be it stands there.
    FittingCancel,
}

#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    #[error("refused: {0:?}")]
    Refused(Refused),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for RefundError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Refused> for RefundError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// The audit row of what happened to a refund, and the event of it. The row of its order is held.
async fn note(
    tx: &mut sqlx::PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    order_id: &str,
    id: Uuid,
    action: &'static str,
    mut detail: Value,
) -> Result<(), Fault> {
    detail["refund"] = id.to_string().into();
    audit::record(tx, now, actor, Act { action, subject_kind: "order", subject: order_id, detail }).await?;
    news::tell(tx, now, id, action).await
}

/// A reason that a person gives for a decision.
fn note_of(text: &str) -> Result<String, Refused> {
    let note = text.trim();
    if note.is_empty() {
        return Err(Refused::NoteTooShort);
    }
    if note.chars().count() > 200 || note.contains('\0') {
        return Err(Refused::NoteTooLong);
    }
    Ok(note.to_owned())
}
