//! `cargo xtask bench`: what is measured runs beside what it is compared with, in turns on one machine. Ratios, because
//! machines differ.

mod events;
mod log;
mod pages;
mod reconcile;
mod webhooks;

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};

pub(crate) use events::events;
pub(crate) use log::log;
pub(crate) use pages::pages;
pub(crate) use reconcile::reconcile;
pub(crate) use webhooks::webhooks;

use crate::{
    run::{ask, run, target},
    stack::{SECRET_KEY, SECURITY_KEY},
};

/// Ends with us.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if self.0.try_wait().ok().flatten().is_none() {
            drop(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status());
        }
        drop(self.0.wait());
    }
}

fn jangbu() -> Command {
    let mut command = Command::new(target().join("release").join("jangbu"));
    command.process_group(0);
    command
}

fn sql(url: &str, statement: &str) -> anyhow::Result<String> {
    ask(Command::new("psql").args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]))
        .with_context(|| format!("psql: {statement}"))
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

struct Server {
    process: Process,
    port: u16,
}

fn serve(url: &str, work: bool) -> anyhow::Result<Server> {
    serve_with(&target().join("release/jangbu"), url, work)
}

fn serve_with(binary: &Path, url: &str, work: bool) -> anyhow::Result<Server> {
    let port = free_port()?;
    let mut command = Command::new(binary);
    command
        .process_group(0)
        .arg("serve")
        .args((!work).then_some("--no-work"))
        .env("DATABASE_URL", url)
        .env("JANGBU_ADDR", format!("127.0.0.1:{port}"))
        .env("JANGBU_MODE", "sandbox")
        .env("RUST_LOG", "error")
        // Nobody is asked: these deliveries name nothing to ask about.
        .env("TOSS_PAYMENTS_URL", "http://127.0.0.1:9")
        .env("TOSS_PAYMENTS_SECRET_KEY", SECRET_KEY)
        .env("TOSS_PAYMENTS_SECURITY_KEY", SECURITY_KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let process = Process(command.spawn().context("jangbu serve")?);
    for _ in 0..400 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(Server { process, port });
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    bail!("jangbu serve did not come up")
}

/// Inserts the same row, one per transaction; transactions a second.
fn pgbench(url: &str, script: &Path, clients: u64, seconds: u64) -> anyhow::Result<f64> {
    let (clients, seconds) = (clients.to_string(), seconds.to_string());
    let said = ask(Command::new("pgbench")
        .args(["-n", "-M", "prepared", "-c", &clients, "-j", "2", "-T", &seconds, "-f"])
        .arg(script)
        .arg(url))
    .context("pgbench: it comes with PostgreSQL")?;
    let tps =
        said.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
    tps.with_context(|| format!("pgbench said nothing of its rate:\n{said}"))
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or_default()
}

/// An empty database of this name with our tables, and the PostgreSQL that holds it.
fn fresh_database(name: &str) -> anyhow::Result<(String, Process)> {
    let (url, postgres) = start_postgres()?;
    Ok((database_of(&target().join("release/jangbu"), &url, name)?, postgres))
}

/// A PostgreSQL of our own; its URL.
fn start_postgres() -> anyhow::Result<(String, Process)> {
    let data = target().join("bench-postgres");
    let mut postgres = jangbu()
        .args(["database", "--data-dir"])
        .arg(&data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("jangbu database")?;
    let mut url = String::new();
    BufReader::new(postgres.stdout.take().context("no stdout")?).read_line(&mut url)?;
    Ok((url.trim().to_owned(), Process(postgres)))
}

/// An empty database of this name in that PostgreSQL, with the tables of that binary; its URL.
fn database_of(binary: &Path, url: &str, name: &str) -> anyhow::Result<String> {
    let (server, _) = url.rsplit_once('/').context("the PostgreSQL did not start")?;
    let url = format!("{server}/{name}");
    sql(&format!("{server}/postgres"), &format!("drop database if exists {name} with (force)"))?;
    sql(&format!("{server}/postgres"), &format!("create database {name}"))?;
    run(Command::new(binary)
        .arg("migrate")
        .env("DATABASE_URL", &url)
        .env("JANGBU_MODE", "sandbox")
        .env("RUST_LOG", "error")
        .env("TOSS_PAYMENTS_URL", "http://127.0.0.1:9")
        .env("TOSS_PAYMENTS_SECRET_KEY", SECRET_KEY)
        .stdout(Stdio::null()))?;
    Ok(url)
}
