//! Giving money back, at most once.
//!
//! An intent and its idempotency key are committed before Toss is called. No answer means `unknown`, and unknown is
//! resolved by asking Toss: never by a timer, never under a second key.

mod drive;
pub mod eligibility;
mod list;

use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use time::OffsetDateTime;
use toss::payments::{PaymentKey, RefundAccount, institutions};
use uuid::Uuid;

pub use eligibility::{Eligibility, WhyNot, eligibility};
pub use list::Filter;

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    jobs,
    money::{self, AmountError},
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Requested,
    Sending,
    Succeeded,
    Failed,
    /// It may have happened. Somebody, or a job, is finding out.
    Unknown,
}

impl State {
    pub const ALL: [Self; 5] = [Self::Requested, Self::Sending, Self::Succeeded, Self::Failed, Self::Unknown];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Sending => "sending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Sending | Self::Unknown)
    }
}

#[derive(Debug, Clone)]
pub struct Refund {
    pub id: Uuid,
    pub order_id: String,
    pub payment_key: String,
    pub amount: Decimal,
    pub currency: String,
    pub refundable_amount: Decimal,
    pub reason_code: String,
    pub reason: String,
    pub state: State,
    pub requested_by_name: String,
    pub requested_at: OffsetDateTime,
    pub attempts: i32,
    pub settled_at: Option<OffsetDateTime>,
    pub transaction_key: Option<String>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
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
    pub bank: String,
    pub account_number: String,
    pub holder_name: String,
}

/// What is wrong with it, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    ReasonCode,
    ReasonTooShort,
    ReasonTooLong,
    Bank,
    AccountNumber,
    HolderName,
    NotPossible(WhyNot),
    /// Another refund of this payment is under way.
    AlreadyOpen {
        by: String,
        amount: Decimal,
        currency: String,
    },
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

/// The parts of a form that need no look at the books.
struct Parsed {
    id: Uuid,
    reason: String,
}

fn parse(form: &Form) -> Result<Parsed, Refused> {
    let id = Uuid::parse_str(&form.intent).map_err(|_| Refused::Form)?;
    if form.order_id.contains('\0') {
        return Err(Refused::NoSuchOrder);
    }
    if !REASONS.contains(&form.reason_code.as_str()) {
        return Err(Refused::ReasonCode);
    }
    let reason = form.reason.trim().to_owned();
    if reason.is_empty() {
        return Err(Refused::ReasonTooShort);
    }
    if reason.chars().count() > 200 || reason.contains('\0') {
        return Err(Refused::ReasonTooLong);
    }
    Ok(Parsed { id, reason })
}

fn parse_account(form: &Form) -> Result<RefundAccount, Refused> {
    if institutions::bank_name(&form.bank).is_none() {
        return Err(Refused::Bank);
    }
    let number: String = form.account_number.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    if !(6..=20).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refused::AccountNumber);
    }
    let holder = form.holder_name.trim();
    if holder.is_empty() || holder.chars().count() > 60 || holder.chars().any(char::is_control) {
        return Err(Refused::HolderName);
    }
    Ok(RefundAccount { bank: form.bank.clone(), account_number: number, holder_name: holder.to_owned() })
}

impl Backoffice {
    /// Takes the intent down and tries it at once. What comes back is how it stands, which may be `unknown`.
    pub async fn refund(&self, actor: &Actor, form: &Form) -> Result<Refund, RefundError> {
        let parsed = parse(form)?;
        // Decide on Toss's truth of this moment. When Toss cannot be asked, our copy decides, and
        // `refundableAmount` makes Toss refuse should it be stale.
        if let Some(key) = self.order(&form.order_id).await?.and_then(|order| order.payment_key)
            && let Err(fault) = self.look_up(actor, &PaymentKey(key)).await
        {
            tracing::warn!(%fault, "no look-up before a refund");
        }
        let id = self.take_down(actor, form, parsed).await?;
        // On its own task: a browser that goes away must not leave a lease behind that nobody works on.
        let books = self.clone();
        tokio::spawn(async move { books.drive_refund(id).await })
            .await
            .map_err(|e| Fault::Inconsistent(e.to_string()))??;
        self.refund_by_id(id).await?.ok_or_else(|| Fault::Inconsistent(format!("refund {id} is gone")).into())
    }

    /// Commits the intent, its key, its audit row and the job that finishes it should this process die.
    async fn take_down(&self, actor: &Actor, form: &Form, parsed: Parsed) -> Result<Uuid, RefundError> {
        let now = self.clock.now();
        let Parsed { id, reason } = parsed;
        let mut tx = self.pool.begin().await?;
        let order =
            sqlx::query!("select payment_key from orders where order_id = $1 for update", form.order_id)
                .fetch_optional(&mut *tx)
                .await?
                .ok_or(Refused::NoSuchOrder)?;
        // The same form again is the same intent; a form that was changed meanwhile is not.
        let known = sqlx::query!("select order_id, amount, currency, reason from refunds where id = $1", id)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(known) = known {
            let same = known.order_id == form.order_id
                && known.reason == reason
                && money::parse(&form.amount, &known.currency) == Ok(known.amount);
            return if same { Ok(id) } else { Err(Refused::Form.into()) };
        }
        let key = order.payment_key.ok_or(Refused::NotPossible(WhyNot::NotPaid))?;
        let record = sqlx::query!(
            "select raw, balance_amount, currency from payments where payment_key = $1 and order_id = $2 for update",
            key,
            form.order_id
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Refused::NotPossible(WhyNot::NotPaid))?;
        let payment = serde_json::from_value(record.raw).map_err(|e| Fault::Inconsistent(e.to_string()))?;
        let open = sqlx::query!(
            "select requested_by_name, amount from refunds
             where payment_key = $1 and state in ('requested', 'sending', 'unknown')",
            key
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(open) = open {
            return Err(Refused::AlreadyOpen {
                by: open.requested_by_name,
                amount: open.amount,
                currency: record.currency,
            }
            .into());
        }
        let left = record.balance_amount;
        let may = eligibility(&payment, now);
        if let Some(why_not) = may.why_not {
            return Err(Refused::NotPossible(why_not).into());
        }
        let amount = money::parse(&form.amount, &record.currency).map_err(Refused::Amount)?;
        if amount > left {
            return Err(Refused::OverBalance { left, currency: record.currency }.into());
        }
        if amount < left && !may.part {
            return Err(Refused::WholeOnly.into());
        }
        let account = if may.needs_account { Some(parse_account(form)?) } else { None };
        let staff = match actor {
            Actor::Staff { id, .. } => Some(*id),
            _ => None,
        };
        sqlx::query!(
            "insert into refunds (id, order_id, payment_key, amount, currency, refundable_amount, reason_code, reason,
                                  refund_account, state, idempotency_key, requested_by, requested_by_name, requested_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'requested', $10, $11, $12, $13)",
            id,
            form.order_id,
            key,
            amount,
            record.currency,
            left,
            form.reason_code,
            reason,
            account.and_then(|a| serde_json::to_value(a).ok()),
            format!("refund-{id}"),
            staff,
            actor.name(),
            now,
        )
        .execute(&mut *tx)
        .await?;
        jobs::enqueue_refund(&mut tx, id, Duration::from_secs(90)).await?;
        let detail = json!({ "refund": id, "amount": amount, "currency": record.currency, "reasonCode": form.reason_code,
                             "reason": reason, "refundableAmount": left });
        self.note(&mut tx, actor, &form.order_id, "refund.requested", detail).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn note(
        &self,
        tx: &mut sqlx::PgConnection,
        actor: &Actor,
        order_id: &str,
        action: &'static str,
        detail: Value,
    ) -> Result<(), Fault> {
        audit::record(
            tx,
            self.clock.now(),
            actor,
            Act { action, subject_kind: "order", subject: order_id, detail },
        )
        .await
    }
}
