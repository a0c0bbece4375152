//! The command line. [`finance`] holds the commands of finance.

mod api_keys;
mod audit;
mod events;
mod finance;
mod migrate;

use std::{io::Read, net::SocketAddr};

use anyhow::{Context, bail};
use backoffice::{
    Actor, Backoffice,
    database::Tables,
    limits,
    staff::{NewStaff, Role, Token, invitations, rights},
};
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    Jangbu,
    database::Database,
    postgres::Private,
    serve::{self, Patience},
    settings::{Ownership, Settings, Source},
};

#[derive(Parser)]
#[command(
    name = "jangbu",
    version,
    about = "The back office for merchants on Toss Payments and Apps in Toss"
)]
pub struct Cli {
    /// Who does it, for the audit log; whoever is logged in at the machine, if nobody says.
    #[arg(long, global = true, env = "SUDO_USER")]
    by: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the dashboard, the merchant API and the webhook receiver, and works off jobs.
    Serve {
        /// Leaves the jobs to `jangbu work` processes.
        #[arg(long)]
        no_work: bool,
    },
    /// Works off jobs, without serving anything.
    Work,
    /// Brings the tables up to date, as their owner: at JANGBU_DATABASE_OWNER_URL, where there is one. Whoever DATABASE_URL
    /// comes as may then work with them, and JANGBU_DATABASE_READERS may read.
    Migrate,
    /// Accounts.
    #[command(subcommand)]
    Staff(Staff),
    /// Copies from Toss.
    #[command(subcommand)]
    Sync(Sync),
    /// Puts the books beside Toss's transactions and settlements: of one day, or of the days from FROM until before TO.
    Reconcile {
        #[arg(long, conflicts_with_all = ["from", "to", "last"])]
        day: Option<String>,
        #[command(flatten)]
        window: Window,
    },
    /// What the contract with Toss says of fees and payouts.
    #[command(subcommand)]
    Contract(Contract),
    /// The audit log.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// What the merchant's own systems are told.
    #[command(subcommand)]
    Events(events::Events),
    /// Keys of the merchant's own servers.
    #[command(subcommand)]
    ApiKeys(api_keys::ApiKeys),
    /// The keys that seal.
    #[command(subcommand)]
    Keys(Keys),
    /// Checks settings, database and whether Toss answers.
    Check,
    /// Runs a private PostgreSQL, prints its URL, and ends when its standard input does.
    #[command(hide = true)]
    Database {
        #[arg(long, default_value = "data")]
        data_dir: std::path::PathBuf,
    },
}

#[derive(Subcommand)]
enum Staff {
    /// Adds an account and prints a link: whoever has it chooses the password. Machines give theirs with
    /// --password-stdin.
    Add {
        #[arg(long)]
        email: String,
        #[arg(long)]
        name: String,
        /// viewer, support, finance or admin
        #[arg(long)]
        role: String,
        #[arg(long)]
        password_stdin: bool,
    },
    List,
    /// Takes the password and prints a link for a new one (or reads it from standard input), opens a disabled account
    /// again, ends its sessions.
    Reset {
        #[arg(long)]
        email: String,
        #[arg(long)]
        password_stdin: bool,
    },
    Disable {
        #[arg(long)]
        email: String,
    },
    /// Forgets every failed log-in of an account: somebody who is kept waiting by what others tried can come in at once.
    Unlock {
        #[arg(long)]
        email: String,
    },
    /// Gives an account another role, without a second person. Ends its sessions.
    Role {
        #[arg(long)]
        email: String,
        /// viewer, support, finance, admin, or the name of a role of the house's own
        #[arg(long)]
        role: String,
    },
    /// Above which amounts, in won and in points, a second person has to approve. What is left out stays as it is; `none`
    /// is no limit.
    Limit {
        /// support, finance or admin
        #[arg(long)]
        role: String,
        #[arg(long)]
        one_refund: Option<String>,
        #[arg(long)]
        per_day: Option<String>,
        #[arg(long)]
        grants_per_day: Option<String>,
    },
}

/// Days in Seoul.
#[derive(clap::Args)]
struct Window {
    /// The first day, like 2026-11-01
    #[arg(long, requires = "to")]
    from: Option<String>,
    /// The day after the last one
    #[arg(long, requires = "from")]
    to: Option<String>,
    /// Instead of both: so many days up to and with today
    #[arg(long, conflicts_with_all = ["from", "to"])]
    last: Option<i64>,
}

#[derive(Subcommand)]
enum Sync {
    /// Compares Toss's transactions of the days from FROM until before TO with what arrived; what never came is noted and
    /// looked up. Can be stopped and begun again at any day.
    Transactions(Window),
    /// Reads Toss's settlements of the days of sale from FROM until before TO. Can be stopped and begun again at any day.
    Settlements(Window),
}

#[derive(Subcommand)]
enum Contract {
    /// Adds what Toss takes for a method, and when it pays out.
    Set {
        /// Toss's own word, like 카드; * is every method without a line of its own
        #[arg(long)]
        method: String,
        #[arg(long, default_value = "KRW")]
        currency: String,
        /// The first day it holds for, like 2026-01-01
        #[arg(long)]
        valid_from: String,
        /// With VAT, like 3.41
        #[arg(long)]
        per_cent: String,
        /// With VAT, for each approval, in the currency
        #[arg(long, default_value = "0")]
        flat: String,
        /// daily, weekly or monthly
        #[arg(long, default_value = "daily")]
        cycle: String,
        /// Business days from the end of the cycle to the payout
        #[arg(long)]
        payout_days: String,
    },
    List,
}

#[derive(Subcommand)]
enum Keys {
    /// Seals everything with JANGBU_DATA_KEY that is sealed with a key of JANGBU_DATA_KEY_PREVIOUS. Can be stopped and begun again.
    Rotate,
}

/// Runs one command to its end.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    if let Command::Database { data_dir } = cli.command {
        return run_private(&data_dir).await;
    }
    if let Command::Audit(command) = &cli.command
        && audit::without_database(command)?
    {
        return Ok(());
    }
    let source = Source::from_machine()?;
    if let Command::Migrate = cli.command {
        return migrate::run(&Ownership::read(&source)?).await;
    }
    let settings = Settings::read(&source)?;
    let database = Database::of(settings.database_url.as_deref(), &settings.data_dir).await?;
    let outcome = dispatch(cli.command, &operator(cli.by), settings, &database).await;
    database.close().await;
    outcome
}

/// Whoever sits at the machine, by the name they give or are logged in with.
fn operator(by: Option<String>) -> Actor {
    let name = by.or_else(|| std::env::var("USER").ok());
    let name = name.map(|name| name.chars().filter(|c| !c.is_control()).take(80).collect::<String>());
    name.filter(|name| !name.trim().is_empty()).map_or(Actor::CommandLine, Actor::Operator)
}

async fn dispatch(
    command: Command,
    actor: &Actor,
    settings: Settings,
    database: &Database,
) -> anyhow::Result<()> {
    let jangbu = Jangbu::start(settings, &database.url).await?;
    let outcome = carry_out(command, actor, jangbu.clone()).await;
    jangbu.write_down_calls().await;
    outcome
}

async fn carry_out(command: Command, actor: &Actor, jangbu: Jangbu) -> anyhow::Result<()> {
    let backoffice = &jangbu.backoffice;
    match command {
        Command::Serve { no_work } => serve(jangbu, !no_work).await,
        Command::Work => {
            let stop = CancellationToken::new();
            tokio::join!(jangbu.work(stop.clone()), stop_on_signal(stop));
            Ok(())
        }
        Command::Staff(command) => staff(&jangbu, actor, command).await,
        Command::Sync(command) => finance::sync(&jangbu, actor, command).await,
        Command::Reconcile { day, window } => finance::reconcile(backoffice, actor, day, &window).await,
        Command::Contract(command) => finance::contract(backoffice, actor, command).await,
        Command::Audit(command) => audit::run(backoffice, command).await,
        Command::Events(command) => events::run(backoffice, actor, command).await,
        Command::ApiKeys(command) => api_keys::run(backoffice, actor, command).await,
        Command::Keys(Keys::Rotate) => rotate(backoffice).await,
        Command::Check => check(&jangbu).await,
        Command::Migrate | Command::Database { .. } => Ok(()),
    }
}

#[expect(clippy::print_stdout, reason = "a command line answers on standard output")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

async fn stop_on_signal(stop: CancellationToken) {
    let interrupted = tokio::signal::ctrl_c();
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupted => {}
        () = terminated => {}
        () = stop.cancelled() => {}
    }
    tracing::info!("stopping");
    stop.cancel();
}

async fn listen(name: &str, addr: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| format!("{name}: {addr} cannot be listened on"))
}

async fn serve(jangbu: Jangbu, work: bool) -> anyhow::Result<()> {
    let settings = &jangbu.settings;
    let listener = listen("JANGBU_ADDR", settings.addr).await?;
    let own_listener = match settings.metrics_addr {
        Some(addr) => Some(listen("JANGBU_METRICS_ADDR", addr).await?),
        None => None,
    };
    tracing::info!("serving {}{}", settings.public_url, settings.base_path);
    let stop = CancellationToken::new();
    let proxies = &settings.trusted_proxies;
    let serving = serve::serve(listener, jangbu.router(), proxies, Patience::default(), stop.clone());
    let telling = async {
        if let Some(listener) = own_listener {
            let patience = Patience::default();
            // Whoever watches keeps a connection from look to look, as a proxy does.
            let patience = Patience { head: patience.head_of_proxy, ..patience };
            serve::serve(listener, jangbu.health_router(), &[], patience, stop.clone()).await;
        }
    };
    let working = async {
        if work {
            jangbu.work(stop.clone()).await;
        }
    };
    tokio::join!(serving, telling, working, stop_on_signal(stop.clone()));
    Ok(())
}

fn read_password() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Whoever has the link chooses a name and a password.
fn tell_link(settings: &Settings, token: &Token) {
    let path = app::routes::invitation(token.expose());
    say(&format!("link, for one use within 24 hours: {}{}{path}", settings.public_url, settings.base_path));
}

async fn staff(jangbu: &Jangbu, actor: &Actor, command: Staff) -> anyhow::Result<()> {
    let backoffice = &jangbu.backoffice;
    match command {
        Staff::Add { email, name, role, password_stdin } => {
            let role = Role::parse(&role).context("--role: viewer, support, finance or admin")?;
            let new = NewStaff { email, name, role };
            if password_stdin {
                let id = backoffice::staff::add(backoffice, actor, new, read_password()?).await?;
                say(&format!("added {id}"));
            } else {
                let (id, token, _) = invitations::invite(backoffice, actor, new).await?;
                say(&format!("added {id}"));
                tell_link(&jangbu.settings, &token);
            }
        }
        Staff::List => {
            for person in backoffice::staff::list(backoffice).await? {
                let state = match person.disabled_at {
                    Some(_) => "disabled",
                    None if !person.has_joined => "invited",
                    None => "active",
                };
                say(&format!(
                    "{}\t{}\t{}\t{state}\t{}",
                    person.id,
                    person.email,
                    person.own_role().map_or(person.role.as_str(), |own| &own.name),
                    person.name
                ));
            }
        }
        Staff::Reset { email, password_stdin } => {
            if password_stdin {
                backoffice::staff::reset(backoffice, actor, &email, read_password()?).await?;
                say("reset; every session of the account has ended");
            } else {
                let person = backoffice::staff::get_by_email(backoffice, &email)
                    .await?
                    .context("--email: no such account")?;
                let token = invitations::invite_again(backoffice, actor, person.id).await?;
                say("reset; every session of the account has ended");
                tell_link(&jangbu.settings, &token);
            }
        }
        Staff::Disable { email } => {
            let person = backoffice::staff::get_by_email(backoffice, &email)
                .await?
                .context("--email: no such account")?;
            backoffice::staff::disable(backoffice, actor, person.id).await?;
            say("disabled; every session of the account has ended");
        }
        Staff::Unlock { email } => {
            backoffice::staff::throttle::unlock(backoffice, actor, &email).await?;
            say("every failed log-in of the account is forgotten");
        }
        Staff::Role { email, role } => {
            let person = backoffice::staff::get_by_email(backoffice, &email)
                .await?
                .context("--email: no such account")?;
            let wanted = backoffice::staff::roles::named(backoffice, &role).await?;
            let wanted = wanted.context("--role: viewer, support, finance, admin, or a role of your own")?;
            rights::give(backoffice, actor, person.id, wanted).await?;
            say("the role is changed; every session of the account has ended");
        }
        Staff::Limit { role, one_refund, per_day, grants_per_day } => {
            let now = limits::list(backoffice).await?;
            let now = now
                .iter()
                .find(|limit| limit.role.as_str() == role)
                .context("--role: support, finance or admin")?;
            let kept = |now: Option<String>| now.unwrap_or_else(|| limits::NONE.to_owned());
            let typed = limits::Typed {
                role: &role,
                one_refund: &one_refund.unwrap_or_else(|| kept(now.one_refund.map(|n| n.to_string()))),
                per_day: &per_day.unwrap_or_else(|| kept(now.per_day.map(|n| n.to_string()))),
                grants_per_day: &grants_per_day
                    .unwrap_or_else(|| kept(now.grants_per_day.map(|n| n.to_string()))),
            };
            limits::set(backoffice, actor, typed).await?;
            say("the limits are saved");
        }
    }
    Ok(())
}

async fn rotate(backoffice: &Backoffice) -> anyhow::Result<()> {
    let style = indicatif::ProgressStyle::with_template("{bar:30} {percent} % ({eta})")?;
    let bar = indicatif::ProgressBar::new(1).with_style(style);
    let rotating = backoffice::keys::rotate(&backoffice.pool, &backoffice.keys, |done| {
        bar.set_length(done.of.max(1));
        bar.set_position(done.pages);
    });
    let sealed = tokio::select! {
        sealed = rotating => sealed?,
        _ = tokio::signal::ctrl_c() => {
            bar.abandon();
            bail!("stopped; go on with: jangbu keys rotate");
        }
    };
    bar.finish_and_clear();
    say(&format!(
        "{sealed} values are sealed anew, all with the key {}: JANGBU_DATA_KEY_PREVIOUS can go once every process has the new key",
        backoffice.keys.current()
    ));
    Ok(())
}

async fn check(jangbu: &Jangbu) -> anyhow::Result<()> {
    say(&format!("settings: fine, mode {}", jangbu.settings.mode.as_str()));
    let whose = match &jangbu.tables {
        Tables::Own => "owned by this role".to_owned(),
        Tables::Lent { role } => format!("{role} does not own them"),
    };
    say(&format!("database: reached, tables up to date, {whose}"));
    let nobody = toss::payments::PaymentKey::from("jangbu-check");
    match jangbu.backoffice.toss.payment(&nobody).await {
        Err(error) if error.is_not_found() => {
            say(&format!("Toss Payments: answers at {}", jangbu.backoffice.toss.url()))
        }
        Err(error) => bail!("Toss Payments at {}: {error}", jangbu.backoffice.toss.url()),
        Ok(_) => bail!("Toss Payments at {} knows a payment that cannot be", jangbu.backoffice.toss.url()),
    }
    if let (Some(provider), Some(oidc)) = (&jangbu.oidc, &jangbu.settings.oidc) {
        provider.greet().await.with_context(|| format!("OpenID Connect at {}", oidc.issuer))?;
        say(&format!("OpenID Connect: {} answers", oidc.issuer));
    }
    let Some(apps) = &jangbu.backoffice.apps_in_toss else {
        say("Apps in Toss: not set up");
        return Ok(());
    };
    for certificate in apps.client.certificates() {
        let (subject, days) = (&certificate.identity.subject, certificate.days_left);
        let used = if certificate.is_used { ", in use" } else { "" };
        say(&format!("Apps in Toss: certificate {subject}, {days} days left{used}"));
        if certificate.is_soon_over() {
            say(
                "  have a new one issued in Toss's console, and set APPS_IN_TOSS_CERT_NEXT and APPS_IN_TOSS_KEY_NEXT",
            );
        }
    }
    for (url, answered) in apps.client.greet().await {
        match answered {
            Ok(()) => say(&format!("Apps in Toss: answers at {url}")),
            Err(error) => bail!("Apps in Toss at {url}: {error}"),
        }
    }
    Ok(())
}

/// Runs a private PostgreSQL for whoever holds our standard input open.
async fn run_private(data_dir: &std::path::Path) -> anyhow::Result<()> {
    let folder = data_dir.to_owned();
    let private = tokio::task::spawn_blocking(move || Private::start(&folder)).await??;
    say(&private.url);
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut tokio::io::stdin(), &mut rest).await?;
    tokio::task::spawn_blocking(move || private.stop()).await?;
    Ok(())
}
