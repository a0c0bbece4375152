//! Keys that stand in a file beside the private PostgreSQL, where the settings have none.

use std::{io::Write, os::unix::fs::OpenOptionsExt, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};

/// What stands in the file, if there is one. `name`: of the setting that it stands for.
pub(crate) fn read(name: &str, path: &Path) -> anyhow::Result<Option<SecretString>> {
    let what = || format!("{name}: {}", path.display());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(what),
    };
    let mode = std::fs::metadata(path).with_context(what)?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{}: others on this machine can read it: chmod 600", what());
    }
    Ok(Some(text.into()))
}

/// Writes a new one. Two processes that start at once end with one key.
pub(crate) fn make(name: &str, path: &Path, new: &SecretString) -> anyhow::Result<SecretString> {
    let what = || format!("{name}: {} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(what)?;
    }
    let beside = path.with_extension(format!("key.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&beside).with_context(what)?;
    file.write_all(new.expose_secret().as_bytes()).with_context(what)?;
    file.sync_all().with_context(what)?;
    match std::fs::hard_link(&beside, path) {
        Ok(()) => {
            tracing::info!(path = %path.display(), "a new key: keep a copy of it where no backup of the database is")
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(what),
    }
    std::fs::remove_file(&beside).with_context(what)?;
    read(name, path)?.with_context(what)
}
