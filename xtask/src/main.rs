//! What is more than one command: the demo, the tests, the browser build, a folder to ship.

mod bench;
mod demo;
mod front;
mod lint;
mod postgres;
mod report;
#[cfg(test)]
mod rooms;
mod run;
mod simulate;
mod sqlx;
mod stack;
mod test;
mod tools;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Jangbu's own tasks")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything from nothing to a dashboard with a month of sample trade.
    Demo {
        /// Orders of sample trade.
        #[arg(long, default_value_t = 2000)]
        orders: usize,
    },
    /// Every test there is, the browser's included.
    Test {
        /// Leaves the browser out.
        #[arg(long)]
        no_browser: bool,
        /// Only the browser tests, on ten days of the turned clock.
        #[arg(long, conflicts_with = "no_browser")]
        browser_days: bool,
        /// When the browser tests begin, in Seoul.
        #[arg(long, env = "JANGBU_TEST_DAY", default_value = test::DAYS[0])]
        day: String,
    },
    /// Refunds under faults: two processes, one seed per run.
    Simulate {
        #[arg(long, default_value_t = 10_000)]
        runs: u64,
        /// The first seed; with --runs 1 the one to see again.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Breaks the code in every way of `simulation/breakages` and shows that it is noticed.
        #[arg(long)]
        breakages: bool,
    },
    /// Measures; what is compared runs in turns on this machine.
    #[command(subcommand)]
    Bench(Bench),
    /// Asks the merchant's API everything that its document describes.
    Api,
    /// Formatting and lints, on the native and the browser's target.
    Lint,
    /// Builds; with --release one folder to ship.
    Build {
        #[arg(long)]
        release: bool,
    },
    /// Writes the offline data of the checked queries, or checks that it is current.
    Sqlx {
        #[arg(long)]
        check: bool,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// Registering orders beside pgbench, and the audit log: sealing, checking, proving.
    Log {
        /// Of the long log.
        #[arg(long, default_value_t = 1_000_000)]
        rows: u64,
    },
    /// The intake of webhooks beside pgbench.
    Webhooks,
    /// The list of orders and the page of one, by sixteen at once.
    Pages {
        #[arg(long, default_value_t = 200_000)]
        orders: u64,
        /// An older `jangbu`, to be measured in turns with this one.
        #[arg(long)]
        beside: Option<std::path::PathBuf>,
    },
    /// Events to the merchant's own systems beside the intake of webhooks, and beside a receiver that never answers.
    Events,
    /// A million transactions against a million settlements beside a plain join, and a day's page.
    Reconcile,
}

fn main() -> std::process::ExitCode {
    let outcome = match Cli::parse().task {
        Task::Demo { orders } => demo::demo(orders),
        Task::Test { browser_days: true, .. } => test::browser_days(),
        Task::Test { no_browser, day, .. } => test::test((!no_browser).then_some(day.as_str())),
        Task::Simulate { breakages: true, .. } => simulate::breakages(),
        Task::Simulate { runs, seed, .. } => simulate::simulate(runs, seed),
        Task::Bench(Bench::Log { rows }) => bench::log(rows),
        Task::Bench(Bench::Pages { orders, beside }) => bench::pages(orders, beside.as_deref()),
        Task::Bench(Bench::Events) => bench::events(),
        Task::Bench(Bench::Webhooks) => bench::webhooks(),
        Task::Bench(Bench::Reconcile) => bench::reconcile(),
        Task::Api => test::api(),
        Task::Lint => lint::lint(),
        Task::Build { release } => front::build_all(release),
        Task::Sqlx { check } => sqlx::prepare(check),
    };
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            report::line(&format!("\n✗ {error:#}"));
            std::process::ExitCode::FAILURE
        }
    }
}
