//! Events leave the house as lines of JSON, in the names of the Elastic Common Schema, which other systems read as well. Each
//! place is told everything at least once, in the order in which it was written, from when it was first named.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Kind;
use crate::{
    Backoffice, Fault,
    kernel::{
        place::{Place, Syslog},
        text::hex,
    },
};

/// How often it is looked for events.
const EVERY: Duration = Duration::from_secs(1);

/// Events that are told at once.
const AT_ONCE: i64 = 500;

/// Members of the detail that may leave: figures and words of ours.
const DETAIL: [&str; 6] = ["path", "count", "sessions", "why", "factor", "role"];

/// What an event came to.
fn outcome(kind: Kind) -> &'static str {
    match kind {
        Kind::LogInWrong
        | Kind::LogInThrottled
        | Kind::LogInBusy
        | Kind::LogInRefused
        | Kind::Refused
        | Kind::FactorWrong => "failure",
        _ => "success",
    }
}

/// One event as it is kept.
struct Row {
    xact: String,
    id: i64,
    at: OffsetDateTime,
    kind: Kind,
    staff_id: Option<Uuid>,
    ip: String,
    agent: String,
    detail: Value,
}

fn line(row: &Row) -> Value {
    let detail: Map<String, Value> =
        DETAIL.iter().filter_map(|name| Some(((*name).to_owned(), row.detail.get(name)?.clone()))).collect();
    let mut line = json!({
        "@timestamp": row.at.format(&Rfc3339).unwrap_or_default(),
        "ecs": { "version": "8.11" },
        "event": { "kind": "event", "category": ["authentication"], "action": row.kind.as_str(),
                   "outcome": outcome(row.kind), "id": row.id.to_string(), "provider": "jangbu" },
        "labels": detail,
    });
    // A session that ran out came from nowhere.
    for (name, value) in [
        ("user", row.staff_id.map(|id| json!({ "id": id }))),
        ("source", (!row.ip.is_empty()).then(|| json!({ "ip": row.ip }))),
        ("user_agent", (!row.agent.is_empty()).then(|| json!({ "original": row.agent }))),
    ] {
        if let Some(value) = value {
            line[name] = value;
        }
    }
    line
}

/// Tells every place until told to stop.
pub(crate) async fn run(backoffice: &Backoffice, stop: &CancellationToken) {
    if backoffice.security_places.is_empty() {
        stop.cancelled().await;
        return;
    }
    let work = async {
        loop {
            for place in &backoffice.security_places {
                if let Err(error) = tell(backoffice, place).await {
                    tracing::warn!(%error, %place, "security events were not sent");
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// What a place is called where its cursor is kept: nothing secret of its address, and yet another one for each.
fn name_of(place: &Place) -> String {
    let hash = Sha256::digest(format!("{place:?}"));
    format!("{place} #{}", &hex(&hash)[..8])
}

/// A new place begins with what comes from now on.
async fn begin(tx: &mut PgConnection, name: &str) -> Result<(), Fault> {
    sqlx::query!(
        "insert into security_places (place, xact, id) select $1, pg_snapshot_xmin(pg_current_snapshot()), 0
         where not exists (select from security_places where place = $1) on conflict do nothing",
        name
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// After a restore into another PostgreSQL transactions are counted from the beginning, and so are its places.
async fn begin_again(tx: &mut PgConnection, name: &str) -> Result<(), Fault> {
    tracing::warn!(place = name, "the database was restored: security events are told from now on");
    sqlx::query!(
        "update security_places set xact = pg_snapshot_xmin(pg_current_snapshot()), id = 0 where place = $1",
        name
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Tells one place what it has not taken yet.
async fn tell(backoffice: &Backoffice, place: &Place) -> Result<(), Fault> {
    let name = name_of(place);
    let mut tx = backoffice.pool.begin().await?;
    // One process at a time; what does not answer is asked again after ten seconds.
    let stands = sqlx::query!(
        r#"select xact::text as "xact!", id, xact > pg_snapshot_xmax(pg_current_snapshot()) as "is_ahead!" from security_places
           where place = $1 and (failing_since is null or tried_at < now() - interval '10 seconds')
           for update skip locked"#,
        name
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(stands) = stands else {
        begin(&mut tx, &name).await?;
        return Ok(tx.commit().await?);
    };
    if stands.is_ahead {
        begin_again(&mut tx, &name).await?;
        return Ok(tx.commit().await?);
    }
    let rows = sqlx::query_as!(
        Row,
        r#"select xact::text as "xact!", id, at, kind as "kind: Kind", staff_id, ip, agent, detail
           from security_events
           where (xact, id) > ($1::text::xid8, $2) and xact < pg_snapshot_xmin(pg_current_snapshot())
           order by xact, id limit $3"#,
        stands.xact,
        stands.id,
        AT_ONCE,
    )
    .fetch_all(&mut *tx)
    .await?;
    let Some(last) = rows.last() else { return Ok(()) };
    let lines: Vec<(&'static str, String)> =
        rows.iter().map(|row| (row.kind.as_str(), line(row).to_string())).collect();
    let text: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
    // Facility 10 (security), severity 6.
    let told = place.tell("application/x-ndjson", &text, Syslog { priority: 86, lines }).await;
    let error = told.err();
    if let Some(error) = &error {
        tracing::warn!(place = name, error, "security events were not taken");
    }
    sqlx::query!(
        "update security_places set tried_at = now(), error = $4,
             xact = case when $4::text is null then $2::text::xid8 else xact end,
             id = case when $4::text is null then $3 else id end,
             failing_since = case when $4::text is null then null else coalesce(failing_since, now()) end
         where place = $1",
        name,
        last.xact,
        last.id,
        error,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}
