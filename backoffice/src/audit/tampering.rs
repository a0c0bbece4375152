//! 100,000 ways of changing a log behind our back, and each is found and named.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::LazyLock,
};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use time::{Duration, OffsetDateTime};
use tlog_tiles::record_hash;

use super::{
    chain::Chain,
    entry::Written,
    note::{Signer, Verifier},
    seal::Head,
    tree::{Edge, WIDTH},
    verify::{Check, Chunk, Finding, Leaf, Report},
};

/// A log as the tables keep it, and a checkpoint of all of it that lies elsewhere.
#[derive(Clone)]
struct Log {
    rows: BTreeMap<i64, Written>,
    /// By leaf.
    leaves: BTreeMap<u64, i64>,
    tiles: HashMap<(u8, u64), Vec<u8>>,
    head: Edge,
    checkpoint: String,
    kept: Vec<(u64, String)>,
    outside: String,
}

/// What has to be among the findings.
type Named = Box<dyn Fn(&Finding) -> bool>;

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::rehearsal().unwrap());
static KEYS: LazyLock<[Verifier; 1]> = LazyLock::new(|| [SIGNER.verifier().clone()]);

fn row(seq: i64, rng: &mut StdRng) -> Written {
    Written {
        seq,
        at: OffsetDateTime::UNIX_EPOCH + Duration::seconds(seq),
        actor: "staff:1".into(),
        actor_name: "김하늘".into(),
        role: Some("support".into()),
        ip: rng.random_bool(0.5).then(|| "192.0.2.1".into()),
        agent: None,
        factor: None,
        action: "refund.requested".into(),
        subject_kind: "order".into(),
        subject: format!("ord_{seq}"),
        detail: format!("{{\"amount\":\"{}\"}}", rng.random_range(1..1_000_000)),
    }
}

/// The tree over the rows in the order of their leaves.
fn tree(rows: &BTreeMap<i64, Written>, leaves: &BTreeMap<u64, i64>) -> (Edge, HashMap<(u8, u64), Vec<u8>>) {
    let (mut edge, mut full) = (Edge::default(), Vec::new());
    for seq in leaves.values() {
        edge.push(record_hash(&rows[seq].leaf().unwrap()), &mut full);
    }
    (edge, full.into_iter().map(|tile| ((tile.level, tile.n), tile.hashes)).collect())
}

impl Log {
    /// Rows whose numbers have gaps, as those of transactions that were rolled back, sealed in another order than they began.
    fn new(size: u64, rng: &mut StdRng) -> Self {
        let mut seqs: Vec<i64> =
            (0..size).map(|n| 3 * i64::try_from(n).unwrap() + rng.random_range(1..3)).collect();
        for at in 1..seqs.len() {
            if rng.random_bool(0.2) {
                seqs.swap(at - 1, at);
            }
        }
        let rows: BTreeMap<i64, Written> = seqs.iter().map(|seq| (*seq, row(*seq, rng))).collect();
        let leaves: BTreeMap<u64, i64> = (0..).zip(seqs).collect();
        let at = |size: u64| {
            let leaves = leaves.range(..size).map(|(leaf, seq)| (*leaf, *seq)).collect();
            SIGNER.checkpoint(size, tree(&rows, &leaves).0.root()).unwrap()
        };
        let halves = BTreeSet::from([size.div_ceil(3), size.div_ceil(2)]);
        let kept = halves.into_iter().map(|size| (size, at(size))).collect();
        let (head, tiles) = tree(&rows, &leaves);
        let checkpoint = at(size);
        Self { kept, outside: checkpoint.clone(), checkpoint, rows, leaves, tiles, head }
    }

    /// As [`super::verify::verify`] does it over the tables, in chunks of two tiles.
    fn check(self) -> Report {
        let mut check = Check::new(Chain::Empty);
        check.checkpoint(0, &self.outside, &*KEYS, true);
        for (size, text) in &self.kept {
            check.checkpoint(*size, text, &*KEYS, false);
        }
        let head = Head { edge: self.head.clone(), checkpoint: self.checkpoint.clone() };
        check.checkpoint(head.edge.size, &head.checkpoint, &*KEYS, false);
        let (end, step) = (head.edge.size, 2 * WIDTH as u64);
        check.begin(self.leaves.keys().copied().filter(|leaf| *leaf < end).max());
        for from in (0..end).step_by(2 * WIDTH) {
            let to = (from + step).min(end);
            let lowest = from / WIDTH as u64..to / WIDTH as u64;
            let chunk = Chunk {
                to,
                leaves: self.leaves.range(from..to).map(|(leaf, seq)| self.leaf(*leaf, *seq)).collect(),
                tiles: lowest.filter_map(|n| Some((n, self.tiles.get(&(0, n))?.clone()))).collect(),
            };
            check.chunk(Some(&head), chunk).unwrap();
        }
        let sealed: BTreeSet<i64> = self.leaves.values().copied().collect();
        for leaf in self.leaves.range(end..).map(|(leaf, _)| *leaf) {
            check.find(Finding::Beyond { leaf });
        }
        for seq in self.rows.keys().copied().filter(|seq| !sealed.contains(seq)) {
            check.find(Finding::Inserted { seq });
        }
        let is_upper = |(level, n): &(u8, u64)| *level > 0 || *n >= end / WIDTH as u64;
        check.end(Some(&head), self.tiles.into_iter().filter(|(at, _)| is_upper(at)).collect())
    }

    fn leaf(&self, leaf: u64, seq: i64) -> Leaf {
        Leaf { leaf, seq, row: self.rows.get(&seq).cloned() }
    }

    /// Somebody who computes all hashes anew, and has no key.
    fn rebuild(&mut self) {
        let (head, tiles) = tree(&self.rows, &self.leaves);
        (self.head, self.tiles) = (head, tiles);
    }

    /// Somebody cuts the end off, and puts back what was true then.
    fn cut_back(&mut self, size: u64) {
        let gone: Vec<i64> = self.leaves.split_off(&size).into_values().collect();
        for seq in gone {
            self.rows.remove(&seq);
        }
        self.rebuild();
        self.checkpoint = SIGNER.checkpoint(size, self.head.root()).unwrap();
        self.kept.retain(|(kept, _)| *kept <= size);
    }

    fn edit(&mut self, seq: i64, rng: &mut StdRng) {
        let other = row(seq, rng);
        let row = self.rows.get_mut(&seq).unwrap();
        match rng.random_range(0..8) {
            0 => row.at += Duration::microseconds(1),
            1 => row.actor = "staff:2".into(),
            2 => row.actor_name.push('.'),
            3 => row.role = None,
            4 => row.agent = Some(String::new()),
            5 => row.subject.push('0'),
            6 => row.detail = format!("{} ", row.detail),
            _ => row.detail = other.detail.replace(':', ": "),
        }
    }
}

/// Changes the log in one way, which one of the findings has to name.
fn tamper(log: &mut Log, rng: &mut StdRng) -> (&'static str, Named) {
    let size = log.head.size;
    let places: Vec<(u64, i64)> = log.leaves.iter().map(|(leaf, seq)| (*leaf, *seq)).collect();
    let &(leaf, seq) = places.choose(rng).unwrap();
    let &(other_leaf, other_seq) = places.choose(rng).unwrap();
    let covers = move |from: u64, to: u64| from <= leaf && leaf < to;
    match rng.random_range(0..14) {
        0 => {
            log.edit(seq, rng);
            ("edited", Box::new(move |f| *f == Finding::Changed { seq, leaf }))
        }
        1 => {
            let seq = 3 * i64::try_from(size).unwrap() + 10;
            log.rows.insert(seq, row(seq, rng));
            ("inserted", Box::new(move |f| *f == Finding::Inserted { seq }))
        }
        2 => {
            let seq = 3 * i64::try_from(size).unwrap() + 10;
            log.rows.insert(seq, row(seq, rng));
            log.leaves.insert(size, seq);
            ("inserted at the end", Box::new(move |f| *f == Finding::Beyond { leaf: size }))
        }
        3 => {
            let new = 3 * i64::try_from(size).unwrap() + 10;
            log.rows.insert(new, row(new, rng));
            let moved = log.leaves.split_off(&leaf);
            log.leaves.insert(leaf, new);
            log.leaves.extend(moved.into_iter().map(|(leaf, seq)| (leaf + 1, seq)));
            ("inserted in the middle", Box::new(move |f| *f == Finding::Changed { seq: new, leaf }))
        }
        4 if seq != other_seq => {
            log.leaves.insert(leaf, other_seq);
            log.leaves.insert(other_leaf, seq);
            ("swapped places", Box::new(move |f| *f == Finding::Changed { seq: other_seq, leaf }))
        }
        5 if seq != other_seq => {
            let (mut one, mut two) = (log.rows[&seq].clone(), log.rows[&other_seq].clone());
            (one.seq, two.seq) = (two.seq, one.seq);
            log.rows.extend([(one.seq, one), (two.seq, two)]);
            ("swapped contents", Box::new(move |f| *f == Finding::Changed { seq, leaf }))
        }
        6 => {
            log.rows.remove(&seq);
            ("removed", Box::new(move |f| *f == Finding::Removed { seq, leaf }))
        }
        7 => {
            log.rows.remove(&seq);
            log.leaves.remove(&leaf);
            let is_last = leaf + 1 == size;
            let named: Named = Box::new(move |f| match f {
                Finding::Lost { leaf: lost } => *lost == leaf,
                Finding::Cut { from, to, .. } => is_last && covers(*from, *to),
                _ => false,
            });
            ("removed with its leaf", named)
        }
        8 => {
            let cut: Vec<i64> = log.leaves.split_off(&leaf).into_values().collect();
            log.rows.retain(|seq, _| !cut.contains(seq));
            (
                "cut",
                Box::new(
                    move |f| matches!(f, Finding::Cut { from, to, is_outside: false } if covers(*from, *to)),
                ),
            )
        }
        9 if leaf > 0 => {
            log.cut_back(leaf);
            (
                "cut, with an old head",
                Box::new(
                    move |f| matches!(f, Finding::Cut { from, to, is_outside: true } if covers(*from, *to)),
                ),
            )
        }
        10 => {
            log.edit(seq, rng);
            log.rebuild();
            (
                "rewritten with all hashes",
                Box::new(move |f| matches!(f, Finding::Forked { from, to, .. } if covers(*from, *to))),
            )
        }
        11 => {
            log.edit(seq, rng);
            log.rebuild();
            let thief = Signer::parse(&Signer::generate("jangbu.sandbox/audit").unwrap()).unwrap();
            log.checkpoint = thief.checkpoint(size, log.head.root()).unwrap();
            (
                "signed with another key",
                Box::new(move |f| *f == Finding::Unsigned { size, is_outside: false }),
            )
        }
        12 => {
            // The same key signs another history: who has a checkpoint of the first one sees it.
            log.edit(seq, rng);
            log.rebuild();
            log.checkpoint = SIGNER.checkpoint(size, log.head.root()).unwrap();
            log.kept.clear();
            (
                "forked",
                Box::new(
                    move |f| matches!(f, Finding::Forked { from, to, is_outside: true } if covers(*from, *to)),
                ),
            )
        }
        _ => {
            let mut at: Vec<_> = log.tiles.keys().copied().collect();
            at.sort_unstable();
            let Some((level, n)) = at.choose(rng).copied() else {
                let open = log.head.open.iter_mut().find(|tile| !tile.is_empty()).unwrap();
                open[0] ^= 1;
                return (
                    "a hash",
                    Box::new(|f| {
                        matches!(f, Finding::Changed { .. } | Finding::Forked { .. } | Finding::Tile { .. })
                    }),
                );
            };
            if rng.random_bool(0.5) {
                log.tiles.remove(&(level, n));
                return ("a tile is gone", Box::new(move |f| *f == Finding::Tile { level, n }));
            }
            log.tiles.get_mut(&(level, n)).unwrap()[0] ^= 1;
            let first = n * WIDTH as u64;
            let named: Named = Box::new(move |f| match f {
                Finding::Tile { level: found, n: number } => (*found, *number) == (level, n),
                Finding::Changed { leaf, .. } => level == 0 && *leaf == first,
                _ => false,
            });
            ("a tile", named)
        }
    }
}

#[test]
fn a_log_that_nobody_touched_is_whole() {
    for (seed, size) in [1, 2, 3, 255, 256, 257, 511, 512, 513, 1_300].into_iter().enumerate() {
        let mut rng = StdRng::seed_from_u64(seed as u64);
        let report = Log::new(size, &mut rng).check();
        assert!(report.is_whole(), "{size}: {:?}", report.findings);
        assert_eq!(report.leaves, size);
        assert!(report.checkpoints >= 3);
    }
}

#[test]
fn a_hundred_thousand_tamperings_are_found_and_named() {
    let half = |seeds: std::ops::Range<u64>| {
        std::thread::spawn(move || {
            let mut rng = StdRng::seed_from_u64(seeds.start);
            let mut logs = |sizes: std::ops::Range<u64>, count| -> Vec<Log> {
                (0..count).map(|_| Log::new(rng.random_range(sizes.clone()), &mut rng)).collect()
            };
            // Mostly small, because each is checked as a whole; some with tiles.
            let (small, large) = (logs(1..10, 500), logs(257..900, 20));
            for seed in seeds {
                let mut rng = StdRng::seed_from_u64(seed);
                let of = if seed % 500 == 0 { &large } else { &small };
                let mut log = of.choose(&mut rng).unwrap().clone();
                let (how, named) = tamper(&mut log, &mut rng);
                let report = log.check();
                assert!(report.findings.iter().any(&named), "{seed}, {how}: {:?}", report.findings);
            }
        })
    };
    for half in [half(0..50_000), half(50_000..100_000)] {
        half.join().unwrap();
    }
}
