//! The browser's files: islands to wasm, one stylesheet, names with a hash, compressed once.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use wasm_bindgen_cli_support::Bindgen;

use crate::{
    report,
    run::{cargo, root, run, target},
    tools::{self, WasmCompiler},
};

/// wasm and JavaScript together, after brotli, in bytes.
const BUDGET: usize = 110_000;
/// What it may weigh more with the target of rustup, whose standard library was not compiled for size.
const FOR_STD: usize = 8_000;

pub(crate) fn site() -> PathBuf {
    target().join("site")
}

/// What a warning in the islands means. A compiler of tomorrow may warn of more: that must not stop a demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Warnings {
    AreErrors,
    AreShown,
}

/// Builds the browser's files into the site folder, when they are not current.
pub(crate) fn build(warnings: Warnings) -> anyhow::Result<()> {
    let compiler = tools::wasm_compiler()?;
    let folder = target().join("front");
    report::step("building the islands (wasm)", || {
        let mut command = compiler.cargo();
        command
            .args(["rustc", "-p", "app", "--lib", "--crate-type", "cdylib", "--profile", "wasm-release"])
            .args(["--no-default-features", "--features", "hydrate", "--target-dir"])
            .arg(&folder)
            .env_remove("CARGO_TARGET_DIR");
        compiler.finish(&mut command);
        if warnings == Warnings::AreErrors {
            command.args(["--", "-D", "warnings"]);
        }
        run(&mut command)
    })?;
    let wasm = folder.join("wasm32-unknown-unknown/wasm-release/app.wasm");
    let css = stylesheet(&root().join("style/main.css"))?;
    let inputs = hash(&[&fs::read(&wasm)?, css.as_bytes(), &fs::read(root().join("style/seal.svg"))?]);
    let stamp = site().join("inputs");
    if fs::read_to_string(&stamp).is_ok_and(|known| known == inputs) {
        return Ok(());
    }
    let budget = match compiler {
        WasmCompiler::Debian { .. } => BUDGET,
        WasmCompiler::Rustup => BUDGET + FOR_STD,
    };
    report::step("writing the site", || write_site(&wasm, &css, budget))?;
    fs::write(stamp, inputs)?;
    Ok(())
}

fn write_site(wasm: &Path, css: &str, budget: usize) -> anyhow::Result<()> {
    let pkg = site().join("pkg");
    if pkg.exists() {
        fs::remove_dir_all(&pkg)?;
    }
    let raw = target().join("front/bindgen");
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(wasm)
        .out_name("jangbu")
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true);
    bindgen.web(true)?;
    bindgen.generate(&raw)?;
    let (js, wasm) = (fs::read(raw.join("jangbu.js"))?, fs::read(raw.join("jangbu_bg.wasm"))?);
    fs::create_dir_all(&pkg)?;
    let mut weight = 0;
    let mut hashes = String::new();
    for (kind, content) in [("js", js.as_slice()), ("wasm", wasm.as_slice()), ("css", css.as_bytes())] {
        let hash = hash(&[content]);
        let compressed = write(&pkg.join(format!("jangbu.{hash}.{kind}")), content)?;
        hashes.push_str(&format!("{kind}: {hash}\n"));
        if kind != "css" {
            weight += compressed;
        }
    }
    write(&pkg.join("seal.svg"), &fs::read(root().join("style/seal.svg"))?)?;
    fs::write(site().join("hash.txt"), hashes)?;
    report::line(&format!("  wasm and JavaScript: {:.1} kB with brotli", weight as f64 / 1000.0));
    ensure!(weight <= budget, "that is more than the budget of {budget} bytes");
    Ok(())
}

/// Writes a file with its compressed twins; the size of the brotli one.
fn write(path: &Path, content: &[u8]) -> anyhow::Result<usize> {
    fs::write(path, content)?;
    let name = path.display().to_string();
    let mut small = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, ..Default::default() };
    brotli::BrotliCompress(&mut &*content, &mut small, &parameters)?;
    fs::write(format!("{name}.br"), &small)?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(content)?;
    fs::write(format!("{name}.gz"), gzip.finish()?)?;
    Ok(small.len())
}

/// One stylesheet out of the `@import`s of the first.
fn stylesheet(path: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let mut out = String::new();
    for line in text.lines() {
        match line.strip_prefix("@import \"").and_then(|rest| rest.strip_suffix("\";")) {
            Some(name) => out.push_str(&stylesheet(&path.with_file_name(name))?),
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    Ok(out)
}

/// Changes with the content; not a secret, so nothing stronger is needed.
fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// `cargo xtask build`.
pub(crate) fn build_all(release: bool) -> anyhow::Result<()> {
    build(Warnings::AreShown)?;
    let profile = if release { "release" } else { "dev" };
    report::step("building the server", || {
        run(cargo().args(["build", "--profile", profile, "-p", "server", "-p", "sandbox"]))
    })?;
    if !release {
        return Ok(());
    }
    let dist = target().join("dist");
    fs::create_dir_all(dist.join("site/pkg"))?;
    for name in ["jangbu", "toss-sandbox"] {
        fs::copy(target().join("release").join(name), dist.join(name))?;
    }
    fs::copy(site().join("hash.txt"), dist.join("site/hash.txt"))?;
    for file in fs::read_dir(site().join("pkg"))? {
        let file = file?;
        fs::copy(file.path(), dist.join("site/pkg").join(file.file_name()))?;
    }
    report::line(&format!("\nto ship: {}", dist.display()));
    Ok(())
}
