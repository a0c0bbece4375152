//! `cargo xtask test`.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, ensure};

use crate::{
    lint, report,
    run::{cargo, root, run, target},
    simulate, sqlx,
    stack::{self, MERCHANT_KEY, PASSWORD, SECRET_KEY, Stack, binary},
    tools,
};

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

pub(crate) fn test(browser: bool) -> anyhow::Result<()> {
    lint::lint()?;
    simulate::check_breakages()?;
    report::step("building", || run(cargo().args(["build", "--workspace"])))?;
    {
        let postgres = report::step("starting a PostgreSQL for the tests", Postgres::start)?;
        sqlx::prepare_with(&postgres, true)?;
        report::step("unit, property and integration tests", || {
            run(cargo().args(["test", "--workspace"]).env("JANGBU_TEST_DATABASE_URL", &postgres.url))
        })?;
        simulate::for_tests(&postgres)?;
    }
    if browser { end_to_end() } else { Ok(()) }
}

/// The whole product in a browser, with and without JavaScript.
fn end_to_end() -> anyhow::Result<()> {
    let chromium = tools::chromium()?;
    tools::playwright()?;
    let data = target().join("end2end");
    if let Ok(home) = fs::read_to_string(data.join("postgres-home")) {
        fs::remove_dir_all(home.trim()).ok();
    }
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    let results = target().join("end2end-results");
    stack::listen_for_ctrl_c()?;
    let mut stack = report::step("starting the product", || Stack::start(&data, 4300))?;
    stack.add_staff()?;
    report::step("a little trade", || stack.trade(120, |_| {}))?;
    report::step("reading Toss's lists and reconciling", || stack.keep_books())?;
    let outcome = report::step("browser tests", || {
        run(Command::new("npx")
            .args(["playwright", "test"])
            .current_dir(root().join("end2end"))
            .env("CHROMIUM", &chromium)
            .env("JANGBU_URL", &stack.url)
            .env("SANDBOX_URL", &stack.sandbox_url)
            .env("SANDBOX_SECRET_KEY", SECRET_KEY)
            .env("JANGBU_MERCHANT_API_KEY", MERCHANT_KEY)
            .env("JANGBU_PASSWORD", PASSWORD)
            .env("RESULTS", &results))
    });
    outcome.with_context(|| format!("screenshots and traces are in {}", results.display()))
}
