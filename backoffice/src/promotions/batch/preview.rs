//! What would happen: every line held against what the campaign has left.

use std::collections::HashMap;

use serde_json::{Value, json};
use toss::apps_in_toss::UserKey;
use uuid::Uuid;

use super::{BatchError, GrantState, LineRefused, note};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    files::import::{self, FileError},
    promotions::{self, Campaign, Refused, campaigns::points, grant},
};

struct Read {
    number: i32,
    user_key: String,
    amount: Option<i64>,
    why: Option<LineRefused>,
}

/// Users with their points, where the file has a column for them.
fn read(bytes: &[u8], campaign: &Campaign) -> Result<Vec<Read>, FileError> {
    let mut seen: HashMap<i64, i32> = HashMap::new();
    let mut lines = Vec::new();
    for (number, cells) in import::cells(bytes, &["userkey", "사용자키", "유저키"])? {
        let user_key = cells.first().cloned().unwrap_or_default();
        let amount = cells.get(1).filter(|text| !text.is_empty());
        let parsed = amount.map_or(Some(campaign.amount), |text| points(text));
        let why = if cells.iter().any(|cell| import::is_formula(cell)) {
            Some(LineRefused::Formula)
        } else {
            match (UserKey::parse(&user_key), parsed) {
                (None, _) => Some(LineRefused::Grant(Refused::UserKey)),
                (_, None) => Some(LineRefused::Grant(Refused::Amount)),
                (Some(user), _) => match seen.get(&user.0) {
                    Some(line) => Some(LineRefused::Twice { line: *line }),
                    None => {
                        seen.insert(user.0, number);
                        None
                    }
                },
            }
        };
        lines.push(Read { number, user_key: user_key.chars().take(60).collect(), amount: parsed, why });
    }
    if lines.is_empty() { Err(FileError::Empty) } else { Ok(lines) }
}

/// Keeps a file with what would become of each of its lines. Nothing is granted.
pub async fn preview(
    backoffice: &Backoffice,
    actor: &Actor,
    code: &str,
    event: &str,
    file_name: &str,
    bytes: &[u8],
) -> Result<Uuid, BatchError> {
    let campaign = promotions::campaigns::get(backoffice, code)
        .await?
        .ok_or(BatchError::Refused(Refused::NoSuchCampaign))?;
    let event = event.trim();
    if event.is_empty() || event.chars().count() > 100 || event.chars().any(char::is_control) {
        return Err(BatchError::Refused(Refused::Event));
    }
    let mut lines = read(bytes, &campaign).map_err(BatchError::File)?;
    judge(backoffice, &campaign, event, &mut lines).await?;
    let ready: Vec<i64> = lines.iter().filter(|l| l.why.is_none()).filter_map(|l| l.amount).collect();
    let (count, sum) = (i32::try_from(ready.len()).unwrap_or(i32::MAX), ready.iter().sum::<i64>());
    let needs_second = campaign.approval_above.is_some_and(|limit| sum > limit);
    let (now, id) = (backoffice.clock.now(), Uuid::now_v7());
    let file_name: String = file_name.chars().filter(|c| !c.is_control()).take(120).collect();
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!(
        "insert into grant_batches (id, promotion_code, file_name, event, created_by, created_by_name, created_at, state,
                                    needs_second, lines, ready, ready_amount)
         values ($1, $2, $3, $4, $5, $6, $7, 'previewed', $8, $9, $10, $11)",
        id,
        code,
        file_name.trim(),
        event,
        actor.staff_id(),
        actor.name(),
        now,
        needs_second,
        i32::try_from(lines.len()).unwrap_or(i32::MAX),
        count,
        sum,
    )
    .execute(&mut *tx)
    .await?;
    for chunk in lines.chunks(1000) {
        let rows: Vec<Value> = chunk
            .iter()
            .map(|l| {
                json!({ "line": l.number, "user_key": l.user_key, "amount": l.amount, "why": l.why,
                        "state": if l.why.is_some() { "refused" } else { "ready" }, "grant_id": Uuid::now_v7() })
            })
            .collect();
        sqlx::query!(
            "insert into grant_batch_lines (batch_id, line, user_key, amount, state, why, grant_id)
             select $1, line, user_key, amount, state, nullif(why, 'null'), grant_id
             from jsonb_to_recordset($2) as x(line int, user_key text, amount bigint, state text, why jsonb, grant_id uuid)",
            id,
            Value::Array(rows),
        )
        .execute(&mut *tx)
        .await?;
    }
    let detail = json!({ "file": file_name, "lines": lines.len(), "ready": count, "amount": sum });
    note(&mut tx, now, actor, id, "grant_batch.previewed", detail).await?;
    tx.commit().await?;
    Ok(id)
}

/// Every line held against what the campaign has left, in the order of the file.
async fn judge(
    backoffice: &Backoffice,
    campaign: &Campaign,
    event: &str,
    lines: &mut [Read],
) -> Result<(), Fault> {
    let users: Vec<i64> =
        lines.iter().filter_map(|l| UserKey::parse(&l.user_key)).map(|user| user.0).collect();
    let promised: HashMap<i64, i64> = sqlx::query!(
        "select user_key, promised from campaign_users where promotion_code = $1 and user_key = any($2)",
        campaign.promotion_code,
        &users,
    )
    .fetch_all(&backoffice.pool)
    .await?
    .into_iter()
    .map(|row| (row.user_key, row.promised))
    .collect();
    let before: HashMap<i64, String> = sqlx::query!(
        "select user_key, state from grants where promotion_code = $1 and user_key = any($2) and event = $3
         and state not in ('failed', 'declined') and not is_test",
        campaign.promotion_code,
        &users,
        event,
    )
    .fetch_all(&backoffice.pool)
    .await?
    .into_iter()
    .map(|row| (row.user_key, row.state))
    .collect();
    let now = backoffice.clock.now();
    let mut left = campaign.left();
    for line in lines.iter_mut().filter(|line| line.why.is_none()) {
        let (Some(user), Some(amount)) = (UserKey::parse(&line.user_key), line.amount) else { continue };
        let has = promised.get(&user.0).copied().unwrap_or_default();
        let refused = if let Some(state) = before.get(&user.0).and_then(|state| GrantState::parse(state)) {
            Some(Refused::Already { state })
        } else if has + amount > campaign.user_cap {
            Some(Refused::UserCap { left: (campaign.user_cap - has).max(0) })
        } else if amount > left {
            Some(Refused::Budget { left })
        } else {
            grant::open(campaign, amount, false, now).err()
        };
        match refused {
            Some(refused) => line.why = Some(LineRefused::Grant(refused)),
            None => left -= amount,
        }
    }
    Ok(())
}
