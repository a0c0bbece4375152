//! Looking into a delivery: read it, prove it, let a fresh look-up change the books. The body itself never does.

use futures::{StreamExt, stream};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use std::time::Duration;
use time::OffsetDateTime;
use toss::{
    payments::{
        OrderId, Payment, PaymentKey, RetryClass, WebhookSecret,
        webhook::{self, Event, Subject},
    },
    redact,
};
use uuid::Uuid;

use super::{
    Badge,
    job::ApplyDelivery,
    trust::{Agreement, compare},
};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    kernel::{
        personal::without_card_numbers,
        seal::{DELIVERY, SNAPSHOT},
        text::without_nul,
    },
    payments, queue,
};

const JOB: Actor = Actor::Job("webhook");

/// Deliveries of one job at once.
const AT_ONCE: usize = 4;

/// What looking into it led to.
struct Finding {
    state: &'static str,
    badges: Vec<Badge>,
    proof: Option<Value>,
    changed: Map<String, Value>,
}

impl Finding {
    fn ignored(badge: Badge) -> Self {
        Self { state: "ignored", badges: vec![badge], proof: None, changed: Map::new() }
    }

    fn is_loud(&self) -> bool {
        self.badges.iter().any(|badge| Badge::LOUD.contains(badge))
    }

    fn proven(badges: Vec<Badge>, proof: Option<Value>, changed: Map<String, Value>) -> Self {
        let state = if changed.is_empty() { "unchanged" } else { "applied" };
        Self { state, badges, proof, changed }
    }
}

struct Row {
    received_at: OffsetDateTime,
    listed: Option<bool>,
    headers: Value,
    body: Vec<u8>,
    state: String,
}

impl Row {
    fn header(&self, name: &str) -> Option<String> {
        self.headers.as_array()?.iter().find_map(|pair| {
            (pair.get(0)?.as_str()?.eq_ignore_ascii_case(name))
                .then(|| pair.get(1)?.as_str().map(str::to_owned))?
        })
    }
}

/// The first delivery of the same event.
struct First {
    id: Uuid,
    /// It was found to be true, and said the very same: what calls itself a copy may have been altered.
    proven: bool,
}

/// An id as a column takes it: no NUL, and not any length.
fn column(text: Option<String>) -> Option<String> {
    text.map(|t| t.chars().filter(|c| *c != '\0').take(300).collect())
}

fn is_sane(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 200
        && !matches!(text, "." | "..")
        && !text.chars().any(char::is_control)
}

/// Toss knows no such payment, or says that what stands in the body cannot be a key: it will say so again.
fn is_no_question(error: &toss::payments::Error) -> bool {
    error.is_not_found()
        || error.refusal().is_some_and(|refusal| {
            matches!(refusal.status, 400 | 404) && refusal.retry_class() == RetryClass::Operator
        })
}

/// Looks into deliveries that came together. What cannot be done now gets a job of its own.
pub async fn apply_all(backoffice: &Backoffice, ids: &[Uuid], unlisted: bool) -> Result<(), Fault> {
    // Whoever posts from elsewhere must not use up the calls that Toss allows.
    let (backoffice, at_once) =
        if unlisted { (backoffice.rate_limited(), 1) } else { (backoffice.clone(), AT_ONCE) };
    let backoffice = &backoffice;
    let mut outcomes = stream::iter(ids.to_vec())
        .map(|id| async move {
            backoffice.intake_load.yield_to_intake().await;
            (id, apply(backoffice, id).await)
        })
        .buffer_unordered(at_once);
    while let Some((id, outcome)) = outcomes.next().await {
        if let Err(fault) = outcome {
            tracing::warn!(%fault, delivery = %id, "looked into again in a moment");
            queue::plan_now(backoffice, &ApplyDelivery { id, unlisted }, Duration::from_secs(2)).await?;
        }
    }
    Ok(())
}

/// Does the work of one delivery. Doing it again is harmless. An error means "not now": the job comes back.
pub async fn apply(backoffice: &Backoffice, id: Uuid) -> Result<(), Fault> {
    look_into_delivery(backoffice, id, false).await.map(|_| ())
}

/// The same for one that was looked into before, without believing what was found then. True when the books changed.
pub(super) async fn apply_again(backoffice: &Backoffice, id: Uuid) -> Result<bool, Fault> {
    look_into_delivery(backoffice, id, true).await
}

async fn look_into_delivery(backoffice: &Backoffice, id: Uuid, again: bool) -> Result<bool, Fault> {
    let row = sqlx::query_as!(
        Row,
        "select received_at, listed, headers, body, state from webhook_deliveries where id = $1",
        id
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let is_open = |row: &Row| matches!(row.state.as_str(), "received" | "failed");
    let Some(row) = row.filter(|row| again || is_open(row)) else { return Ok(false) };
    let row = Row { body: backoffice.keys.open_bytes(DELIVERY, &row.body)?, ..row };
    let event = webhook::parse(&row.body);
    let first = read_off(backoffice, id, event.as_ref(), &row).await?;
    let finding = match &event {
        None => Ok(Finding::ignored(Badge::Unreadable)),
        Some(event) => look_into(backoffice, id, event, &row, first.as_ref().filter(|_| !again)).await,
    };
    let mut finding = match finding {
        Ok(finding) => finding,
        Err(fault) => {
            let why: String = fault.to_string().chars().take(300).collect();
            // A delivery that was settled stays so when looking again does not work.
            sqlx::query!(
                "update webhook_deliveries set error = $2, state = 'failed'
                 where id = $1 and state in ('received', 'failed')",
                id,
                why
            )
            .execute(&backoffice.pool)
            .await?;
            return Err(fault);
        }
    };
    if first.is_some() && !finding.is_loud() {
        finding.badges.push(Badge::Duplicate);
    }
    if row.listed == Some(false) {
        finding.badges.push(Badge::AddressUnlisted);
    }
    settle(backoffice, id, finding).await
}

async fn settle(backoffice: &Backoffice, id: Uuid, finding: Finding) -> Result<bool, Fault> {
    let (has_changed, is_loud) = (finding.state == "applied", finding.is_loud());
    for badge in &finding.badges {
        metrics::counter!("jangbu_webhook_badges_total", "badge" => badge.as_str()).increment(1);
        if Badge::LOUD.contains(badge) {
            tracing::warn!(delivery = %id, badge = badge.as_str(), "a delivery that cannot be believed");
        }
    }
    let badges: Vec<String> = finding.badges.iter().map(|badge| badge.as_str().to_owned()).collect();
    // Looking again does not wipe out what the delivery once changed.
    sqlx::query!(
        "update webhook_deliveries set
            state = case when state = 'applied' and $2 = 'unchanged' then state else $2 end,
            -- What cannot be believed is no attempt of Toss's.
            dedup_key = case when $7 then null else dedup_key end,
            duplicate_of = case when $7 then null else duplicate_of end,
            badges = $3, proof = $4, changed = case when $2 = 'applied' then $5 else coalesce(changed, $5) end,
            processed_at = $6, error = null
         where id = $1",
        id,
        finding.state,
        &badges,
        finding.proof,
        Value::Object(finding.changed),
        backoffice.clock.now(),
        is_loud,
    )
    .execute(&backoffice.pool)
    .await?;
    if !is_loud && finding.badges.iter().any(|badge| Badge::TRUE.contains(badge)) {
        sqlx::query!(
            "update missing_events set came_at = $2 where came_at is null
             and transaction_key = (select transaction_key from webhook_deliveries where id = $1)",
            id,
            backoffice.clock.now()
        )
        .execute(&backoffice.pool)
        .await?;
    }
    Ok(has_changed)
}

/// Writes the searchable parts beside the raw ones, and finds the first delivery of the same event.
async fn read_off(
    backoffice: &Backoffice,
    id: Uuid,
    event: Option<&Event>,
    row: &Row,
) -> Result<Option<First>, Fault> {
    let dedup_key = column(event.and_then(|e| e.dedup_key.clone()));
    let transaction_key = column(event.and_then(|e| e.transaction_key.clone()));
    let body_hash = backoffice.keys.index(DELIVERY, &row.body);
    let transmission_id = column(row.header(webhook::TRANSMISSION_ID));
    // What people are given most comes first: a body may name more than is kept.
    let mut ids: Vec<String> = event
        .into_iter()
        .flat_map(|e| [&e.order_id, &e.payment_key, &e.transaction_key, &e.subject_id])
        .filter_map(Clone::clone)
        .chain(transmission_id.clone())
        .chain(event.map(|e| e.ids.clone()).unwrap_or_default())
        .collect();
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    let ids: Vec<String> = ids.into_iter().filter_map(|id| column(Some(id))).collect();
    let mut tx = backoffice.pool.begin().await?;
    // Copies are looked into at the same time; the first that gets here is the one the others are copies of.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(&dedup_key)
        .execute(&mut *tx)
        .await?;
    // Toss sends again for four days, and a person in its console perhaps later.
    let first = sqlx::query!(
        r#"select id, coalesce(body_hash = $4, false) and badges && array['signature_verified', 'secret_matched', 'fetched_equal'] as "proven!"
           from webhook_deliveries
           where dedup_key = $1 and id <> $2 and duplicate_of is null and id >= webhook_floor($3)
           order by id limit 1"#,
        dedup_key,
        id,
        row.received_at - time::Duration::days(40),
        body_hash,
    )
    .fetch_optional(&mut *tx)
    .await?
    .map(|first| First { id: first.id, proven: first.proven });
    sqlx::query!(
        "update webhook_deliveries set transmission_id = $2, retried_count = $3, event_type = $4, subject = $5,
            subject_id = $6, order_id = coalesce($7, order_id), payment_key = coalesce($8, payment_key),
            transaction_key = $9, body_status = $10, dedup_key = $11, duplicate_of = $12, ids = $13, body_hash = $14
         where id = $1",
        id,
        transmission_id,
        row.header(webhook::RETRIED_COUNT)
            .and_then(|n| n.trim().parse::<i32>().ok())
            .filter(|n| (0..=7).contains(n)),
        event.map(|e| redact::event_type(&e.event_type)),
        event.map(|e| e.subject.as_str()),
        column(event.and_then(|e| e.subject_id.clone())),
        column(event.and_then(|e| e.order_id.clone())),
        column(event.and_then(|e| e.payment_key.clone())),
        transaction_key,
        event.and_then(|e| e.status.as_deref().map(redact::code)),
        dedup_key,
        first.as_ref().map(|first| first.id),
        &ids,
        body_hash,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(first)
}

async fn look_into(
    backoffice: &Backoffice,
    id: Uuid,
    event: &Event,
    row: &Row,
    first: Option<&First>,
) -> Result<Finding, Fault> {
    let signature = match check_signature(backoffice, event, row) {
        Ok(proof) => proof,
        Err(badge) => return Ok(Finding::ignored(badge)),
    };
    match event.subject {
        Subject::Payment | Subject::Cancel => {
            look_into_payment(backoffice, id, event, signature, first).await
        }
        Subject::Payout | Subject::Seller if signature.is_some() => {
            let changed = upsert_event_snapshot(backoffice, id, event, row).await?;
            Ok(Finding::proven(vec![Badge::SignatureVerified], signature, changed))
        }
        _ if signature.is_some() => {
            Ok(Finding::proven(vec![Badge::SignatureVerified], signature, Map::new()))
        }
        // Nothing to ask Toss about: billing keys, customers, and what it adds tomorrow.
        _ => Ok(Finding::ignored(Badge::NotVerifiable)),
    }
}

/// What matched, or nothing where nothing was to match; the badge of a signature that proves the contrary.
fn check_signature(backoffice: &Backoffice, event: &Event, row: &Row) -> Result<Option<Value>, Badge> {
    let signature = row.header(webhook::SIGNATURE);
    match (signature, &backoffice.security_key) {
        (None, _) if webhook::is_signed(&event.event_type) => Err(Badge::SignatureMissing),
        // Without our key nobody can tell.
        (None, _) | (Some(_), None) => Ok(None),
        (Some(signature), Some(key)) => {
            let at = row.header(webhook::TRANSMISSION_TIME).unwrap_or_default();
            webhook::verify_signature(key.expose_secret(), &row.body, &at, &signature)
                .map(|proof| Some(json!({ "value": proof.value, "reading": proof.reading.as_str() })))
                .ok_or(Badge::SignatureWrong)
        }
    }
}

async fn look_into_payment(
    backoffice: &Backoffice,
    id: Uuid,
    event: &Event,
    signature: Option<Value>,
    first: Option<&First>,
) -> Result<Finding, Fault> {
    let order = event.order_id.as_deref().filter(|o| is_sane(o));
    // A copy of what was found to be true has nothing to tell.
    if let Some(First { id: first, proven: true }) = first {
        link_as(backoffice, id, *first).await?;
        let proof = match (&signature, secret_matches(backoffice, event).await?) {
            (Some(_), _) => Badge::SignatureVerified,
            (None, Some(true)) => Badge::SecretMatched,
            (None, Some(false)) => return Ok(Finding::ignored(Badge::SecretWrong)),
            (None, None) => Badge::FetchedEqual,
        };
        return Ok(Finding::proven(vec![proof], signature, Map::new()));
    }
    let key = match event.payment_key.clone() {
        Some(key) => Some(key),
        None if order.is_none() => payment_of_cancel(backoffice, id, event).await?,
        None => None,
    };
    let fetched = match (key.filter(|k| is_sane(k)), order) {
        (Some(key), _) => payments::look_up(backoffice, &JOB, &PaymentKey(key)).await,
        (None, Some(order)) => payments::look_up_order(backoffice, &JOB, &OrderId(order.to_owned())).await,
        (None, None) => return Ok(Finding::ignored(Badge::NotVerifiable)),
    };
    let (payment, changed) = match fetched {
        Ok(found) => found,
        Err(Fault::Toss(error)) if is_no_question(&error) => {
            return Ok(Finding::ignored(Badge::UnknownToToss));
        }
        Err(fault) => return Err(fault),
    };
    // The answer may have carried the secret that we did not know before.
    let proof = match (&signature, secret_matches(backoffice, event).await?) {
        (Some(_), _) => Some(Badge::SignatureVerified),
        (None, Some(true)) => Some(Badge::SecretMatched),
        (None, Some(false)) => Some(Badge::SecretWrong),
        (None, None) => None,
    };
    let remark = match compare(event, &payment, proof == Some(Badge::SecretMatched)) {
        Agreement::Equal if proof.is_none() => Some(Badge::FetchedEqual),
        Agreement::Equal => None,
        Agreement::Older => Some(Badge::OutOfOrder),
        Agreement::Different => Some(Badge::FetchedDifferent),
    };
    let badges = proof.into_iter().chain(remark).collect();
    link(backoffice, id, &payment).await?;
    Ok(Finding::proven(badges, signature, changed))
}

/// `CANCEL_STATUS_CHANGED` names only its own transaction or the id that we gave it (toss-api.md A10.5).
async fn payment_of_cancel(
    backoffice: &Backoffice,
    id: Uuid,
    event: &Event,
) -> Result<Option<String>, Fault> {
    let transaction = event.transaction_key.as_deref().filter(|t| is_sane(t));
    let ours = event.cancel_request_id.as_deref().and_then(|id| Uuid::try_parse(id).ok());
    let key = sqlx::query_scalar!(
        r#"select payment_key as "key!" from transactions where transaction_key = $1
           union all select payment_key from refunds where id = $2
           union all select p.payment_key from payments p
               where $1::text is not null and p.raw -> 'cancels' @> jsonb_build_array(jsonb_build_object('transactionKey', $1::text))
                 and p.payment_key in (select payment_key from refunds where state in ('sending', 'unknown'))
           limit 1"#,
        transaction,
        ours,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    if key.is_none() {
        tracing::info!(delivery = %id, "a cancel that belongs to no payment we know");
    }
    Ok(key)
}

/// A body that names no order, or no payment key, is found under both all the same.
async fn link(backoffice: &Backoffice, id: Uuid, payment: &Payment) -> Result<(), Fault> {
    sqlx::query!(
        "update webhook_deliveries set order_id = coalesce(order_id, $2), payment_key = coalesce(payment_key, $3),
            ids = array(select distinct unnest(ids || array[$2, $3]))
         where id = $1",
        id,
        payment.order_id.as_str(),
        payment.payment_key.as_str(),
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

/// A copy is found where its first is found.
async fn link_as(backoffice: &Backoffice, id: Uuid, first: Uuid) -> Result<(), Fault> {
    sqlx::query!(
        "update webhook_deliveries d set order_id = coalesce(d.order_id, f.order_id),
            payment_key = coalesce(d.payment_key, f.payment_key),
            ids = array(select distinct unnest(d.ids || f.ids || d.transmission_id))
         from webhook_deliveries f where d.id = $1 and f.id = $2",
        id,
        first,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

/// What a signed event tells of a payout or a seller, unless a newer one was there before.
async fn upsert_event_snapshot(
    backoffice: &Backoffice,
    id: Uuid,
    event: &Event,
    row: &Row,
) -> Result<Map<String, Value>, Fault> {
    let mut changed = Map::new();
    let Some(subject_id) = event.subject_id.as_deref().filter(|id| is_sane(id)) else {
        return Ok(changed);
    };
    let happened_at = event.created_at.as_deref().and_then(toss::timestamp::parse).unwrap_or(row.received_at);
    let body: Value =
        serde_json::from_slice(&row.body).map_err(Fault::unreadable("the body of a delivery"))?;
    let body = without_nul(body.get("entityBody").cloned().unwrap_or_default());
    let body = backoffice.keys.seal_json(SNAPSHOT, without_card_numbers(body))?;
    let status = event.status.as_deref().map(redact::code);
    let mut tx = backoffice.pool.begin().await?;
    let before = sqlx::query!(
        "select status, happened_at from event_snapshots where subject = $1 and subject_id = $2 for update",
        event.subject.as_str(),
        subject_id,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if before.as_ref().is_some_and(|before| before.happened_at >= happened_at) {
        return Ok(changed);
    }
    let written = sqlx::query!(
        "insert into event_snapshots (subject, subject_id, status, happened_at, delivery_id, body) values ($1, $2, $3, $4, $5, $6)
         on conflict (subject, subject_id) do update set status = excluded.status, happened_at = excluded.happened_at,
            delivery_id = excluded.delivery_id, body = excluded.body
         where event_snapshots.happened_at < excluded.happened_at",
        event.subject.as_str(),
        subject_id,
        status,
        happened_at,
        id,
        body,
    )
    .execute(&mut *tx)
    .await?;
    let was = before.and_then(|before| before.status);
    if written.rows_affected() == 1 && was != status {
        changed.insert("status".into(), json!([was, status]));
        let action = if event.subject == Subject::Payout { "payout.changed" } else { "seller.changed" };
        let detail = json!({ "status": [was, status], "delivery": id });
        let act = Act { action, subject_kind: event.subject.as_str(), subject: subject_id, detail };
        audit::record(&mut tx, backoffice.clock.now(), &JOB, act).await?;
    }
    tx.commit().await?;
    Ok(changed)
}

/// Compares the body's secret with the one kept from the confirm. `None` when there is nothing to compare.
async fn secret_matches(backoffice: &Backoffice, event: &Event) -> Result<Option<bool>, Fault> {
    let Some((theirs, order_id)) =
        event.secret.as_ref().zip(event.order_id.as_deref().filter(|o| is_sane(o)))
    else {
        return Ok(None);
    };
    let ours = sqlx::query_scalar!(
        r#"select secret as "secret!" from payments where order_id = $1 and secret is not null
           and ($2::text is null or payment_key = $2) order by fetch_seq desc"#,
        order_id,
        event.payment_key.as_deref().filter(|key| is_sane(key)),
    )
    .fetch_all(&backoffice.pool)
    .await?;
    // An order can have been tried with several payments.
    let matches = ours.iter().any(|ours| WebhookSecret(ours.clone()).matches(theirs));
    Ok((!ours.is_empty()).then_some(matches))
}

impl Backoffice {
    /// The same books, asking Toss slowly.
    pub(super) fn rate_limited(&self) -> Self {
        Self { toss: self.toss.rate_limited(), ..self.clone() }
    }
}
