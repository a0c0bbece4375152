//! The settings of the log-in of the house next door.

use app::context::Mode;
use backoffice::staff::Role;
use reqwest::Url;
use secrecy::SecretString;

use super::source::{SettingError, Source, wrong};

/// | Name | Default | |
/// |---|---|---|
/// | `JANGBU_OIDC_ISSUER` | – | as the provider writes it; without it there is no such log-in |
/// | `JANGBU_OIDC_CLIENT_ID` | – | |
/// | `JANGBU_OIDC_CLIENT_SECRET` | – | none for a public client |
/// | `JANGBU_OIDC_ROLES` | – | `group=role`, by comma; the strongest of a person's groups counts |
/// | `JANGBU_OIDC_GROUPS_CLAIM` | `groups` | `realm_access.roles` is one within another |
/// | `JANGBU_OIDC_SCOPES` | `profile email` | besides `openid` |
/// | `JANGBU_OIDC_NAME` | the issuer's host | what the button says |
/// | `JANGBU_OIDC_ONLY` | `false` | `true`: nobody comes in with a password |
/// | `JANGBU_OIDC_FACTOR_AMR` | `mfa,otp,hwk,fido` | what in `amr` or `acr` proves a second factor; `none` |
#[derive(Debug, Clone)]
pub struct Oidc {
    /// To the letter: a slash at its end counts.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<SecretString>,
    pub roles: Vec<(String, Role)>,
    pub groups_claim: String,
    pub scopes: Vec<String>,
    pub name: String,
    /// Nobody comes in with a password.
    pub only: bool,
    pub factor_amr: Vec<String>,
}

const ISSUER: &str = "JANGBU_OIDC_ISSUER";
const ROLES: &str = "JANGBU_OIDC_ROLES";

/// What means nothing without an issuer.
const OTHERS: [&str; 8] = [
    "JANGBU_OIDC_CLIENT_ID",
    "JANGBU_OIDC_CLIENT_SECRET",
    ROLES,
    "JANGBU_OIDC_GROUPS_CLAIM",
    "JANGBU_OIDC_SCOPES",
    "JANGBU_OIDC_NAME",
    "JANGBU_OIDC_ONLY",
    "JANGBU_OIDC_FACTOR_AMR",
];

/// Which group is which role.
fn roles(text: &str) -> Result<Vec<(String, Role)>, SettingError> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let roles = pairs.map(|pair| {
        let (group, role) =
            pair.rsplit_once('=').map_or((pair, ""), |(group, role)| (group.trim(), role.trim()));
        match Role::parse(role) {
            Some(role) if !group.is_empty() => Ok((group.to_owned(), role)),
            _ => wrong(
                ROLES,
                format!(
                    "{pair:?} is not like support-team=support; roles are viewer, support, finance, admin"
                ),
            ),
        }
    });
    roles.collect()
}

/// An issuer is compared letter by letter, so that it is kept as it was written.
fn issuer(text: &str, mode: Mode) -> Result<Url, SettingError> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return wrong(ISSUER, format!("not an address ({error}): https://accounts.example")),
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    match url.scheme() {
        "https" | "http" if !plain || url.query().is_some() => {
            wrong(ISSUER, "scheme, host, port and path only: https://accounts.example/realms/shop")
        }
        "https" => Ok(url),
        "http" if mode != Mode::Live => Ok(url),
        "http" => wrong(ISSUER, "JANGBU_MODE is live: it must begin with https://"),
        _ => wrong(ISSUER, "it begins with https://"),
    }
}

impl Oidc {
    pub(super) fn read(source: &Source, mode: Mode) -> Result<Option<Self>, SettingError> {
        let Some(written) = source.get(ISSUER) else {
            return match OTHERS.into_iter().find(|name| source.get(name).is_some()) {
                Some(name) => wrong(ISSUER, format!("missing, although {name} is set")),
                None => Ok(None),
            };
        };
        let url = issuer(written, mode)?;
        let Some(client_id) = source.get("JANGBU_OIDC_CLIENT_ID") else {
            return wrong("JANGBU_OIDC_CLIENT_ID", format!("missing, although {ISSUER} is set"));
        };
        let roles = roles(source.get(ROLES).unwrap_or_default())?;
        if roles.is_empty() {
            return wrong(ROLES, "missing: without a group that has a role nobody comes in");
        }
        let only = match source.get("JANGBU_OIDC_ONLY") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return wrong("JANGBU_OIDC_ONLY", "true or false"),
        };
        if only && !roles.iter().any(|(_, role)| *role == Role::Admin) {
            return wrong(
                ROLES,
                "JANGBU_OIDC_ONLY is true, but no group is admin: nobody could manage staff",
            );
        }
        let words = |name: &str, default: &str, between: &[char]| -> Vec<String> {
            let words = source.get(name).unwrap_or(default).split(between).map(str::trim);
            words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let name = source.get("JANGBU_OIDC_NAME").or(url.host_str()).unwrap_or_default().to_owned();
        if name.chars().count() > 40 {
            return wrong("JANGBU_OIDC_NAME", "at most 40 characters: it stands on a button");
        }
        let mut factor_amr = words("JANGBU_OIDC_FACTOR_AMR", "mfa,otp,hwk,fido", &[',']);
        if factor_amr == ["none"] {
            factor_amr.clear();
        }
        Ok(Some(Self {
            issuer: written.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: source.get("JANGBU_OIDC_CLIENT_SECRET").map(|secret| secret.to_owned().into()),
            roles,
            groups_claim: source.get("JANGBU_OIDC_GROUPS_CLAIM").unwrap_or("groups").to_owned(),
            scopes: words("JANGBU_OIDC_SCOPES", "profile email", &[' ', ',']),
            name,
            only,
            factor_amr,
        }))
    }

    /// The strongest role that somebody's groups give.
    pub fn role_of(&self, groups: &[String]) -> Option<Role> {
        let given = self.roles.iter().filter(|(group, _)| groups.contains(group)).map(|(_, role)| *role);
        given.max_by_key(|role| Role::ALL.iter().position(|known| known == role))
    }
}
