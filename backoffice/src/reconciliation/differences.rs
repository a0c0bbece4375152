//! Working a difference: somebody takes it, notes what they found, asks Toss again, applies what Toss says, or accepts it
//! with a reason. Money is only accepted away by two people. Nothing is ever adjusted by itself.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use toss::redact;
use uuid::Uuid;

use super::{Class, Finding};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    kernel::second_person::NotSecond,
    page::{Cursor, Page, push_keyset},
    payments,
    rail::Rail,
    reconciliation, staff,
};

pub const LONGEST_NOTE: usize = 500;

text_enum! {
    State {
        Open = "open",
        /// One person accepts it, a second one has to.
        PendingApproval = "pending_approval",
        Accepted = "accepted",
        /// Both sides agree by now.
        Resolved = "resolved",
    }
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Difference {
    #[sqlx(flatten)]
    pub key: Key,
    pub day: Date,
    pub rail: Rail,
    pub payment_key: String,
    pub order_id: String,
    pub method: Option<String>,
    pub currency: String,
    /// Of our own figure, where it is not the row's.
    pub booked_currency: Option<String>,
    /// Of what is settled, its fee and its payout, where it is not the row's.
    pub settled_currency: Option<String>,
    pub transaction_at: OffsetDateTime,
    pub class: Class,
    pub findings: Vec<Finding>,
    pub ours: Decimal,
    pub toss: Decimal,
    pub settled: Decimal,
    pub fee: Decimal,
    pub fee_due: Option<Decimal>,
    pub payout: Decimal,
    pub due: Option<Date>,
    pub state: State,
    pub after_close: bool,
    pub assignee: Option<Uuid>,
    pub assignee_name: Option<String>,
    pub reason: Option<String>,
    pub requested_by: Option<Uuid>,
    pub requested_by_name: Option<String>,
    pub accepted_by_name: Option<String>,
    pub found_at: OffsetDateTime,
}

impl Difference {
    /// The money that is at stake, in the row's currency; none where only words or days differ.
    pub fn at_stake(&self) -> Decimal {
        let moved = if self.toss.is_zero() { self.ours } else { self.toss };
        if self.booked_currency.is_some() || self.settled_currency.is_some() {
            // Figures in two currencies have no difference.
            return moved.abs();
        }
        match self.class {
            Class::Matched | Class::Expected | Class::StatusDiffers => Decimal::ZERO,
            Class::Late if self.findings.contains(&Finding::NotSettled) => moved.abs(),
            Class::Late => Decimal::ZERO,
            Class::SettledButRefunded => moved.abs(),
            Class::MissingHere | Class::MissingAtToss | Class::Duplicate => {
                moved.abs().max(self.settled.abs())
            }
            Class::AmountDiffers => {
                let settled = if self.settled.is_zero() { self.toss } else { self.settled };
                (self.toss - self.ours).abs().max((settled - self.ours).abs())
            }
            Class::FeeDiffers => match self.fee_due {
                Some(due) if due != self.fee => (self.fee - due).abs(),
                _ => (self.settled - self.fee - self.payout).abs(),
            },
        }
    }

    /// Whether Toss's word can be put into our books: only what is ours can be corrected here.
    pub fn is_correctable(&self) -> bool {
        let ours_differs = match self.class {
            Class::MissingHere | Class::StatusDiffers => true,
            Class::AmountDiffers => {
                self.booked_currency.is_some() || self.findings.contains(&Finding::Amount)
            }
            _ => false,
        };
        ours_differs && self.rail != Rail::Iap && self.key.occurrence == 1
    }
}

/// What Toss's two figures come to, of a sale in one currency that is settled in another: it tells no rate
/// (toss-api.md A8). How much of the first is one of the second.
pub fn exchange_rate(moved: Decimal, settled: Decimal) -> Option<Decimal> {
    (!settled.is_zero() && !moved.is_zero()).then(|| (moved.abs() / settled.abs()).round_dp(4))
}

/// Which difference: a transaction, and which of its rows.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Key {
    pub transaction_key: String,
    pub occurrence: i16,
}

impl Key {
    /// As it stands in an address: the key, and `~2` for a second row.
    pub fn parse(text: &str) -> Self {
        match text.rsplit_once('~').and_then(|(key, occurrence)| Some((key, occurrence.parse().ok()?))) {
            Some((key, occurrence)) if occurrence > 1 => Self { transaction_key: key.to_owned(), occurrence },
            _ => Self { transaction_key: text.to_owned(), occurrence: 1 },
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.occurrence {
            1 => f.write_str(&self.transaction_key),
            occurrence => write!(f, "{}~{occurrence}", self.transaction_key),
        }
    }
}

/// One line of its history.
#[derive(Debug, Clone)]
pub struct Step {
    pub at: OffsetDateTime,
    pub actor_name: String,
    /// found, changed, resolved, assigned, unassigned, handed_over, noted, looked_up, corrected, approval_requested, accepted, reopened
    pub kind: String,
    pub note: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Filter {
    pub day: Option<Date>,
    pub class: Option<Class>,
    /// Open ones and those that wait for a second person, unless said otherwise.
    pub state: Option<State>,
    pub assignee: Option<Uuid>,
    /// An order, payment or transaction.
    pub q: Option<String>,
}

/// Why something cannot be done with it.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    #[error("no such difference")]
    NotFound,
    #[error("it is not open any more")]
    NotOpen,
    #[error("a reason is needed")]
    Reason,
    #[error("the note is longer than {LONGEST_NOTE} characters")]
    TooLong,
    #[error("not a second person: {0:?}")]
    NotSecond(NotSecond),
    #[error("nothing of ours differs: there is nothing to correct here")]
    NotCorrectable,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for WorkError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Two rows of one transaction have the same time.
const KEY: &str = "(d.transaction_key || '~' || d.occurrence)";

const SELECT: &str =
    "select d.transaction_key, d.occurrence, d.day, d.rail, d.payment_key, d.order_id, d.method, d.currency, d.booked_currency, d.settled_currency, d.transaction_at, d.class,
            d.findings, d.ours, d.toss, d.settled, d.fee, d.fee_due, d.payout, d.due, d.state, d.after_close, d.assignee,
            w.name as assignee_name, d.reason, d.requested_by, a.name as requested_by_name, b.name as accepted_by_name, d.found_at
     from differences d left join staff w on w.id = d.assignee left join staff a on a.id = d.requested_by
                        left join staff b on b.id = d.accepted_by ";

pub async fn list(
    backoffice: &Backoffice,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Difference>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(SELECT);
    match filter.state {
        Some(state) => drop(query.push("where d.state = ").push_bind(state.as_str())),
        None => drop(query.push("where d.state in ('open', 'pending_approval')")),
    }
    if let Some(day) = filter.day {
        query.push(" and d.day = ").push_bind(day);
    }
    if let Some(class) = filter.class {
        query.push(" and d.class = ").push_bind(class.as_str());
    }
    if let Some(who) = filter.assignee {
        query.push(" and d.assignee = ").push_bind(who);
    }
    if let Some(q) = &filter.q {
        query.push(" and (d.transaction_key = ").push_bind(q.clone());
        query.push(" or d.payment_key = ").push_bind(q.clone());
        query.push(" or d.order_id = ").push_bind(q.clone()).push(")");
    }
    push_keyset(&mut query, cursor, "d.transaction_at", KEY, size);
    let rows: Vec<Difference> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |d| {
        (d.transaction_at, format!("{}~{}", d.key.transaction_key, d.key.occurrence))
    }))
}

/// Every difference of a class on a day, whatever its state; for the day's own page.
pub async fn list_of_day(
    backoffice: &Backoffice,
    day: Date,
    class: Class,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Difference>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(SELECT);
    query.push("where d.state <> 'resolved' and d.day = ").push_bind(day);
    query.push(" and d.class = ").push_bind(class.as_str());
    push_keyset(&mut query, cursor, "d.transaction_at", KEY, size);
    let rows: Vec<Difference> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |d| {
        (d.transaction_at, format!("{}~{}", d.key.transaction_key, d.key.occurrence))
    }))
}

pub async fn get(backoffice: &Backoffice, key: &Key) -> Result<Option<Difference>, Fault> {
    if key.transaction_key.contains('\0') {
        return Ok(None);
    }
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(SELECT);
    query.push("where d.transaction_key = ").push_bind(key.transaction_key.clone());
    query.push(" and d.occurrence = ").push_bind(key.occurrence);
    Ok(query.build_query_as().fetch_optional(&backoffice.pool).await?)
}

pub async fn steps(backoffice: &Backoffice, key: &Key) -> Result<Vec<Step>, Fault> {
    let steps = sqlx::query_as!(
        Step,
        "select at, actor_name, kind, note from difference_steps where transaction_key = $1 and occurrence = $2 order by id desc",
        key.transaction_key,
        key.occurrence,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(steps)
}

/// Takes it, or gives it back when it is one's own already.
pub async fn assign(backoffice: &Backoffice, actor: &Actor, key: &Key) -> Result<bool, WorkError> {
    let mut tx = backoffice.pool.begin().await?;
    let difference = lock_for_update(&mut tx, key).await?;
    let who = actor.staff_id().filter(|who| difference.assignee != Some(*who));
    sqlx::query!(
        "update differences set assignee = $3 where transaction_key = $1 and occurrence = $2",
        key.transaction_key,
        key.occurrence,
        who,
    )
    .execute(&mut *tx)
    .await?;
    let kind = if who.is_some() { "assigned" } else { "unassigned" };
    record_step(backoffice, &mut tx, actor, &difference, kind, None).await?;
    tx.commit().await?;
    Ok(who.is_some())
}

/// What somebody who leaves had taken goes to a colleague, or to nobody. How many.
pub(crate) async fn hand_over(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    from: Uuid,
    to: Option<(Uuid, &str)>,
) -> Result<usize, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(SELECT);
    query.push("where d.state in ('open', 'pending_approval') and d.assignee = ").push_bind(from);
    query.push(" order by d.transaction_key, d.occurrence for update of d");
    let theirs: Vec<Difference> = query.build_query_as().fetch_all(&mut *tx).await?;
    for difference in &theirs {
        sqlx::query!(
            "update differences set assignee = $3 where transaction_key = $1 and occurrence = $2",
            difference.key.transaction_key,
            difference.key.occurrence,
            to.map(|(id, _)| id),
        )
        .execute(&mut *tx)
        .await?;
        let kind = if to.is_some() { "handed_over" } else { "unassigned" };
        record_step(backoffice, tx, actor, difference, kind, to.map(|(_, name)| name)).await?;
    }
    Ok(theirs.len())
}

pub async fn note(backoffice: &Backoffice, actor: &Actor, key: &Key, note: &str) -> Result<(), WorkError> {
    let note = written(note)?;
    let mut tx = backoffice.pool.begin().await?;
    let difference = lock_for_update(&mut tx, key).await?;
    record_step(backoffice, &mut tx, actor, &difference, "noted", Some(&note)).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes it as it is. Where money is at stake it waits for a second person.
pub async fn accept(
    backoffice: &Backoffice,
    actor: &Actor,
    key: &Key,
    reason: &str,
) -> Result<State, WorkError> {
    let reason = written(reason)?;
    let mut tx = backoffice.pool.begin().await?;
    let difference = lock_for_update(&mut tx, key).await?;
    if difference.state != State::Open {
        return Err(WorkError::NotOpen);
    }
    let alone = difference.at_stake().is_zero();
    let state = if alone { State::Accepted } else { State::PendingApproval };
    sqlx::query!(
        "update differences set state = $3, reason = $4, requested_by = $5, accepted_by = null, changed_at = $6
         where transaction_key = $1 and occurrence = $2",
        key.transaction_key,
        key.occurrence,
        state.as_str(),
        reason,
        actor.staff_id(),
        backoffice.clock.now(),
    )
    .execute(&mut *tx)
    .await?;
    let kind = if alone { "accepted" } else { "approval_requested" };
    record_step(backoffice, &mut tx, actor, &difference, kind, Some(&reason)).await?;
    tx.commit().await?;
    Ok(state)
}

/// The second person agrees (or, with `agree` false, gives it back to be worked).
pub async fn decide(
    backoffice: &Backoffice,
    actor: &Actor,
    key: &Key,
    agree: bool,
    note: &str,
) -> Result<State, WorkError> {
    let mut tx = backoffice.pool.begin().await?;
    let difference = lock_for_update(&mut tx, key).await?;
    if difference.state != State::PendingApproval {
        return Err(WorkError::NotOpen);
    }
    if agree {
        let second = staff::second_person(backoffice, &mut tx, actor, difference.requested_by).await?;
        second.map_err(WorkError::NotSecond)?;
    }
    let note = if agree && note.trim().is_empty() { None } else { Some(written(note)?) };
    let state = if agree { State::Accepted } else { State::Open };
    sqlx::query!(
        "update differences set state = $3, accepted_by = $4, changed_at = $5,
                reason = case when $3 = 'open' then null else reason end,
                requested_by = case when $3 = 'open' then null else requested_by end
         where transaction_key = $1 and occurrence = $2",
        key.transaction_key,
        key.occurrence,
        state.as_str(),
        actor.staff_id().filter(|_| agree),
        backoffice.clock.now(),
    )
    .execute(&mut *tx)
    .await?;
    let kind = if agree { "accepted" } else { "reopened" };
    record_step(backoffice, &mut tx, actor, &difference, kind, note.as_deref()).await?;
    tx.commit().await?;
    Ok(state)
}

/// Asks Toss about the payment now and reconciles the day anew. What it is then.
pub async fn look_into(backoffice: &Backoffice, actor: &Actor, key: &Key) -> Result<Difference, WorkError> {
    let difference = get(backoffice, key).await?.ok_or(WorkError::NotFound)?;
    let status = ask_about(backoffice, actor, &difference).await?;
    let mut tx = backoffice.pool.begin().await?;
    record_step(backoffice, &mut tx, actor, &difference, "looked_up", Some(&status)).await?;
    tx.commit().await?;
    reconciled_anew(backoffice, actor, &difference).await
}

/// Puts Toss's word for this transaction in the place of ours, and reconciles the day anew. Toss is asked first:
/// where it does not answer, nothing is changed.
pub async fn correct(backoffice: &Backoffice, actor: &Actor, key: &Key) -> Result<Difference, WorkError> {
    let difference = get(backoffice, key).await?.ok_or(WorkError::NotFound)?;
    may_correct(&difference)?;
    let status = ask_about(backoffice, actor, &difference).await?;
    let mut tx = backoffice.pool.begin().await?;
    let difference = lock_for_update(&mut tx, key).await?;
    may_correct(&difference)?;
    let before = sqlx::query!(
        "select booked_amount, booked_currency, booked_status, listed_amount, listed_status, currency
         from transactions where transaction_key = $1 for update",
        key.transaction_key
    )
    .fetch_optional(&mut *tx)
    .await?;
    // Only settled, never listed: the payment itself tells what it was.
    if let Some(before) = before.filter(|row| row.listed_amount.is_some()) {
        sqlx::query!(
            "update transactions set booked_amount = listed_amount, booked_currency = currency, booked_status = listed_status
             where transaction_key = $1",
            key.transaction_key
        )
        .execute(&mut *tx)
        .await?;
        let said = |text: Option<String>| text.as_deref().map(redact::code);
        let detail = json!({ "transactionKey": key.transaction_key,
            "amount": [before.booked_amount, before.listed_amount],
            "status": [said(before.booked_status), said(before.listed_status)],
            "currency": [said(before.booked_currency), Some(redact::code(&before.currency))] });
        let act = Act {
            action: "transaction.corrected",
            subject_kind: "order",
            subject: &difference.order_id,
            detail,
        };
        audit::record(&mut tx, backoffice.clock.now(), actor, act).await?;
    }
    record_step(backoffice, &mut tx, actor, &difference, "corrected", Some(&status)).await?;
    tx.commit().await?;
    reconciled_anew(backoffice, actor, &difference).await
}

/// Has Toss say how the payment stands; its silence is noted.
async fn ask_about(
    backoffice: &Backoffice,
    actor: &Actor,
    difference: &Difference,
) -> Result<String, WorkError> {
    match look_up_at(backoffice, actor, difference).await {
        Ok(status) => Ok(redact::code(&status)),
        Err(fault @ (Fault::Toss(_) | Fault::AppsInToss(_))) => {
            let mut tx = backoffice.pool.begin().await?;
            record_step(backoffice, &mut tx, actor, difference, "not_answered", Some(&fault.to_string()))
                .await?;
            tx.commit().await?;
            Err(fault.into())
        }
        Err(fault) => Err(fault.into()),
    }
}

async fn reconciled_anew(
    backoffice: &Backoffice,
    actor: &Actor,
    difference: &Difference,
) -> Result<Difference, WorkError> {
    let next = difference.day.next_day().unwrap_or(difference.day);
    reconciliation::reconcile(backoffice, actor, difference.day, next).await?;
    get(backoffice, &difference.key).await?.ok_or(WorkError::NotFound)
}

/// Toss's word for the payment, written into our books as any look-up is.
async fn look_up_at(
    backoffice: &Backoffice,
    actor: &Actor,
    difference: &Difference,
) -> Result<String, Fault> {
    if difference.rail == Rail::TossPayments {
        let key = toss::payments::PaymentKey(difference.payment_key.clone());
        let (payment, _) = payments::look_up(backoffice, actor, &key).await?;
        return Ok(payment.status.as_str().to_owned());
    }
    let (held, _) = payments::look_up_on_rail(backoffice, actor, &difference.order_id, None).await?;
    Ok(held.status().to_owned())
}

async fn record_step(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    difference: &Difference,
    kind: &str,
    note: Option<&str>,
) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    sqlx::query!(
        "insert into difference_steps (transaction_key, occurrence, at, actor, actor_name, kind, note)
         values ($1, $2, $3, $4, $5, $6, $7)",
        difference.key.transaction_key,
        difference.key.occurrence,
        now,
        actor.key(),
        actor.name(),
        kind,
        note,
    )
    .execute(&mut *tx)
    .await?;
    let detail = json!({ "transactionKey": difference.key.to_string(), "class": difference.class.as_str(),
                         "step": kind, "note": note, "atStake": difference.at_stake(), "currency": difference.currency });
    let act =
        Act { action: "difference.worked", subject_kind: "order", subject: &difference.order_id, detail };
    audit::record(tx, now, actor, act).await
}

fn may_correct(difference: &Difference) -> Result<(), WorkError> {
    if !matches!(difference.state, State::Open | State::PendingApproval) {
        return Err(WorkError::NotOpen);
    }
    if !difference.is_correctable() {
        return Err(WorkError::NotCorrectable);
    }
    Ok(())
}

async fn lock_for_update(tx: &mut PgConnection, key: &Key) -> Result<Difference, WorkError> {
    if key.transaction_key.contains('\0') {
        return Err(WorkError::NotFound);
    }
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(SELECT);
    query.push("where d.transaction_key = ").push_bind(key.transaction_key.clone());
    query.push(" and d.occurrence = ").push_bind(key.occurrence).push(" for update of d");
    query.build_query_as().fetch_optional(tx).await?.ok_or(WorkError::NotFound)
}

fn written(note: &str) -> Result<String, WorkError> {
    let note = note.trim().replace('\0', "");
    if note.is_empty() {
        return Err(WorkError::Reason);
    }
    if note.chars().count() > LONGEST_NOTE {
        return Err(WorkError::TooLong);
    }
    Ok(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_row_has_an_address_of_its_own() {
        for (text, key, occurrence) in
            [("ABC", "ABC", 1), ("ABC~2", "ABC", 2), ("A~B", "A~B", 1), ("A~1", "A~1", 1)]
        {
            let parsed = Key::parse(text);
            assert_eq!((parsed.transaction_key.as_str(), parsed.occurrence), (key, occurrence), "{text}");
            assert_eq!(parsed.to_string(), text);
        }
    }
}
