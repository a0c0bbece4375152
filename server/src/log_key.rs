//! The key that signs the checkpoints of the audit log: from the settings, or from a file beside the private PostgreSQL. The
//! database never sees it.

use anyhow::{Context, bail};
use app::context::Mode;
use backoffice::{
    PgPool,
    audit::{
        note::Signer,
        seal::{self, Sealing},
    },
};

use crate::{key_file, settings::Settings};

const NAME: &str = "JANGBU_AUDIT_KEY";

/// Whose log it is, by its address.
pub(crate) fn name(public_url: &str, base_path: &str) -> String {
    let address = public_url.split_once("://").map_or(public_url, |(_, rest)| rest);
    format!("{}{}/audit", address.trim_end_matches('/'), base_path.trim_end_matches('/'))
}

/// What the settings seal with, for this database.
pub(crate) async fn sealing(settings: &Settings, pool: &PgPool) -> anyhow::Result<Sealing> {
    let signer = match &settings.audit_key {
        Some(key) => key.clone(),
        // Any number of processes rehearse on one database, wherever they run.
        None if settings.mode == Mode::Sandbox && settings.database_url.is_some() => {
            Signer::rehearsal().context(NAME)?
        }
        None => {
            let path = settings.data_dir.join("audit.key");
            let text = match (key_file::read(NAME, &path)?, seal::signed_with(pool).await?) {
                (Some(text), _) => text,
                (None, None) => {
                    let name = name(&settings.public_url, &settings.base_path);
                    key_file::make(NAME, &path, &Signer::generate(&name)?)?
                }
                (None, Some(id)) => bail!(
                    "{NAME}: missing: the audit log is signed with the key {id}, and there is no {}",
                    path.display()
                ),
            };
            Signer::parse(&text).with_context(|| format!("{NAME}: {}", path.display()))?
        }
    };
    let (previous, places) = (settings.audit_keys_previous.clone(), settings.audit_checkpoints.clone());
    Ok(Sealing { signer, previous, places })
}
