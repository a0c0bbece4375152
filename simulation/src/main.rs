//! Refunds under faults. The real refund code runs in two processes at a time against the sandbox, while answers
//! are lost, processes die, connections are cut, clocks jump and somebody refunds in Toss's own console. After
//! each run the books and Toss have to agree. A seed is a run: the same seed is the same schedule.

mod lane;
mod process;
mod schedule;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use backoffice::{
    Actor, Backoffice, audit, limits,
    staff::{NewStaff, Role},
};
use clap::{Parser, Subcommand};
use sandbox::{Options, PUBLIC_TEST_KEYS, World, apps_in_toss::tls::Authority};
use tokio::net::TcpListener;

use crate::{
    lane::{Lane, Outcome, Shared},
    process::{Person, Toss},
    schedule::{LIMIT, Schedule},
};

#[derive(Parser)]
#[command(name = "simulation", about = "Refunds under faults, one seed per run")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the seeds from SEED on.
    Run {
        #[arg(long, default_value_t = 500)]
        runs: u64,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Pairs of processes at once.
        #[arg(long, default_value_t = 6)]
        lanes: usize,
        /// A PostgreSQL where a database may be made.
        #[arg(long, env = "JANGBU_TEST_DATABASE_URL", hide_env_values = true)]
        database_url: String,
        /// Goes on after a violation.
        #[arg(long)]
        keep_going: bool,
    },
    /// One of the two processes; told what to do on its standard input.
    #[command(hide = true)]
    Process {
        #[arg(long)]
        database_url: String,
        #[command(flatten)]
        toss: Toss,
    },
}

#[expect(clippy::print_stdout, reason = "a command line answers on standard output")]
fn say(line: &str) {
    println!("{line}");
}

fn main() -> anyhow::Result<()> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match Cli::parse().command {
            Command::Run { runs, seed, lanes, database_url, keep_going } => {
                run(runs, seed, lanes, &database_url, keep_going).await
            }
            Command::Process { database_url, toss } => process::run(&database_url, &toss).await,
        }
    })
}

async fn staff(backoffice: &Backoffice, name: &str, role: Role) -> anyhow::Result<Person> {
    let new = NewStaff { email: format!("{name}@example.com"), name: name.to_owned(), role };
    let id = backoffice::staff::add(backoffice, &Actor::CommandLine, new, uuid::Uuid::new_v4().to_string())
        .await?;
    Ok(Person { id, name: name.to_owned(), role })
}

/// Toss's webhooks come here and go on to the processes of the order's lane.
async fn receive(State(lanes): State<Arc<Vec<Arc<Lane>>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let body = String::from_utf8_lossy(&body).into_owned();
    let Some(lane) = lane::lane_of(&body).and_then(|n| lanes.get(n)) else { return StatusCode::OK };
    let headers = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let n = usize::try_from(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap_or_default();
    if lane.deliver(n, headers, body).await { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn world(hook_url: String, tls_dir: PathBuf) -> anyhow::Result<(Arc<World>, Toss)> {
    let bind = || TcpListener::bind("127.0.0.1:0");
    let (listener, apps, pay) = (bind().await?, bind().await?, bind().await?);
    let toss = Toss {
        url: format!("http://{}", listener.local_addr()?),
        key: PUBLIC_TEST_KEYS[0].to_owned(),
        apps_url: format!("https://{}", apps.local_addr()?),
        pay_url: format!("https://{}", pay.local_addr()?),
        tls_dir,
    };
    let (authority, server) = Authority::in_folder(&toss.tls_dir, &[])?;
    let world = World::new(Options { webhook_urls: vec![hook_url], ..Options::default() })?;
    tokio::spawn(Arc::clone(&world).run(listener));
    let mini_app = Arc::clone(&world);
    tokio::spawn(async move { mini_app.run_apps_in_toss(&authority, &server, apps, pay).await });
    Ok((world, toss))
}

async fn run(runs: u64, first: u64, lanes: usize, server: &str, keep_going: bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    let name = format!("simulation_{}", std::process::id());
    let database_url = backoffice::database::create_migrated(server, &name).await?;
    let hooks = TcpListener::bind("127.0.0.1:0").await?;
    let certificates = tempfile::tempdir()?;
    let hook_url = format!("http://{}/hooks", hooks.local_addr()?);
    let (world, toss) = world(hook_url, certificates.path().to_owned()).await?;
    let backoffice = toss.backoffice(&database_url, 10).await?;
    for role in ["support", "finance", "admin"] {
        let limit = if role == "support" { LIMIT.to_string() } else { limits::NONE.to_owned() };
        let typed =
            limits::Typed { role, one_refund: &limit, per_day: limits::NONE, grants_per_day: limits::NONE };
        limits::set(&backoffice, &Actor::CommandLine, typed).await?;
    }
    let shared = Arc::new(Shared {
        support: [
            staff(&backoffice, "a", Role::Support).await?,
            staff(&backoffice, "b", Role::Support).await?,
        ],
        finance: [
            staff(&backoffice, "c", Role::Finance).await?,
            staff(&backoffice, "d", Role::Finance).await?,
        ],
        backoffice,
        world,
        database_url,
        toss,
    });
    let lanes: Arc<Vec<Arc<Lane>>> =
        Arc::new((0..lanes).map(|n| Arc::new(Lane::new(n, Arc::clone(&shared)))).collect());
    let receiver = Router::new().route("/hooks", post(receive)).with_state(Arc::clone(&lanes));
    tokio::spawn(async move { axum::serve(hooks, receiver).await });

    let next = Arc::new(AtomicU64::new(0));
    let (done, mut outcomes) = tokio::sync::mpsc::unbounded_channel::<anyhow::Result<Outcome>>();
    for lane in lanes.iter() {
        let (lane, next, done) = (Arc::clone(lane), Arc::clone(&next), done.clone());
        tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= runs || done.send(lane.run(first + n).await).is_err() {
                    break;
                }
            }
            lane.kill(0).await;
            lane.kill(1).await;
        });
    }
    drop(done);
    let mut sum = Summary::default();
    while let Some(outcome) = outcomes.recv().await {
        let outcome = outcome.context("a run could not be made")?;
        let bad = !outcome.violations.is_empty();
        sum.add(outcome);
        if bad && !keep_going {
            break;
        }
    }
    drop(outcomes);
    let deaths: u64 = lanes.iter().map(|lane| lane.deaths.load(Ordering::Relaxed)).sum();
    audit::seal::seal_all(&shared.backoffice).await?;
    let log = audit::verify::verify(&shared.backoffice, &[]).await?;
    if !log.is_whole() {
        bail!("the audit log is not what was sealed: {:?}", log.findings);
    }
    sum.tell(begun.elapsed(), deaths, log.leaves);
    shared.backoffice.pool.close().await;
    if sum.violated.is_empty() { Ok(()) } else { bail!("violated by seeds {:?}", sum.violated) }
}

#[derive(Default)]
struct Summary {
    runs: u64,
    states: BTreeMap<String, usize>,
    known_after: Vec<Duration>,
    violated: Vec<u64>,
    behind: usize,
    decided: usize,
}

impl Summary {
    fn add(&mut self, outcome: Outcome) {
        self.runs += 1;
        self.behind += outcome.behind;
        self.decided += outcome.decided_by_people;
        self.known_after.extend(outcome.known_after);
        let mut states: Vec<_> = outcome.states.into_iter().collect();
        states.sort();
        let verdict = if outcome.violations.is_empty() { "ok" } else { "VIOLATED" };
        say(&format!("seed {} {verdict} {states:?} in {:.2} s", outcome.seed, outcome.took.as_secs_f64()));
        for (state, count) in states {
            *self.states.entry(state).or_default() += count;
        }
        if !outcome.violations.is_empty() {
            for violation in &outcome.violations {
                say(&format!("  {violation}"));
            }
            let schedule = Schedule::of(outcome.seed);
            say(&format!("  schedule: {}", serde_json::to_string(&schedule).unwrap_or_default()));
            say(&format!("  again: cargo xtask simulate --runs 1 --seed {}", outcome.seed));
            self.violated.push(outcome.seed);
        }
    }

    fn tell(&mut self, took: Duration, deaths: u64, audit_rows: u64) {
        self.known_after.sort();
        let at = |percent: usize| {
            let index =
                (self.known_after.len() * percent / 100).min(self.known_after.len().saturating_sub(1));
            self.known_after.get(index).map_or(0.0, Duration::as_secs_f64)
        };
        say(&format!(
            "runs {}, violations {}, in {:.0} s",
            self.runs,
            self.violated.len(),
            took.as_secs_f64()
        ));
        say(&format!("intents {:?}", self.states));
        say(&format!(
            "processes that died {deaths}, refunds in the console {}, decided by a person {}, audit rows {audit_rows}, as they were sealed",
            self.behind, self.decided
        ));
        say(&format!(
            "from answer-again to known, of {} runs with something open: median {:.2} s, p95 {:.2} s, most {:.2} s (a lease is {:.1} s here)",
            self.known_after.len(),
            at(50),
            at(95),
            at(100),
            process::LEASE.as_secs_f64()
        ));
    }
}
