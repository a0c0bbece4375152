//! The HTTP client of Apps in Toss.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use reqwest::Method as Verb;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::{
    Bulk, Error, ExecutePayment, Executed, GrantState, IapOrder, Identity, MakePayment, MaybeDone,
    MessageResult, NotDone, OFFICIAL_PAY_URL, OFFICIAL_URL, PayToken, Payment, Profile, PromotionKey,
    RefundReason, Refunded, TlsProblem, Tokens, UserKey, envelope,
    messenger::{Send, SendBulk},
    pay::{About, Made, Make},
    promotion::{Execute, Key},
};
use crate::{
    observe::{Api, Leaving, Observer, Outcome, Watch},
    redact::{self, Silence},
};

/// In front of every path.
pub const PREFIX: &str = "/api-partner/v1/apps-in-toss";

/// Declares paths below the prefix, and the list of all of them.
macro_rules! paths {
    ($($name:ident = $path:literal;)+) => {
        $(const $name: &str = concat!("/api-partner/v1/apps-in-toss", $path);)+
        /// All that can be asked, as a log writes it. Nobody's id stands in one.
        pub const PATHS: &[&str] = &[$($name),+];
    };
}

paths! {
    GENERATE_TOKEN = "/user/oauth2/generate-token";
    REFRESH_TOKEN = "/user/oauth2/refresh-token";
    LOGIN_ME = "/user/oauth2/login-me";
    REMOVE_BY_ACCESS_TOKEN = "/user/oauth2/access/remove-by-access-token";
    REMOVE_BY_USER_KEY = "/user/oauth2/access/remove-by-user-key";
    PROMOTION_KEY = "/promotion/execute-promotion/get-key";
    EXECUTE_PROMOTION = "/promotion/execute-promotion";
    PROMOTION_RESULT = "/promotion/execution-result";
    SEND_MESSAGE = "/messenger/send-message";
    SEND_TEST_MESSAGE = "/messenger/send-test-message";
    SEND_BULK_MESSAGE = "/messenger/send-bulk-message";
    ORDER_STATUS = "/order/get-order-status";
    MAKE_PAYMENT = "/pay/make-payment";
    EXECUTE_PAYMENT = "/pay/execute-payment";
    REFUND_PAYMENT = "/pay/refund-payment";
    PAYMENT_STATUS = "/pay/get-payment-status";
}

/// How to reach Apps in Toss.
#[derive(Debug, Clone)]
pub struct Config {
    pub url: String,
    pub pay_url: String,
    /// The certificate in use, and the one that follows it.
    pub identities: Vec<Identity>,
    /// PEM of the only authorities to trust; the machine's own when absent.
    pub ca_pem: Option<String>,
    /// Sent along as `isTestPayment`: true moves no money (toss-api.md B5.6).
    pub is_test: bool,
    pub timeout: Duration,
    pub connect_timeout: Duration,
}

impl Config {
    pub fn new(url: impl Into<String>, pay_url: impl Into<String>, identities: Vec<Identity>) -> Self {
        Self {
            url: url.into(),
            pay_url: pay_url.into(),
            identities,
            ca_pem: None,
            is_test: true,
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "payments that move real money may only be asked of {OFFICIAL_URL} and {OFFICIAL_PAY_URL}, not of {0}"
    )]
    LiveElsewhere(String),
    #[error("{0} does not begin with https://")]
    NotHttps(String),
    #[error("the authority's certificate cannot be read: {0}")]
    Ca(#[source] reqwest::Error),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

/// An answer: what it means, and the content of its envelope as it came.
pub struct Answer<T> {
    pub value: T,
    pub raw: Box<RawValue>,
}

/// The content stays out of a log.
impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

/// On whose behalf a call is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Headers<'a> {
    pub user: Option<UserKey>,
    /// The hash of a user without Toss login, instead of the user key (toss-api.md B1.2).
    pub anonymous: Option<&'a str>,
    pub access_token: Option<&'a SecretString>,
}

impl From<UserKey> for Headers<'_> {
    fn from(user: UserKey) -> Self {
        Self { user: Some(user), ..Self::default() }
    }
}

/// A client for one mini-app. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    url: String,
    pay_url: String,
    is_test: bool,
    /// Without a certificate there is one client that carries none: the answer then says what is missing.
    clients: Vec<(Option<Identity>, reqwest::Client)>,
    observer: Option<Arc<dyn Observer>>,
}

/// A configured certificate as it stands now.
#[derive(Debug, Clone, Copy)]
pub struct Certificate<'a> {
    pub identity: &'a Identity,
    /// Whole days until it ends; negative afterwards.
    pub days_left: i64,
    /// Calls of this moment are made with it.
    pub is_used: bool,
}

impl Certificate<'_> {
    /// From then on somebody has to have a new one issued.
    pub const WARNING_DAYS: i64 = 30;

    pub fn is_soon_over(&self) -> bool {
        self.days_left < Self::WARNING_DAYS
    }
}

/// Which of the two hosts.
#[derive(Debug, Clone, Copy)]
enum Host {
    General,
    Pay,
}

impl Client {
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let url = config.url.trim_end_matches('/').to_owned();
        let pay_url = config.pay_url.trim_end_matches('/').to_owned();
        for (url, official) in [(&url, OFFICIAL_URL), (&pay_url, OFFICIAL_PAY_URL)] {
            if !url.starts_with("https://") {
                return Err(ConfigError::NotHttps(url.clone()));
            }
            if !config.is_test && url != official {
                return Err(ConfigError::LiveElsewhere(url.clone()));
            }
        }
        let build = |identity: Option<&Identity>| {
            let mut builder = reqwest::Client::builder()
                .timeout(config.timeout)
                .connect_timeout(config.connect_timeout)
                .tls_version_min(reqwest::tls::Version::TLS_1_2)
                .user_agent(concat!("jangbu/", env!("CARGO_PKG_VERSION")))
                .https_only(true)
                // h2 keeps only the text of a TLS alert, and the alert says whether anything was read.
                .http1_only()
                // There is no idempotency key: the library must never send twice by itself.
                .retry(reqwest::retry::never())
                .redirect(reqwest::redirect::Policy::none());
            if let Some(pem) = &config.ca_pem {
                let roots = reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(ConfigError::Ca)?;
                builder = builder.tls_certs_only(roots);
            }
            if let Some(identity) = identity {
                builder = builder.identity(identity.for_reqwest()?);
            }
            Ok::<_, ConfigError>((identity.cloned(), builder.build()?))
        };
        let clients = if config.identities.is_empty() {
            vec![build(None)?]
        } else {
            config.identities.iter().map(|identity| build(Some(identity))).collect::<Result<_, _>>()?
        };
        Ok(Self { url, pay_url, is_test: config.is_test, clients, observer: None })
    }

    /// The same client, with somebody who is told of every call.
    pub fn observed_by(&self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self.clone() }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn pay_url(&self) -> &str {
        &self.pay_url
    }

    /// Whether payments are asked for that move no money.
    pub fn is_test(&self) -> bool {
        self.is_test
    }

    /// Every certificate that was configured, by the machine's clock.
    pub fn certificates(&self) -> Vec<Certificate<'_>> {
        let now = now();
        let used = self.used(now);
        self.clients
            .iter()
            .enumerate()
            .filter_map(|(n, (identity, _))| {
                let identity = identity.as_ref()?;
                Some(Certificate { identity, days_left: identity.days_left(now), is_used: n == used })
            })
            .collect()
    }

    /// One harmless call to each host, by its address: that they answer and let our certificate in.
    pub async fn greet(&self) -> [(&str, Result<(), Error>); 2] {
        let nobody = UserKey(1);
        let order = self.iap_order(None, "00000000-0000-7000-8000-000000000000").await.map(drop);
        let payment = self.payment_status(nobody, None, Some("jangbu-check")).await.map(drop);
        // A refusal is an answer.
        let heard = |outcome: Result<(), Error>| match outcome {
            Err(Error::NotDone(NotDone::Refused(_))) => Ok(()),
            other => other,
        };
        [(&self.url, heard(order)), (&self.pay_url, heard(payment))]
    }

    /// Exchanges the code that the mini-app got; it works once, within ten minutes.
    pub async fn generate_token(&self, code: &str, referrer: &str) -> Result<Answer<Tokens>, Error> {
        let body = serde_json::json!({ "authorizationCode": code, "referrer": referrer });
        self.post(Host::General, GENERATE_TOKEN, Headers::default(), &body).await
    }

    pub async fn refresh_token(&self, refresh_token: &SecretString) -> Result<Answer<Tokens>, Error> {
        let body = serde_json::json!({ "refreshToken": refresh_token.expose_secret() });
        self.post(Host::General, REFRESH_TOKEN, Headers::default(), &body).await
    }

    pub async fn login_me(&self, access_token: &SecretString) -> Result<Answer<Profile>, Error> {
        let headers = Headers { access_token: Some(access_token), ..Headers::default() };
        self.call(Host::General, Verb::GET, LOGIN_ME, headers, None::<&()>, sure).await
    }

    /// Ends the link of the token's user with this mini-app.
    pub async fn remove_by_access_token(&self, access_token: &SecretString) -> Result<(), Error> {
        let headers = Headers { access_token: Some(access_token), ..Headers::default() };
        let any = |_: &serde_json::Value| Ok(());
        self.call(Host::General, Verb::POST, REMOVE_BY_ACCESS_TOKEN, headers, None::<&()>, any)
            .await
            .map(drop)
    }

    /// Ends a user's link with this mini-app.
    pub async fn remove_by_user_key(&self, user: UserKey) -> Result<(), Error> {
        let body = serde_json::json!({ "userKey": user });
        let any = |_: &serde_json::Value| Ok(());
        let headers = Headers::default();
        self.call(Host::General, Verb::POST, REMOVE_BY_USER_KEY, headers, Some(&body), any).await.map(drop)
    }

    /// A key for one payout, good for an hour. Nothing is paid out by it.
    pub async fn promotion_key(&self, headers: Headers<'_>) -> Result<Answer<PromotionKey>, Error> {
        let nothing = serde_json::json!({});
        let answer: Answer<Key> = self.post(Host::General, PROMOTION_KEY, headers, &nothing).await?;
        Ok(Answer { value: answer.value.key, raw: answer.raw })
    }

    /// Pays out. The key it answers with is held against ours.
    pub async fn execute_promotion(
        &self,
        headers: Headers<'_>,
        promotion_code: &str,
        key: &PromotionKey,
        amount: i64,
    ) -> Result<Answer<PromotionKey>, Error> {
        let body = Execute { promotion_code, key, amount: Some(amount) };
        let is_ours = |said: &Key| {
            if said.key == *key { Ok(()) } else { Err(MaybeDone::Contradiction("it is about another key")) }
        };
        let answer: Answer<Key> =
            self.post_sure(Host::General, EXECUTE_PROMOTION, headers, &body, is_ours).await?;
        Ok(Answer { value: answer.value.key, raw: answer.raw })
    }

    pub async fn promotion_result(
        &self,
        headers: Headers<'_>,
        promotion_code: &str,
        key: &PromotionKey,
    ) -> Result<Answer<GrantState>, Error> {
        let body = Execute { promotion_code, key, amount: None };
        self.post(Host::General, PROMOTION_RESULT, headers, &body).await
    }

    pub async fn send_message(
        &self,
        headers: Headers<'_>,
        template_set_code: &str,
        context: &BTreeMap<String, String>,
    ) -> Result<Answer<MessageResult>, Error> {
        let body = Send { template_set_code, context, deployment_id: None };
        self.post(Host::General, SEND_MESSAGE, headers, &body).await
    }

    /// To try a template before Toss has approved it. `deployment_id` is the UUID of an uploaded bundle.
    pub async fn send_test_message(
        &self,
        headers: Headers<'_>,
        template_set_code: &str,
        context: &BTreeMap<String, String>,
        deployment_id: &str,
    ) -> Result<Answer<MessageResult>, Error> {
        let body = Send { template_set_code, context, deployment_id: Some(deployment_id) };
        self.post(Host::General, SEND_TEST_MESSAGE, headers, &body).await
    }

    /// At most 2,500 receivers.
    pub async fn send_bulk_message(
        &self,
        template_set_code: &str,
        context_list: &[Bulk],
    ) -> Result<Answer<MessageResult>, Error> {
        let body = SendBulk { template_set_code, context_list };
        self.post(Host::General, SEND_BULK_MESSAGE, Headers::default(), &body).await
    }

    /// How an in-app purchase stands. With a user key Toss answers only about that user's orders.
    pub async fn iap_order(&self, user: Option<UserKey>, order_id: &str) -> Result<Answer<IapOrder>, Error> {
        let headers = Headers { user, ..Headers::default() };
        let body = serde_json::json!({ "orderId": order_id });
        self.post(Host::General, ORDER_STATUS, headers, &body).await
    }

    /// Begins a payment; the token goes to the mini-app, which lets the buyer authenticate.
    pub async fn make_payment(
        &self,
        user: UserKey,
        payment: &MakePayment,
    ) -> Result<Answer<PayToken>, Error> {
        let body = Make { payment, is_test_payment: self.is_test };
        let answer: Answer<Made> = self.post(Host::Pay, MAKE_PAYMENT, user.into(), &body).await?;
        Ok(Answer { value: answer.value.pay_token, raw: answer.raw })
    }

    /// Takes the money of a payment that the buyer has authenticated.
    pub async fn execute_payment(
        &self,
        user: UserKey,
        payment: &ExecutePayment,
    ) -> Result<Answer<Executed>, Error> {
        let body = self.about(Some(&payment.pay_token), payment.order_no.as_deref());
        let is_done = |said: &Executed| {
            if said.pay_token != payment.pay_token {
                return Err(MaybeDone::Contradiction("it is about another payment"));
            }
            // A success may carry a payment that failed (toss-api.md B5.2). Only the status tells what it did.
            if said.code != 0 || said.error_code.is_some() {
                let code = said.error_code.clone().unwrap_or_else(|| said.code.to_string());
                return Err(MaybeDone::FailedInside(redact::code(&code)));
            }
            Ok(())
        };
        self.post_sure(Host::Pay, EXECUTE_PAYMENT, user.into(), &body, is_done).await
    }

    /// Gives the whole payment back. There is no key: never send it twice without having asked for the status between.
    pub async fn refund_payment(
        &self,
        user: UserKey,
        pay_token: &PayToken,
        reason: &RefundReason,
    ) -> Result<Answer<Refunded>, Error> {
        let body = About { reason: Some(&reason.sent), ..self.about(Some(pay_token), None) };
        let is_ours = |said: &Refunded| {
            let other = MaybeDone::Contradiction("it is about another payment");
            if said.pay_token == *pay_token { Ok(()) } else { Err(other) }
        };
        self.post_sure(Host::Pay, REFUND_PAYMENT, user.into(), &body, is_ours).await
    }

    /// By token, by order number, or by both, which is what Toss's guide asks for.
    pub async fn payment_status(
        &self,
        user: UserKey,
        pay_token: Option<&PayToken>,
        order_no: Option<&str>,
    ) -> Result<Answer<Payment>, Error> {
        let body = self.about(pay_token, order_no);
        self.post(Host::Pay, PAYMENT_STATUS, user.into(), &body).await
    }

    fn about<'a>(&self, pay_token: Option<&'a PayToken>, order_no: Option<&'a str>) -> About<'a> {
        About { pay_token, order_no, reason: None, is_test_payment: self.is_test }
    }

    async fn post<T: DeserializeOwned, B: Serialize>(
        &self,
        host: Host,
        path: &'static str,
        headers: Headers<'_>,
        body: &B,
    ) -> Result<Answer<T>, Error> {
        self.call(host, Verb::POST, path, headers, Some(body), sure).await
    }

    /// The same where a success has to be looked at before it is one.
    async fn post_sure<T: DeserializeOwned, B: Serialize>(
        &self,
        host: Host,
        path: &'static str,
        headers: Headers<'_>,
        body: &B,
        is_one: impl FnOnce(&T) -> Result<(), MaybeDone>,
    ) -> Result<Answer<T>, Error> {
        self.call(host, Verb::POST, path, headers, Some(body), is_one).await
    }

    /// One question, told to whoever observes. `path` is one of [`PATHS`].
    async fn call<T: DeserializeOwned, B: Serialize>(
        &self,
        host: Host,
        verb: Verb,
        path: &'static str,
        headers: Headers<'_>,
        body: Option<&B>,
        is_one: impl FnOnce(&T) -> Result<(), MaybeDone>,
    ) -> Result<Answer<T>, Error> {
        let mut watch = Watch::begin(self.observer.as_ref(), || Leaving {
            api: Api::AppsInToss,
            method: verb.clone(),
            path,
            order_id: None,
            payment_key: None,
            request: body.and_then(|body| serde_json::to_value(body).ok()),
        });
        let opened = self.raw(host, verb, path, headers, body, &mut watch).await;
        let outcome = opened.and_then(|(status, raw)| {
            let value = serde_json::from_str(raw.get())
                .map_err(|error| MaybeDone::Unreadable { status, how: error.into() })?;
            is_one(&value)?;
            Ok(Answer { value, raw })
        });
        watch.end(|| outcome.as_ref().map_or_else(Into::into, |_| Outcome::Done));
        outcome
    }

    /// One exchange; the content of the envelope.
    async fn raw<B: Serialize>(
        &self,
        host: Host,
        verb: Verb,
        path: &'static str,
        headers: Headers<'_>,
        body: Option<&B>,
        watch: &mut Watch,
    ) -> Result<(u16, Box<RawValue>), Error> {
        let base = match host {
            Host::General => &self.url,
            Host::Pay => &self.pay_url,
        };
        let mut request = self.http().request(verb, format!("{base}{path}"));
        if let Some(user) = headers.user {
            request = request.header("x-toss-user-key", user.0);
        }
        if let Some(hash) = headers.anonymous {
            request = request.header("x-anon-key", hash);
        }
        if let Some(token) = headers.access_token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        watch.began_to_answer(status, None);
        let bytes = response.bytes().await.map_err(failed)?;
        watch.heard(&bytes);
        let opened = envelope::open(status, &bytes);
        let code = opened.as_ref().err().and_then(Error::code).unwrap_or("SUCCESS");
        let path = path.trim_start_matches(PREFIX);
        tracing::info!(path, status, code, "apps in toss");
        Ok((status, opened?))
    }

    /// The first that is valid, else the last.
    fn used(&self, now: OffsetDateTime) -> usize {
        let valid = self.clients.iter().position(|(id, _)| id.as_ref().is_none_or(|id| id.is_valid_at(now)));
        valid.unwrap_or(self.clients.len() - 1)
    }

    fn http(&self) -> &reqwest::Client {
        // `new` makes at least one.
        &self.clients[self.used(now())].1
    }
}

/// Toss's word is enough.
fn sure<T>(_: &T) -> Result<(), MaybeDone> {
    Ok(())
}

/// Certificates end by the machine's clock, also where a rehearsal turns another one.
#[expect(clippy::disallowed_methods, reason = "TLS itself goes by the machine's clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn failed(error: reqwest::Error) -> Error {
    match TlsProblem::find(&error) {
        // Later than the handshake, only a word about certificates says that nothing was read.
        Some(TlsProblem::Other(_)) if !error.is_connect() => {}
        Some(problem) => return NotDone::Tls(problem).into(),
        None => {}
    }
    // Only a failed connect proves that nothing left this machine.
    if error.is_connect() || error.is_builder() {
        NotDone::NotReached(Silence::from(&error)).into()
    } else {
        MaybeDone::NoAnswer(Silence::from(&error)).into()
    }
}
