//! `jangbu migrate`: the tables' owner brings them up to date, and gives to others what they may.

use anyhow::{Context, bail};
use backoffice::database::{self, MigrateError};

use super::say;
use crate::{database::Database, settings::Ownership};

pub(super) async fn run(ownership: &Ownership) -> anyhow::Result<()> {
    let url = ownership.owner_url.as_deref().or(ownership.database_url.as_deref());
    let database = Database::of(url, &ownership.data_dir).await?;
    let outcome = migrate(ownership, &database.url).await;
    database.close().await;
    outcome
}

async fn migrate(ownership: &Ownership, url: &str) -> anyhow::Result<()> {
    let pool = crate::database::connect(url, 2).await?;
    if let database::Tables::Lent { role } = database::prepare(&pool).await.map_err(named)? {
        if ownership.owner_url.is_some() {
            bail!("JANGBU_DATABASE_OWNER_URL: {role} does not own the tables, and has given nobody anything");
        }
        say(&format!("the tables are up to date; {role} does not own them and has changed nothing"));
        return Ok(());
    }
    say("the tables are up to date");
    if let Some(application) = ownership.application()? {
        database::grant(&pool, &application, &ownership.readers)
            .await
            .context("JANGBU_DATABASE_OWNER_URL: what others may do could not be set")?;
        say(&format!("{application} may work with them, and owns nothing"));
        for reader in &ownership.readers {
            say(&format!("{reader} may read them, without what belongs to log-ins"));
        }
    }
    Ok(())
}

/// Here the owner is asked for, and this is not the one.
fn named(error: MigrateError) -> anyhow::Error {
    match &error {
        MigrateError::Behind { .. } | MigrateError::Closed { .. } => {
            anyhow::Error::new(error).context("JANGBU_DATABASE_OWNER_URL")
        }
        _ => error.into(),
    }
}
