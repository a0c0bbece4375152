//! Keys of the merchant's own servers on the command line.

use anyhow::Context;
use backoffice::{
    Actor, Backoffice, Decimal,
    api_keys::{self, Change, Limits, Scope},
    leaving,
};
use clap::Subcommand;
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::say;

#[derive(Subcommand)]
pub(super) enum ApiKeys {
    /// Makes a key and prints it, this once.
    Add {
        #[arg(long)]
        name: String,
        /// What it opens, for example orders:write. May be given several times.
        #[arg(long, required = true)]
        scope: Vec<String>,
        /// The most won that it refunds at once without a person.
        #[arg(long)]
        one_refund: Option<Decimal>,
        /// The most won that it refunds in a day without a person.
        #[arg(long)]
        per_day: Option<Decimal>,
        /// The most points that it grants in a day without a person.
        #[arg(long)]
        grants_per_day: Option<i64>,
        /// Calls that it may make in a minute.
        #[arg(long)]
        per_minute: Option<i32>,
        /// Days until it ends by itself.
        #[arg(long)]
        days: Option<u16>,
    },
    /// Prints all keys, without their secrets.
    List,
    /// Makes a new secret of a key and prints it, this once. The one before holds for a day.
    Rotate { id: Uuid },
    /// Takes a key back: it opens nothing from this moment on.
    Revoke { id: Uuid },
}

fn scopes(words: &[String]) -> anyhow::Result<Vec<Scope>> {
    let known = || Scope::ALL.map(Scope::as_str).join(", ");
    let scope =
        |word: &String| Scope::parse(word).with_context(|| format!("--scope {word}: one of {}", known()));
    words.iter().map(scope).collect()
}

pub(super) async fn run(backoffice: &Backoffice, actor: &Actor, command: ApiKeys) -> anyhow::Result<()> {
    match command {
        ApiKeys::Add { name, scope, one_refund, per_day, grants_per_day, per_minute, days } => {
            let limits = Limits { one_refund, per_day, grants_per_day };
            let change = Change { name, scopes: scopes(&scope)?, limits, per_minute, days };
            let (id, secret) = api_keys::add(backoffice, actor, &change).await?;
            say(&format!("{id} {}", secret.expose_secret()));
        }
        ApiKeys::List => {
            let now = backoffice.clock.now();
            for key in api_keys::list(backoffice).await? {
                let state = match () {
                    () if key.revoked_at.is_some() => "revoked",
                    () if key.is_expired(now) => "expired",
                    () => "active",
                };
                let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
                let used = key.last_used_at.map(toss::timestamp::format).unwrap_or_else(|| "never".into());
                say(&format!("{}\t{state}\t{}\t{}\tlast used {used}", key.id, key.name, scopes.join(",")));
            }
        }
        ApiKeys::Rotate { id } => {
            let secret = api_keys::rotate(backoffice, actor, id).await?;
            say(secret.expose_secret());
        }
        ApiKeys::Revoke { id } => {
            leaving::revoke_api_key(backoffice, actor, id).await?;
            say("revoked");
        }
    }
    Ok(())
}
