//! The offline data of the checked queries: what `cargo sqlx prepare` does, without the tool.

use std::{fs, path::Path, time::SystemTime};

use anyhow::{Context, ensure};

use crate::{
    postgres::Postgres,
    report,
    run::{binary, cargo, root, run, target},
};

pub(crate) fn prepare(check: bool) -> anyhow::Result<()> {
    // What is built may be older than the queries: it only has to start a PostgreSQL.
    if !binary("jangbu").exists() {
        report::step("building", || run(cargo().args(["build", "--workspace"])))?;
    }
    let postgres = Postgres::start()?;
    prepare_with(&postgres, check)
}

/// Asks a database with the migrations in it about every query, and compares or keeps what it says.
pub(crate) fn prepare_with(postgres: &Postgres, check: bool) -> anyhow::Result<()> {
    let kept = root().join(".sqlx");
    let folder = if check { target().join("sqlx-check") } else { kept.clone() };
    report::step("asking PostgreSQL about every query", || {
        let url = postgres.with_our_tables("jangbu_prepare")?;
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        touch(&root().join("backoffice/src/lib.rs"))?;
        run(cargo()
            .args(["check", "-q", "-p", "backoffice"])
            .env("DATABASE_URL", url)
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", &folder))
    })?;
    if check {
        ensure!(
            names(&kept)? == names(&folder)?,
            "the offline data of the queries is old: run `cargo xtask sqlx`"
        );
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a file's own time, so that cargo compiles it again")]
fn touch(path: &Path) -> anyhow::Result<()> {
    let file = fs::File::options().write(true).open(path).with_context(|| path.display().to_string())?;
    file.set_modified(SystemTime::now())?;
    Ok(())
}

fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
