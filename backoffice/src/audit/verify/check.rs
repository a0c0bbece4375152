//! One check of a log, whoever reads it: fed with its checkpoints, then with its leaves in their order, then with its end.

use std::collections::HashMap;

use serde::Deserialize;
use tlog_tiles::{EMPTY_HASH, HASH_SIZE, Hash, record_hash};

use super::{Finding, Report};
use crate::{
    Fault,
    audit::{
        chain::Chain,
        entry::Written,
        note::{self, Verifier},
        seal::Head,
        tree::{Edge, FullTile, Range, WIDTH, hashes},
    },
};

/// Findings that are kept one by one; of more, the number.
const TOLD: usize = 1_000;

/// A checkpoint, before its leaves were seen.
#[derive(Debug, Clone, Copy)]
struct Signed {
    size: u64,
    root: Hash,
    is_outside: bool,
}

/// A row with its place. `row` is none where it is gone.
pub(in crate::audit) struct Leaf {
    pub leaf: u64,
    pub seq: i64,
    pub row: Option<Written>,
}

/// Leaves in their order, up to but without `to`, with the lowest tiles that they stand in.
pub(in crate::audit) struct Chunk {
    pub to: u64,
    pub leaves: Vec<Leaf>,
    pub tiles: HashMap<u64, Vec<u8>>,
}

impl Chunk {
    /// What the tree has for a leaf. `open`: the lowest open tile, and its number.
    fn recorded(&self, leaf: u64, open: Option<(u64, &Vec<u8>)>) -> Option<Hash> {
        let (n, at) = (leaf / WIDTH as u64, usize::try_from(leaf % WIDTH as u64).ok()? * HASH_SIZE);
        let tile = self.tiles.get(&n).or(open.filter(|open| open.0 == n).map(|open| open.1))?;
        hashes(tile.get(at..at + HASH_SIZE)?).next()
    }
}

/// One check, fed with leaves in their order.
pub(in crate::audit) struct Check {
    pub(in crate::audit) report: Report,
    range: Range,
    edge: Edge,
    full: Vec<FullTile>,
    /// The smallest last.
    signed: Vec<Signed>,
    /// Up to where a checkpoint has fitted, and one from outside.
    fits_to: u64,
    fits_outside: u64,
    /// Behind the last leaf that has a row.
    rows_end: u64,
    chain: Chain,
}

impl Check {
    pub(in crate::audit) fn new(chain: Chain) -> Self {
        let mut check = Self {
            report: Report::default(),
            range: Range::default(),
            edge: Edge::default(),
            full: Vec::new(),
            signed: Vec::new(),
            fits_to: 0,
            fits_outside: 0,
            rows_end: 0,
            chain,
        };
        match &check.chain {
            Chain::Whole { rows, .. } => check.report.chain_rows = *rows,
            Chain::Broken { seq, why } => {
                let finding = Finding::Chain { seq: *seq, why: (*why).to_owned() };
                check.find(finding);
            }
            Chain::Empty => {}
        }
        check
    }

    pub(in crate::audit) fn find(&mut self, finding: Finding) {
        self.report.count += 1;
        if self.report.findings.len() < TOLD {
            self.report.findings.push(finding);
        }
    }

    /// A checkpoint that the log is held against. All of them come before the first leaf.
    pub(in crate::audit) fn checkpoint(
        &mut self,
        size: u64,
        text: &str,
        verifiers: &[Verifier],
        is_outside: bool,
    ) {
        match note::open(text, verifiers) {
            Ok((signed, root)) if is_outside || signed == size => {
                self.signed.push(Signed { size: signed, root, is_outside });
            }
            _ => {
                let size = note::claimed_size(text).filter(|_| is_outside).unwrap_or(size);
                self.find(Finding::Unsigned { size, is_outside });
            }
        }
    }

    /// All leaves are known now that a checkpoint was signed for.
    fn at_checkpoints(&mut self) {
        while let Some(signed) = self.signed.pop_if(|signed| signed.size <= self.edge.size) {
            if signed.size == self.edge.size && self.range.root() == signed.root {
                self.fits_to = signed.size;
                if signed.is_outside {
                    self.fits_outside = signed.size;
                }
                self.report.checkpoints += 1;
                continue;
            }
            // What was signed here can be signed anew by whoever has the key: it says nothing of those outside.
            let (fits, to) = (if signed.is_outside { self.fits_outside } else { self.fits_to }, signed.size);
            let from = fits.min(to.saturating_sub(1));
            self.find(Finding::Forked { from, to, is_outside: signed.is_outside });
        }
    }

    fn push(&mut self, hash: Hash) {
        self.range.push(0, hash);
        self.edge.push(hash, &mut self.full);
        self.at_checkpoints();
    }

    /// To be called once, between the checkpoints and the leaves. `last`: the last leaf that has a row, if there is one.
    pub(in crate::audit) fn begin(&mut self, last: Option<u64>) {
        self.signed.sort_by_key(|signed| std::cmp::Reverse(signed.size));
        self.rows_end = last.map_or(0, |last| last + 1);
    }

    pub(in crate::audit) fn chunk(&mut self, head: Option<&Head>, mut chunk: Chunk) -> Result<(), Fault> {
        let open = head.and_then(|head| Some((head.edge.size / WIDTH as u64, head.edge.open.first()?)));
        for leaf in std::mem::take(&mut chunk.leaves) {
            self.lost(leaf.leaf, |leaf| chunk.recorded(leaf, open));
            let kept = chunk.recorded(leaf.leaf, open);
            let Some(row) = leaf.row else {
                self.find(Finding::Removed { seq: leaf.seq, leaf: leaf.leaf });
                self.push(kept.unwrap_or(EMPTY_HASH));
                continue;
            };
            if leaf.leaf == 0 {
                self.first(&row);
            }
            let hash = record_hash(&row.leaf()?);
            if kept.is_some_and(|kept| kept != hash) {
                self.find(Finding::Changed { seq: leaf.seq, leaf: leaf.leaf });
            }
            self.push(kept.unwrap_or(hash));
        }
        self.lost(chunk.to.min(self.rows_end), |leaf| chunk.recorded(leaf, open));
        // Where the rows are cut off, what the hashes still tell is held against the checkpoints all the same.
        while self.edge.size < chunk.to
            && self.edge.size >= self.rows_end
            && let Some(hash) = chunk.recorded(self.edge.size, open)
        {
            self.push(hash);
        }
        for tile in self.full.extract_if(.., |tile| tile.level == 0).collect::<Vec<_>>() {
            if chunk.tiles.remove(&tile.n).is_none_or(|kept| kept != tile.hashes) {
                self.find(Finding::Tile { level: 0, n: tile.n });
            }
        }
        for n in chunk.tiles.into_keys() {
            self.find(Finding::Tile { level: 0, n });
        }
        Ok(())
    }

    /// Leaves before this one that no row has.
    fn lost(&mut self, until: u64, recorded: impl Fn(u64) -> Option<Hash>) {
        while self.edge.size < until {
            let leaf = self.edge.size;
            self.find(Finding::Lost { leaf });
            self.push(recorded(leaf).unwrap_or(EMPTY_HASH));
        }
    }

    fn first(&mut self, row: &Written) {
        let (rows, head) = match &self.chain {
            Chain::Whole { rows, head } => (rows, head),
            // Somebody has taken all of it away.
            Chain::Empty if row.action == "audit.chain_ended" => return self.find(Finding::ChainEnd),
            Chain::Empty | Chain::Broken { .. } => return,
        };
        #[derive(Deserialize)]
        struct Ended {
            rows: i64,
            head: String,
        }
        let ended = serde_json::from_str::<Ended>(&row.detail).ok();
        let fits = ended.is_some_and(|ended| ended.rows == *rows && ended.head == *head);
        if row.action != "audit.chain_ended" || !fits {
            self.find(Finding::ChainEnd);
        }
    }

    /// `head`: where the tree ends, as it is kept; `upper`: the tiles above the lowest.
    pub(in crate::audit) fn end(
        mut self,
        head: Option<&Head>,
        mut upper: HashMap<(u8, u64), Vec<u8>>,
    ) -> Report {
        for tile in std::mem::take(&mut self.full) {
            if upper.remove(&(tile.level, tile.n)).is_none_or(|kept| kept != tile.hashes) {
                self.find(Finding::Tile { level: tile.level, n: tile.n });
            }
        }
        let mut rest: Vec<_> = upper.into_keys().collect();
        rest.sort_unstable();
        for (level, n) in rest {
            self.find(Finding::Tile { level, n });
        }
        match head {
            None if self.edge.size > 0 => self.find(Finding::NoHead),
            None => {}
            Some(head) => self.at_head(&head.edge),
        }
        // Checkpoints of a log that is longer than this one.
        for signed in std::mem::take(&mut self.signed) {
            let (from, to) = (self.rows_end.min(self.edge.size), signed.size);
            self.find(Finding::Cut { from, to, is_outside: signed.is_outside });
        }
        self.report.leaves = self.edge.size;
        self.report
    }

    fn at_head(&mut self, head: &Edge) {
        if self.rows_end < head.size {
            self.find(Finding::Cut { from: self.rows_end, to: head.size, is_outside: false });
        }
        if self.edge.size != head.size {
            return;
        }
        for level in 0..head.open.len().max(self.edge.open.len()) {
            let of = |edge: &Edge| edge.open.get(level).cloned().unwrap_or_default();
            let (Ok(level_8), true) = (u8::try_from(level), of(head) != of(&self.edge)) else { continue };
            let n = self.edge.size.checked_shr(8 * (u32::from(level_8) + 1)).unwrap_or_default();
            self.find(Finding::Tile { level: level_8, n });
        }
    }
}
