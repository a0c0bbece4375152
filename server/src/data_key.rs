//! The key that seals: from the settings, or from a file beside the private PostgreSQL.

use std::{io::Write, os::unix::fs::OpenOptionsExt, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, bail};
use backoffice::{DataKey, Keyring, PgPool, keys};
use secrecy::ExposeSecret;

use app::context::Mode;

use crate::settings::Settings;

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
            match (read(&path)?, known) {
                (Some(key), _) => key,
                (None, None) => make(&path)?,
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

fn read(path: &Path) -> anyhow::Result<Option<DataKey>> {
    let what = || format!("{NAME}: {}", path.display());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(what),
    };
    let mode = std::fs::metadata(path).with_context(what)?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{}: others on this machine can read it: chmod 600", what());
    }
    Ok(Some(DataKey::parse(&text.into()).with_context(what)?))
}

/// Two processes that start at once end with one key.
fn make(path: &Path) -> anyhow::Result<DataKey> {
    let what = || format!("{NAME}: {} cannot be written", path.display());
    let text = DataKey::generate()?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(what)?;
    }
    let mut new = tempfile_beside(path).with_context(what)?;
    new.1.write_all(text.expose_secret().as_bytes()).with_context(what)?;
    new.1.sync_all().with_context(what)?;
    match std::fs::hard_link(&new.0, path) {
        Ok(()) => {
            tracing::info!(path = %path.display(), "a new data key: keep a copy of it where no backup of the database is")
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(what),
    }
    std::fs::remove_file(&new.0).with_context(what)?;
    read(path)?.with_context(what)
}

fn tempfile_beside(path: &Path) -> std::io::Result<(std::path::PathBuf, std::fs::File)> {
    let name = path.with_extension(format!("key.{}", std::process::id()));
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&name)?;
    Ok((name, file))
}
