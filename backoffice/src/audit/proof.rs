//! A proof that a row is in the log, which anybody can check without us (c2sp.org/tlog-proof). The row itself stands in it as
//! its extra data.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sqlx::Connection;
use tlog_tiles::{Error, Hash, RecordProof, TileHashReader, check_record, prove_record, record_hash};

use super::{
    entry::Written,
    note::{self, NoteError, Verifier},
    seal,
    tree::Tiles,
};
use crate::{Backoffice, Fault};

const VERSION: &str = "c2sp.org/tlog-proof@v1";

/// Why there is no proof of a row.
#[derive(Debug, thiserror::Error)]
pub enum NoProof {
    #[error("there is no such row")]
    NoRow,
    #[error(
        "the row stands in the chain of before: its end is the first row of the log, which can be proved"
    )]
    OfTheChain,
    #[error("the row is not sealed yet: that takes two seconds")]
    NotSealed,
    #[error("the log is not what was sealed: `jangbu audit verify` says where")]
    Broken,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for NoProof {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Error> for NoProof {
    fn from(_: Error) -> Self {
        Self::Broken
    }
}

/// Why a text proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotProved {
    #[error("it is no proof of the form c2sp.org/tlog-proof@v1 with a row in it")]
    Malformed,
    #[error("its checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
    #[error("the row is not in the log that the checkpoint was signed for")]
    NotInTree,
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// The row, as it was hashed: JSON.
    pub row: String,
    pub leaf: u64,
    /// Leaves of the log when the checkpoint was signed.
    pub size: u64,
}

/// The hashes beside the way from a leaf to the root, if all tiles for it are there.
fn path(tiles: &Tiles, size: u64, root: Hash, leaf: u64) -> Result<RecordProof, Error> {
    prove_record(size, leaf, &TileHashReader::new(size, root, tiles))
}

/// Writes the proof of a row, with the newest checkpoint.
pub async fn prove(backoffice: &Backoffice, seq: i64) -> Result<String, NoProof> {
    let mut connection = backoffice.pool.acquire().await?;
    let mut tx = connection.begin_with("begin isolation level repeatable read, read only").await?;
    let row = sqlx::query_as!(
        Written,
        r#"select seq, at, actor, actor_name, role, ip, agent, factor, action, subject_kind, subject, detail::text as "detail!"
           from audit where seq = $1"#,
        seq
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else {
        let in_chain =
            sqlx::query_scalar!(r#"select exists(select from audit_chain where seq = $1) as "is!""#, seq);
        return Err(if in_chain.fetch_one(&mut *tx).await? { NoProof::OfTheChain } else { NoProof::NoRow });
    };
    let leaf = sqlx::query_scalar!("select leaf from audit_leaves where seq = $1", seq)
        .fetch_optional(&mut *tx)
        .await?;
    let leaf = leaf.and_then(|leaf| u64::try_from(leaf).ok()).ok_or(NoProof::NotSealed)?;
    let head = seal::head(&mut tx).await?.ok_or(NoProof::Broken)?;
    let (size, root) = (head.edge.size, head.edge.root());
    if leaf >= size {
        return Err(NoProof::Broken);
    }
    let data = row.leaf()?;
    let mut tiles = Tiles::with_open(head.edge);
    let hashes = loop {
        match path(&tiles, size, root, leaf) {
            Ok(hashes) => break hashes,
            Err(error) => {
                if !tiles.read_missing(&mut tx).await? {
                    return Err(error.into());
                }
            }
        }
    };
    check_record(&hashes, size, root, leaf, record_hash(&data))?;
    let lines: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
    Ok(format!("{VERSION}\nextra {}\nindex {leaf}\n{lines}\n{}", STANDARD.encode(data), head.checkpoint))
}

/// Checks a proof with nothing but the log's public key.
pub fn check(text: &str, verifiers: &[Verifier]) -> Result<Proved, NotProved> {
    let (head, checkpoint) = text.split_once("\n\n").ok_or(NotProved::Malformed)?;
    let mut lines = head.lines();
    let mut next =
        |prefix: &str| lines.next().and_then(|line| line.strip_prefix(prefix)).ok_or(NotProved::Malformed);
    if !next(VERSION)?.is_empty() {
        return Err(NotProved::Malformed);
    }
    let data = STANDARD.decode(next("extra ")?).map_err(|_| NotProved::Malformed)?;
    let leaf = next("index ")?.parse().map_err(|_| NotProved::Malformed)?;
    let path: Result<RecordProof, _> = lines.map(Hash::parse_hash).collect();
    let path = path.map_err(|_| NotProved::Malformed)?;
    let (size, root) = note::open(checkpoint, verifiers)?;
    if leaf >= size {
        return Err(NotProved::NotInTree);
    }
    check_record(&path, size, root, leaf, record_hash(&data)).map_err(|_| NotProved::NotInTree)?;
    let row = String::from_utf8(data).map_err(|_| NotProved::Malformed)?;
    Ok(Proved { row, leaf, size })
}
