//! Events on the command line, for whoever writes the system that they are told to.

use std::{io::Write, time::Duration};

use anyhow::{Context, bail};
use backoffice::{
    Actor, Backoffice,
    events::{self, Change, Kind, Mark},
};
use clap::Subcommand;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{say, stop_on_signal};

/// Read at once, and how often it is looked for more.
const AT_ONCE: i64 = 500;
const EVERY: Duration = Duration::from_millis(500);

#[derive(Subcommand)]
pub(super) enum Events {
    /// Adds an endpoint and prints its secret, this once.
    Add {
        #[arg(long)]
        name: String,
        #[arg(long)]
        url: String,
        /// Only of this kind, for example order.paid. May be given several times.
        #[arg(long)]
        kind: Vec<String>,
    },
    /// Prints events as they happen, each as a line of JSON, until it is stopped.
    Tail {
        /// Only of this kind, for example order.paid. May be given several times.
        #[arg(long)]
        kind: Vec<String>,
        /// Begins behind this event, by its webhook-id, instead of with what happens from now on; `start` is the very first.
        #[arg(long)]
        after: Option<String>,
        /// Ends when nothing more is there.
        #[arg(long)]
        no_follow: bool,
    },
}

fn kinds(words: &[String]) -> anyhow::Result<Vec<Kind>> {
    let known = || Kind::ALL.map(Kind::as_str).join(", ");
    let kind =
        |word: &String| Kind::parse(word).with_context(|| format!("--kind {word}: one of {}", known()));
    words.iter().map(kind).collect()
}

pub(super) async fn run(backoffice: &Backoffice, actor: &Actor, command: Events) -> anyhow::Result<()> {
    match command {
        Events::Add { name, url, kind } => {
            let change = Change { name, url, kinds: kinds(&kind)? };
            let (id, secret) = events::add(backoffice, actor, &change).await?;
            say(&format!("{id} {}", secret.expose_secret()));
            Ok(())
        }
        Events::Tail { kind, after, no_follow } => tail(backoffice, &kinds(&kind)?, after, no_follow).await,
    }
}

async fn tail(
    backoffice: &Backoffice,
    kinds: &[Kind],
    after: Option<String>,
    no_follow: bool,
) -> anyhow::Result<()> {
    let mut mark = match after.as_deref() {
        None => events::mark_of_now(backoffice).await?,
        Some("start") => Mark::START,
        Some(id) => {
            let parsed = events::parse_id(id).with_context(|| format!("--after {id}: no id of an event"))?;
            match events::mark_behind(backoffice, parsed).await? {
                Some(mark) => mark,
                None => bail!("--after {id}: there is no such event"),
            }
        }
    };
    let stop = CancellationToken::new();
    let signal = stop_on_signal(stop.clone());
    tokio::pin!(signal);
    loop {
        let (some, next) = events::since(backoffice, &mark, kinds, AT_ONCE).await?;
        for event in &some {
            let body: serde_json::Value = serde_json::from_str(&event.body())?;
            let line = json!({ "id": event.message_id(), "type": body["type"], "timestamp": body["timestamp"],
                               "data": body["data"] });
            // Whoever read it has gone.
            if writeln!(std::io::stdout(), "{line}").is_err() {
                return Ok(());
            }
        }
        mark = next;
        if !some.is_empty() {
            continue;
        }
        if no_follow {
            return Ok(());
        }
        tokio::select! {
            () = &mut signal => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
