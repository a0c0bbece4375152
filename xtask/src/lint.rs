//! `cargo xtask lint`.

use crate::{
    report,
    run::{ask, cargo, run, target},
    tools,
};

pub(crate) fn lint() -> anyhow::Result<()> {
    report::step("formatting", || run(cargo().args(["fmt", "--all", "--check"])))?;
    report::step("lints", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    let compiler = tools::wasm_compiler()?;
    report::step("compiling the islands without a warning", || {
        let mut command = compiler.cargo();
        command
            .args(["check", "-p", "app", "--lib", "--profile", "wasm-release"])
            .args(["--no-default-features", "--features", "hydrate", "--target-dir"])
            .arg(target().join("front-check"))
            .env_remove("CARGO_TARGET_DIR")
            .env("RUSTFLAGS", "--cfg=erase_components -D warnings");
        compiler.finish(&mut command);
        run(&mut command)
    })?;
    if ask(cargo().args(["deny", "--version"])).is_some() {
        report::step("dependencies", || run(cargo().args(["deny", "check", "bans", "licenses", "sources"])))?;
    } else {
        report::line("▸ dependencies: left out, cargo-deny is not installed");
    }
    Ok(())
}
