//! Grants for a whole file of users: previewed line by line, then run by a job that can be stopped, dies safely and can
//! be run again. Every line has its grant's id from the preview on, so that no line is ever paid twice.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use toss::apps_in_toss::UserKey;
use uuid::Uuid;

use super::{Campaign, Form, GrantError, Refused, State as GrantState, campaigns::points, grant};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    jobs,
    page::{Cursor, Page, push_keyset},
    refunds::batch::{
        State,
        file::{self, FileError},
    },
    staff::{Permission, Role},
};

const JOB: Actor = Actor::Job("grant_batch");
/// Lines of one job, and lines at once.
const CHUNK: i64 = 100;
const AT_ONCE: usize = 4;

/// Why a line is not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineRefused {
    Grant(Refused),
    /// A cell that a spreadsheet would calculate.
    Formula,
    /// The user stands in this line already.
    Twice {
        line: i32,
    },
}

#[derive(Debug, Clone, sqlx::FromRow)]
struct Stored {
    id: Uuid,
    promotion_code: String,
    file_name: String,
    event: String,
    created_by: Option<Uuid>,
    created_by_name: String,
    created_at: OffsetDateTime,
    state: String,
    needs_second: bool,
    approved_by_name: Option<String>,
    lines: i32,
    ready: i32,
    ready_amount: i64,
}

#[derive(Debug, Clone)]
pub struct Batch {
    pub id: Uuid,
    pub promotion_code: String,
    pub file_name: String,
    pub event: String,
    pub created_by: Option<Uuid>,
    pub created_by_name: String,
    pub created_at: OffsetDateTime,
    pub state: State,
    pub needs_second: bool,
    pub approved_by_name: Option<String>,
    pub lines: i32,
    /// Lines that could be granted when the file was previewed, and their points.
    pub ready: i32,
    pub ready_amount: i64,
}

impl TryFrom<Stored> for Batch {
    type Error = Fault;

    fn try_from(s: Stored) -> Result<Self, Fault> {
        Ok(Self {
            state: State::parse(&s.state)?,
            id: s.id,
            promotion_code: s.promotion_code,
            file_name: s.file_name,
            event: s.event,
            created_by: s.created_by,
            created_by_name: s.created_by_name,
            created_at: s.created_at,
            needs_second: s.needs_second,
            approved_by_name: s.approved_by_name,
            lines: s.lines,
            ready: s.ready,
            ready_amount: s.ready_amount,
        })
    }
}

/// One line with what has become of it.
#[derive(Debug, Clone)]
pub struct Line {
    pub line: i32,
    pub user_key: String,
    pub amount: Option<i64>,
    pub why: Option<LineRefused>,
    pub grant: Option<GrantState>,
    pub code: Option<String>,
    pub error: Option<String>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub lines: i64,
    pub ready: i64,
    pub refused: i64,
    pub succeeded: i64,
    pub failed: i64,
    pub open: i64,
    /// Points that were paid out.
    pub amount: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    #[error("no such file")]
    NotFound,
    #[error("the file cannot be read: {0:?}")]
    File(FileError),
    #[error("refused: {0:?}")]
    Refused(Refused),
    /// It is in another state by now.
    #[error("not in this state: {0:?}")]
    State(State),
    #[error("nobody approves their own")]
    Own,
    #[error("only whoever made it starts it")]
    NotYours,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for BatchError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

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
    for (number, cells) in file::cells(bytes, &["userkey", "사용자키", "유저키"])? {
        let user_key = cells.first().cloned().unwrap_or_default();
        let amount = cells.get(1).filter(|text| !text.is_empty());
        let parsed = amount.map_or(Some(campaign.amount), |text| points(text));
        let why = if cells.iter().any(|cell| file::is_formula(cell)) {
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

impl Backoffice {
    /// Keeps a file with what would become of each of its lines. Nothing is granted.
    pub async fn preview_grants(
        &self,
        actor: &Actor,
        code: &str,
        event: &str,
        file_name: &str,
        bytes: &[u8],
    ) -> Result<Uuid, BatchError> {
        let campaign = self.campaign(code).await?.ok_or(BatchError::Refused(Refused::NoSuchCampaign))?;
        let event = event.trim();
        if event.is_empty() || event.chars().count() > 100 || event.chars().any(char::is_control) {
            return Err(BatchError::Refused(Refused::Event));
        }
        let mut lines = read(bytes, &campaign).map_err(BatchError::File)?;
        self.judge_grants(&campaign, event, &mut lines).await?;
        let ready: Vec<i64> = lines.iter().filter(|l| l.why.is_none()).filter_map(|l| l.amount).collect();
        let (count, sum) = (i32::try_from(ready.len()).unwrap_or(i32::MAX), ready.iter().sum::<i64>());
        let needs_second = campaign.approval_above.is_some_and(|limit| sum > limit);
        let (now, id) = (self.clock.now(), Uuid::now_v7());
        let file_name: String = file_name.chars().filter(|c| !c.is_control()).take(120).collect();
        let mut tx = self.pool.begin().await?;
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
    async fn judge_grants(&self, campaign: &Campaign, event: &str, lines: &mut [Read]) -> Result<(), Fault> {
        let users: Vec<i64> =
            lines.iter().filter_map(|l| UserKey::parse(&l.user_key)).map(|user| user.0).collect();
        let promised: HashMap<i64, i64> = sqlx::query!(
            "select user_key, promised from campaign_users where promotion_code = $1 and user_key = any($2)",
            campaign.promotion_code,
            &users,
        )
        .fetch_all(&self.pool)
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
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| (row.user_key, row.state))
        .collect();
        let now = self.clock.now();
        let mut left = campaign.left();
        for line in lines.iter_mut().filter(|line| line.why.is_none()) {
            let (Some(user), Some(amount)) = (UserKey::parse(&line.user_key), line.amount) else { continue };
            let has = promised.get(&user.0).copied().unwrap_or_default();
            let refused = if let Some(state) = before.get(&user.0).and_then(|state| GrantState::parse(state))
            {
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

    /// Starts a previewed file, or goes on with a stopped one. Above the campaign's limit it waits for a second person.
    pub async fn start_grants(&self, actor: &Actor, id: Uuid) -> Result<State, BatchError> {
        let mut tx = self.pool.begin().await?;
        let batch = hold(&mut tx, id).await?;
        if !matches!(batch.state, State::Previewed | State::Stopped) {
            return Err(BatchError::State(batch.state));
        }
        if batch.created_by.is_some() && batch.created_by != actor.staff_id() {
            return Err(BatchError::NotYours);
        }
        let waits = batch.needs_second && batch.approved_by_name.is_none();
        let to = if waits { State::WaitingForApproval } else { State::Running };
        self.turn_grants(&mut tx, actor, &batch, to, "grant_batch.started").await?;
        tx.commit().await?;
        Ok(to)
    }

    /// Stops after the lines that are being granted.
    pub async fn stop_grants(&self, actor: &Actor, id: Uuid) -> Result<(), BatchError> {
        self.turn_grants_from(actor, id, State::Running, State::Stopped, "grant_batch.stopped").await
    }

    pub async fn decline_grants(&self, actor: &Actor, id: Uuid) -> Result<(), BatchError> {
        self.turn_grants_from(actor, id, State::WaitingForApproval, State::Declined, "grant_batch.declined")
            .await
    }

    /// A second person approves the whole file, and it runs.
    pub async fn approve_grants(&self, actor: &Actor, id: Uuid) -> Result<(), BatchError> {
        let approver = actor.staff_id().ok_or(BatchError::Own)?;
        let mut tx = self.pool.begin().await?;
        let batch = hold(&mut tx, id).await?;
        if batch.state != State::WaitingForApproval {
            return Err(BatchError::State(batch.state));
        }
        if batch.created_by == Some(approver) {
            return Err(BatchError::Own);
        }
        sqlx::query!(
            "update grant_batches set approved_by = $2, approved_by_name = $3 where id = $1",
            id,
            approver,
            actor.name()
        )
        .execute(&mut *tx)
        .await?;
        self.turn_grants(&mut tx, actor, &batch, State::Running, "grant_batch.approved").await?;
        tx.commit().await?;
        Ok(())
    }

    async fn turn_grants_from(
        &self,
        actor: &Actor,
        id: Uuid,
        from: State,
        to: State,
        action: &'static str,
    ) -> Result<(), BatchError> {
        let mut tx = self.pool.begin().await?;
        let batch = hold(&mut tx, id).await?;
        if batch.state != from {
            return Err(BatchError::State(batch.state));
        }
        self.turn_grants(&mut tx, actor, &batch, to, action).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn turn_grants(
        &self,
        tx: &mut PgConnection,
        actor: &Actor,
        batch: &Batch,
        to: State,
        action: &'static str,
    ) -> Result<(), Fault> {
        sqlx::query!("update grant_batches set state = $2 where id = $1", batch.id, to.as_str())
            .execute(&mut *tx)
            .await?;
        if to == State::Running {
            jobs::enqueue_grants(&mut *tx, batch.id).await?;
        }
        let detail = json!({ "file": batch.file_name, "ready": batch.ready, "amount": batch.ready_amount });
        note(tx, self.clock.now(), actor, batch.id, action, detail).await
    }

    /// What one job does; true when more is to do.
    pub(crate) async fn run_grants(&self, id: Uuid) -> Result<bool, Fault> {
        let Some(batch) = self.grant_batch(id).await?.filter(|batch| batch.state == State::Running) else {
            return Ok(false);
        };
        let lines = sqlx::query!(
            r#"select line, user_key, amount as "amount!", grant_id from grant_batch_lines
               where batch_id = $1 and state = 'ready' order by line limit $2"#,
            id,
            CHUNK,
        )
        .fetch_all(&self.pool)
        .await?;
        if lines.is_empty() {
            return self.end_grants(id, State::Finished, "grant_batch.finished").await.map(|()| false);
        }
        let ran: Vec<bool> = stream::iter(lines)
            .map(|row| {
                let form = Form {
                    intent: row.grant_id.to_string(),
                    promotion_code: batch.promotion_code.clone(),
                    user_key: row.user_key,
                    event: batch.event.clone(),
                    amount: row.amount.to_string(),
                    is_test: false,
                };
                self.run_grant_line(&batch, row.line, form)
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(ran.into_iter().all(|went_on| went_on))
    }

    async fn end_grants(&self, id: Uuid, to: State, action: &'static str) -> Result<(), Fault> {
        match self.turn_grants_from(&JOB, id, State::Running, to, action).await {
            // Somebody was faster.
            Ok(()) | Err(BatchError::State(_)) => Ok(()),
            Err(BatchError::Fault(fault)) => Err(fault),
            Err(other) => Err(Fault::Inconsistent(other.to_string())),
        }
    }

    /// The grant and that its line is taken are one transaction. False when the file was stopped.
    async fn run_grant_line(&self, batch: &Batch, line: i32, form: Form) -> Result<bool, Fault> {
        let Some(actor) = self.granter(batch).await? else { return Ok(false) };
        let mut tx = self.pool.begin().await?;
        let origin = grant::Origin { batch: Some(batch.id), approved: true };
        let taken = self.take_grant_down(&mut tx, &actor, &form, origin).await;
        let (state, why, id) = match taken {
            Ok(id) => ("taken", None, Some(id)),
            Err(GrantError::Refused(refused)) => ("refused", Some(LineRefused::Grant(refused)), None),
            Err(GrantError::Fault(fault)) => return Err(fault),
        };
        sqlx::query!(
            "update grant_batch_lines set state = $3, why = $4 where batch_id = $1 and line = $2 and state = 'ready'",
            batch.id,
            line,
            state,
            why.and_then(|why| serde_json::to_value(why).ok()),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        if let Some(id) = id {
            self.drive_grant(id).await?;
        }
        Ok(true)
    }

    /// The person whose grants these are, as they stand today, while the file runs.
    async fn granter(&self, batch: &Batch) -> Result<Option<Actor>, Fault> {
        let row = sqlx::query!(
            r#"select b.state, s.id as "id?", s.name as "name?", s.role as "role?", s.disabled_at
               from grant_batches b left join staff s on s.id = b.created_by where b.id = $1"#,
            batch.id
        )
        .fetch_one(&self.pool)
        .await?;
        if row.state != State::Running.as_str() {
            return Ok(None);
        }
        let (Some(id), Some(name), Some(role)) = (row.id, row.name, row.role) else {
            return Ok(Some(Actor::CommandLine));
        };
        let role = Role::parse(&role).filter(|r| row.disabled_at.is_none() && r.may(Permission::Grant));
        if role.is_none() {
            tracing::warn!(batch = %batch.id, "whoever made this file may not grant any more");
            self.end_grants(batch.id, State::Stopped, "grant_batch.stopped").await?;
        }
        Ok(role.map(|role| Actor::Staff { id, name, role, ip: None }))
    }

    pub async fn grant_batch(&self, id: Uuid) -> Result<Option<Batch>, Fault> {
        let row = sqlx::query_as!(
            Stored,
            "select id, promotion_code, file_name, event, created_by, created_by_name, created_at, state, needs_second,
                    approved_by_name, lines, ready, ready_amount from grant_batches where id = $1",
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(Batch::try_from).transpose()
    }

    /// Files of one campaign, newest first.
    pub async fn grant_batches(
        &self,
        code: &str,
        cursor: Option<&Cursor>,
        size: usize,
    ) -> Result<Page<Batch>, Fault> {
        let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(
            "select id, promotion_code, file_name, event, created_by, created_by_name, created_at, state, needs_second,
                    approved_by_name, lines, ready, ready_amount from grant_batches where promotion_code = ",
        );
        query.push_bind(code.to_owned());
        push_keyset(&mut query, cursor, "created_at", "id::text", size);
        let rows: Vec<Stored> = query.build_query_as().fetch_all(&self.pool).await?;
        let rows = rows.into_iter().map(Batch::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::new(rows, size, cursor, |batch| (batch.created_at, batch.id.to_string())))
    }

    pub async fn grant_progress(&self, id: Uuid) -> Result<Progress, Fault> {
        let row = sqlx::query!(
            r#"select count(*) as "lines!", count(*) filter (where l.state = 'ready') as "ready!",
                      count(*) filter (where l.state = 'refused') as "refused!",
                      count(*) filter (where g.state = 'succeeded') as "succeeded!",
                      count(*) filter (where g.state in ('failed', 'declined')) as "failed!",
                      count(*) filter (where g.state in ('requested', 'sending', 'pending', 'unknown')) as "open!",
                      coalesce(sum(g.amount) filter (where g.state = 'succeeded'), 0)::bigint as "amount!"
               from grant_batch_lines l left join grants g on g.id = l.grant_id where l.batch_id = $1"#,
            id
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Progress {
            lines: row.lines,
            ready: row.ready,
            refused: row.refused,
            succeeded: row.succeeded,
            failed: row.failed,
            open: row.open,
            amount: row.amount,
        })
    }

    /// Lines after `after`, as the file counts them.
    pub async fn grant_lines(&self, id: Uuid, after: i32, most: i64) -> Result<Vec<Line>, Fault> {
        let rows = sqlx::query!(
            r#"select l.line, l.user_key, l.amount, l.why, g.state as "grant?", g.error_code, g.error_message
               from grant_batch_lines l left join grants g on g.id = l.grant_id
               where l.batch_id = $1 and l.line > $2 order by l.line limit $3"#,
            id,
            after,
            most,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| Line {
                line: row.line,
                user_key: row.user_key,
                amount: row.amount,
                why: row.why.and_then(|why| serde_json::from_value(why).ok()),
                grant: row.grant.and_then(|state| GrantState::parse(&state)),
                code: row.error_code,
                error: row.error_message,
            })
            .collect())
    }
}

async fn hold(tx: &mut PgConnection, id: Uuid) -> Result<Batch, BatchError> {
    let row = sqlx::query_as!(
        Stored,
        "select id, promotion_code, file_name, event, created_by, created_by_name, created_at, state, needs_second,
                approved_by_name, lines, ready, ready_amount from grant_batches where id = $1 for update",
        id
    )
    .fetch_optional(tx)
    .await?
    .ok_or(BatchError::NotFound)?;
    Ok(row.try_into()?)
}

async fn note(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    id: Uuid,
    action: &'static str,
    detail: Value,
) -> Result<(), Fault> {
    let subject = id.to_string();
    audit::record(tx, now, actor, Act { action, subject_kind: "grant_batch", subject: &subject, detail })
        .await
}
