//! The log as it was before version 33 of the tables: a chain of hashes, each over the one before it and the row's text. Nothing is
//! added to it any more; its end is the first leaf of the tree.

use futures::TryStreamExt;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use crate::{Fault, kernel::text};

/// What of the text stands in columns, too.
#[derive(Deserialize)]
struct Entry {
    seq: i64,
    at: String,
    actor: String,
    actor_name: String,
    action: String,
    subject_kind: String,
    subject: String,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chain {
    /// There never was one.
    Empty,
    /// Unbroken: the last row, and its hash in hexadecimal.
    Whole { rows: i64, head: String },
    /// The first row that does not fit.
    Broken { seq: i64, why: &'static str },
}

fn link(prev_hash: &[u8], entry: &str) -> Vec<u8> {
    Sha256::new().chain_update(prev_hash).chain_update(entry.as_bytes()).finalize().to_vec()
}

/// Reads the chain from its first row and stops at the first that does not fit.
pub(super) async fn verify(connection: &mut PgConnection) -> Result<Chain, Fault> {
    let mut rows = sqlx::query!(
        "select seq, at, actor, actor_name, action, subject_kind, subject, entry, prev_hash, hash
         from audit_chain order by seq"
    )
    .fetch(connection);
    let mut expected_seq = 1;
    let mut head = vec![0; 32];
    while let Some(row) = rows.try_next().await? {
        let broken = |why| Ok(Chain::Broken { seq: row.seq, why });
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
    Ok(match expected_seq - 1 {
        0 => Chain::Empty,
        rows => Chain::Whole { rows, head: text::hex(&head) },
    })
}
