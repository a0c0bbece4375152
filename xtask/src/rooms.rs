//! Which room of the house may know which: read from the paths in the code, held against one table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::run::root;

/// The rooms of `backoffice`, each with those it may know. Everybody may know the kernel. Nothing else stands in the way of a
/// new arrow than this table: whoever adds one says here that the order of rooms stays one.
const ROOMS: &[(&str, &[&str])] = &[
    ("files", &[]),
    ("queue", &[]),
    ("database", &["queue"]),
    ("audit", &["queue"]),
    ("firewall", &[]),
    ("keys", &[]),
    ("mail", &[]),
    ("security", &[]),
    ("toss_calls", &[]),
    ("staff", &["audit", "queue", "security"]),
    ("events", &["audit", "staff"]),
    ("limits", &["audit", "staff"]),
    ("api_keys", &["audit", "limits", "staff"]),
    ("bank", &["audit", "files"]),
    ("users", &["audit", "events"]),
    ("orders", &["audit"]),
    ("messages", &["audit", "files", "queue"]),
    ("iap", &["audit", "events", "files", "queue"]),
    ("payments", &["audit", "events", "orders", "queue"]),
    ("promotions", &["api_keys", "audit", "events", "files", "limits", "messages", "queue", "staff"]),
    ("returns", &["audit", "orders"]),
    (
        "refunds",
        &[
            "api_keys", "audit", "events", "files", "limits", "messages", "orders", "payments", "queue",
            "returns", "staff",
        ],
    ),
    ("cash_receipts", &["audit", "orders", "payments", "queue"]),
    ("reports", &["payments"]),
    ("personal_data", &["audit", "events", "users"]),
    ("retention", &["audit", "personal_data", "queue"]),
    ("webhooks", &["audit", "database", "events", "payments", "queue"]),
    ("home", &["payments", "refunds", "webhooks"]),
    ("transactions", &["audit", "orders", "payments", "queue", "webhooks"]),
    ("settlements", &["audit", "transactions"]),
    ("reconciliation", &["audit", "events", "payments", "queue", "settlements", "staff", "transactions"]),
    ("leaving", &["api_keys", "audit", "limits", "promotions", "reconciliation", "refunds", "staff"]),
    ("payouts", &["reconciliation"]),
    (
        "exports",
        &[
            "audit",
            "iap",
            "orders",
            "payouts",
            "personal_data",
            "queue",
            "reconciliation",
            "refunds",
            "reports",
            "transactions",
            "webhooks",
        ],
    ),
    (
        "worker",
        &[
            "audit",
            "cash_receipts",
            "events",
            "exports",
            "iap",
            "messages",
            "payments",
            "promotions",
            "queue",
            "reconciliation",
            "refunds",
            "retention",
            "security",
            "staff",
            "transactions",
            "webhooks",
        ],
    ),
];

/// A module of a crate: its path, and what it names.
struct Module {
    path: Vec<String>,
    names: BTreeSet<Vec<String>>,
}

impl Module {
    fn room(&self) -> &str {
        self.path.first().map_or("", String::as_str)
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Without comments and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The paths that a `use` tree or an expression names, from where a path begins.
fn paths(text: &str) -> Vec<Vec<String>> {
    fn tree(text: &[u8], at: &mut usize, before: &[String], found: &mut Vec<Vec<String>>) {
        let mut path = before.to_vec();
        loop {
            while text.get(*at).is_some_and(u8::is_ascii_whitespace) {
                *at += 1;
            }
            let start = *at;
            while text.get(*at).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_') {
                *at += 1;
            }
            if *at > start {
                path.push(String::from_utf8_lossy(&text[start..*at]).into_owned());
            }
            if text[*at..].starts_with(b"::") {
                *at += 2;
                if text.get(*at) == Some(&b'{') {
                    *at += 1;
                    while text.get(*at).is_some_and(|b| *b != b'}') {
                        let before = *at;
                        tree(text, at, &path, found);
                        // In a text that only looks like a path there is nothing to read.
                        *at += usize::from(*at == before);
                        while text.get(*at).is_some_and(|b| b.is_ascii_whitespace() || *b == b',') {
                            *at += 1;
                        }
                    }
                    *at += 1;
                    return;
                }
                continue;
            }
            // `as` and a star end a path, too.
            while text.get(*at).is_some_and(|b| !matches!(b, b',' | b'}' | b';' | b'{' | b'(' | b')' | b'\n'))
            {
                *at += 1;
            }
            found.push(path);
            return;
        }
    }
    let mut found = Vec::new();
    for (start, _) in text.match_indices("crate::").chain(text.match_indices("super::")) {
        let is_whole = start == 0 || !text.as_bytes()[start - 1].is_ascii_alphanumeric();
        // `pub(super) use super::x` and `super::super::x`: the second is a part of the first.
        if is_whole && !text[..start].ends_with("::") {
            let mut at = start;
            tree(text.as_bytes(), &mut at, &[], &mut found);
        }
    }
    found
}

/// Every module of a crate, with the modules that it names.
fn modules(krate: &str) -> Vec<Module> {
    let source = root().join(krate).join("src");
    let mut all: Vec<(Vec<String>, String)> = Vec::new();
    for file in files_below(&source) {
        let inside = file.strip_prefix(&source).unwrap().with_extension("");
        let mut path: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if path.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
            path.pop();
        }
        all.push((path, code(&fs::read_to_string(&file).unwrap())));
    }
    let known: BTreeSet<Vec<String>> = all.iter().map(|(path, _)| path.clone()).collect();
    let resolve = |from: &[String], named: &[String]| {
        let mut at: Vec<String> = Vec::new();
        let mut rest = named.iter();
        match rest.next()?.as_str() {
            "crate" => {}
            "super" => at.extend_from_slice(&from[..from.len().checked_sub(1)?]),
            _ => return None,
        }
        for part in rest {
            match part.as_str() {
                "super" => drop(at.pop()?),
                part => {
                    at.push(part.to_owned());
                    if !known.contains(&at) {
                        at.pop();
                        break;
                    }
                }
            }
        }
        Some(at)
    };
    all.iter()
        .map(|(path, text)| {
            let names = paths(text).into_iter().filter_map(|named| resolve(path, &named));
            Module { path: path.clone(), names: names.filter(|name| name != path).collect() }
        })
        .collect()
}

/// Those that can be reached from themselves, each with one way back.
fn circles<T: Ord + Clone>(arrows: &BTreeMap<T, BTreeSet<T>>) -> Vec<Vec<T>> {
    let mut found: Vec<Vec<T>> = Vec::new();
    for start in arrows.keys() {
        let mut ways: Vec<Vec<T>> = vec![vec![start.clone()]];
        let mut seen: BTreeSet<T> = BTreeSet::new();
        while let Some(way) = ways.pop() {
            for next in arrows.get(way.last().unwrap()).into_iter().flatten() {
                if next == start {
                    if found.iter().all(|known| !known.contains(start)) {
                        found.push(way.clone());
                    }
                    ways.clear();
                    break;
                }
                if seen.insert(next.clone()) {
                    ways.push(way.iter().cloned().chain([next.clone()]).collect());
                }
            }
        }
    }
    found
}

#[test]
fn no_room_of_the_back_office_knows_another_than_the_table_says() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut wrong = BTreeSet::new();
    let mut used = BTreeSet::new();
    for module in modules("backoffice").iter().filter(|module| !module.path.is_empty()) {
        for name in &module.names {
            // The crate's own root holds what every rule works with; the kernel is everybody's.
            let Some(to) = name.first().map(String::as_str).filter(|to| *to != "kernel") else { continue };
            let from = module.room();
            if from == to {
                continue;
            }
            used.insert((from.to_owned(), to.to_owned()));
            if from == "kernel" || !allowed.get(from).is_some_and(|may| may.contains(&to)) {
                wrong.insert(format!("{} names {}", module.path.join("::"), name.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // A row that nobody needs any more would let the arrow come back unseen.
    for (from, may) in ROOMS {
        for to in *may {
            assert!(
                used.contains(&((*from).to_owned(), (*to).to_owned())),
                "{from} does not know {to} any more"
            );
        }
    }
    let table: BTreeMap<&str, BTreeSet<&str>> =
        ROOMS.iter().map(|(from, may)| (*from, may.iter().copied().collect())).collect();
    assert_eq!(circles(&table), Vec::<Vec<&str>>::new());
}

#[test]
fn files_form_a_circle_only_inside_one_noun() {
    for krate in ["app", "backoffice", "examples/shop", "sandbox", "server", "simulation", "toss", "xtask"] {
        let modules = modules(krate);
        assert!(!modules.is_empty(), "{krate}");
        let mut arrows: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
        for module in modules.iter().filter(|module| !module.path.is_empty()) {
            let of_others =
                module.names.iter().filter(|name| name.first().is_some_and(|to| to != module.room()));
            arrows.entry(module.path.clone()).or_default().extend(of_others.cloned());
        }
        assert_eq!(circles(&arrows), Vec::<Vec<Vec<String>>>::new(), "{krate}");
    }
}

#[test]
fn a_path_is_found_in_every_form_it_is_written_in() {
    let text = "use crate::{\n    a,\n    b::{self, c as d, e::F},\n};\nuse super::{g, h};\nuse super::super::i;\nfn x() { crate::i::j(1); }";
    let found: BTreeSet<String> = paths(text).iter().map(|path| path.join("::")).collect();
    let expected = [
        "crate::a",
        "crate::b::self",
        "crate::b::c",
        "crate::b::e::F",
        "super::g",
        "super::h",
        "super::super::i",
        "crate::i::j",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}

#[test]
fn a_circle_is_seen() {
    let arrows = BTreeMap::from([
        ("a", BTreeSet::from(["b"])),
        ("b", BTreeSet::from(["c"])),
        ("c", BTreeSet::from(["a"])),
    ]);
    assert_eq!(circles(&arrows).len(), 1);
}
