//! Rows get their place in the tree: in batches, by one process at a time, each half second.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use tlog_tiles::record_hash;
use tokio_util::sync::CancellationToken;

use super::{
    entry::Written,
    note::{self, Signer, Verifier},
    outside::Place,
    tree::{Edge, FullTile},
};
use crate::{Backoffice, Fault};

/// Held by whoever seals.
const LOCK: i64 = 0x6a61_7365_616c;

/// How often it is looked for rows: they are sealed within two seconds.
const EVERY: Duration = Duration::from_millis(500);

/// Rows in one transaction.
const AT_ONCE: i64 = 10_000;

/// What this process seals with, and whom it tells.
#[derive(Debug, Clone)]
pub struct Sealing {
    pub signer: Signer,
    /// Keys that have signed before.
    pub previous: Vec<Verifier>,
    pub places: Vec<Place>,
}

impl Sealing {
    /// Whose checkpoints are ours.
    pub fn verifiers(&self) -> Vec<Verifier> {
        let mut verifiers = vec![self.signer.verifier().clone()];
        verifiers.extend(self.previous.iter().cloned());
        verifiers
    }
}

/// Where the tree ends, as it is kept.
pub(super) struct Head {
    pub edge: Edge,
    pub checkpoint: String,
}

pub(super) async fn head(connection: &mut PgConnection) -> Result<Option<Head>, Fault> {
    let head = sqlx::query!("select size, open_tiles, checkpoint from audit_head")
        .fetch_optional(connection)
        .await?;
    let Some(head) = head else { return Ok(None) };
    let size = u64::try_from(head.size)
        .map_err(|_| Fault::Inconsistent("the audit log ends before it begins".into()))?;
    Ok(Some(Head { edge: Edge { size, open: head.open_tiles }, checkpoint: head.checkpoint }))
}

/// The key that has signed the newest checkpoint, as `name+id`; nothing for a log that has none.
pub async fn signed_with(pool: &PgPool) -> Result<Option<String>, Fault> {
    let checkpoint = sqlx::query_scalar!("select checkpoint from audit_head").fetch_optional(pool).await?;
    Ok(checkpoint.and_then(|checkpoint| note::signed_with(&checkpoint)))
}

/// Seals until told to stop, and what is left then.
pub(crate) async fn run(backoffice: &Backoffice, stop: &CancellationToken) {
    let mut failed = false;
    loop {
        let done = seal_all(backoffice).await;
        if let Err(error) = &done
            && !failed
        {
            tracing::error!(%error, "the audit log cannot be sealed; it is tried again");
        }
        failed = done.is_err();
        if stop.is_cancelled() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Seals every row that is committed by now, unless another process is at it. How many.
pub async fn seal_all(backoffice: &Backoffice) -> Result<u64, Fault> {
    let mut sealed = 0;
    loop {
        let batch = seal_batch(backoffice).await?;
        sealed += batch;
        if batch < u64::try_from(AT_ONCE).unwrap_or(u64::MAX) {
            return Ok(sealed);
        }
    }
}

async fn seal_batch(backoffice: &Backoffice) -> Result<u64, Fault> {
    let mut connection = backoffice.pool.acquire().await?;
    if !sqlx::query_scalar!(r#"select exists(select from audit_unsealed) as "any!""#)
        .fetch_one(&mut *connection)
        .await?
    {
        return Ok(0);
    }
    let mut tx = connection.begin().await?;
    if !sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "mine!""#, LOCK)
        .fetch_one(&mut *tx)
        .await?
    {
        return Ok(0);
    }
    let rows = sqlx::query_as!(
        Written,
        r#"with taken as (
               delete from audit_unsealed where ctid = any(array(select ctid from audit_unsealed limit $1)) returning seq
           )
           select a.seq, a.at, a.actor, a.actor_name, a.role, a.ip, a.agent, a.factor, a.action, a.subject_kind, a.subject,
                  a.detail::text as "detail!"
           from (select distinct seq from taken) t join audit a on a.seq = t.seq
           -- A mark that somebody has put beside a sealed row must not stop the others.
           where not exists (select from audit_leaves l where l.seq = a.seq) order by a.seq"#,
        AT_ONCE,
    )
    .fetch_all(&mut *tx)
    .await?;
    if rows.is_empty() {
        tx.commit().await?;
        return Ok(0);
    }
    let mut edge = head(&mut tx).await?.map(|head| head.edge).unwrap_or_default();
    let (mut leaves, mut seqs, mut full) = (Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        leaves.push(i64::try_from(edge.size).unwrap_or(i64::MAX));
        seqs.push(row.seq);
        edge.push(record_hash(&row.leaf()?), &mut full);
    }
    sqlx::query!(
        "insert into audit_leaves (leaf, seq) select * from unnest($1::bigint[], $2::bigint[])",
        &leaves,
        &seqs,
    )
    .execute(&mut *tx)
    .await?;
    keep(&mut tx, full).await?;
    let checkpoint = backoffice.sealing.signer.checkpoint(edge.size, edge.root())?;
    sqlx::query!(
        "insert into audit_head (size, open_tiles, checkpoint, sealed_at) values ($1, $2, $3, now())
         on conflict (is_one) do update set size = excluded.size, open_tiles = excluded.open_tiles,
             checkpoint = excluded.checkpoint, sealed_at = excluded.sealed_at",
        i64::try_from(edge.size).unwrap_or(i64::MAX),
        &edge.open,
        checkpoint,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(rows.len().try_into().unwrap_or(u64::MAX))
}

async fn keep(tx: &mut PgConnection, full: Vec<FullTile>) -> Result<(), Fault> {
    let (mut levels, mut numbers, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for tile in full {
        levels.push(i16::from(tile.level));
        numbers.push(i64::try_from(tile.n).unwrap_or(i64::MAX));
        hashes.push(tile.hashes);
    }
    sqlx::query!(
        "insert into audit_tiles (level, n, hashes) select * from unnest($1::smallint[], $2::bigint[], $3::bytea[])",
        &levels,
        &numbers,
        &hashes,
    )
    .execute(tx)
    .await?;
    Ok(())
}
