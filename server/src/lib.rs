//! The process: settings, database, router, sessions, webhook receiver, workers, command line.
//!
//! [`Jangbu::start`] is shared by the binary, by hosts that mount the dashboard, and by the tests.

pub mod api;
mod authenticate;
mod body;
pub mod cli;
mod data_key;
pub mod database;
mod downloads;
mod files;
mod headers;
mod health;
mod hooks;
mod identify;
mod key_file;
mod log_key;
mod observe;
mod oidc;
mod postgres;
mod proof;
pub mod quota;
mod router;
mod sandbox_clock;
pub mod serve;
mod sessions;
pub mod settings;

use std::sync::Arc;

use anyhow::Context;
use app::context::{Base, Doors, Mode, Site};
use axum::Router;
use backoffice::{
    AppsInToss, Backoffice, Clock, IntakeLoad, PgPool, Turns,
    api_keys::RequestLog,
    database::Tables,
    events::{self, EndpointError, Kind, Outside, Subscription},
    staff::factors::Passkeys,
    toss_calls::CallLog,
    webhooks::Intake,
    worker,
};
use tokio_util::sync::CancellationToken;

pub use crate::identify::{Identified, Identify};
use crate::{quota::Quotas, settings::Settings};

/// The dashboard, ready to be served or mounted.
#[derive(Debug, Clone)]
pub struct Jangbu {
    pub settings: Arc<Settings>,
    pub backoffice: Backoffice,
    /// Whose the tables are.
    pub tables: Tables,
    /// The workers' own connections.
    worker_pool: PgPool,
    intake: Intake,
    calls: CallLog,
    requests: RequestLog,
    oidc: Option<Arc<oidc::Provider>>,
    identify: Option<Arc<dyn Identify>>,
    pub quotas: Arc<Quotas>,
    known: Arc<health::Known>,
}

/// ring for everything; a second call finds it installed.
pub fn install_crypto() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// The client of the mini-app. Only in live mode does it ask for payments that move money.
fn mini_app(settings: &settings::AppsInToss, mode: Mode, calls: &CallLog) -> anyhow::Result<AppsInToss> {
    let (url, pay_url) = (settings.url.clone(), settings.pay_url.clone());
    let is_test = mode != Mode::Live;
    let config = toss::apps_in_toss::Config {
        ca_pem: settings.ca_pem.clone(),
        is_test,
        ..toss::apps_in_toss::Config::new(url, pay_url, settings.identities.clone())
    };
    tracing::info!(is_test_payment = is_test, url = settings.url, "Apps in Toss");
    let client = toss::apps_in_toss::Client::new(config).context("APPS_IN_TOSS_URL")?;
    let client = client.observed_by(Arc::new(calls.clone()));
    Ok(AppsInToss { client, profile_key: settings.profile_key.clone() })
}

fn toss_payments(settings: &Settings, calls: &CallLog) -> anyhow::Result<toss::payments::Client> {
    let config = toss::payments::Config::new(
        settings.toss_payments_url.clone(),
        settings.toss_payments_secret_key.clone(),
    );
    let client = toss::payments::Client::new(config).context("TOSS_PAYMENTS_SECRET_KEY")?;
    let client = client.observed_by(Arc::new(calls.clone()));
    Ok(match &settings.toss_test_code {
        Some(code) => {
            tracing::warn!(
                code,
                "JANGBU_TOSS_TEST_CODE: Toss Payments is asked to answer every call with it"
            );
            client.with_test_code(code)
        }
        None => client,
    })
}

impl Jangbu {
    /// Connects, brings the tables up to date, and makes the Toss client. Serves nothing yet.
    pub async fn start(settings: Settings, database_url: &str) -> anyhow::Result<Self> {
        install_crypto();
        let pool = database::connect(database_url, settings.database_connections).await?;
        let tables = backoffice::database::prepare(&pool).await?;
        match &tables {
            Tables::Lent { role } => {
                tracing::info!(
                    role,
                    "the tables are up to date; this process does not own them and migrates nothing"
                );
            }
            Tables::Own if settings.mode == Mode::Live && settings.database_url.is_some() => {
                tracing::warn!(
                    "this process owns its tables: give it a role that does not (docs/database.md)"
                );
            }
            Tables::Own => {}
        }
        let keys = data_key::ring(&settings, &pool).await?;
        let sealing = log_key::sealing(&settings, &pool).await?;
        backoffice::keys::seal_clear(&pool, &keys).await?;
        let worker_pool = database::connect(database_url, 12).await?;
        let clock = Clock::default();
        clock.set_offset(settings.clock_offset);
        let calls = CallLog::open(pool.clone(), clock.clone());
        let requests = RequestLog::open(pool.clone());
        let toss = toss_payments(&settings, &calls)?;
        let apps_in_toss =
            settings.apps_in_toss.as_ref().map(|apps| mini_app(apps, settings.mode, &calls)).transpose()?;
        let security_key = settings.toss_payments_security_key.clone();
        let backoffice = Backoffice {
            pool,
            toss,
            apps_in_toss,
            clock,
            keys,
            sealing,
            security_places: settings.security_events.clone(),
            settles: settings.mode != Mode::Test,
            security_key,
            refund_lease: backoffice::REFUND_LEASE,
            approver_age: settings.approver_age,
            second_factor: settings.second_factor,
            mail: settings.mail.clone(),
            passkeys: Passkeys::at(&settings.public_url),
            outside: Outside::new(&settings.event_networks)
                .context("the way to the merchant's own systems")?,
            retention: settings.retention.clone(),
            counts: backoffice::home::Counts::default(),
            intake_load: IntakeLoad::default(),
            turns: Turns::default(),
        };
        let intake = Intake::open(&backoffice, database_url).await?;
        let oidc = settings.oidc.as_ref().map(|oidc| oidc::Provider::new(&settings, oidc)).transpose()?;
        Ok(Self {
            settings: Arc::new(settings),
            backoffice,
            tables,
            worker_pool,
            intake,
            calls,
            requests,
            oidc: oidc.map(Arc::new),
            identify: None,
            quotas: Arc::default(),
            known: Arc::default(),
        })
    }

    /// The host says who everybody is. Our own ways in are closed then, that of a provider as well.
    pub fn with_identify(self, host: Arc<dyn Identify>) -> Self {
        Self { identify: Some(host), oidc: None, ..self }
    }

    /// Everything under the base path: `host.merge(jangbu.router())` mounts it.
    pub fn router(&self) -> Router {
        router::router(self)
    }

    /// `/metrics` and `/health` for a listener that only whoever watches the process can reach.
    pub fn health_router(&self) -> Router {
        health::own_router(self)
    }

    /// What happens, for the host itself: the same events that endpoints are told, by name, from the first call on. What is not
    /// [`done`](backoffice::events::Received::done) comes again, also after a restart.
    pub async fn events(&self, name: &str, kinds: &[Kind]) -> Result<Subscription, EndpointError> {
        events::subscribe(&self.backoffice, name, kinds).await
    }

    /// Works until told to stop.
    pub async fn work(&self, stop: CancellationToken) {
        worker::work(self.backoffice.clone(), self.worker_pool.clone(), stop).await;
        self.write_down_calls().await;
    }

    /// Comes back once every call that has ended is written down, to Toss and to us: what comes last, when a process ends.
    pub async fn write_down_calls(&self) {
        self.calls.flush().await;
        self.requests.flush().await;
    }

    /// The ways in.
    fn doors(&self) -> Doors {
        let oidc = self.oidc.as_ref().map(|provider| &provider.settings);
        Doors {
            oidc: oidc.map(|oidc| oidc.name.as_str().into()),
            only_elsewhere: self.identify.is_some() || oidc.is_some_and(|oidc| oidc.only),
            host: self.identify.as_ref().map(|host| host.log_out_url().into()),
        }
    }

    fn site(&self) -> Site {
        Site {
            backoffice: self.backoffice.clone(),
            base: Base(self.settings.base_path.as_str().into()),
            mode: self.settings.mode,
            public_url: self.settings.public_url.clone(),
            allowed_ips: self.settings.webhook_allowed_ips.as_slice().into(),
            doors: self.doors(),
        }
    }
}
