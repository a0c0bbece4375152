//! Whether the log is what was sealed. Every row is hashed again; what the hashes say is held against every checkpoint that
//! was ever signed, those from outside among them.
//!
//! A row that was changed is named. Where somebody has changed a row and all hashes with it, they cannot have signed the
//! checkpoint anew: the rows between the last one that fits and the first that does not are named.

mod check;

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};

pub(super) use self::check::{Check, Chunk, Leaf};
use super::{access, chain, entry::Written, seal, tree::WIDTH};
use crate::{Backoffice, Fault};

/// Leaves that are read at once: whole tiles.
const AT_ONCE: i64 = 64 * WIDTH as i64;

/// Something that is not as it was sealed. Leaves are counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Finding {
    /// The row is not what was sealed.
    Changed { seq: i64, leaf: u64 },
    /// The row is gone.
    Removed { seq: i64, leaf: u64 },
    /// Nothing says any more which row this was.
    Lost { leaf: u64 },
    /// A row that was put in without being sealed.
    Inserted { seq: i64 },
    /// Leaves behind the end of the tree.
    Beyond { leaf: u64 },
    /// The log ends before its own head, or before a checkpoint.
    Cut { from: u64, to: u64, is_outside: bool },
    /// These leaves are not those that a checkpoint was signed for.
    Forked { from: u64, to: u64, is_outside: bool },
    /// A checkpoint that none of our keys has signed.
    Unsigned { size: u64, is_outside: bool },
    /// A tile of the tree is missing, or is not what follows from the leaves.
    Tile { level: u8, n: u64 },
    /// There are rows, and no head of a tree.
    NoHead,
    /// The chain of before is broken.
    Chain { seq: i64, why: String },
    /// The tree does not begin where the chain ended.
    ChainEnd,
    /// A record of who saw what is not what its row says.
    RecordChanged { seq: i64 },
    /// A record of who saw what is gone before its time.
    RecordRemoved { seq: i64 },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let where_from = |is_outside: &bool| if *is_outside { "from outside" } else { "that is kept here" };
        match self {
            Self::Changed { seq, leaf } => write!(f, "row {seq} was changed (leaf {leaf})"),
            Self::Removed { seq, leaf } => write!(f, "row {seq} is gone (leaf {leaf})"),
            Self::Lost { leaf } => write!(f, "leaf {leaf} has lost its row"),
            Self::Inserted { seq } => write!(f, "row {seq} was put in and never sealed"),
            Self::Beyond { leaf } => write!(f, "leaf {leaf} is behind the end of the log"),
            Self::Cut { from, to, is_outside } => write!(
                f,
                "leaves {from} to {} are cut off, by the checkpoint {}",
                to - 1,
                where_from(is_outside)
            ),
            Self::Forked { from, to, is_outside } => write!(
                f,
                "leaves {from} to {} are not those of the checkpoint of {to} leaves {}",
                to - 1,
                where_from(is_outside)
            ),
            Self::Unsigned { size, is_outside } => write!(
                f,
                "no key of this log has signed the checkpoint of {size} leaves {}",
                where_from(is_outside)
            ),
            Self::Tile { level, n } => {
                write!(f, "tile {n} of level {level} is not what follows from the leaves")
            }
            Self::NoHead => f.write_str("the end of the log is not kept"),
            Self::Chain { seq, why } => write!(f, "the chain of before is broken at row {seq}: {why}"),
            Self::RecordChanged { seq } => write!(f, "the access record {seq} is not what its row says"),
            Self::RecordRemoved { seq } => write!(f, "the access record {seq} is gone before its time"),
            Self::ChainEnd => f.write_str("the log does not begin where the chain of before ended"),
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Rows that were sealed.
    pub leaves: u64,
    /// Rows of the chain of before.
    pub chain_rows: i64,
    /// Rows that wait to be sealed: those of the last seconds.
    pub waiting: i64,
    /// Checkpoints that fit.
    pub checkpoints: u64,
    /// How many; the first of them follow.
    pub count: u64,
    pub findings: Vec<Finding>,
}

impl Report {
    pub fn is_whole(&self) -> bool {
        self.count == 0
    }
}

/// Checks the whole log, against the checkpoints that are kept and those from `outside`.
pub async fn verify(backoffice: &Backoffice, outside: &[String]) -> Result<Report, Fault> {
    let verifiers = backoffice.sealing.verifiers();
    let mut connection = backoffice.pool.acquire().await?;
    let mut tx = connection.begin_with("begin isolation level repeatable read, read only").await?;
    let mut check = Check::new(chain::verify(&mut tx).await?);
    let head = seal::head(&mut tx).await?;
    for note in outside {
        check.checkpoint(0, note, &verifiers, true);
    }
    let kept = sqlx::query!("select size, checkpoint from audit_checkpoints order by size")
        .fetch_all(&mut *tx)
        .await?;
    for one in kept {
        check.checkpoint(one.size.try_into().unwrap_or_default(), &one.checkpoint, &verifiers, false);
    }
    if let Some(head) = &head {
        check.checkpoint(head.edge.size, &head.checkpoint, &verifiers, false);
    }
    let last = sqlx::query_scalar!("select max(leaf) from audit_leaves").fetch_one(&mut *tx).await?;
    let end = match &head {
        Some(head) => i64::try_from(head.edge.size).unwrap_or(i64::MAX),
        None => last.map_or(0, |last| last + 1),
    };
    check.begin(last.map(|last| last.min(end - 1)).and_then(|last| u64::try_from(last).ok()));
    // Hashed on a thread of its own, while the next rows are read.
    let (chunks, mut arrives) = tokio::sync::mpsc::channel::<Chunk>(2);
    let hashing = tokio::task::spawn_blocking(move || {
        while let Some(chunk) = arrives.blocking_recv() {
            check.chunk(head.as_ref(), chunk)?;
        }
        Ok::<_, Fault>((check, head))
    });
    let mut from = 0;
    while from < end {
        let to = (from + AT_ONCE).min(end);
        let chunk = Chunk {
            to: number(to),
            leaves: leaves(&mut tx, from, to).await?,
            tiles: lowest_tiles(&mut tx, from, to).await?,
        };
        // Nobody takes it where the thread has met a fault, which it tells below.
        if chunks.send(chunk).await.is_err() {
            break;
        }
        from = to;
    }
    drop(chunks);
    let (mut check, head) = hashing.await.map_err(|_| Fault::BrokeOff)??;
    for leaf in beyond(&mut tx, end).await? {
        check.find(Finding::Beyond { leaf });
    }
    for seq in inserted(&mut tx).await? {
        check.find(Finding::Inserted { seq });
    }
    for finding in access::check::findings(&mut tx).await? {
        check.find(finding);
    }
    check.report.waiting = sqlx::query_scalar!(r#"select count(*) as "waiting!" from audit_unsealed"#)
        .fetch_one(&mut *tx)
        .await?;
    let upper = upper_tiles(&mut tx, end).await?;
    Ok(check.end(head.as_ref(), upper))
}

fn number(n: i64) -> u64 {
    n.try_into().unwrap_or(u64::MAX)
}

async fn lowest_tiles(tx: &mut PgConnection, from: i64, to: i64) -> Result<HashMap<u64, Vec<u8>>, Fault> {
    let width = i64::try_from(WIDTH).unwrap_or(i64::MAX);
    let rows = sqlx::query!(
        "select n, hashes from audit_tiles where level = 0 and n >= $1 and n < $2",
        from / width,
        to / width,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (number(row.n), row.hashes)).collect())
}

/// Those above the lowest, and lowest ones that no leaf can stand in.
async fn upper_tiles(tx: &mut PgConnection, end: i64) -> Result<HashMap<(u8, u64), Vec<u8>>, Fault> {
    let width = i64::try_from(WIDTH).unwrap_or(i64::MAX);
    let rows = sqlx::query!(
        "select level, n, hashes from audit_tiles where level <> 0 or n < 0 or n >= $1",
        end / width
    )
    .fetch_all(tx)
    .await?;
    let key = |level: i16, n: i64| (level.try_into().unwrap_or(u8::MAX), number(n));
    Ok(rows.into_iter().map(|row| (key(row.level, row.n), row.hashes)).collect())
}

/// Leaves outside of the tree.
async fn beyond(tx: &mut PgConnection, end: i64) -> Result<Vec<u64>, Fault> {
    let rows = sqlx::query_scalar!(
        "select leaf from audit_leaves where leaf < 0 or leaf >= $1 order by leaf limit 1000",
        end
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(number).collect())
}

async fn leaves(tx: &mut PgConnection, from: i64, to: i64) -> Result<Vec<Leaf>, Fault> {
    let rows = sqlx::query!(
        r#"select l.leaf as "leaf!", l.seq as "leaf_seq!", a.seq as "seq?", a.at as "at?", a.actor as "actor?",
                  a.actor_name as "actor_name?", a.role, a.ip, a.agent, a.factor, a.action as "action?",
                  a.subject_kind as "subject_kind?", a.subject as "subject?", a.detail::text as "detail?"
           from audit_leaves l left join audit a on a.seq = l.seq
           where l.leaf >= $1 and l.leaf < $2 order by l.leaf"#,
        from,
        to,
    )
    .fetch_all(tx)
    .await?;
    let leaves = rows.into_iter().map(|row| {
        let written = (|| {
            Some(Written {
                seq: row.seq?,
                at: row.at?,
                actor: row.actor?,
                actor_name: row.actor_name?,
                role: row.role,
                ip: row.ip,
                agent: row.agent,
                factor: row.factor,
                action: row.action?,
                subject_kind: row.subject_kind?,
                subject: row.subject?,
                detail: row.detail?,
            })
        })();
        Leaf { leaf: number(row.leaf), seq: row.leaf_seq, row: written }
    });
    Ok(leaves.collect())
}

/// Rows without a place in the tree that do not wait for one.
async fn inserted(tx: &mut PgConnection) -> Result<Vec<i64>, Fault> {
    let rows = sqlx::query_scalar!(
        "select a.seq from audit a
         where not exists (select from audit_leaves l where l.seq = a.seq)
           and not exists (select from audit_unsealed u where u.seq = a.seq)
         order by a.seq limit 1000"
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}
