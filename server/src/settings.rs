//! Every setting, in one struct. The environment wins over the TOML file that `JANGBU_CONFIG` names; both use the same
//! names. What is missing or contradictory stops the start with one sentence.

mod apps_in_toss;
mod oidc;
mod ownership;
mod source;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, path::PathBuf};

use app::context::Mode;
use backoffice::{
    DataKey, NoKey,
    audit::{
        note::{NoLogKey, Signer, Verifier},
        outside::Place,
    },
    mail::{Mailer, NoMailer},
    retention::{Class, Periods},
    staff::factors::SecondFactor,
};
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use toss::payments::OFFICIAL_URL;

use self::source::{address, data_keys, list, nets, wrong};
pub use self::{
    apps_in_toss::AppsInToss,
    oidc::Oidc,
    ownership::Ownership,
    source::{SettingError, Source},
};

/// | Name | Default | |
/// |---|---|---|
/// | `DATABASE_URL` | – | without it a private PostgreSQL is started in `JANGBU_DATA_DIR`. In live mode another machine is spoken to with TLS only: `?sslmode=verify-full` |
/// | `JANGBU_DATABASE_OWNER_URL`, `JANGBU_DATABASE_READERS` | – | roles of their own in the database, for `jangbu migrate`: [`Ownership`] |
/// | `JANGBU_ADDR` | `127.0.0.1:4000` | where to listen |
/// | `JANGBU_PUBLIC_URL` | `http://<addr>` | how browsers and Toss reach us, without the base path |
/// | `JANGBU_BASE_PATH` | – | for example `/back/office` |
/// | `JANGBU_DATA_DIR` | `./data` | the private PostgreSQL |
/// | `JANGBU_DATA_KEY` | a file | seals account numbers: `openssl rand -base64 32`; required in live mode with a `DATABASE_URL`. A sandbox with a `DATABASE_URL` does without. Otherwise `data.key` in `JANGBU_DATA_DIR`, made for a database that has none |
/// | `JANGBU_DATA_KEY_PREVIOUS` | – | keys before it, by comma |
/// | `JANGBU_AUDIT_KEY` | a file | signs the checkpoints of the audit log: `jangbu audit new-key`; required in live mode with a `DATABASE_URL`. A sandbox with a `DATABASE_URL` does without. Otherwise `audit.key` in `JANGBU_DATA_DIR`, made where there is none |
/// | `JANGBU_AUDIT_KEYS_PREVIOUS` | – | public keys that signed before it, by comma |
/// | `JANGBU_AUDIT_CHECKPOINTS` | – | where checkpoints go, by comma: `file:/path`, `https://address`, `syslog://host:port` |
/// | `JANGBU_SECURITY_EVENTS` | – | where security events go as lines of JSON, by comma: the same kinds of places |
/// | `JANGBU_SITE_DIR` | beside the binary | the built browser files |
/// | `JANGBU_MODE` | – | `sandbox`, `test` or `live` |
/// | `TOSS_PAYMENTS_URL` | Toss's own | |
/// | `TOSS_PAYMENTS_SECRET_KEY` | – | |
/// | `TOSS_PAYMENTS_SECURITY_KEY` | – | 64 hexadecimal characters; verifies payout and seller events |
/// | `APPS_IN_TOSS_CERT`, `APPS_IN_TOSS_KEY` | – | PEM files of the client certificate and its key; without them there is no mini-app |
/// | `APPS_IN_TOSS_CERT_NEXT`, `APPS_IN_TOSS_KEY_NEXT` | – | the pair that follows when the first has ended |
/// | `APPS_IN_TOSS_URL`, `APPS_IN_TOSS_PAY_URL` | Toss's own | |
/// | `APPS_IN_TOSS_CA` | the machine's | PEM file of the only authority to trust: a sandbox's `ca.pem` |
/// | `APPS_IN_TOSS_DECRYPT_KEY`, `APPS_IN_TOSS_DECRYPT_AAD` | – | open login profiles; both come by e-mail |
/// | `APPS_IN_TOSS_UNLINK_AUTH` | – | `name:password` that Toss sends with unlink callbacks |
/// | `JANGBU_MERCHANT_API_KEY` | – | without it `/api` answers 401 to everybody |
/// | `JANGBU_WEBHOOK_ALLOWED_IPS` | everybody | addresses or ranges, by comma |
/// | `JANGBU_RETENTION` | – | how long what is kept is kept, by comma, like `contracts=5y,disputes=3y,access_records=2y`; the settings page shows the table, [`Class`] the bounds |
/// | `JANGBU_WEBHOOK_RETENTION_YEARS` | 5 | the same as `webhooks=5y` of `JANGBU_RETENTION`: 1, 2 or 5 |
/// | `JANGBU_APPROVER_AGE_HOURS` | 24; 0 in sandbox mode | how old an account, its role and its password have to be before it approves anything |
/// | `JANGBU_MAIL_URL`, `JANGBU_MAIL_FROM` | – | `smtps://user:password@host:465`, or `smtp://host:587?tls=required`: invitations and warnings to staff go by mail |
/// | `JANGBU_SESSION_IDLE_MINUTES` | 15 | 5 to 60: how long a session lives that nobody uses |
/// | `JANGBU_SECOND_FACTOR` | `roles`; `off` in sandbox mode | who has to have a second factor: `off` (a sandbox only), `roles` (whoever may refund, approve, export, reveal or administrate) or `everybody` |
/// | `JANGBU_TRUSTED_PROXIES` | nobody | whose `X-Forwarded-For` is believed: addresses or ranges, by comma. In live mode it has to be said, and `none` says that there is no proxy |
/// | `JANGBU_METRICS_ADDR` | – | a listener of its own for `/metrics` and `/health` |
/// | `JANGBU_METRICS_TOKEN` | – | opens `/metrics` at `JANGBU_ADDR` to `Authorization: Bearer`. Without either, `/metrics` is 404 in live mode and open in the others |
/// | `JANGBU_DATABASE_CONNECTIONS` | 16 | |
/// | `JANGBU_LOG` | `text` | `json`: one object a line; the environment only, and the binary only. `RUST_LOG` says what is written |
/// | `JANGBU_OIDC_…` | – | the log-in of the house next door: [`Oidc`] |
/// | `JANGBU_TOSS_TEST_CODE` | – | not in live mode: an error code, like `REJECT_CARD_COMPANY`, that Toss Payments answers every call with (`TossPayments-Test-Code`), for rehearsals |
/// | `JANGBU_CLOCK_OFFSET_MS` | 0 | sandbox mode only: how far the clock is turned, for rehearsals on another day |
#[derive(Debug, Clone)]
pub struct Settings {
    pub database_url: Option<String>,
    pub database_connections: u32,
    pub addr: SocketAddr,
    pub public_url: String,
    /// Empty, or with a slash in front and none behind.
    pub base_path: String,
    pub data_dir: PathBuf,
    /// What a dump must not tell is sealed with it.
    pub data_key: Option<DataKey>,
    pub data_keys_previous: Vec<DataKey>,
    /// Signs the checkpoints of the audit log.
    pub audit_key: Option<Signer>,
    pub audit_keys_previous: Vec<Verifier>,
    /// Where checkpoints go.
    pub audit_checkpoints: Vec<Place>,
    /// Where security events go, for whoever watches many houses.
    pub security_events: Vec<Place>,
    /// Networks of the merchant's own that events may be sent to, also without TLS.
    pub event_networks: Vec<IpNet>,
    pub site_dir: PathBuf,
    pub mode: Mode,
    pub toss_payments_url: String,
    pub toss_payments_secret_key: SecretString,
    pub toss_payments_security_key: Option<SecretString>,
    /// The error that Toss Payments is asked to answer with; never in live mode.
    pub toss_test_code: Option<String>,
    /// The mini-app, where there is one.
    pub apps_in_toss: Option<AppsInToss>,
    pub merchant_api_key: Option<SecretString>,
    /// The log-in of the house next door, where there is one.
    pub oidc: Option<Oidc>,
    pub webhook_allowed_ips: Vec<IpNet>,
    /// How long what is kept is kept.
    pub retention: Periods,
    pub trusted_proxies: Vec<IpNet>,
    /// Where whoever watches the process is listened for, apart from everybody else.
    pub metrics_addr: Option<SocketAddr>,
    pub metrics_token: Option<SecretString>,
    /// How old an account has to be before it approves anything.
    pub approver_age: time::Duration,
    /// Where letters to staff leave.
    pub mail: Option<Mailer>,
    /// Who has to have a second factor.
    pub second_factor: SecondFactor,
    /// How long a session lives that nobody uses.
    pub session_idle: time::Duration,
    /// How far the clock is turned; only in a sandbox.
    pub clock_offset: time::Duration,
}

fn retention(source: &Source) -> Result<Periods, SettingError> {
    const BOTH: &str = "JANGBU_RETENTION";
    let mut periods = Periods::default();
    for text in list(source, BOTH, |text| Ok::<_, String>(text.to_owned()))? {
        periods.set(&text).or_else(|error| wrong(BOTH, error.to_string()))?;
    }
    const YEARS: &str = "JANGBU_WEBHOOK_RETENTION_YEARS";
    if let Some(years) = source.get(YEARS) {
        if periods.is_set(Class::Webhooks) {
            return wrong(YEARS, format!("{BOTH} says webhooks=… already"));
        }
        periods.set(&format!("webhooks={years}y")).or_else(|_| wrong(YEARS, "1, 2 or 5"))?;
    }
    Ok(periods)
}

/// Toss honours it with test keys (toss-api.md A1.8).
fn toss_test_code(source: &Source, mode: Mode) -> Result<Option<String>, SettingError> {
    const NAME: &str = "JANGBU_TOSS_TEST_CODE";
    let Some(code) = source.get(NAME) else { return Ok(None) };
    if mode == Mode::Live {
        return wrong(
            NAME,
            "JANGBU_MODE is live, and errors are rehearsed in a sandbox or with a test key only",
        );
    }
    if toss::redact::code(code) != code {
        return wrong(NAME, "an error code of Toss Payments, like REJECT_CARD_COMPANY");
    }
    Ok(Some(code.to_owned()))
}

fn mail(source: &Source, mode: Mode) -> Result<Option<Mailer>, SettingError> {
    let (url, from) = (source.get("JANGBU_MAIL_URL"), source.get("JANGBU_MAIL_FROM"));
    let (url, from) = match (url, from) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return wrong("JANGBU_MAIL_URL", format!("missing: {}", NoMailer::Url)),
        (Some(_), None) => return wrong("JANGBU_MAIL_FROM", format!("missing: {}", NoMailer::From)),
        (Some(url), Some(from)) => (url, from),
    };
    if mode == Mode::Live && !url.starts_with("smtps://") && !url.contains("tls=required") {
        return wrong("JANGBU_MAIL_URL", "JANGBU_MODE is live: smtps://, or tls=required behind it");
    }
    Mailer::new(&url.to_owned().into(), from).map(Some).or_else(|error| match error {
        NoMailer::Url => wrong("JANGBU_MAIL_URL", error.to_string()),
        NoMailer::From => wrong("JANGBU_MAIL_FROM", error.to_string()),
    })
}

/// A rehearsal has its receivers on this machine.
fn event_networks(source: &Source, mode: Mode) -> Result<Vec<IpNet>, SettingError> {
    let name = "JANGBU_EVENT_NETWORKS";
    if mode == Mode::Sandbox && source.get(name).is_none() {
        return Ok(["127.0.0.0/8", "::1/128"].iter().filter_map(|net| net.parse().ok()).collect());
    }
    nets(source, name)
}

impl Settings {
    pub fn read(source: &Source) -> Result<Self, SettingError> {
        let addr: SocketAddr = match source.get("JANGBU_ADDR").unwrap_or("127.0.0.1:4000").parse() {
            Ok(addr) => addr,
            Err(_) => return wrong("JANGBU_ADDR", "not an address and port like 127.0.0.1:4000"),
        };
        let mode = mode(source)?;
        let base_path = source.get("JANGBU_BASE_PATH").unwrap_or_default().trim_end_matches('/').to_owned();
        let plain = base_path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.".contains(&b));
        if !base_path.is_empty() && (!base_path.starts_with('/') || base_path.contains("//") || !plain) {
            return wrong("JANGBU_BASE_PATH", "write it like /back/office");
        }
        let public_url = address(source, "JANGBU_PUBLIC_URL", &format!("http://{addr}"))?;
        let site_dir = source.get("JANGBU_SITE_DIR").map_or_else(default_site_dir, PathBuf::from);
        let settings = Self {
            database_url: guarded(source, "DATABASE_URL", mode)?,
            database_connections: match source.get("JANGBU_DATABASE_CONNECTIONS").unwrap_or("16").parse() {
                Ok(n @ 2..=500) => n,
                _ => return wrong("JANGBU_DATABASE_CONNECTIONS", "a number from 2 to 500"),
            },
            addr,
            public_url,
            base_path,
            data_dir: source.get("JANGBU_DATA_DIR").unwrap_or("data").into(),
            data_key: data_keys(source, "JANGBU_DATA_KEY")?.pop(),
            data_keys_previous: data_keys(source, "JANGBU_DATA_KEY_PREVIOUS")?,
            audit_key: list(source, "JANGBU_AUDIT_KEY", |key| Signer::parse(&key.to_owned().into()))?.pop(),
            audit_keys_previous: list(source, "JANGBU_AUDIT_KEYS_PREVIOUS", Verifier::parse)?,
            audit_checkpoints: list(source, "JANGBU_AUDIT_CHECKPOINTS", Place::parse)?,
            security_events: list(source, "JANGBU_SECURITY_EVENTS", Place::parse)?,
            event_networks: event_networks(source, mode)?,
            site_dir,
            mode,
            toss_payments_url: address(source, "TOSS_PAYMENTS_URL", OFFICIAL_URL)?,
            toss_payments_secret_key: match source.get("TOSS_PAYMENTS_SECRET_KEY") {
                Some(key) => key.to_owned().into(),
                None => {
                    return wrong(
                        "TOSS_PAYMENTS_SECRET_KEY",
                        "missing; it stands in Toss's developer centre",
                    );
                }
            },
            toss_payments_security_key: source
                .get("TOSS_PAYMENTS_SECURITY_KEY")
                .map(|key| key.to_owned().into()),
            toss_test_code: toss_test_code(source, mode)?,
            apps_in_toss: AppsInToss::read(source, mode)?,
            merchant_api_key: source.get("JANGBU_MERCHANT_API_KEY").map(|key| key.to_owned().into()),
            oidc: Oidc::read(source, mode)?,
            webhook_allowed_ips: nets(source, "JANGBU_WEBHOOK_ALLOWED_IPS")?,
            retention: retention(source)?,
            approver_age: match source.get("JANGBU_APPROVER_AGE_HOURS").map(str::parse) {
                None if mode == Mode::Sandbox => time::Duration::ZERO,
                None => time::Duration::DAY,
                Some(Ok(hours @ 0..=720)) => time::Duration::hours(hours),
                Some(_) => return wrong("JANGBU_APPROVER_AGE_HOURS", "a number of hours from 0 to 720"),
            },
            mail: mail(source, mode)?,
            second_factor: match source.get("JANGBU_SECOND_FACTOR").map(SecondFactor::parse) {
                None if mode == Mode::Sandbox => SecondFactor::Off,
                None => SecondFactor::Roles,
                Some(Some(SecondFactor::Off)) if mode != Mode::Sandbox => {
                    return wrong("JANGBU_SECOND_FACTOR", "off is for a sandbox only: roles or everybody");
                }
                Some(Some(who)) => who,
                Some(None) => return wrong("JANGBU_SECOND_FACTOR", "off, roles or everybody"),
            },
            session_idle: match source.get("JANGBU_SESSION_IDLE_MINUTES").unwrap_or("15").parse() {
                Ok(minutes @ 5..=60) => time::Duration::minutes(minutes),
                _ => return wrong("JANGBU_SESSION_IDLE_MINUTES", "a number of minutes from 5 to 60"),
            },
            trusted_proxies: match source.get("JANGBU_TRUSTED_PROXIES") {
                Some("none") => Vec::new(),
                _ => nets(source, "JANGBU_TRUSTED_PROXIES")?,
            },
            metrics_addr: match source.get("JANGBU_METRICS_ADDR").map(str::parse) {
                None => None,
                Some(Ok(own)) if own != addr => Some(own),
                Some(_) => {
                    return wrong(
                        "JANGBU_METRICS_ADDR",
                        "an address and port like 127.0.0.1:4001, and not those of JANGBU_ADDR",
                    );
                }
            },
            metrics_token: source.get("JANGBU_METRICS_TOKEN").map(|token| token.to_owned().into()),
            clock_offset: match source.get("JANGBU_CLOCK_OFFSET_MS").unwrap_or("0").parse() {
                // Ninety-five years.
                Ok(ms @ -3_000_000_000_000..=3_000_000_000_000) => time::Duration::milliseconds(ms),
                _ => return wrong("JANGBU_CLOCK_OFFSET_MS", "a number of milliseconds, at most 95 years"),
            },
        };
        settings.check()?;
        if mode == Mode::Live && source.get("JANGBU_TRUSTED_PROXIES").is_none() {
            return wrong(
                "JANGBU_TRUSTED_PROXIES",
                "missing: the addresses of the proxies in front, or none; limits and the audit log go by the visitor's address",
            );
        }
        Ok(settings)
    }

    /// Settings that are fine alone and dangerous together.
    fn check(&self) -> Result<(), SettingError> {
        let key = self.toss_payments_secret_key.expose_secret();
        let (live_key, official) = (key.starts_with("live_"), self.toss_payments_url == OFFICIAL_URL);
        match self.mode {
            Mode::Live if !live_key => {
                return wrong("TOSS_PAYMENTS_SECRET_KEY", "JANGBU_MODE is live, but this is not a live key");
            }
            Mode::Live if !official => {
                return wrong(
                    "TOSS_PAYMENTS_URL",
                    format!("JANGBU_MODE is live, but this is not {OFFICIAL_URL}"),
                );
            }
            Mode::Live if !self.is_https() => {
                return wrong("JANGBU_PUBLIC_URL", "JANGBU_MODE is live: it must begin with https://");
            }
            Mode::Sandbox | Mode::Test if live_key => {
                return wrong("TOSS_PAYMENTS_SECRET_KEY", "a live key, but JANGBU_MODE is not live");
            }
            Mode::Sandbox if official => {
                return wrong("TOSS_PAYMENTS_URL", "JANGBU_MODE is sandbox, but this is Toss's own address");
            }
            _ => {}
        }
        if self.data_key.is_none()
            && (self.mode == Mode::Live && self.database_url.is_some() || !self.data_keys_previous.is_empty())
        {
            return wrong("JANGBU_DATA_KEY", format!("missing: {NoKey}"));
        }
        if self.audit_key.is_none() && self.mode == Mode::Live && self.database_url.is_some() {
            return wrong("JANGBU_AUDIT_KEY", format!("missing: {NoLogKey}"));
        }
        if self.mode != Mode::Sandbox && !self.clock_offset.is_zero() {
            return wrong("JANGBU_CLOCK_OFFSET_MS", "only the clock of a sandbox can be turned");
        }
        for (name, key) in [
            ("JANGBU_MERCHANT_API_KEY", &self.merchant_api_key),
            ("JANGBU_METRICS_TOKEN", &self.metrics_token),
        ] {
            let length = key.as_ref().map_or(usize::MAX, |key| key.expose_secret().len());
            if self.mode != Mode::Sandbox && length < 32 {
                return wrong(name, "shorter than 32 characters: make it with `openssl rand -hex 32`");
            }
        }
        if let Some(key) = &self.toss_payments_security_key {
            let key = key.expose_secret();
            if key.len() != 64 || !key.bytes().all(|b| b.is_ascii_hexdigit()) {
                return wrong("TOSS_PAYMENTS_SECURITY_KEY", "64 hexadecimal characters are expected");
            }
        }
        Ok(())
    }

    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

fn mode(source: &Source) -> Result<Mode, SettingError> {
    match source.get("JANGBU_MODE") {
        Some("sandbox") => Ok(Mode::Sandbox),
        Some("test") => Ok(Mode::Test),
        Some("live") => Ok(Mode::Live),
        Some(other) => wrong("JANGBU_MODE", format!("{other:?} is none of sandbox, test, live")),
        None => wrong("JANGBU_MODE", "say sandbox, test or live: it decides whether real money moves"),
    }
}

/// The address of a database. In live mode another machine is spoken to with TLS only.
fn guarded(source: &Source, name: &'static str, mode: Mode) -> Result<Option<String>, SettingError> {
    let url = source.get(name).map(str::to_owned);
    if mode == Mode::Live && url.as_deref().is_some_and(|url| !is_guarded(url)) {
        return wrong(name, "JANGBU_MODE is live: sslmode=verify-full, or at least require, behind it");
    }
    Ok(url)
}

/// Whether what is said to the database stays on this machine, or is encrypted. What is no address is refused elsewhere.
fn is_guarded(url: &str) -> bool {
    let Ok(options) = url.parse::<PgConnectOptions>() else { return true };
    let host = options.get_host();
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let is_encrypted =
        matches!(options.get_ssl_mode(), PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    is_here || is_encrypted || options.get_socket().is_some()
}

/// `site` beside the binary when shipped, `target/site` while building.
fn default_site_dir() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(|p| p.join("site")));
    beside.filter(|path| path.is_dir()).unwrap_or_else(|| PathBuf::from("target/site"))
}
