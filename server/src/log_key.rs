//! The key that signs the checkpoints of the audit log: from the settings, or from a file beside the private PostgreSQL. The
//! database never sees it.

use anyhow::Context;
use app::context::Mode;
use backoffice::audit::{note::Signer, seal::Sealing};

use crate::{key_file, settings::Settings};

pub(crate) const NAME: &str = "JANGBU_AUDIT_KEY";

/// A new key for these settings, whose name tells whose log it is.
pub(crate) fn generate(settings: &Settings) -> anyhow::Result<secrecy::SecretString> {
    let address =
        settings.public_url.split_once("://").map_or(settings.public_url.as_str(), |(_, rest)| rest);
    Ok(Signer::generate(&format!("{}{}/audit", address.trim_end_matches('/'), settings.base_path))?)
}

/// What the settings seal with.
pub(crate) fn sealing(settings: &Settings) -> anyhow::Result<Sealing> {
    let signer = match &settings.audit_key {
        Some(key) => key.clone(),
        // Any number of processes rehearse on one database, wherever they run.
        None if settings.mode == Mode::Sandbox && settings.database_url.is_some() => {
            Signer::rehearsal().context(NAME)?
        }
        None => {
            let path = settings.data_dir.join("audit.key");
            let text = match key_file::read(NAME, &path)? {
                Some(text) => text,
                None => key_file::make(NAME, &path, &generate(settings)?)?,
            };
            Signer::parse(&text).with_context(|| format!("{NAME}: {}", path.display()))?
        }
    };
    let (previous, places) = (settings.audit_keys_previous.clone(), settings.audit_checkpoints.clone());
    Ok(Sealing { signer, previous, places })
}
