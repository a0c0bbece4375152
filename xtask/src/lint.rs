//! `cargo xtask lint`.

use std::process::Command;

use crate::{
    front::{self, Warnings},
    report,
    run::{cargo, root, run},
    tools,
};

pub(crate) fn lint() -> anyhow::Result<()> {
    report::step("formatting", || run(cargo().args(["fmt", "--all", "--check"])))?;
    report::step("lints", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    front::build(Warnings::AreErrors)?;
    let (deny, machete) =
        (tools::cargo_tool("cargo-deny", "0.20.2")?, tools::cargo_tool("cargo-machete", "0.9.2")?);
    report::step("dependencies: licences, sources, duplicates", || {
        run(Command::new(deny).args(["check", "bans", "licenses", "sources"]).current_dir(root()))
    })?;
    report::step("dependencies: unused ones", || run(Command::new(machete).current_dir(root())))?;
    Ok(())
}
