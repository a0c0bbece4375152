//! How to reach Apps in Toss.

use app::context::Mode;
use secrecy::SecretString;
use toss::apps_in_toss::{self, Identity, IdentityError, ProfileKey};

use super::source::{SettingError, Source, address, file, wrong};

/// The mini-app of the merchant.
#[derive(Debug, Clone)]
pub struct AppsInToss {
    pub url: String,
    pub pay_url: String,
    /// The one in use, and the one that follows.
    pub identities: Vec<Identity>,
    pub ca_pem: Option<String>,
    pub profile_key: Option<ProfileKey>,
    /// What the `Authorization` header of unlink callbacks has to be.
    pub unlink_auth: Option<SecretString>,
}
/// A client certificate with its key.
fn identity(
    source: &Source,
    cert_name: &'static str,
    key_name: &'static str,
) -> Result<Option<Identity>, SettingError> {
    match (file(source, cert_name)?, file(source, key_name)?) {
        (None, None) => Ok(None),
        (Some(_), None) => wrong(key_name, format!("missing: the private key that belongs to {cert_name}")),
        (None, Some(_)) => wrong(cert_name, format!("missing: the certificate that belongs to {key_name}")),
        (Some(cert), Some(key)) => match Identity::from_pem(&cert, &key) {
            Ok(identity) => Ok(Some(identity)),
            Err(error @ (IdentityError::NoKey | IdentityError::BadKey(_))) => {
                wrong(key_name, error.to_string())
            }
            Err(error) => wrong(cert_name, error.to_string()),
        },
    }
}
impl AppsInToss {
    pub(super) fn read(source: &Source, mode: Mode) -> Result<Option<Self>, SettingError> {
        let of_toss = |name: &'static str, official: &'static str| -> Result<String, SettingError> {
            let url = address(source, name, official)?;
            if !url.starts_with("https://") {
                return wrong(name, "it begins with https://: Apps in Toss asks for a client certificate");
            }
            match (mode, url == official) {
                (Mode::Live, false) => {
                    wrong(name, format!("JANGBU_MODE is live, but this is not {official}"))
                }
                (Mode::Sandbox, true) => {
                    wrong(name, "JANGBU_MODE is sandbox, but this is Toss's own address")
                }
                _ => Ok(url),
            }
        };
        let first = identity(source, "APPS_IN_TOSS_CERT", "APPS_IN_TOSS_KEY")?;
        let next = identity(source, "APPS_IN_TOSS_CERT_NEXT", "APPS_IN_TOSS_KEY_NEXT")?;
        let Some(first) = first else {
            for name in
                ["APPS_IN_TOSS_URL", "APPS_IN_TOSS_PAY_URL", "APPS_IN_TOSS_CA", "APPS_IN_TOSS_CERT_NEXT"]
            {
                if source.get(name).is_some() {
                    return wrong("APPS_IN_TOSS_CERT", format!("missing, although {name} is set"));
                }
            }
            return Ok(None);
        };
        let ca_pem = file(source, "APPS_IN_TOSS_CA")?;
        if mode == Mode::Live && ca_pem.is_some() {
            return wrong(
                "APPS_IN_TOSS_CA",
                "JANGBU_MODE is live: Toss's own hosts are trusted by this machine already",
            );
        }
        let aad = source.get("APPS_IN_TOSS_DECRYPT_AAD");
        let profile_key = match (source.get("APPS_IN_TOSS_DECRYPT_KEY"), aad) {
            (None, None) => None,
            (None, Some(_)) => return wrong("APPS_IN_TOSS_DECRYPT_KEY", "missing, although the AAD is set"),
            (Some(_), None) => {
                return wrong(
                    "APPS_IN_TOSS_DECRYPT_AAD",
                    "missing: it comes by e-mail together with the key",
                );
            }
            (Some(key), Some(aad)) => match ProfileKey::new(key, aad) {
                Ok(key) => Some(key),
                Err(error) => return wrong("APPS_IN_TOSS_DECRYPT_KEY", error.to_string()),
            },
        };
        let unlink_auth = match source.get("APPS_IN_TOSS_UNLINK_AUTH") {
            None => None,
            Some(pair) if pair.contains(':') => Some(pair.to_owned().into()),
            Some(_) => return wrong("APPS_IN_TOSS_UNLINK_AUTH", "write it like name:password"),
        };
        Ok(Some(Self {
            url: of_toss("APPS_IN_TOSS_URL", apps_in_toss::OFFICIAL_URL)?,
            pay_url: of_toss("APPS_IN_TOSS_PAY_URL", apps_in_toss::OFFICIAL_PAY_URL)?,
            identities: std::iter::once(first).chain(next).collect(),
            ca_pem,
            profile_key,
            unlink_auth,
        }))
    }
}
