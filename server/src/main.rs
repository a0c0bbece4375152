//! `jangbu`.

use clap::Parser;
use server::cli::{Cli, run};

/// Pages are built of many small pieces: glibc's own allocator takes a fifth of the time of one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    // The span of the sessions' library says nothing that ours does not.
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(
        tracing_subscriber::EnvFilter::try_from_default_env()
            .unwrap_or_else(|_| "info,graphile_worker=warn,sqlx=warn,tower_sessions=warn".into()),
    );
    let format = std::env::var("JANGBU_LOG").unwrap_or_default();
    match format.as_str() {
        "json" => log.json().flatten_event(true).init(),
        _ => log.init(),
    }
    if !["", "text", "json"].contains(&format.as_str()) {
        tracing::error!("JANGBU_LOG: {format:?} is neither text nor json");
        return std::process::ExitCode::FAILURE;
    }
    match run(Cli::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
