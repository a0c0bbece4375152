//! The key that seals: from the settings, or from a file beside the private PostgreSQL.

use anyhow::{Context, bail};
use app::context::Mode;
use backoffice::{DataKey, Keyring, PgPool, keys};

use crate::{key_file, settings::Settings};

const NAME: &str = "JANGBU_DATA_KEY";

/// The ring of the settings for this database. A key that is wrong or missing stops the start before anything is written.
pub async fn ring(settings: &Settings, pool: &PgPool) -> anyhow::Result<Keyring> {
    let current = match &settings.data_key {
        Some(key) => key.clone(),
        // Any number of processes rehearse on one database, wherever they run.
        None if settings.mode == Mode::Sandbox && settings.database_url.is_some() => {
            tracing::info!("no JANGBU_DATA_KEY: the sandbox seals with a key that everybody knows");
            DataKey::rehearsal().context(NAME)?
        }
        None => {
            let known = keys::sealed_with(pool).await?;
            let path = settings.data_dir.join("data.key");
            let parse = |text| DataKey::parse(&text).with_context(|| format!("{NAME}: {}", path.display()));
            match (key_file::read(NAME, &path)?, known) {
                (Some(text), _) => parse(text)?,
                (None, None) => parse(key_file::make(NAME, &path, &DataKey::generate()?)?)?,
                (None, Some(id)) => {
                    bail!(
                        "{NAME}: missing: the database is sealed with the key {id}, and there is no {}",
                        path.display()
                    )
                }
            }
        }
    };
    keys::ring(pool, current, settings.data_keys_previous.clone()).await.context(NAME)
}
