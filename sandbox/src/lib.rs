//! A Toss to practise against: the same calls, codes, webhooks and clocks, over real HTTP and real mutual TLS.
//!
//! It knows Toss's wire types and none of Jangbu's code, so that a mistake in our client cannot hide in it. It
//! takes test keys only.

mod api;
pub mod apps_in_toss;
pub mod books;
pub mod clock;
mod control;
pub mod faults;
pub mod gate;
mod ids;
mod journal;
mod pages;
pub mod serve;
pub mod shop;
pub mod signature;
pub mod webhooks;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::Router;
use tokio::{net::TcpListener, sync::Notify};

use crate::{
    apps_in_toss::{
        MiniApp,
        tls::{Authority, Pair},
    },
    books::Books,
    clock::Clock,
    faults::Faults,
    gate::Gate,
    journal::{Journal, Line},
    shop::ShopConfig,
    webhooks::Outbox,
};

/// The secret keys printed in Toss's public samples; good for nothing but this.
pub const PUBLIC_TEST_KEYS: [&str; 2] =
    ["test_sk_zXLkKEypNArWmo50nX3lmeaxYG5R", "test_gsk_docs_OaPz8L5KdmQXkzRz3y47BMw6"];

/// Signs payout and seller events in a sandbox.
pub const SANDBOX_SECURITY_KEY: &str = "5e0f6a3c9b1d4e7f8a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7081";

#[derive(Debug, Clone)]
pub struct Options {
    pub m_id: String,
    pub secret_keys: Vec<String>,
    pub security_key: String,
    /// Sign with the text of the security key instead of its 32 bytes (toss-api.md A10.8).
    pub sign_ascii: bool,
    pub webhook_urls: Vec<String>,
    /// Where the journal is kept; `None` forgets everything at the end.
    pub journal: Option<PathBuf>,
    /// A shop to buy in, if a merchant API is at hand.
    pub shop: Option<ShopConfig>,
    /// Where Toss tells that a user has ended the link with the mini-app.
    pub unlink: Option<Callback>,
}

/// An address of the partner's, as it is set in Toss's console.
#[derive(Debug, Clone)]
pub struct Callback {
    pub url: String,
    /// Name and password of Basic authentication.
    pub basic: Option<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            m_id: "tosspayments".into(),
            secret_keys: PUBLIC_TEST_KEYS.map(str::to_owned).into(),
            security_key: SANDBOX_SECURITY_KEY.into(),
            sign_ascii: false,
            webhook_urls: Vec::new(),
            journal: None,
            shop: None,
            unlink: None,
        }
    }
}

/// Everything there is in this small world.
#[derive(Debug)]
pub struct World {
    pub clock: Clock,
    pub options: Options,
    books: Mutex<Books>,
    mini_app: Mutex<MiniApp>,
    faults: Mutex<Faults>,
    gate: Mutex<Gate>,
    outbox: Mutex<Outbox>,
    journal: Journal,
    wake: Notify,
    http: reqwest::Client,
}

/// A panic in one request must not end the sandbox for all the others.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub fn new(options: Options) -> anyhow::Result<Arc<Self>> {
        // An error here means that one is installed already, which is what is wanted.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut books = Books::new(options.m_id.clone());
        let mut mini_app = MiniApp::default();
        let mut gate = Gate::default();
        let mut outbox = Outbox { urls: options.webhook_urls.clone(), ..Outbox::default() };
        let clock = Clock::default();
        let journal = match &options.journal {
            None => Journal::default(),
            Some(path) => Journal::open(path, |line| match line {
                Line::Change(change) => books.replay(change),
                Line::AppsInToss(change) => mini_app.replay(change),
                Line::Remembered(answer) => gate.remember(*answer),
                Line::Delivery(delivery) => drop(outbox.deliveries.insert(delivery.id.clone(), *delivery)),
                Line::ClockOffsetMs(ms) => clock.set_offset(time::Duration::milliseconds(ms)),
            })?,
        };
        Ok(Arc::new(Self {
            clock,
            options,
            books: Mutex::new(books),
            mini_app: Mutex::new(mini_app),
            faults: Mutex::default(),
            gate: Mutex::new(gate),
            outbox: Mutex::new(outbox),
            journal,
            wake: Notify::new(),
            // Toss counts exactly 200 as a success: a redirect is none.
            http: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?,
        }))
    }

    /// Runs one rule, then writes what it changed and sends what it announced.
    pub fn with_books<T>(&self, rule: impl FnOnce(&mut Books) -> T) -> T {
        let (result, events) = {
            let mut books = hold(&self.books);
            let result = rule(&mut books);
            for change in std::mem::take(&mut books.changes) {
                self.journal.write(&Line::Change(change));
            }
            (result, std::mem::take(&mut books.outbox))
        };
        self.post(events);
        result
    }

    /// The same for the mini-app's side.
    pub fn with_mini_app<T>(&self, rule: impl FnOnce(&mut MiniApp) -> T) -> T {
        let mut app = hold(&self.mini_app);
        let result = rule(&mut app);
        for change in std::mem::take(&mut app.changes) {
            self.journal.write(&Line::AppsInToss(change));
        }
        result
    }

    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        hold(&self.faults)
    }

    pub fn outbox(&self) -> MutexGuard<'_, Outbox> {
        hold(&self.outbox)
    }

    pub fn gate(&self) -> MutexGuard<'_, Gate> {
        hold(&self.gate)
    }

    fn expire(&self) {
        let now = self.clock.now();
        self.with_books(|books| books.expire_due(now));
    }

    fn router(self: &Arc<Self>) -> Router {
        api::router(self).merge(
            // A nested router has no path of its own for what is empty behind the slash.
            Router::new().route("/_sandbox/", pages::desk()).with_state(Arc::clone(self)).nest(
                "/_sandbox",
                control::router(self)
                    .nest("/apps-in-toss", apps_in_toss::control::router(self))
                    .merge(pages::router(self))
                    .merge(apps_in_toss::pages::router(self)),
            ),
        )
    }

    /// Answers calls and sends webhooks until dropped.
    pub async fn run(self: Arc<Self>, listener: TcpListener) {
        let router = self.router();
        tokio::join!(serve::serve(listener, router), Arc::clone(&self).deliver());
    }

    /// Answers the mini-app's calls on both hosts until dropped. Only callers with a certificate of `authority` are let in.
    pub async fn run_apps_in_toss(
        self: Arc<Self>,
        authority: &Authority,
        server: &Pair,
        general: TcpListener,
        pay: TcpListener,
    ) -> anyhow::Result<()> {
        let tls = authority.server_config(server)?;
        tokio::join!(
            serve::serve_tls(general, apps_in_toss::api::general(&self), Arc::clone(&tls)),
            serve::serve_tls(pay, apps_in_toss::api::pay(&self), tls),
        );
        Ok(())
    }
}
