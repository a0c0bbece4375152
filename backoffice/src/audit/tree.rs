//! The Merkle tree of RFC 9162 over the leaves, in tiles of 256 hashes (c2sp.org/tlog-tiles). Hashing, proofs and
//! checkpoints are those of the crate `tlog_tiles`; here is how the tree grows, and where its tiles are kept.

use std::{cell::RefCell, collections::HashMap};

use sqlx::PgConnection;
use tlog_tiles::{EMPTY_HASH, Error, HASH_SIZE, Hash, Tile, TileReader, node_hash};

use crate::Fault;

/// Each tile is as high: 2^8 hashes wide.
pub(super) const HEIGHT: u8 = 8;
pub(super) const WIDTH: usize = 1 << HEIGHT;
const WIDTH_64: u64 = WIDTH as u64;

/// Subtrees that make up a tree, the highest first: what is needed for its root.
#[derive(Debug, Clone, Default)]
pub(super) struct Range(Vec<(u8, Hash)>);

impl Range {
    /// The next subtree, full and `height` levels high: 0 for a leaf.
    pub(super) fn push(&mut self, mut height: u8, mut hash: Hash) {
        while let Some((_, left)) = self.0.pop_if(|(last, _)| *last == height) {
            hash = node_hash(left, hash);
            height += 1;
        }
        self.0.push((height, hash));
    }

    pub(super) fn root(&self) -> Hash {
        let joined = self.0.iter().rev().map(|(_, hash)| *hash).reduce(|right, left| node_hash(left, right));
        joined.unwrap_or(EMPTY_HASH)
    }
}

/// A tile that has become full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FullTile {
    pub level: u8,
    pub n: u64,
    pub hashes: Vec<u8>,
}

/// Where a tree grows: how many leaves it has, and its open tile of each level, lowest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Edge {
    pub size: u64,
    pub open: Vec<Vec<u8>>,
}

impl Edge {
    /// One leaf more. Tiles that are full with it are added to `full`.
    pub(super) fn push(&mut self, leaf: Hash, full: &mut Vec<FullTile>) {
        let (mut hash, mut n) = (leaf, self.size / WIDTH_64);
        self.size += 1;
        for level in 0.. {
            let at = usize::from(level);
            if self.open.len() == at {
                self.open.push(Vec::new());
            }
            let Some(tile) = self.open.get_mut(at) else { return };
            tile.extend_from_slice(&hash.0);
            if tile.len() < WIDTH * HASH_SIZE {
                return;
            }
            let hashes = std::mem::take(tile);
            hash = Tile::subtree_hash(&hashes);
            full.push(FullTile { level, n, hashes });
            n /= WIDTH_64;
        }
    }

    pub(super) fn root(&self) -> Hash {
        let mut range = Range::default();
        let levels: Vec<_> = (0u8..).zip(&self.open).collect();
        for (level, tile) in levels.into_iter().rev() {
            for hash in hashes(tile) {
                range.push(level * HEIGHT, hash);
            }
        }
        range.root()
    }
}

/// The hashes that stand one behind the other. What is left over at the end is none.
pub(super) fn hashes(bytes: &[u8]) -> impl Iterator<Item = Hash> {
    bytes.as_chunks::<HASH_SIZE>().0.iter().map(|bytes| Hash(*bytes))
}

/// Tiles that were read for a proof. One that is missing is noted and asked for: proofs are made in two goes, because the
/// library reads nothing that has to be waited for.
#[derive(Debug, Default)]
pub(super) struct Tiles {
    known: HashMap<(u8, u64), Vec<u8>>,
    missing: RefCell<Vec<(u8, u64)>>,
}

impl Tiles {
    /// The open tiles of the tree's end.
    pub(super) fn with_open(edge: Edge) -> Self {
        let mut tiles = Self::default();
        for (level, tile) in (0u8..).zip(edge.open) {
            let below = u32::from(level + 1) * u32::from(HEIGHT);
            tiles.known.insert((level, edge.size.checked_shr(below).unwrap_or_default()), tile);
        }
        tiles
    }

    /// Reads what was missing. Whether there is more to try with.
    pub(super) async fn read_missing(&mut self, connection: &mut PgConnection) -> Result<bool, Fault> {
        let (mut levels, mut numbers) = (Vec::new(), Vec::new());
        for (level, n) in self.missing.take() {
            levels.push(i16::from(level));
            numbers.push(i64::try_from(n).unwrap_or(i64::MAX));
        }
        let rows = sqlx::query!(
            "select t.level, t.n, t.hashes from audit_tiles t
             join unnest($1::smallint[], $2::bigint[]) as wanted (level, n) on wanted.level = t.level and wanted.n = t.n",
            &levels,
            &numbers,
        )
        .fetch_all(connection)
        .await?;
        let found = !rows.is_empty();
        for row in rows {
            if let (Ok(level), Ok(n)) = (row.level.try_into(), row.n.try_into()) {
                self.known.insert((level, n), row.hashes);
            }
        }
        Ok(found)
    }
}

impl TileReader for Tiles {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = tiles.iter().filter_map(|tile| {
            let at = (tile.level(), tile.level_index());
            let known = self.known.get(&at).and_then(|hashes| {
                // An older tree's open tile is the beginning of what has grown since.
                usize::try_from(tile.width()).ok().and_then(|width| hashes.get(..width * HASH_SIZE))
            });
            if known.is_none() {
                self.missing.borrow_mut().push(at);
            }
            known.map(<[u8]>::to_vec)
        });
        let read: Vec<_> = read.collect();
        if read.len() == tiles.len() { Ok(read) } else { Err(Error::IndexesNotInTree) }
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tlog_tiles::{
        HashReader, TileHashReader, check_record, prove_record, record_hash, stored_hashes, tree_hash,
    };

    use super::*;

    struct Stored(Vec<Hash>);

    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
            indexes
                .iter()
                .map(|at| {
                    usize::try_from(*at).ok().and_then(|at| self.0.get(at)).copied().ok_or(Error::BadMath)
                })
                .collect()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// Grown in any steps, the root is the library's own, and every leaf can be proved by the tiles.
        #[test]
        fn the_tree_is_that_of_the_library(size in 1u64..1_500, leaf in any::<prop::sample::Index>()) {
            let (mut edge, mut range, mut full) = (Edge::default(), Range::default(), Vec::new());
            let mut stored = Stored(Vec::new());
            for n in 0..size {
                let record = n.to_string();
                edge.push(record_hash(record.as_bytes()), &mut full);
                range.push(0, record_hash(record.as_bytes()));
                let hashes = stored_hashes(n, record.as_bytes(), &stored).unwrap();
                stored.0.extend(hashes);
            }
            let root = tree_hash(size, &stored).unwrap();
            prop_assert_eq!(edge.root(), root);
            prop_assert_eq!(range.root(), root);
            let mut tiles = Tiles::with_open(edge);
            tiles.known.extend(full.into_iter().map(|tile| ((tile.level, tile.n), tile.hashes)));
            let leaf = leaf.index(size as usize) as u64;
            let proof = prove_record(size, leaf, &TileHashReader::new(size, root, &tiles)).unwrap();
            let hash = record_hash(leaf.to_string().as_bytes());
            prop_assert!(check_record(&proof, size, root, leaf, hash).is_ok());
        }
    }
}
