//! A PostgreSQL of our own for tests and measurements.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, ensure};

use crate::run::{binary, root, run, target};

/// A PostgreSQL for tests; it ends when its standard input closes.
pub(crate) struct Postgres {
    child: Child,
    pub(crate) url: String,
}

impl Postgres {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(binary("jangbu"))
            .args(["database", "--data-dir"])
            .arg(target().join("test-postgres"))
            // Ctrl-C is for us; it ends when its standard input does, and takes its PostgreSQL with it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("jangbu database")?;
        let mut url = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut url)?;
        let url = url.trim().to_owned();
        ensure!(url.starts_with("postgres://"), "the test PostgreSQL did not start");
        Ok(Self { child, url })
    }

    /// A database of this name with the tables of `migrations/` in it, made without our own code; its URL.
    pub(crate) fn with_our_tables(&self, name: &str) -> anyhow::Result<String> {
        let (server, _) = self.url.rsplit_once('/').context("a database URL")?;
        let psql = |url: &str| {
            let mut command = Command::new("psql");
            command
                .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url])
                .env("PGOPTIONS", "-c search_path=jangbu");
            command.stdout(Stdio::null());
            command
        };
        run(psql(&self.url).args([
            "-c",
            &format!("drop database if exists {name}"),
            "-c",
            &format!("create database {name}"),
        ]))?;
        let url = format!("{server}/{name}");
        run(psql(&url).args(["-c", "create schema jangbu"]))?;
        let mut files: Vec<_> = fs::read_dir(root().join("migrations"))?
            .map(|f| f.map(|f| f.path()))
            .collect::<Result<_, _>>()?;
        files.sort();
        for file in files {
            run(psql(&url).arg("-f").arg(file))?;
        }
        Ok(format!("{url}?options[search_path]=jangbu"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}
