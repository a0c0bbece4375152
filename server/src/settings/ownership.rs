//! Whose the tables are: what `jangbu migrate` reads, and nothing else does.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use super::{SettingError, Source, guarded, mode, source::list, wrong};

/// | Name | Default | |
/// |---|---|---|
/// | `JANGBU_DATABASE_OWNER_URL` | `DATABASE_URL` | how the owner of the tables connects. Then `DATABASE_URL` is a role that owns nothing: it may work with them, and can neither alter them nor rewrite the audit log. Only `jangbu migrate` has to know it |
/// | `JANGBU_DATABASE_READERS` | – | roles that may read, by comma; with `JANGBU_DATABASE_OWNER_URL` |
#[derive(Debug, Clone)]
pub struct Ownership {
    pub database_url: Option<String>,
    pub owner_url: Option<String>,
    pub readers: Vec<String>,
    pub data_dir: PathBuf,
}

const OWNER: &str = "JANGBU_DATABASE_OWNER_URL";
const READERS: &str = "JANGBU_DATABASE_READERS";

impl Ownership {
    pub fn read(source: &Source) -> Result<Self, SettingError> {
        let mode = mode(source)?;
        let ownership = Self {
            database_url: guarded(source, "DATABASE_URL", mode)?,
            owner_url: guarded(source, OWNER, mode)?,
            readers: list(source, READERS, |name| Ok::<_, String>(name.to_owned()))?,
            data_dir: source.get("JANGBU_DATA_DIR").unwrap_or("data").into(),
        };
        if ownership.owner_url.is_none() && !ownership.readers.is_empty() {
            return wrong(READERS, format!("only with {OWNER}: without it DATABASE_URL owns the tables"));
        }
        if ownership.owner_url.is_some() && ownership.database_url.is_none() {
            return wrong(OWNER, "only with DATABASE_URL, which says who works with the tables");
        }
        ownership.application()?;
        Ok(ownership)
    }

    /// The role that `DATABASE_URL` comes as, where another one owns the tables.
    pub fn application(&self) -> Result<Option<String>, SettingError> {
        let (Some(owner), Some(application)) = (&self.owner_url, &self.database_url) else { return Ok(None) };
        let [owner, application] = [owner, application].map(|url| url.parse::<PgConnectOptions>());
        let (owner, application) = match (owner, application) {
            (Ok(owner), Ok(application)) => (owner, application),
            (Err(error), _) => return wrong(OWNER, error.to_string()),
            (_, Err(error)) => return wrong("DATABASE_URL", error.to_string()),
        };
        let role = application.get_username();
        if role == owner.get_username() {
            return wrong(OWNER, format!("DATABASE_URL comes as {role} too: it has to be another role"));
        }
        if self.readers.iter().any(|reader| reader == role || reader == owner.get_username()) {
            return wrong(READERS, "a reader is neither the owner nor the role of DATABASE_URL");
        }
        Ok(Some(role.to_owned()))
    }
}
