//! Where settings come from, and how a value is read: each way of being wrong is one sentence that names the setting.

use std::collections::BTreeMap;

use backoffice::DataKey;
use ipnet::IpNet;
use reqwest::Url;

/// One sentence that names the setting.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {why}")]
pub struct SettingError {
    pub name: &'static str,
    pub why: String,
}

pub(super) fn wrong<T>(name: &'static str, why: impl Into<String>) -> Result<T, SettingError> {
    Err(SettingError { name, why: why.into() })
}

/// Where settings are read from.
#[derive(Debug, Default, Clone)]
pub struct Source(pub BTreeMap<String, String>);

impl Source {
    /// The file named by `JANGBU_CONFIG`, then the environment over it.
    pub fn from_machine() -> Result<Self, SettingError> {
        let mut values = BTreeMap::new();
        if let Ok(path) = std::env::var("JANGBU_CONFIG") {
            let text = std::fs::read_to_string(&path)
                .or_else(|e| wrong("JANGBU_CONFIG", format!("{path} cannot be read: {e}")))?;
            let table: toml::Table =
                text.parse().or_else(|e| wrong("JANGBU_CONFIG", format!("{path} is not TOML: {e}")))?;
            for (name, value) in table {
                let value = match value {
                    toml::Value::String(text) => text,
                    other => other.to_string(),
                };
                values.insert(name, value);
            }
        }
        let readable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        values.extend(std::env::vars_os().filter_map(readable));
        Ok(Self(values))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|v| v.trim()).filter(|v| !v.is_empty())
    }
}

/// Everything that stands between commas.
pub(super) fn list<T, E: std::fmt::Display>(
    source: &Source,
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, SettingError> {
    let texts =
        source.get(name).unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty());
    texts.map(|text| parse(text).or_else(|error| wrong(name, error.to_string()))).collect()
}

pub(super) fn nets(source: &Source, name: &'static str) -> Result<Vec<IpNet>, SettingError> {
    list(source, name, |text| {
        let net = text.parse::<IpNet>().ok();
        net.or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
            .ok_or_else(|| format!("{text:?} is neither an address nor a range like 10.0.0.0/8"))
    })
}

pub(super) fn data_keys(source: &Source, name: &'static str) -> Result<Vec<DataKey>, SettingError> {
    list(source, name, |key| DataKey::parse(&key.to_owned().into()))
}

/// Where something is reached: scheme, host, port and nothing that a path could not follow.
pub(super) fn address(source: &Source, name: &'static str, default: &str) -> Result<String, SettingError> {
    let text = source.get(name).unwrap_or(default).trim_end_matches('/');
    let like = "write it like https://shop.example:8443";
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return wrong(name, format!("not an address ({error}): {like}")),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return wrong(name, "it begins with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(name, "no user name or password belongs into it");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong(name, format!("scheme, host, port and path only: {like}"));
    }
    // As the parser writes it: the same host in two spellings must not pass for two.
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The file that a setting names.
pub(super) fn file(source: &Source, name: &'static str) -> Result<Option<String>, SettingError> {
    let Some(path) = source.get(name) else { return Ok(None) };
    let text =
        std::fs::read_to_string(path).or_else(|e| wrong(name, format!("{path} cannot be read: {e}")))?;
    Ok(Some(text))
}
