//! Taking a grant down: under the campaign's row nothing passes budget, cap or event, however many ask at once.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use toss::apps_in_toss::{self, UserKey};
use tracing::Instrument;
use uuid::Uuid;

use super::{Campaign, Form, Grant, GrantError, Refused, State, campaigns::points, job::ExecuteGrant, news};
use crate::{
    Backoffice, Fault, api_keys,
    audit::{self, Act, Actor},
    clock::day_start,
    kernel::second_person::NotSecond,
    limits, promotions, queue, staff,
};

/// A job looks after a grant whose process has died. The process itself tries at once.
pub(super) const JOB_AFTER: Duration = Duration::from_secs(60);

/// Where a grant comes from besides a form.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Origin {
    pub batch: Option<Uuid>,
    /// A second person has approved the whole file.
    pub approved: bool,
}

/// The parts that need no look at the books.
pub(super) struct Parsed {
    pub id: Uuid,
    pub user: UserKey,
    pub event: String,
    /// Nothing: what the campaign gives.
    pub amount: Option<i64>,
}

pub(super) fn parse(form: &Form) -> Result<Parsed, Refused> {
    let id = Uuid::parse_str(&form.intent).map_err(|_| Refused::Form)?;
    let user = UserKey::parse(&form.user_key).ok_or(Refused::UserKey)?;
    let event = form.event.trim();
    if event.is_empty() || event.chars().count() > 100 || event.chars().any(char::is_control) {
        return Err(Refused::Event);
    }
    let amount = match form.amount.trim() {
        "" => None,
        text => Some(points(text).ok_or(Refused::Amount)?),
    };
    Ok(Parsed { id, user, event: event.to_owned(), amount })
}

/// Whether a campaign gives `amount` now. Budget and cap are looked at under its lock.
pub(super) fn open(
    campaign: &Campaign,
    amount: i64,
    is_test: bool,
    now: OffsetDateTime,
) -> Result<(), Refused> {
    if amount > campaign.amount {
        return Err(Refused::AboveMost { most: campaign.amount });
    }
    if is_test {
        return Ok(());
    }
    if campaign.waits() {
        return Err(Refused::NotApproved);
    }
    if campaign.stopped_at.is_some() {
        return Err(Refused::Stopped);
    }
    if now < campaign.starts_at {
        return Err(Refused::NotStarted);
    }
    if now >= campaign.ends_at {
        return Err(Refused::Ended);
    }
    Ok(())
}

/// Takes a grant down and tries it at once. What comes back is how it stands.
pub async fn grant(backoffice: &Backoffice, actor: &Actor, form: &Form) -> Result<Grant, GrantError> {
    let id = create_intent(backoffice, actor, form).await?;
    execute_detached(backoffice, id).await
}

/// Takes it down and pays nothing yet.
pub async fn create_intent(backoffice: &Backoffice, actor: &Actor, form: &Form) -> Result<Uuid, GrantError> {
    let mut tx = backoffice.pool.begin().await?;
    let id = insert_intent(backoffice, &mut tx, actor, form, Origin::default()).await?;
    tx.commit().await?;
    Ok(id)
}

pub(super) async fn insert_intent(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    form: &Form,
    origin: Origin,
) -> Result<Uuid, GrantError> {
    let client = backoffice.apps_in_toss()?;
    // Promotions know no `isTestPayment`: what tells a rehearsal from real points is the code alone.
    if client.is_test() && client.url() == apps_in_toss::OFFICIAL_URL && !form.is_test {
        return Err(Refused::OnlyTests.into());
    }
    let parsed = parse(form)?;
    let now = backoffice.clock.now();
    let code = form.promotion_code.trim();
    if code.contains('\0') {
        return Err(Refused::NoSuchCampaign.into());
    }
    // Whoever grants of one campaign goes one after the other.
    let campaign =
        sqlx::query_as!(Campaign, "select * from campaigns where promotion_code = $1 for update", code)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(Refused::NoSuchCampaign)?;
    let known = sqlx::query!(
        "select promotion_code, user_key, event, amount, is_test from grants where id = $1",
        parsed.id
    )
    .fetch_optional(&mut *tx)
    .await?;
    let amount = parsed.amount.unwrap_or(campaign.amount);
    if let Some(known) = known {
        let same = (known.promotion_code.as_str(), known.user_key, known.event.as_str(), known.amount)
            == (code, parsed.user.0, parsed.event.as_str(), amount)
            && known.is_test == form.is_test;
        return if same { Ok(parsed.id) } else { Err(Refused::Form.into()) };
    }
    open(&campaign, amount, form.is_test, now)?;
    if !form.is_test {
        let before = sqlx::query_scalar!(
            "select state from grants where promotion_code = $1 and user_key = $2 and event = $3
             and state not in ('failed', 'declined') and not is_test",
            code,
            parsed.user.0,
            parsed.event,
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(state) = before.and_then(|state| State::parse(&state)) {
            return Err(Refused::Already { state }.into());
        }
        let has = sqlx::query_scalar!(
            "select promised from campaign_users where promotion_code = $1 and user_key = $2",
            code,
            parsed.user.0
        )
        .fetch_optional(&mut *tx)
        .await?
        .unwrap_or_default();
        if has + amount > campaign.user_cap {
            return Err(Refused::UserCap { left: (campaign.user_cap - has).max(0) }.into());
        }
        if amount > campaign.left() {
            return Err(Refused::Budget { left: campaign.left() }.into());
        }
    }
    // The threshold of a file is its sum's; a day's is everybody's, line by line.
    let above = origin.batch.is_none() && campaign.approval_above.is_some_and(|limit| amount > limit);
    let needs_second =
        !origin.approved && !form.is_test && (above || above_the_day(backoffice, tx, actor, amount).await?);
    let state = if needs_second { State::WaitingForApproval } else { State::Requested };
    let inserted = sqlx::query!(
        "insert into grants (id, promotion_code, user_key, event, amount, is_test, state, batch_id, needs_second,
                             requested_by, requested_by_name, requested_at, requested_by_key)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (id) do nothing",
        parsed.id,
        code,
        parsed.user.0,
        parsed.event,
        amount,
        form.is_test,
        state.as_str(),
        origin.batch,
        needs_second,
        actor.staff_id(),
        actor.name(),
        now,
        actor.api_key(),
    )
    .execute(&mut *tx)
    .await?;
    // Under another campaign's lock somebody has just used this id for something else.
    if inserted.rows_affected() == 0 {
        return Err(Refused::Form.into());
    }
    if state == State::Requested {
        queue::plan(&mut *tx, &ExecuteGrant { id: parsed.id }, JOB_AFTER).await?;
    }
    let detail = json!({ "grant": parsed.id, "userKey": parsed.user, "event": parsed.event, "amount": amount,
                         "test": form.is_test, "needsSecond": needs_second });
    note(backoffice, tx, actor, code, "grant.requested", detail).await?;
    Ok(parsed.id)
}

/// Whether so many points more are above what the person may grant in a day, over all campaigns, on their own word.
pub(super) async fn above_the_day(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    amount: i64,
) -> Result<bool, Fault> {
    let held = limits::of(&mut *tx, actor).await?;
    let Some((who, limit)) = held.and_then(|held| Some((held.who, held.grants_per_day?))) else {
        return Ok(false);
    };
    // What a second person has answered for does not count against the first.
    let before = sqlx::query_scalar!(
        r#"select coalesce(sum(g.amount), 0)::bigint as "sum!" from grants g
           left join grant_batches b on b.id = g.batch_id
           where (g.requested_by = $1 or g.requested_by_key = $1) and g.requested_at >= $2 and not g.needs_second and not g.is_test
             and b.approved_by_name is null and g.state not in ('failed', 'declined')"#,
        who,
        day_start(backoffice.clock.today()),
    )
    .fetch_one(tx)
    .await?;
    Ok(before + amount > limit)
}

pub(super) async fn note(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    code: &str,
    action: &'static str,
    detail: Value,
) -> Result<(), Fault> {
    let act = Act { action, subject_kind: "campaign", subject: code, detail };
    audit::record(tx, backoffice.clock.now(), actor, act).await
}

/// On a task of its own: a browser that goes away must not leave a lease behind that nobody works on.
pub(super) async fn execute_detached(backoffice: &Backoffice, id: Uuid) -> Result<Grant, GrantError> {
    let own = backoffice.clone();
    tokio::spawn(async move { promotions::execute(&own, id).await }.in_current_span())
        .await
        .map_err(Fault::from)??;
    get_known(backoffice, id).await
}

/// A second person approves, and the grant is tried at once.
pub async fn approve(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<Grant, GrantError> {
    let known = promotions::get(backoffice, id).await?.ok_or(Refused::NoSuchGrant)?;
    let mut tx = backoffice.pool.begin().await?;
    // Rows are locked in one order everywhere: campaign, grant.
    let campaign = sqlx::query_as!(
        Campaign,
        "select * from campaigns where promotion_code = $1 for update",
        known.promotion_code
    )
    .fetch_one(&mut *tx)
    .await?;
    let grant = lock_waiting_for_update(backoffice, &mut tx, id).await?;
    open(&campaign, grant.amount, grant.is_test, backoffice.clock.now())?;
    let key = sqlx::query_scalar!("select requested_by_key from grants where id = $1", id)
        .fetch_one(&mut *tx)
        .await?;
    if api_keys::is_known_to(&mut tx, key, actor).await? {
        return Err(Refused::NotSecond(NotSecond::Own).into());
    }
    let approver = staff::second_person(backoffice, &mut tx, actor, grant.requested_by)
        .await?
        .map_err(Refused::NotSecond)?;
    sqlx::query!(
        "update grants set state = 'requested', approved_by = $2, approved_by_name = $3 where id = $1",
        id,
        approver,
        actor.name(),
    )
    .execute(&mut *tx)
    .await?;
    queue::plan(&mut tx, &ExecuteGrant { id }, JOB_AFTER).await?;
    let detail = json!({ "grant": id, "userKey": grant.user_key, "amount": grant.amount });
    note(backoffice, &mut tx, actor, &grant.promotion_code, "grant.approved", detail).await?;
    tx.commit().await?;
    execute_detached(backoffice, id).await
}

/// A second person declines, or whoever asked takes it back.
pub async fn decline(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<Grant, GrantError> {
    let mut tx = backoffice.pool.begin().await?;
    let grant = lock_waiting_for_update(backoffice, &mut tx, id).await?;
    end(backoffice, &mut tx, actor, &grant).await?;
    tx.commit().await?;
    get_known(backoffice, id).await
}

/// What somebody who leaves, or a key that is taken back, has asked for and nobody has decided. How many.
pub(crate) async fn decline_of(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    staff: Uuid,
) -> Result<usize, Fault> {
    let waiting = sqlx::query_scalar!(
        "select id from grants where (requested_by = $1 or requested_by_key = $1) and state = 'waiting_for_approval'
         order by id",
        staff
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut ended = 0;
    for id in waiting {
        match lock_waiting_for_update(backoffice, tx, id).await {
            Ok(grant) => {
                end(backoffice, tx, actor, &grant).await?;
                ended += 1;
            }
            // Somebody was faster.
            Err(GrantError::Refused(_)) => {}
            Err(GrantError::Fault(fault)) => return Err(fault),
        }
    }
    Ok(ended)
}

async fn end(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    grant: &Grant,
) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    sqlx::query!("update grants set state = 'declined', settled_at = $2 where id = $1", grant.id, now)
        .execute(&mut *tx)
        .await?;
    let detail = json!({ "grant": grant.id, "userKey": grant.user_key, "amount": grant.amount });
    note(backoffice, tx, actor, &grant.promotion_code, "grant.declined", detail).await
}

/// A person who has looked into Toss's console says whether the points were paid. Toss is asked first, and "not paid", which
/// gives the points back to the budget, takes a second person. Nothing is sent.
pub async fn decide(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    paid: bool,
) -> Result<Grant, GrantError> {
    let now = backoffice.clock.now();
    let grant = promotions::get(backoffice, id).await?.ok_or(Refused::NoSuchGrant)?;
    if grant.state.is_settled() || grant.state == State::WaitingForApproval {
        return Err(Refused::AlreadyDecided { state: grant.state }.into());
    }
    if !grant.needs_person(now) {
        return Err(Refused::TooEarly.into());
    }
    if !paid && promotions::execute::may_have_been_paid(backoffice, &grant).await? {
        return Err(Refused::PaidAtToss.into());
    }
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!("select 1 as one from campaigns where promotion_code = $1 for update", grant.promotion_code)
        .fetch_one(&mut *tx)
        .await?;
    let first = sqlx::query_scalar!("select not_paid_by from grants where id = $1 for update", id)
        .fetch_one(&mut *tx)
        .await?;
    if !paid && let Some(staff) = actor.staff_id() {
        if first.is_none() {
            sqlx::query!(
                "update grants set not_paid_by = $2, not_paid_by_name = $3 where id = $1",
                id,
                staff,
                actor.name(),
            )
            .execute(&mut *tx)
            .await?;
            let detail = json!({ "grant": id, "userKey": grant.user_key, "amount": grant.amount });
            note(backoffice, &mut tx, actor, &grant.promotion_code, "grant.said_not_paid", detail).await?;
            tx.commit().await?;
            return get_known(backoffice, id).await;
        }
        staff::second_person(backoffice, &mut tx, actor, first).await?.map_err(Refused::NotSecond)?;
    }
    let to = if paid { State::Succeeded } else { State::Failed };
    // The fence makes the word of whoever is at it worthless; a request that may still be on its way keeps it open.
    let decided = sqlx::query!(
        "update grants set state = $2, settled_at = $3, fence = fence + 1, lease_until = null,
                error_code = case when $4 then null else 'NOT_PAID' end, error_message = null
         where id = $1 and state in ('unknown', 'pending') and (lease_until is null or lease_until < now())
           and (sent_at is null or sent_at < now() - interval '3 minutes')",
        id,
        to.as_str(),
        now,
        paid,
    )
    .execute(&mut *tx)
    .await?;
    if decided.rows_affected() == 0 {
        return Err(Refused::TooEarly.into());
    }
    let detail = json!({ "grant": id, "userKey": grant.user_key, "amount": grant.amount, "paid": paid });
    note(backoffice, &mut tx, actor, &grant.promotion_code, "grant.decided", detail).await?;
    news::tell(&mut tx, now, id).await?;
    tx.commit().await?;
    get_known(backoffice, id).await
}

/// How a grant stands that was there a moment ago.
async fn get_known(backoffice: &Backoffice, id: Uuid) -> Result<Grant, GrantError> {
    promotions::get(backoffice, id)
        .await?
        .ok_or_else(|| Fault::Inconsistent(format!("grant {id} is gone")).into())
}

async fn lock_waiting_for_update(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    id: Uuid,
) -> Result<Grant, GrantError> {
    let state = sqlx::query_scalar!("select state from grants where id = $1 for update", id)
        .fetch_optional(tx)
        .await?
        .ok_or(Refused::NoSuchGrant)?;
    let grant = promotions::get(backoffice, id).await?.ok_or(Refused::NoSuchGrant)?;
    match State::parse(&state) {
        Some(State::WaitingForApproval) => Ok(grant),
        Some(state) => Err(Refused::AlreadyDecided { state }.into()),
        None => Err(Fault::Inconsistent(format!("grant state {state:?}")).into()),
    }
}
