//! Who changed what. Every change and its row here are one transaction; the rows are a hash chain.
//!
//! `hash = sha256(prev_hash ‖ entry)`, where `entry` is the JSON text that stands in the row. A row that was edited,
//! inserted or taken out of the middle breaks the chain; the newest rows cut off can only be noticed by
//! comparing with a head noted elsewhere, which `jangbu audit verify` prints for that.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Fault,
    kernel::role::Role,
    kernel::text,
    page::{Cursor, Page, push_sequence},
};

/// Serialises the writers of the chain. Taken last in a transaction, so that it is held briefly.
const CHAIN_LOCK: i64 = 0x6a61_6e67_6275;

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    Staff {
        id: Uuid,
        name: String,
        role: Role,
        ip: Option<String>,
    },
    /// A job of ours, by name.
    Job(&'static str),
    /// The merchant's own server, by its API key.
    MerchantApi,
    /// Somebody at the machine itself.
    CommandLine,
}

impl Actor {
    pub fn key(&self) -> String {
        match self {
            Self::Staff { id, .. } => format!("staff:{id}"),
            Self::Job(name) => format!("job:{name}"),
            Self::MerchantApi => "merchant-api".into(),
            Self::CommandLine => "command-line".into(),
        }
    }

    pub fn staff_id(&self) -> Option<Uuid> {
        match self {
            Self::Staff { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Empty for whoever does not come from one.
    pub fn ip(&self) -> &str {
        match self {
            Self::Staff { ip, .. } => ip.as_deref().unwrap_or_default(),
            _ => "",
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Staff { name, .. } => name,
            Self::Job(name) => name,
            Self::MerchantApi => "merchant-api",
            Self::CommandLine => "command-line",
        }
    }
}

/// What was done to what.
#[derive(Debug, Clone)]
pub struct Act<'a> {
    /// `noun.verb`, for example `refund.requested`.
    pub action: &'static str,
    pub subject_kind: &'static str,
    pub subject: &'a str,
    /// Figures and words that explain the change. No secrets, no unmasked personal data.
    pub detail: Value,
}

/// What is hashed. The order of members is the order of this struct.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    seq: i64,
    at: String,
    actor: String,
    actor_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    action: String,
    subject_kind: String,
    subject: String,
    detail: Value,
}

/// Writes one row. Call it last in the transaction of the change.
pub async fn record(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    act: Act<'_>,
) -> Result<(), Fault> {
    sqlx::query("select pg_advisory_xact_lock($1)").bind(CHAIN_LOCK).execute(&mut *tx).await?;
    let last = sqlx::query!("select seq, hash from audit order by seq desc limit 1")
        .fetch_optional(&mut *tx)
        .await?;
    let (seq, prev_hash) = last.map_or((1, vec![0; 32]), |row| (row.seq + 1, row.hash));
    let (role, ip) = match actor {
        Actor::Staff { role, ip, .. } => (Some(role.as_str().to_owned()), ip.clone()),
        _ => (None, None),
    };
    let entry = Entry {
        seq,
        at: now.unix_timestamp_nanos().to_string(),
        actor: actor.key(),
        actor_name: actor.name().to_owned(),
        role,
        ip,
        action: act.action.to_owned(),
        subject_kind: act.subject_kind.to_owned(),
        subject: act.subject.to_owned(),
        detail: act.detail,
    };
    let text = serde_json::to_string(&entry).map_err(Fault::unreadable("an audit row"))?;
    let hash = link(&prev_hash, &text);
    sqlx::query!(
        "insert into audit (seq, at, actor, actor_name, action, subject_kind, subject, entry, prev_hash, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        seq,
        now,
        entry.actor,
        entry.actor_name,
        entry.action,
        entry.subject_kind,
        entry.subject,
        text,
        prev_hash,
        hash,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

fn link(prev_hash: &[u8], entry: &str) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(prev_hash);
    hasher.update(entry.as_bytes());
    hasher.finalize().to_vec()
}

/// A row as people read it.
#[derive(Debug, Clone)]
pub struct Row {
    pub seq: i64,
    pub at: OffsetDateTime,
    pub actor: String,
    pub actor_name: String,
    pub action: String,
    pub subject_kind: String,
    pub subject: String,
    pub detail: Value,
}

struct Stored {
    seq: i64,
    at: OffsetDateTime,
    actor: String,
    actor_name: String,
    action: String,
    subject_kind: String,
    subject: String,
    entry: String,
}

impl From<Stored> for Row {
    fn from(s: Stored) -> Self {
        let detail = serde_json::from_str::<Value>(&s.entry)
            .ok()
            .and_then(|mut e| e.get_mut("detail").map(Value::take));
        Self {
            seq: s.seq,
            at: s.at,
            actor: s.actor,
            actor_name: s.actor_name,
            action: s.action,
            subject_kind: s.subject_kind,
            subject: s.subject,
            detail: detail.unwrap_or_default(),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Filter {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub subject: Option<String>,
}

pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Row>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new(
        "select seq, at, actor, actor_name, action, subject_kind, subject, entry from audit where true",
    );
    if let Some(actor) = &filter.actor {
        query
            .push(" and (actor = ")
            .push_bind(actor.clone())
            .push(" or actor_name = ")
            .push_bind(actor.clone())
            .push(")");
    }
    if let Some(action) = &filter.action {
        query.push(" and action = ").push_bind(action.clone());
    }
    if let Some(subject) = &filter.subject {
        query.push(" and subject = ").push_bind(subject.clone());
    }
    push_sequence(&mut query, cursor, "seq", size);
    type Columns = (i64, OffsetDateTime, String, String, String, String, String, String);
    let rows: Vec<Columns> = query.build_query_as().fetch_all(pool).await?;
    let rows = rows
        .into_iter()
        .map(|(seq, at, actor, actor_name, action, subject_kind, subject, entry)| {
            Stored { seq, at, actor, actor_name, action, subject_kind, subject, entry }.into()
        })
        .collect();
    Ok(Page::new(rows, size, cursor, |row: &Row| (row.at, row.seq.to_string())))
}

/// Everything that happened to one thing, newest first.
pub async fn of_subject(pool: &PgPool, kind: &str, subject: &str) -> Result<Vec<Row>, Fault> {
    let rows = sqlx::query_as!(
        Stored,
        "select seq, at, actor, actor_name, action, subject_kind, subject, entry
         from audit where subject_kind = $1 and subject = $2 order by seq desc limit 500",
        kind,
        subject,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Row::from).collect())
}

/// What a check of the whole chain found.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Unbroken: how many rows, and the hash of the last one in hexadecimal.
    Whole { rows: i64, head: String },
    /// The first row that does not fit.
    Broken { seq: i64, why: &'static str },
}

/// Reads the chain from its first row and stops at the first that does not fit.
pub async fn verify(pool: &PgPool) -> Result<Verdict, Fault> {
    use futures::TryStreamExt;
    let mut rows = sqlx::query!(
        "select seq, at, actor, actor_name, action, subject_kind, subject, entry, prev_hash, hash from audit order by seq"
    )
    .fetch(pool);
    let mut expected_seq = 1;
    let mut head = vec![0; 32];
    while let Some(row) = rows.try_next().await? {
        let broken = |why| Ok(Verdict::Broken { seq: row.seq, why });
        if row.seq != expected_seq {
            return broken("a row before it is missing");
        }
        if row.prev_hash != head {
            return broken("it does not follow the row before it");
        }
        if row.hash != link(&row.prev_hash, &row.entry) {
            return broken("its text was changed");
        }
        let Ok(entry) = serde_json::from_str::<Entry>(&row.entry) else {
            return broken("its text cannot be read");
        };
        let said =
            (entry.seq, &entry.actor, &entry.actor_name, &entry.action, &entry.subject_kind, &entry.subject);
        let shown = (row.seq, &row.actor, &row.actor_name, &row.action, &row.subject_kind, &row.subject);
        if said != shown || entry.at != row.at.unix_timestamp_nanos().to_string() {
            return broken("its columns differ from its text");
        }
        head = row.hash;
        expected_seq += 1;
    }
    let head = text::hex(&head);
    Ok(Verdict::Whole { rows: expected_seq - 1, head })
}
