//! `toss-sandbox`: a Toss to practise against, and a shop that makes a month of trade.

#![expect(clippy::print_stderr, reason = "a command line speaks to the person who typed it")]

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::{Parser, Subcommand};
use sandbox::{
    Callback, Options, PUBLIC_TEST_KEYS, SANDBOX_SECURITY_KEY, World,
    apps_in_toss::tls::Authority,
    shop::{ShopConfig, trade},
};
use tokio::net::TcpListener;

#[derive(Parser)]
#[command(name = "toss-sandbox", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answers like Toss Payments, and like Apps in Toss, until it is stopped.
    Serve(Box<Serve>),
    /// Buys in a shop for a month, on the sandbox's clock.
    Trade(Trade),
}

#[derive(clap::Args)]
struct Serve {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:4100")]
    addr: SocketAddr,
    /// Keeps everything in this file, so that a restart forgets nothing.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// Where webhooks go; may be given several times.
    #[arg(long = "webhook")]
    webhooks: Vec<String>,
    /// Test secret keys that are let in; may be given several times.
    #[arg(long = "secret-key")]
    secret_keys: Vec<String>,
    /// 64 hexadecimal characters that sign payout and seller events.
    #[arg(long, default_value = SANDBOX_SECURITY_KEY)]
    security_key: String,
    /// The merchant API behind the practice shop.
    #[arg(long)]
    shop_api: Option<String>,
    #[arg(long, env = "JANGBU_MERCHANT_API_KEY", hide_env_values = true, default_value = "")]
    shop_key: String,
    /// Plays Apps in Toss too: certificates are kept in this folder, and made when there are none.
    #[arg(long)]
    tls_dir: Option<PathBuf>,
    /// Where Apps in Toss answers: login, messages, promotions, in-app purchases.
    #[arg(long, default_value = "127.0.0.1:4101")]
    apps_addr: SocketAddr,
    /// Where its Toss Pay answers.
    #[arg(long, default_value = "127.0.0.1:4102")]
    apps_pay_addr: SocketAddr,
    /// A name of this machine that its certificate has to carry; may be given several times.
    #[arg(long = "tls-host")]
    tls_hosts: Vec<String>,
    /// Where Toss tells that a user has ended the link with the mini-app.
    #[arg(long)]
    unlink_url: Option<String>,
    /// `name:password` that goes along with it.
    #[arg(long, env = "APPS_IN_TOSS_UNLINK_AUTH", hide_env_values = true)]
    unlink_auth: Option<String>,
    /// How far the clock is turned from the start; wins over what the journal says.
    #[arg(long, allow_negative_numbers = true)]
    clock_offset_ms: Option<i64>,
}

#[derive(clap::Args)]
struct Trade {
    #[arg(long, default_value = "http://127.0.0.1:4100")]
    sandbox: String,
    #[arg(long)]
    shop_api: String,
    #[arg(long, env = "JANGBU_MERCHANT_API_KEY", hide_env_values = true)]
    shop_key: String,
    #[arg(long, default_value = PUBLIC_TEST_KEYS[0])]
    secret_key: String,
    #[arg(long, default_value_t = 2000)]
    orders: usize,
    #[arg(long, default_value_t = 30)]
    days: i64,
    #[arg(long, default_value_t = 20_261_122)]
    seed: u64,
    /// When the trade ends, like 2026-11-18T14:00:00+09:00: with it a seed makes the same trade each time. Now, if left out.
    #[arg(long, value_parser = moment)]
    until: Option<time::OffsetDateTime>,
}

fn moment(text: &str) -> Result<time::OffsetDateTime, String> {
    toss::timestamp::parse(text).ok_or_else(|| "like 2026-11-18T14:00:00+09:00".to_owned())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "warn,sandbox=info".into()),
        )
        .init();
    match Cli::parse().command {
        Command::Serve(serve) => run(*serve).await,
        Command::Trade(trade) => make(trade).await,
    }
}

async fn run(args: Serve) -> anyhow::Result<()> {
    let listener = TcpListener::bind(args.addr).await?;
    let own_url = format!("http://{}", listener.local_addr()?);
    let secret_keys = if args.secret_keys.is_empty() {
        PUBLIC_TEST_KEYS.map(str::to_owned).into()
    } else {
        args.secret_keys
    };
    anyhow::ensure!(
        !secret_keys.iter().any(|key| key.starts_with("live_")),
        "a live key was given to a sandbox: keep live keys out of it"
    );
    let world = World::new(Options {
        secret_keys,
        security_key: args.security_key,
        webhook_urls: args.webhooks,
        journal: args.journal,
        shop: args.shop_api.map(|api_url| ShopConfig {
            api_url,
            api_key: args.shop_key,
            own_url: own_url.clone(),
        }),
        unlink: args.unlink_url.map(|url| Callback {
            url,
            basic: args
                .unlink_auth
                .as_deref()
                .and_then(|pair| pair.split_once(':'))
                .map(|(name, password)| (name.to_owned(), password.to_owned())),
        }),
        ..Options::default()
    })?;
    if let Some(ms) = args.clock_offset_ms {
        world.clock.set_offset(time::Duration::milliseconds(ms));
    }
    let mini_app = Arc::clone(&world);
    let apps_in_toss = async move {
        let Some(folder) = args.tls_dir else { return std::future::pending().await };
        let (authority, server) = Authority::in_folder(&folder, &args.tls_hosts)?;
        let (general, pay) =
            (TcpListener::bind(args.apps_addr).await?, TcpListener::bind(args.apps_pay_addr).await?);
        eprintln!(
            "Apps in Toss answers at https://{} and https://{} to whoever has a certificate of {}",
            general.local_addr()?,
            pay.local_addr()?,
            folder.display()
        );
        mini_app.run_apps_in_toss(&authority, &server, general, pay).await
    };
    eprintln!("the sandbox answers at {own_url} (control desk: {own_url}/_sandbox/)");
    tokio::select! {
        () = world.run(listener) => {}
        ended = apps_in_toss => ended?,
        _ = tokio::signal::ctrl_c() => {}
        () = terminated() => {}
    }
    Ok(())
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    if let Ok(mut signal) = signal(SignalKind::terminate()) {
        signal.recv().await;
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending::<()>().await;
}

async fn make(args: Trade) -> anyhow::Result<()> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let plan = trade::Plan {
        shop: ShopConfig { api_url: args.shop_api, api_key: args.shop_key, own_url: args.sandbox.clone() },
        sandbox_url: args.sandbox,
        secret_key: args.secret_key,
        orders: args.orders,
        days: args.days,
        seed: args.seed,
        until: args.until,
    };
    let last = std::cell::Cell::new(0);
    trade::make(plan, |done, of| {
        let percent = done * 100 / of.max(1);
        if percent != last.replace(percent) {
            eprintln!("{percent}% ({done} of {of})");
        }
    })
    .await
}
