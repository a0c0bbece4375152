//! Getting what is missing: a compiler for the browser, a browser, the test runner.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{
    report,
    run::{ask, cargo, forget_our_package, root, run, target},
};

const WASM: &str = "wasm32-unknown-unknown";

/// How to compile for the browser.
#[derive(Debug)]
pub(crate) enum WasmCompiler {
    /// The toolchain has the target.
    Rustup,
    /// Debian's compiler builds the standard library itself.
    Debian { linker: String },
}

impl WasmCompiler {
    /// cargo, ready to be given a sub-command and its arguments, then [`Self::finish`].
    pub(crate) fn cargo(&self) -> Command {
        match self {
            Self::Rustup => cargo(),
            Self::Debian { linker } => {
                let mut command = Command::new("/usr/bin/cargo");
                command
                    .current_dir(root())
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("CARGO");
                forget_our_package(&mut command);
                command
            }
        }
    }

    pub(crate) fn finish(&self, command: &mut Command) {
        command.args(["--target", WASM]);
        if matches!(self, Self::Debian { .. }) {
            command.args(["-Z", "build-std=std,panic_abort"]);
        }
    }
}

fn rustup_has_wasm() -> bool {
    let sysroot = ask(Command::new("rustc").args(["--print", "sysroot"]));
    sysroot.is_some_and(|root| Path::new(&root).join("lib/rustlib").join(WASM).join("lib").is_dir())
}

/// LLVM's major version of Debian's compiler, once its source is there too.
fn debian_llvm() -> Option<String> {
    let sysroot = ask(Command::new("/usr/bin/rustc").args(["--print", "sysroot"]))?;
    if !Path::new(&sysroot).join("lib/rustlib/src/rust/library/std").is_dir() {
        return None;
    }
    let version = ask(Command::new("/usr/bin/rustc").arg("-vV"))?;
    let llvm = version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    Some(llvm.split('.').next()?.to_owned())
}

fn debian_compiler() -> Option<WasmCompiler> {
    let linker = format!("wasm-ld-{}", debian_llvm()?);
    Path::new("/usr/bin").join(&linker).exists().then_some(WasmCompiler::Debian { linker })
}

/// The target of rustup first; Debian's own toolchain where that cannot be had.
pub(crate) fn wasm_compiler() -> anyhow::Result<WasmCompiler> {
    if rustup_has_wasm() {
        return Ok(WasmCompiler::Rustup);
    }
    if let Some(known) = debian_compiler() {
        return Ok(known);
    }
    let added =
        Command::new("timeout").args(["--foreground", "60", "rustup", "target", "add", WASM]).output();
    if added.is_ok_and(|output| output.status.success()) && rustup_has_wasm() {
        return Ok(WasmCompiler::Rustup);
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("there is no compiler for the browser here: run `rustup target add {WASM}`");
    }
    install(&["rustc-web", "cargo-web", "rust-web-src"])?;
    let llvm = debian_llvm().context("rustc-web is there, but not the source of its standard library")?;
    install(&[&format!("lld-{llvm}")])?;
    debian_compiler().context("wasm-ld is missing although lld was installed")
}

fn is_root() -> bool {
    ask(Command::new("id").arg("-u")).as_deref() == Some("0")
}

/// Debian packages; without the right to install, the exact command is printed.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    let list = packages.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("please install: {list}");
    }
    if !is_root() {
        bail!(
            "this is missing and needs root to install:\n\n    sudo apt-get update && sudo apt-get install --no-install-recommends {list}\n"
        );
    }
    report::step(&format!("installing {list}"), || {
        let apt = || {
            let mut command = Command::new("apt-get");
            command.env("DEBIAN_FRONTEND", "noninteractive");
            command
        };
        run(apt().args(["update", "-q"]))?;
        run(apt().args(["install", "-qy", "--no-install-recommends"]).args(packages))
    })
}

/// A tool of cargo's at this version, in a folder of our own: nobody's installed ones change.
pub(crate) fn cargo_tool(name: &str, version: &str) -> anyhow::Result<PathBuf> {
    let home = target().join("tools").join(format!("{name}-{version}"));
    let program = home.join("bin").join(name);
    if !program.exists() {
        report::step(&format!("installing {name} {version}"), || {
            let mut install = cargo();
            install
                .args(["install", "--quiet", "--locked", "--version", version, "--root"])
                .arg(&home)
                .arg(name);
            // Built in a folder that cargo deletes again.
            run(install.env_remove("CARGO_TARGET_DIR"))
        })?;
    }
    Ok(program)
}

/// Asks a server everything that its OpenAPI document describes: schemathesis, in a folder of our own.
pub(crate) fn schemathesis() -> anyhow::Result<PathBuf> {
    const VERSION: &str = "4.32.5";
    let home = target().join("tools").join(format!("schemathesis-{VERSION}"));
    let program = home.join("bin/schemathesis");
    if program.exists() {
        return Ok(program);
    }
    let make = || run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
    report::step(&format!("installing schemathesis {VERSION}"), || {
        if make().is_err() {
            install(&["python3-venv"])?;
            make()?;
        }
        run(Command::new(home.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("schemathesis=={VERSION}")))
    })?;
    Ok(program)
}

/// A Chromium of this machine. Playwright never downloads one.
pub(crate) fn chromium() -> anyhow::Result<PathBuf> {
    let find = || {
        if let Some(path) = std::env::var_os("CHROMIUM") {
            return Some(PathBuf::from(path));
        }
        let known = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
        let on_path = known.iter().find_map(|name| ask(Command::new("which").arg(name)).map(PathBuf::from));
        let on_mac = PathBuf::from("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
        on_path.or_else(|| on_mac.exists().then_some(on_mac))
    };
    if let Some(found) = find() {
        return Ok(found);
    }
    // Korean letters, so that screenshots show what people see.
    install(&["chromium", "fonts-noto-cjk"])?;
    find().context("Chromium was installed and is not found")
}

/// The test runner, at the versions of its lock file.
pub(crate) fn playwright() -> anyhow::Result<()> {
    let folder = root().join("end2end");
    let lock = std::fs::read(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.jangbu-lock");
    if std::fs::read(&stamp).is_ok_and(|known| known == lock) {
        return Ok(());
    }
    report::step("installing the test runner", || {
        run(Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
            .current_dir(&folder))
    })?;
    std::fs::write(stamp, lock)?;
    Ok(())
}
