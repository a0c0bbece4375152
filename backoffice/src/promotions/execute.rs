//! Carrying a grant out. The key is stored before it is used, and a key that may have been used is never given up before
//! Toss has said that it was not: "already paid" (4113) means look, not pay again (toss-api.md B3).

use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;
use toss::apps_in_toss::{
    Client, Error as TossError, GrantState, NotDone, PromotionKey, Refusal, TEST_PREFIX, UserKey,
};
use uuid::Uuid;

use super::{GrantError, Refused, State, grant, job::ExecuteGrant, news};
use crate::{
    Backoffice, Fault, audit::Actor, kernel::apps_in_toss::wait_for_a_user, messages, money, promotions,
    queue,
};

const JOB: Actor = Actor::Job("grant");

/// A look, a key, a payout and a look, of half a minute each: a lease never ends while its holder is waiting.
const LEASE: Duration = Duration::from_secs(150);

/// Toss keeps a key for an hour; a payout that leaves later than this might meet its end.
const KEY_USABLE: time::Duration = time::Duration::minutes(55);
/// After this nothing that was sent under a key can still be carried out.
const KEY_DEAD: time::Duration = time::Duration::minutes(65);

/// No such promotion, stopped, ended, not approved, not running, no money, too much at once, too much for the budget.
const DEFINITE: [&str; 8] = ["4100", "4104", "4105", "4108", "4109", "4112", "4114", "4116"];

struct Claimed {
    id: Uuid,
    promotion_code: String,
    user: UserKey,
    amount: i64,
    is_test: bool,
    key: Option<PromotionKey>,
    key_at: Option<OffsetDateTime>,
    was_sent: bool,
    /// Toss has said that it has it: it is only looked at.
    acknowledged: bool,
    /// Nothing that was sent before is still on its way.
    no_request_in_flight: bool,
    before: State,
    attempt: i32,
    fence: i64,
}

impl Claimed {
    /// What Toss is told: a test pays nothing out.
    fn code(&self) -> String {
        told_code(&self.promotion_code, self.is_test)
    }
}

fn told_code(promotion_code: &str, is_test: bool) -> String {
    if is_test { format!("{TEST_PREFIX}{promotion_code}") } else { promotion_code.to_owned() }
}

enum Verdict {
    Succeeded,
    Failed {
        code: String,
        message: String,
    },
    Pending,
    Unknown {
        code: Option<String>,
        why: String,
    },
    /// Nothing has left. After this long it is tried again.
    NotSent {
        why: String,
        wait: Option<Duration>,
    },
}

/// Tries an open grant once; true when nothing is left to do.
pub async fn execute(backoffice: &Backoffice, id: Uuid) -> Result<bool, Fault> {
    let Some(claimed) = claim(backoffice, id).await? else {
        return Ok(promotions::get(backoffice, id)
            .await?
            .is_none_or(|g| g.state.is_settled() || g.state == State::WaitingForApproval));
    };
    let verdict = attempt(backoffice, &claimed).await?;
    settle(backoffice, claimed, verdict).await
}

async fn claim(backoffice: &Backoffice, id: Uuid) -> Result<Option<Claimed>, Fault> {
    let mut tx = backoffice.pool.begin().await?;
    let row = sqlx::query!(
        r#"with before as (select id, state, sent_at from grants where id = $1)
           update grants g set state = case when g.sent_at is null then 'sending' else 'unknown' end,
                  attempts = attempts + 1, fence = fence + 1, lease_until = now() + make_interval(secs => $2)
           from before b
           where g.id = b.id and g.state in ('requested', 'sending', 'pending', 'unknown')
             and (lease_until is null or lease_until < now())
           returning g.id, promotion_code, user_key, amount, is_test, key, key_at, attempts, fence, b.state as "before!: State",
                     g.sent_at is not null as "was_sent!", acknowledged_at is not null as "acknowledged!",
                     coalesce(g.sent_at < now() - make_interval(secs => $2), true) as "no_request_in_flight!""#,
        id,
        LEASE.as_secs_f64(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    // Should this process die, the next attempt begins when its lease ends; every verdict plans anew.
    queue::plan(&mut tx, &ExecuteGrant { id }, LEASE).await?;
    tx.commit().await?;
    Ok(Some(Claimed {
        id: row.id,
        promotion_code: row.promotion_code,
        user: UserKey(row.user_key),
        amount: row.amount,
        is_test: row.is_test,
        key: row.key.map(PromotionKey),
        key_at: row.key_at,
        was_sent: row.was_sent,
        acknowledged: row.acknowledged,
        no_request_in_flight: row.no_request_in_flight,
        before: row.before,
        attempt: row.attempts,
        fence: row.fence,
    }))
}

async fn attempt(backoffice: &Backoffice, grant: &Claimed) -> Result<Verdict, Fault> {
    let client = backoffice.apps_in_toss()?;
    if grant.was_sent {
        // What may have been paid is looked at first.
        match look(client, grant, grant.key.as_ref()).await {
            Looked::Verdict(verdict) => return Ok(verdict),
            Looked::NotPaid if !grant.no_request_in_flight || grant.acknowledged => {
                return Ok(Verdict::Unknown { code: None, why: "Toss shows no payout yet".into() });
            }
            Looked::NotPaid => {}
        }
    }
    if let Some(wait) = has_to_wait(backoffice, grant.user).await? {
        let why = "ten a minute for one user".to_owned();
        return Ok(match grant.was_sent {
            false => Verdict::NotSent { why, wait: Some(wait) },
            true => Verdict::Unknown { code: None, why },
        });
    }
    let age = grant.key_at.map(|at| backoffice.clock.now() - at);
    let key = match (&grant.key, age) {
        (Some(key), Some(age)) if age < KEY_USABLE => key.clone(),
        // It may still be carried out under the old one.
        (Some(_), Some(age)) if grant.was_sent && age < KEY_DEAD => {
            return Ok(Verdict::Unknown { code: None, why: "waiting for the old key to end".into() });
        }
        _ => match client.promotion_key(grant.user.into()).await {
            Ok(answer) => answer.value,
            // A key alone pays nothing.
            Err(error) => return Ok(not_sent(grant, &error)),
        },
    };
    if !note_paying(backoffice, grant, &key).await? {
        return Ok(Verdict::Unknown { code: None, why: "somebody else is at it".into() });
    }
    let paid = client.execute_promotion(grant.user.into(), &grant.code(), &key, grant.amount).await;
    let Err(error) = paid else {
        acknowledge(backoffice, grant).await?;
        return Ok(match look(client, grant, Some(&key)).await {
            Looked::Verdict(verdict) => verdict,
            Looked::NotPaid => Verdict::Pending,
        });
    };
    tracing::warn!(%error, grant = %grant.id, "execute-promotion");
    Ok(match error {
        TossError::NotDone(NotDone::Refused(refusal)) if refusal.code != "4095" => {
            if refusal.code == "4113" {
                acknowledge(backoffice, grant).await?;
            }
            judge_refusal(client, grant, &key, refusal).await
        }
        // Nothing was paid by this attempt; an earlier one may have.
        TossError::NotDone(_) => not_sent(grant, &error),
        TossError::MaybeDone(_) => unanswered(&error),
    })
}

/// A refusal of one payout. Which of them say that it was made already, or not yet, is toss-api.md B3.2.
async fn judge_refusal(client: &Client, grant: &Claimed, key: &PromotionKey, refusal: Refusal) -> Verdict {
    // Of the first payout these say that nothing was made; a look could only say it in other words.
    if !grant.was_sent && DEFINITE.contains(&refusal.code.as_str()) {
        return Verdict::Failed { code: refusal.code, message: refusal.reason };
    }
    match (look(client, grant, Some(key)).await, refusal.code.as_str()) {
        (Looked::Verdict(verdict), _) => verdict,
        // "Paid already" and "cannot be paid", and no payout to be seen: no verdict yet.
        (Looked::NotPaid, "4113" | "4110") => {
            Verdict::Unknown { code: Some(refusal.code), why: refusal.reason }
        }
        (Looked::NotPaid, _) => Verdict::Failed { code: refusal.code, message: refusal.reason },
    }
}

/// The key and that a payout leaves under it, committed before it leaves. False when the lease has gone.
async fn note_paying(backoffice: &Backoffice, grant: &Claimed, key: &PromotionKey) -> Result<bool, Fault> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let noted = sqlx::query!(
        "update grants set key = $3, key_at = case when key = $3 then key_at else $4 end, sent_at = now(), executed_at = $4
         where id = $1 and fence = $2 and lease_until > now()",
        grant.id,
        grant.fence,
        key.as_str(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    // A key that is another intent's fails here, and nothing leaves.
    let owner = sqlx::query_scalar!(
        "insert into grant_keys (key, grant_id, made_at) values ($1, $2, $3)
         on conflict (key) do update set key = excluded.key returning grant_id",
        key.as_str(),
        grant.id,
        now,
    )
    .fetch_one(&mut *tx)
    .await?;
    if owner != grant.id {
        return Err(Fault::Inconsistent(format!("Toss gave the key of grant {owner} to {}", grant.id)));
    }
    tx.commit().await?;
    Ok(noted.rows_affected() == 1)
}

async fn acknowledge(backoffice: &Backoffice, grant: &Claimed) -> Result<(), Fault> {
    sqlx::query!(
        "update grants set acknowledged_at = coalesce(acknowledged_at, $2) where id = $1",
        grant.id,
        backoffice.clock.now()
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

/// How long until this user may get another one, over all campaigns.
async fn has_to_wait(backoffice: &Backoffice, user: UserKey) -> Result<Option<Duration>, Fault> {
    let now = backoffice.clock.now();
    let row = sqlx::query!(
        r#"select count(*) as "count!", min(executed_at) as first from grants where user_key = $1 and executed_at > $2"#,
        user.0,
        now - time::Duration::MINUTE,
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(wait_for_a_user(row.count, row.first, now))
}

async fn settle(backoffice: &Backoffice, grant: Claimed, verdict: Verdict) -> Result<bool, Fault> {
    let now = backoffice.clock.now();
    let mut wait = None;
    let (state, action, code, message) = match verdict {
        Verdict::Succeeded => (State::Succeeded, "grant.succeeded", None, None),
        Verdict::Failed { code, message } => (State::Failed, "grant.failed", Some(code), Some(message)),
        Verdict::Pending => (State::Pending, "grant.pending", None, None),
        Verdict::Unknown { code, why } => (State::Unknown, "grant.unknown", code, Some(why)),
        Verdict::NotSent { why, wait: after } => {
            wait = after;
            (State::Requested, "grant.not_sent", None, Some(why))
        }
    };
    let settled = state.is_settled();
    let mut tx = backoffice.pool.begin().await?;
    // Rows are locked in one order everywhere: campaign, grant.
    sqlx::query!("select 1 as one from campaigns where promotion_code = $1 for update", grant.promotion_code)
        .fetch_one(&mut *tx)
        .await?;
    let written = sqlx::query!(
        "update grants set state = $3, error_code = $4, error_message = $5, settled_at = $6, lease_until = null,
                sent_at = case when $3 = 'requested' then null else sent_at end
         where id = $1 and fence = $2",
        grant.id,
        grant.fence,
        state.as_str(),
        code,
        message,
        settled.then_some(now),
    )
    .execute(&mut *tx)
    .await?;
    if written.rows_affected() == 0 {
        return Ok(false);
    }
    if state == State::Succeeded && grant.is_test {
        sqlx::query!(
            "update campaigns set tested_at = coalesce(tested_at, $2) where promotion_code = $1",
            grant.promotion_code,
            now
        )
        .execute(&mut *tx)
        .await?;
    }
    if state == State::Succeeded && !grant.is_test {
        let words = [("amount", money::group(grant.amount.into(), "KRW"))];
        messages::plan_follow_up(backoffice, &mut tx, "grant", grant.id, grant.user, &words).await?;
    }
    if settled {
        queue::forget(&mut tx, &ExecuteGrant { id: grant.id }).await?;
    } else {
        let exponent = u32::try_from(grant.attempt.clamp(1, 8)).unwrap_or(1);
        let wait = wait.unwrap_or(Duration::from_secs(2u64.pow(exponent).min(300)));
        queue::plan(&mut tx, &ExecuteGrant { id: grant.id }, wait).await?;
    }
    let is_news =
        settled || (grant.before != state && !(grant.before == State::Sending && state == State::Requested));
    if is_news && !(state == State::Requested && grant.attempt > 1) {
        let detail = json!({ "grant": grant.id, "userKey": grant.user, "amount": grant.amount, "test": grant.is_test,
                             "code": code, "message": message });
        grant::note(backoffice, &mut tx, &JOB, &grant.promotion_code, action, detail).await?;
    }
    news::tell(&mut tx, now, grant.id).await?;
    tx.commit().await?;
    Ok(settled)
}

/// Asked for a person who says that it was not paid: whether Toss says otherwise, or cannot tell yet.
pub(super) async fn may_have_been_paid(
    backoffice: &Backoffice,
    grant: &promotions::Grant,
) -> Result<bool, GrantError> {
    let row = sqlx::query!(r#"select key, is_test from grants where id = $1"#, grant.id)
        .fetch_one(&backoffice.pool)
        .await?;
    let Some(key) = row.key.map(PromotionKey) else { return Ok(false) };
    let code = told_code(&grant.promotion_code, row.is_test);
    let user = UserKey(grant.user_key);
    match payout_at_toss(backoffice.apps_in_toss()?, user, &code, &key).await {
        Ok(state) => Ok(state.is_some_and(|state| state != GrantState::Failed)),
        Err(error) => {
            tracing::warn!(%error, grant = %grant.id, "no look-up before a decision");
            Err(Refused::TossSilent.into())
        }
    }
}

enum Looked {
    Verdict(Verdict),
    /// Toss has no payout under this key.
    NotPaid,
}

async fn look(client: &Client, grant: &Claimed, key: Option<&PromotionKey>) -> Looked {
    let Some(key) = key else { return Looked::NotPaid };
    Looked::Verdict(match payout_at_toss(client, grant.user, &grant.code(), key).await {
        Ok(None) => return Looked::NotPaid,
        Ok(Some(GrantState::Success)) => Verdict::Succeeded,
        Ok(Some(GrantState::Failed)) => {
            Verdict::Failed { code: "FAILED".into(), message: "Toss: FAILED".into() }
        }
        Ok(Some(GrantState::Pending)) => Verdict::Pending,
        Ok(Some(GrantState::Other(word))) => {
            Verdict::Unknown { code: None, why: format!("Toss: {}", toss::redact::code(&word)) }
        }
        Err(error) => unanswered(&error),
    })
}

/// What Toss has under a key; nothing when it has no such payout (4111).
async fn payout_at_toss(
    client: &Client,
    user: UserKey,
    code: &str,
    key: &PromotionKey,
) -> Result<Option<GrantState>, TossError> {
    match client.promotion_result(user.into(), code, key).await {
        Ok(answer) => Ok(Some(answer.value)),
        Err(TossError::NotDone(NotDone::Refused(refusal))) if refusal.code == "4111" => Ok(None),
        Err(error) => Err(error),
    }
}

fn unanswered(error: &TossError) -> Verdict {
    Verdict::Unknown { code: error.code().map(str::to_owned), why: error.to_string() }
}

fn not_sent(grant: &Claimed, error: &TossError) -> Verdict {
    if grant.was_sent {
        return unanswered(error);
    }
    let why = error.to_string();
    let seconds = error.refusal().and_then(|refusal| refusal.retry_after_seconds);
    Verdict::NotSent { why, wait: seconds.map(Duration::from_secs) }
}
