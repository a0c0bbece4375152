//! The HTTP client of Toss Payments.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{Stream, TryStreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method as Verb, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use time::{Date, OffsetDateTime};

use super::{
    Billing, BillingChargeRequest, BillingIssueRequest, CancelRequest, CashReceipt, CashReceiptPage,
    CashReceiptRequest, ConfirmRequest, Error, OrderId, Payment, PaymentKey, Refusal, Settlement,
    SettlementDate, Transaction, VirtualAccountRequest,
};
use crate::{
    observe::{self, Api, Leaving, Observer, Watch},
    redact::{self, Silence},
    timestamp,
};

/// Where Toss lives. A live key is sent nowhere else.
pub const OFFICIAL_URL: &str = "https://api.tosspayments.com";

const CONFIRM: &str = "/v1/payments/confirm";
const PAYMENT: &str = "/v1/payments/{paymentKey}";
const BY_ORDER: &str = "/v1/payments/orders/{orderId}";
const CANCEL: &str = "/v1/payments/{paymentKey}/cancel";
const VIRTUAL_ACCOUNTS: &str = "/v1/virtual-accounts";
const ISSUE_BILLING_KEY: &str = "/v1/billing/authorizations/issue";
const BILLING_KEY: &str = "/v1/billing/{billingKey}";
const CASH_RECEIPTS: &str = "/v1/cash-receipts";
const CANCEL_CASH_RECEIPT: &str = "/v1/cash-receipts/{receiptKey}/cancel";
const TRANSACTIONS: &str = "/v1/transactions";
const SETTLEMENTS: &str = "/v1/settlements";

/// All that can be asked, as a log writes it: the words of the contract, and nothing that is put between them. A billing
/// key is as good as a card, and an order's number may come from a stranger's webhook.
pub const PATHS: [&str; 11] = [
    CONFIRM,
    PAYMENT,
    BY_ORDER,
    CANCEL,
    VIRTUAL_ACCOUNTS,
    ISSUE_BILLING_KEY,
    BILLING_KEY,
    CASH_RECEIPTS,
    CANCEL_CASH_RECEIPT,
    TRANSACTIONS,
    SETTLEMENTS,
];

/// Rows a list call asks for; Toss allows up to 5,000 (toss-api.md A7, A8).
const PAGE: usize = 1000;

/// How to reach Toss Payments.
#[derive(Debug, Clone)]
pub struct Config {
    pub url: String,
    pub secret_key: SecretString,
    /// `Accept-Language` of every call: in which language Toss answers its messages (toss-api.md A1.1).
    pub language: Option<String>,
    /// The whole call. Toss asks for at least 60 seconds (toss-api.md A1.1).
    pub timeout: Duration,
    pub connect_timeout: Duration,
}

impl Config {
    pub fn new(url: impl Into<String>, secret_key: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            secret_key: secret_key.into(),
            language: Some("ko".to_owned()),
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
        }
    }
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("a live secret key may only be sent to {OFFICIAL_URL}, not to {0}")]
    LiveKeyElsewhere(String),
    #[error("the secret key starts with a byte-order mark or a space: copy it again")]
    DirtyKey,
    #[error("{0:?} is not a Toss Payments secret key: it starts with test_sk, test_gsk, live_sk or live_gsk")]
    NotASecretKey(String),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

/// An answer: what it means, and the bytes it came in.
pub struct Answer<T> {
    pub value: T,
    /// As Toss sent it, with the members this version of us does not know.
    pub raw: Box<RawValue>,
    /// `x-tosspayments-trace-id`.
    pub trace_id: Option<String>,
}

/// The bytes stay out of a log.
impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("trace_id", &self.trace_id).finish_non_exhaustive()
    }
}

/// A client for one shop's secret key. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    authorization: header::HeaderValue,
    test_code: Option<String>,
    pace: Option<Arc<Pace>>,
    is_test: bool,
    observer: Option<Arc<dyn Observer>>,
}

/// Where a call goes.
struct Place {
    /// One of [`PATHS`].
    path: &'static str,
    /// The same with what stands between its words, percent-encoded.
    sent: String,
    query: String,
    order_id: Option<String>,
    payment_key: Option<String>,
}

impl Place {
    fn at(path: &'static str) -> Self {
        Self { path, sent: path.to_owned(), query: String::new(), order_id: None, payment_key: None }
    }

    /// With an id where the path has a gap.
    fn of(path: &'static str, id: &str) -> Self {
        let mut place = Self::at(path);
        if let Some((before, rest)) = path.split_once('{')
            && let Some((gap, after)) = rest.split_once('}')
        {
            place.sent = format!("{before}{}{after}", segment(id));
            match gap {
                "orderId" => place.order_id = Some(id.to_owned()),
                "paymentKey" => place.payment_key = Some(id.to_owned()),
                _ => {}
            }
        }
        place
    }

    fn list(path: &'static str, query: String) -> Self {
        Self { query, ..Self::at(path) }
    }

    fn url(&self, base: &str) -> String {
        let joint = if self.query.is_empty() { "" } else { "?" };
        format!("{base}{}{joint}{}", self.sent, self.query)
    }
}

/// When the next call may leave.
#[derive(Debug)]
struct Pace {
    between: Duration,
    next: tokio::sync::Mutex<tokio::time::Instant>,
}

impl Pace {
    async fn turn(&self) {
        let mut next = self.next.lock().await;
        tokio::time::sleep_until(*next).await;
        *next = tokio::time::Instant::now() + self.between;
    }
}

#[derive(Deserialize)]
struct WireError {
    code: String,
}

impl Client {
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let key = config.secret_key.expose_secret();
        if key.trim() != key || key.starts_with('\u{feff}') {
            return Err(ConfigError::DirtyKey);
        }
        if !["test_sk", "test_gsk", "live_sk", "live_gsk"].iter().any(|family| key.starts_with(family)) {
            return Err(ConfigError::NotASecretKey(key.chars().take(7).collect()));
        }
        let url = config.url.trim_end_matches('/').to_owned();
        if key.starts_with("live_") && url != OFFICIAL_URL {
            return Err(ConfigError::LiveKeyElsewhere(url));
        }
        // The colon with nothing behind it is part of the scheme (toss-api.md A1.2).
        let mut authorization =
            header::HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{key}:"))))
                .map_err(|_| ConfigError::DirtyKey)?;
        authorization.set_sensitive(true);

        let mut headers = header::HeaderMap::new();
        if let Some(language) = config.language.as_deref().and_then(|l| l.parse().ok()) {
            headers.insert(header::ACCEPT_LANGUAGE, language);
        }
        let http = reqwest::Client::builder()
            .timeout(config.timeout)
            .connect_timeout(config.connect_timeout)
            .tls_version_min(reqwest::tls::Version::TLS_1_2)
            .user_agent(concat!("jangbu/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // A money call must never be sent twice by the library itself.
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let is_test = key.starts_with("test_");
        Ok(Self { http, url, authorization, test_code: None, pace: None, is_test, observer: None })
    }

    /// The same client, with somebody who is told of every call.
    pub fn observed_by(&self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self.clone() }
    }

    /// The same client with `TossPayments-Test-Code` on every call: with a test key Toss answers with that error
    /// (toss-api.md A1.8).
    pub fn with_test_code(&self, code: impl Into<String>) -> Self {
        Self { test_code: Some(code.into()), ..self.clone() }
    }

    /// The error that Toss is asked to answer with.
    pub fn test_code(&self) -> Option<&str> {
        self.test_code.as_deref()
    }

    /// The same client with at least `between` from one call to the next, for long work: in its test environment Toss
    /// takes 100 calls a minute (toss-api.md A1.6).
    pub fn paced(&self, between: Duration) -> Self {
        let next = tokio::sync::Mutex::new(tokio::time::Instant::now());
        Self { pace: Some(Arc::new(Pace { between, next })), ..self.clone() }
    }

    /// Paced so that most of what Toss allows is left to others: one call a second of the 100 a minute in its test
    /// environment, ten a second otherwise, as fast as it goes in a sandbox.
    pub fn rate_limited(&self) -> Self {
        if self.url != OFFICIAL_URL {
            return self.clone();
        }
        self.paced(Duration::from_millis(if self.is_test { 1000 } else { 100 }))
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Takes the money. Give every payment its own key: the URL is the same for all of them, so a reused key
    /// answers with another payment (toss-api.md A1.7).
    pub async fn confirm(
        &self,
        request: &ConfirmRequest,
        idempotency_key: &str,
    ) -> Result<Answer<Payment>, Error> {
        self.post(Place::at(CONFIRM), idempotency_key, request).await
    }

    pub async fn payment(&self, key: &PaymentKey) -> Result<Answer<Payment>, Error> {
        self.get(Place::of(PAYMENT, key.as_str())).await
    }

    pub async fn payment_by_order(&self, order: &OrderId) -> Result<Answer<Payment>, Error> {
        self.get(Place::of(BY_ORDER, order.as_str())).await
    }

    /// Gives money back, all of the balance or `cancel_amount` of it.
    pub async fn cancel(
        &self,
        key: &PaymentKey,
        request: &CancelRequest,
        idempotency_key: &str,
    ) -> Result<Answer<Payment>, Error> {
        self.post(Place::of(CANCEL, key.as_str()), idempotency_key, request).await
    }

    pub async fn issue_virtual_account(
        &self,
        request: &VirtualAccountRequest,
        idempotency_key: &str,
    ) -> Result<Answer<Payment>, Error> {
        self.post(Place::at(VIRTUAL_ACCOUNTS), idempotency_key, request).await
    }

    pub async fn issue_billing_key(
        &self,
        request: &BillingIssueRequest,
        idempotency_key: &str,
    ) -> Result<Answer<Billing>, Error> {
        self.post(Place::at(ISSUE_BILLING_KEY), idempotency_key, request).await
    }

    pub async fn charge_billing_key(
        &self,
        billing_key: &str,
        request: &BillingChargeRequest,
        idempotency_key: &str,
    ) -> Result<Answer<Payment>, Error> {
        self.post(Place::of(BILLING_KEY, billing_key), idempotency_key, request).await
    }

    /// Answers 200 with an empty body.
    pub async fn delete_billing_key(&self, billing_key: &str) -> Result<(), Error> {
        let place = Place::of(BILLING_KEY, billing_key);
        self.ask(Verb::DELETE, place, None, None::<&()>, |_| Ok(())).await.map(drop)
    }

    pub async fn issue_cash_receipt(
        &self,
        request: &CashReceiptRequest,
        idempotency_key: &str,
    ) -> Result<Answer<CashReceipt>, Error> {
        self.post(Place::at(CASH_RECEIPTS), idempotency_key, request).await
    }

    /// `amount` = `None` cancels the whole receipt.
    pub async fn cancel_cash_receipt(
        &self,
        receipt_key: &str,
        amount: Option<rust_decimal::Decimal>,
        idempotency_key: &str,
    ) -> Result<Answer<CashReceipt>, Error> {
        #[derive(Serialize)]
        struct Body {
            #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
            amount: Option<rust_decimal::Decimal>,
        }
        self.post(Place::of(CANCEL_CASH_RECEIPT, receipt_key), idempotency_key, &Body { amount }).await
    }

    /// Every receipt of one Seoul day.
    pub fn cash_receipts(&self, day: Date) -> impl Stream<Item = Result<CashReceipt, Error>> + '_ {
        let pages = stream::try_unfold(Some(None::<i64>), move |cursor| async move {
            let Some(cursor) = cursor else { return Ok(None) };
            let cursor = cursor.map(|c| format!("&cursor={c}")).unwrap_or_default();
            let query = format!("requestDate={day}&limit=100{cursor}");
            let page: Answer<CashReceiptPage> = self.get(Place::list(CASH_RECEIPTS, query)).await?;
            let next = page.value.last_cursor.filter(|_| page.value.has_next).map(Some);
            Ok(Some((page.value.data, next)))
        });
        rows(pages)
    }

    /// Every transaction of `[from, to)` with its raw body, oldest first, page by page as the stream is read.
    pub fn transactions(
        &self,
        from: OffsetDateTime,
        to: OffsetDateTime,
    ) -> impl Stream<Item = Result<(Transaction, Box<RawValue>), Error>> + '_ {
        let window =
            format!("startDate={}&endDate={}", timestamp::format_local(from), timestamp::format_local(to));
        let pages = stream::try_unfold(Some(String::new()), move |cursor| {
            let window = window.clone();
            async move {
                let Some(cursor) = cursor else { return Ok(None) };
                let place = Place::list(TRANSACTIONS, format!("{window}&limit={PAGE}{cursor}"));
                let page: Vec<(Transaction, _)> = self.list(place).await?;
                let next = (page.len() >= PAGE)
                    .then(|| page.last())
                    .flatten()
                    .map(|(last, _)| format!("&startingAfter={}", segment(last.transaction_key.as_str())));
                Ok(Some((page, next)))
            }
        });
        rows(pages)
    }

    /// Every settlement row of `[from, to]`, both days included, as Toss counts them. Empty with a test key at Toss.
    pub fn settlements(
        &self,
        from: Date,
        to: Date,
        by: SettlementDate,
    ) -> impl Stream<Item = Result<(Settlement, Box<RawValue>), Error>> + '_ {
        let pages = stream::try_unfold(Some(1u32), move |page| async move {
            let Some(page) = page else { return Ok(None) };
            let query =
                format!("startDate={from}&endDate={to}&dateType={}&page={page}&size={PAGE}", by.as_str());
            let found: Vec<(Settlement, _)> = self.list(Place::list(SETTLEMENTS, query)).await?;
            let next = (found.len() >= PAGE).then_some(page + 1);
            Ok(Some((found, next)))
        });
        rows(pages)
    }

    /// Pays a payment out by hand; needs a contract of its own (toss-api.md A8.3).
    pub async fn settle(&self, key: &PaymentKey, idempotency_key: &str) -> Result<(), Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            payment_key: &'a PaymentKey,
        }
        #[derive(Deserialize)]
        struct Done {
            result: bool,
        }
        let answer: Answer<Done> =
            self.post(Place::at(SETTLEMENTS), idempotency_key, &Body { payment_key: key }).await?;
        if answer.value.result {
            return Ok(());
        }
        Err(Error::Refused(Refusal::new(200, "NOT_SETTLED", answer.trace_id)))
    }

    async fn get<T: DeserializeOwned>(&self, place: Place) -> Result<Answer<T>, Error> {
        let ((value, raw), trace_id) = self.ask(Verb::GET, place, None, None::<&()>, read).await?;
        Ok(Answer { value, raw, trace_id })
    }

    async fn post<T: DeserializeOwned, B: Serialize>(
        &self,
        place: Place,
        idempotency_key: &str,
        body: &B,
    ) -> Result<Answer<T>, Error> {
        let asked = self.ask(Verb::POST, place, Some(idempotency_key), Some(body), read);
        let ((value, raw), trace_id) = asked.await?;
        Ok(Answer { value, raw, trace_id })
    }

    async fn list<T: DeserializeOwned>(&self, place: Place) -> Result<Vec<(T, Box<RawValue>)>, Error> {
        let rows = |bytes: &[u8]| {
            let rows: Vec<Box<RawValue>> = serde_json::from_slice(bytes)?;
            rows.into_iter().map(|raw| Ok((serde_json::from_str(raw.get())?, raw))).collect()
        };
        let (rows, _) = self.ask(Verb::GET, place, None, None::<&()>, rows).await?;
        Ok(rows)
    }

    /// One question, told to whoever observes.
    async fn ask<T, B: Serialize>(
        &self,
        verb: Verb,
        place: Place,
        idempotency_key: Option<&str>,
        body: Option<&B>,
        read: impl FnOnce(&[u8]) -> Result<T, serde_json::Error>,
    ) -> Result<(T, Option<String>), Error> {
        if let Some(pace) = &self.pace {
            pace.turn().await;
        }
        let mut watch = Watch::begin(self.observer.as_ref(), || Leaving {
            api: Api::TossPayments,
            method: verb.clone(),
            path: place.path,
            order_id: place.order_id.clone(),
            payment_key: place.payment_key.clone(),
            request: match body {
                Some(body) => serde_json::to_value(body).ok(),
                None => observe::members(&place.query),
            },
        });
        let exchanged = self.exchange(verb, &place, idempotency_key, body, &mut watch).await;
        let outcome = exchanged.and_then(|(status, bytes, trace_id)| match read(&bytes) {
            Ok(value) => Ok((value, trace_id)),
            Err(error) => Err(Error::Unreadable { status, trace_id, how: error.into() }),
        });
        watch.end(|| outcome.as_ref().map_or_else(Into::into, |_| observe::Outcome::Done));
        outcome
    }

    /// One exchange. A status of 2xx comes back as bytes, every other as [`Error::Refused`].
    async fn exchange<B: Serialize>(
        &self,
        verb: Verb,
        place: &Place,
        idempotency_key: Option<&str>,
        body: Option<&B>,
        watch: &mut Watch,
    ) -> Result<(u16, bytes::Bytes, Option<String>), Error> {
        let mut request = self
            .http
            .request(verb.clone(), place.url(&self.url))
            .header(header::AUTHORIZATION, self.authorization.clone());
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(code) = &self.test_code {
            request = request.header("TossPayments-Test-Code", code);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|e| {
            // Only a failed connect proves that nothing left this machine.
            let why = Silence::from(&e);
            if e.is_connect() || e.is_builder() { Error::NotSent(why) } else { Error::NoAnswer(why) }
        })?;
        let status = response.status();
        let trace_header = response.headers().get("x-tosspayments-trace-id").cloned();
        let trace_id = trace_header.as_ref().and_then(redact::trace_id);
        watch.began_to_answer(status.as_u16(), trace_header.as_ref());
        let bytes = response.bytes().await.map_err(|e| Error::NoAnswer(Silence::from(&e)))?;
        watch.heard(&bytes);
        tracing::info!(%verb, path = place.path, status = status.as_u16(), trace_id, "toss");
        if status.is_success() {
            return Ok((status.as_u16(), bytes, trace_id));
        }
        match serde_json::from_slice::<WireError>(&bytes) {
            Ok(WireError { code }) => Err(Error::Refused(Refusal::new(status.as_u16(), &code, trace_id))),
            // A gateway in between may answer 502 with a page of its own.
            Err(error) => Err(Error::Unreadable { status: status.as_u16(), trace_id, how: error.into() }),
        }
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, Box<RawValue>), serde_json::Error> {
    let raw: Box<RawValue> = serde_json::from_slice(bytes)?;
    Ok((serde_json::from_str(raw.get())?, raw))
}

fn rows<T>(pages: impl Stream<Item = Result<Vec<T>, Error>>) -> impl Stream<Item = Result<T, Error>> {
    pages.map_ok(|page| stream::iter(page.into_iter().map(Ok))).try_flatten()
}

/// Percent-encodes one path segment or query value.
fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// All but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
