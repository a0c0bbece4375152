//! Running other programs, and where things are.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, ensure};

/// The tree that `cargo xtask` was called in. Asked when it runs: with one target folder for several trees, this program
/// may have been built in another one.
pub(crate) fn root() -> PathBuf {
    let built = env!("CARGO_MANIFEST_DIR").into();
    let here: PathBuf = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or(built).into();
    here.parent().map_or_else(|| here.clone(), Path::to_path_buf)
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    forget_our_package(&mut command);
    command
}

/// `cargo run` tells us about our own package in the environment. Handed on, build scripts that watch it run again, and
/// half of the dependencies with them, each time a plain `cargo build` comes in between.
pub(crate) fn forget_our_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if ours.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

/// Runs to the end, its output on the screen.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    ensure!(!stopped(), "stopped");
    let status = command.status().with_context(|| format!("{name} could not be run"))?;
    ensure!(status.success(), "{name} failed ({status})");
    Ok(())
}

/// Runs quietly; what it printed, when it went well.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

pub(crate) fn binary(name: &str) -> PathBuf {
    target().join("debug").join(name)
}

/// Set by Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

pub(crate) fn listen_for_ctrl_c() -> anyhow::Result<()> {
    ctrlc::set_handler(|| STOP.store(true, Ordering::SeqCst)).context("Ctrl-C cannot be listened for")
}

pub(crate) fn stopped() -> bool {
    STOP.load(Ordering::SeqCst)
}
