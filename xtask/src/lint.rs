//! `cargo xtask lint`.

use crate::{
    front::{self, Warnings},
    report,
    run::{ask, cargo, run},
};

pub(crate) fn lint() -> anyhow::Result<()> {
    report::step("formatting", || run(cargo().args(["fmt", "--all", "--check"])))?;
    report::step("lints", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    front::build(Warnings::AreErrors)?;
    if ask(cargo().args(["deny", "--version"])).is_some() {
        report::step("dependencies", || run(cargo().args(["deny", "check", "bans", "licenses", "sources"])))?;
    } else {
        report::line("▸ dependencies: left out, cargo-deny is not installed");
    }
    Ok(())
}
