//! `cargo xtask simulate`: refunds under faults, and whether the simulation notices code that is broken on purpose.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};

use crate::{
    postgres::Postgres,
    report,
    run::{ask, binary, cargo, root, run, target},
};

/// Schedules of an ordinary test run.
const EVERY_TEST: u64 = 500;

/// Runs of one broken version: the first violation ends them.
const BROKEN_RUNS: u64 = 1000;

pub(crate) fn simulate(runs: u64, seed: u64) -> anyhow::Result<()> {
    report::step("building", || run(cargo().args(["build", "--workspace"])))?;
    let postgres = report::step("starting a PostgreSQL", Postgres::start)?;
    run(&mut runner(&binary("simulation"), &postgres, runs, seed))
}

/// The part of every test run: the same schedules each time.
pub(crate) fn for_tests(postgres: &Postgres) -> anyhow::Result<()> {
    report::step(&format!("{EVERY_TEST} schedules of refunds under faults"), || {
        let output = runner(&binary("simulation"), postgres, EVERY_TEST, 1).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        fs::write(target().join("simulation.log"), said.as_bytes())?;
        for line in said.lines().filter(|line| !line.starts_with("seed ") || line.contains("VIOLATED")) {
            report::line(&format!("    {line}"));
        }
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        anyhow::Ok(())
    })
}

fn runner(simulation: &Path, postgres: &Postgres, runs: u64, seed: u64) -> Command {
    let mut command = Command::new(simulation);
    command
        .args(["run", "--runs", &runs.to_string(), "--seed", &seed.to_string()])
        .env("JANGBU_TEST_DATABASE_URL", &postgres.url)
        .env("RUST_BACKTRACE", "0");
    command
}

fn patches() -> anyhow::Result<Vec<PathBuf>> {
    let mut patches: Vec<PathBuf> = fs::read_dir(root().join("simulation/breakages"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    patches.sort();
    Ok(patches)
}

/// A breakage that does not fit the code any more would break nothing.
pub(crate) fn check_breakages() -> anyhow::Result<()> {
    report::step("the breakages fit the code", || {
        for patch in patches()? {
            run(Command::new("git").args(["apply", "--check"]).arg(patch).current_dir(root()))?;
        }
        anyhow::Ok(())
    })
}

/// Breaks a copy of the code in each of the ways of `simulation/breakages` and runs the simulation over it.
pub(crate) fn breakages() -> anyhow::Result<()> {
    report::step("building", || run(cargo().args(["build", "--workspace"])))?;
    let postgres = report::step("starting a PostgreSQL", Postgres::start)?;
    let mut missed = Vec::new();
    for patch in patches()? {
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let copy = report::step(&format!("{name}: breaking and building"), || broken(&patch))?;
        let output = runner(&copy, &postgres, BROKEN_RUNS, 1).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let mut lines = said.lines().skip_while(|line| !line.contains("VIOLATED"));
        match (lines.next(), lines.next()) {
            (Some(seed), Some(why)) => {
                let runs = said.lines().filter(|line| line.starts_with("seed ")).count();
                report::line(&format!("  ✓ {name}: caught after {runs} runs"));
                report::line(&format!("    {seed}"));
                report::line(&format!("    {}", why.trim()));
            }
            _ => {
                report::line(&format!("  ✗ {name}: not noticed in {BROKEN_RUNS} runs"));
                missed.push(name);
            }
        }
    }
    ensure!(missed.is_empty(), "the simulation did not notice {missed:?}");
    Ok(())
}

/// A copy of the tracked files with one patch in it, built; its simulation.
fn broken(patch: &Path) -> anyhow::Result<PathBuf> {
    let folder = target().join("breakages");
    let copy = folder.join("source");
    let listed = ask(Command::new("git").args(["ls-files"]).current_dir(root())).context("git ls-files")?;
    for file in listed.lines() {
        let (from, to) = (root().join(file), copy.join(file));
        let Ok(content) = fs::read(&from) else { continue };
        // What is the same keeps its time, and is not built again.
        if fs::read(&to).is_ok_and(|there| there == content) {
            continue;
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&to, content)?;
    }
    run(Command::new("git")
        .arg("apply")
        .arg(patch)
        .current_dir(&copy)
        // The copy may lie below this repository, and is none of its files.
        .env("GIT_CEILING_DIRECTORIES", root()))?;
    let built = folder.join("target");
    run(cargo()
        .args(["build", "-q", "-p", "simulation"])
        .current_dir(&copy)
        .env("CARGO_TARGET_DIR", &built))?;
    Ok(built.join("debug/simulation"))
}
