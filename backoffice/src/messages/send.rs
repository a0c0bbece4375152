//! Sending: kept first, then once.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use toss::apps_in_toss::{Bulk, Client, Error as TossError, Headers, MessageResult, NotDone, UserKey};
use tracing::Instrument;
use uuid::Uuid;

use super::{Form, Message, MessageError, Refused, State, Template, job::SendMessage, note, templates};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    files::import::{self, FileError},
    kernel::apps_in_toss::wait_for_a_user,
    messages, queue,
};

const JOB_AFTER: Duration = Duration::from_secs(30);
/// Receivers of one bulk send (toss-api.md B4).
pub const LARGEST_BULK: usize = 2500;

type Context = BTreeMap<String, String>;

/// Lines of `name=value`.
fn context(text: &str, template: &Template) -> Result<Context, Refused> {
    let mut found: Context = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().replace('\0', "")))
        .collect();
    found.retain(|name, _| template.fields.contains(name));
    match template.fields.iter().find(|field| found.get(*field).is_none_or(String::is_empty)) {
        Some(missing) => Err(Refused::MissingField(missing.clone())),
        None => Ok(found),
    }
}

/// A message that is being sent.
struct Claimed {
    template_code: String,
    user_key: Option<i64>,
    context: serde_json::Value,
    deployment_id: Option<String>,
}

struct New<'a> {
    id: Uuid,
    template: &'a str,
    user: Option<UserKey>,
    receivers: i32,
    context: serde_json::Value,
    deployment_id: Option<String>,
    follows: Option<String>,
}

/// Sends one message, or a test of one.
pub async fn send(backoffice: &Backoffice, actor: &Actor, form: &Form) -> Result<Message, MessageError> {
    backoffice.apps_in_toss()?;
    let id = Uuid::parse_str(&form.intent).map_err(|_| Refused::Form)?;
    let template = templates::get(backoffice, &form.template_code).await?;
    let user = UserKey::parse(&form.user_key).ok_or(Refused::UserKey)?;
    let context = context(&form.context, &template)?;
    let deployment_id = match form.deployment_id.trim() {
        "" => None,
        text => Some(Uuid::parse_str(text).map_err(|_| Refused::DeploymentId)?.to_string()),
    };
    let mut tx = backoffice.pool.begin().await?;
    let new = New {
        id,
        template: &template.code,
        user: Some(user),
        receivers: 1,
        context: json!(context),
        deployment_id,
        follows: None,
    };
    keep_once(backoffice, &mut tx, actor, new).await?;
    tx.commit().await?;
    deliver_detached(backoffice, id).await
}

/// Sends to everybody in a file: a user key in each line, then the gaps in the template's order.
pub async fn send_bulk(
    backoffice: &Backoffice,
    actor: &Actor,
    intent: &str,
    template_code: &str,
    bytes: &[u8],
) -> Result<Message, MessageError> {
    backoffice.apps_in_toss()?;
    let id = Uuid::parse_str(intent).map_err(|_| Refused::Form)?;
    let template = templates::get(backoffice, template_code).await?;
    let lines = import::cells(bytes, &["userkey", "사용자키", "유저키"]).map_err(Refused::File)?;
    if lines.is_empty() {
        return Err(Refused::File(FileError::Empty).into());
    }
    if lines.len() > LARGEST_BULK {
        return Err(Refused::TooMany.into());
    }
    let mut unread = Vec::new();
    let mut list: BTreeMap<i64, Context> = BTreeMap::new();
    for (number, cells) in &lines {
        let user = cells.first().and_then(|cell| UserKey::parse(cell));
        let words: Context = template
            .fields
            .iter()
            .cloned()
            .zip(cells.iter().skip(1).cloned())
            .filter(|(_, w)| !w.is_empty())
            .collect();
        match user {
            // One message each, however often somebody stands in the file.
            Some(user) if words.len() == template.fields.len() => drop(list.insert(user.0, words)),
            _ => unread.push(*number),
        }
    }
    if !unread.is_empty() {
        return Err(Refused::Lines(unread).into());
    }
    let mut tx = backoffice.pool.begin().await?;
    let new = New {
        id,
        template: &template.code,
        user: None,
        receivers: i32::try_from(list.len()).unwrap_or(i32::MAX),
        context: json!(list),
        deployment_id: None,
        follows: None,
    };
    keep_once(backoffice, &mut tx, actor, new).await?;
    tx.commit().await?;
    deliver_detached(backoffice, id).await
}

/// Plans the message that follows a refund or a grant, where a template does. `words` fill its gaps by name.
pub(crate) async fn plan_follow_up(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    what: &str,
    id: Uuid,
    user: UserKey,
    words: &[(&str, String)],
) -> Result<(), Fault> {
    if backoffice.apps_in_toss.is_none() {
        return Ok(());
    }
    let template = sqlx::query!("select code, fields from message_templates where follows = $1", what)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(template) = template else { return Ok(()) };
    let context: Context = template
        .fields
        .iter()
        .map(|field| {
            let word = words.iter().find(|(name, _)| name == field).map(|(_, word)| word.clone());
            (field.clone(), word.unwrap_or_default())
        })
        .collect();
    let new = New {
        id: Uuid::now_v7(),
        template: &template.code,
        user: Some(user),
        receivers: 1,
        context: json!(context),
        deployment_id: None,
        follows: Some(format!("{what}:{id}")),
    };
    keep(backoffice, tx, &Actor::Job("message"), &new).await.map(drop)
}

/// Whether the very same message is there already; another one under this id is refused.
async fn is_kept(tx: &mut PgConnection, new: &New<'_>) -> Result<bool, MessageError> {
    let known = sqlx::query!(
        "select template_code, user_key, context, deployment_id from messages where id = $1",
        new.id
    )
    .fetch_optional(tx)
    .await?;
    let Some(known) = known else { return Ok(false) };
    let same = known.template_code == new.template
        && known.user_key == new.user.map(|user| user.0)
        && known.context == new.context
        && known.deployment_id == new.deployment_id;
    if same { Ok(true) } else { Err(Refused::Form.into()) }
}

/// Keeps it, unless the very same is there: also where somebody was faster by a moment.
async fn keep_once(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    new: New<'_>,
) -> Result<(), MessageError> {
    if !is_kept(tx, &new).await? && !keep(backoffice, tx, actor, &new).await? {
        is_kept(tx, &new).await?;
    }
    Ok(())
}

/// Says whether it is new.
async fn keep(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    new: &New<'_>,
) -> Result<bool, Fault> {
    let now = backoffice.clock.now();
    let kept = sqlx::query!(
        "insert into messages (id, template_code, user_key, receivers, context, deployment_id, follows, state, sent_by_name,
                               requested_at)
         values ($1, $2, $3, $4, $5, $6, $7, 'requested', $8, $9) on conflict do nothing",
        new.id,
        new.template,
        new.user.map(|user| user.0),
        new.receivers,
        new.context,
        new.deployment_id,
        new.follows,
        actor.name(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    if kept.rows_affected() == 0 {
        return Ok(false);
    }
    // What a person sends is sent at once, by whoever asked: the job is for a process that dies.
    let delay = if new.follows.is_some() { Duration::ZERO } else { JOB_AFTER };
    queue::plan(&mut *tx, &SendMessage { id: new.id }, delay).await?;
    let detail = json!({ "message": new.id, "userKey": new.user, "receivers": new.receivers,
                         "test": new.deployment_id.is_some(), "follows": new.follows });
    note(tx, now, actor, new.template, "message.requested", detail).await?;
    Ok(true)
}

async fn deliver_detached(backoffice: &Backoffice, id: Uuid) -> Result<Message, MessageError> {
    let own = backoffice.clone();
    tokio::spawn(async move { deliver(&own, id).await }.in_current_span()).await.map_err(Fault::from)??;
    messages::get(backoffice, id)
        .await?
        .ok_or_else(|| Fault::Inconsistent(format!("message {id} is gone")).into())
}

/// Sends a message that waits, once. Also what the job does.
pub(crate) async fn deliver(backoffice: &Backoffice, id: Uuid) -> Result<(), Fault> {
    let client = backoffice.apps_in_toss()?;
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let row = sqlx::query_as!(
        Claimed,
        "select template_code, user_key, context, deployment_id from messages
         where id = $1 and state = 'requested' for update skip locked",
        id
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(message) = row else { return Ok(()) };
    if let Some(wait) = has_to_wait(&mut tx, message.user_key, now).await? {
        queue::plan(&mut tx, &SendMessage { id }, wait).await?;
        tx.commit().await?;
        return Ok(());
    }
    // Committed before it leaves: a process that dies after this leaves "sending" behind, which is never sent again.
    sqlx::query!("update messages set state = 'sending', sent_at = $2 where id = $1", id, now)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    let sent = call_toss(client, &message).await?;
    let (state, result, code, why) = match sent {
        Ok(result) => (State::Sent, Some(json!(result)), None, None),
        Err(error @ TossError::NotDone(NotDone::NotReached(_) | NotDone::Tls(_))) => {
            (State::Requested, None, None, Some(error.to_string()))
        }
        Err(error) if error.code() == Some("4095") => {
            (State::Requested, None, Some("4095".to_owned()), Some(error.to_string()))
        }
        Err(error @ TossError::NotDone(_)) => {
            let refusal = error.refusal();
            let why = refusal.map_or_else(|| error.to_string(), |r| r.reason.clone());
            (State::Failed, None, refusal.map(|r| r.code.clone()), Some(why))
        }
        Err(error) => (State::Unknown, None, error.code().map(str::to_owned), Some(error.to_string())),
    };
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!(
        "update messages set state = $2, result = $3, error_code = $4, error_message = $5,
                sent_at = case when $2 = 'requested' then null else sent_at end where id = $1 and state = 'sending'",
        id,
        state.as_str(),
        result,
        code,
        why,
    )
    .execute(&mut *tx)
    .await?;
    if state == State::Requested {
        queue::plan(&mut tx, &SendMessage { id }, Duration::from_secs(60)).await?;
    } else {
        let detail = json!({ "message": id, "state": state.as_str(), "code": code });
        note(&mut tx, now, &Actor::Job("message"), &message.template_code, "message.sent", detail).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// What a process that died left "sending" may have gone out.
pub(crate) async fn settle_lost(backoffice: &Backoffice) -> Result<(), Fault> {
    sqlx::query!(
        "update messages set state = 'unknown', error_message = 'the process ended while it was being sent'
         where state = 'sending' and sent_at < $1",
        backoffice.clock.now() - time::Duration::minutes(5),
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

async fn has_to_wait(
    tx: &mut PgConnection,
    user: Option<i64>,
    now: OffsetDateTime,
) -> Result<Option<Duration>, Fault> {
    let row = sqlx::query!(
        r#"select count(*) as "count!", min(sent_at) as first from messages where user_key = $1 and sent_at > $2"#,
        user,
        now - time::Duration::MINUTE,
    )
    .fetch_one(tx)
    .await?;
    Ok(wait_for_a_user(row.count, row.first, now))
}

async fn call_toss(client: &Client, message: &Claimed) -> Result<Result<MessageResult, TossError>, Fault> {
    let read = Fault::unreadable("the words of a message");
    let Some(user) = message.user_key else {
        let list: BTreeMap<i64, Context> = serde_json::from_value(message.context.clone()).map_err(&read)?;
        let list: Vec<Bulk> =
            list.into_iter().map(|(user, context)| Bulk { user_key: UserKey(user), context }).collect();
        return Ok(client.send_bulk_message(&message.template_code, &list).await.map(|answer| answer.value));
    };
    let context: Context = serde_json::from_value(message.context.clone()).map_err(read)?;
    let headers = Headers::from(UserKey(user));
    let answer = match &message.deployment_id {
        Some(bundle) => client.send_test_message(headers, &message.template_code, &context, bundle).await,
        None => client.send_message(headers, &message.template_code, &context).await,
    };
    Ok(answer.map(|answer| answer.value))
}
