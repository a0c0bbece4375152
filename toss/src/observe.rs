//! What was said to Toss and what came back, for whoever keeps it. What of it may be kept is decided here; where and how
//! long it is kept, this crate does not know.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{Method, header::HeaderValue};
use serde_json::{Map, Value, value::RawValue};

use crate::redact::{self, Silence};

/// Is told of every call, once, when it has ended. It must not wait: whoever called does.
pub trait Observer: fmt::Debug + Send + Sync {
    fn saw(&self, call: Call);
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    TossPayments,
    AppsInToss,
}

impl Api {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TossPayments => "toss_payments",
            Self::AppsInToss => "apps_in_toss",
        }
    }
}

/// Why there is no answer that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    TimedOut,
    NoConnection,
    /// The two sides did not accept each other's certificates.
    Tls,
    BrokeOff,
    /// The request could not even be made.
    NoRequest,
    /// An answer that is not what Toss documents.
    Unreadable,
    /// A success that says otherwise, or says it of something else.
    Contradiction,
    /// Whoever called did not wait for the answer.
    Abandoned,
}

impl Failure {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::NoConnection => "no_connection",
            Self::Tls => "tls",
            Self::BrokeOff => "broke_off",
            Self::NoRequest => "no_request",
            Self::Unreadable => "unreadable",
            Self::Contradiction => "contradiction",
            Self::Abandoned => "abandoned",
        }
    }
}

impl From<Silence> for Failure {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::TimedOut => Self::TimedOut,
            Silence::NoConnection(_) => Self::NoConnection,
            Silence::NoRequest => Self::NoRequest,
            Silence::BrokeOff(_) => Self::BrokeOff,
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Toss said no. `result_type` is Apps in Toss's.
    Refused {
        code: String,
        result_type: Option<String>,
    },
    /// No answer that can be used. `why`: one sentence for whoever looks into it.
    NoAnswer {
        failure: Failure,
        why: String,
    },
}

impl Outcome {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Refused { .. } => "refused",
            Self::NoAnswer { .. } => "no_answer",
        }
    }
}

/// One call. Nothing in it is anybody's own, and nothing is secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub api: Api,
    pub method: String,
    /// As the contract writes it: `/v1/payments/{paymentKey}/cancel`.
    pub path: &'static str,
    /// What it was about, where the call itself says so. A `payToken` is a payment's key as well.
    pub order_id: Option<String>,
    pub payment_key: Option<String>,
    pub took: Duration,
    /// Of HTTP.
    pub status: Option<u16>,
    pub outcome: Outcome,
    pub trace_id: Option<String>,
    /// Of the API that answered.
    pub version: Option<String>,
    /// What was sent and what came, with nothing but what [`redact::body`] lets through.
    pub request: Option<Value>,
    pub answer: Option<Value>,
}

/// Longer answers are lists; only how long they are is kept.
const LONGEST: usize = 64 << 10;

/// A call before it leaves.
pub(crate) struct Leaving {
    pub api: Api,
    pub method: Method,
    pub path: &'static str,
    pub order_id: Option<String>,
    pub payment_key: Option<String>,
    /// Its body, or what stands in its query.
    pub request: Option<Value>,
}

/// A call under way: it is told when it ends, however it does.
pub(crate) struct Watch(Option<Watched>);

struct Watched {
    observer: Arc<dyn Observer>,
    began: Instant,
    call: Call,
}

impl Watch {
    /// `leaving` is only made where somebody looks.
    pub(crate) fn begin(observer: Option<&Arc<dyn Observer>>, leaving: impl FnOnce() -> Leaving) -> Self {
        let Some(observer) = observer else { return Self(None) };
        let Leaving { api, method, path, order_id, payment_key, request } = leaving();
        let said = |names: [&str; 2]| {
            let member = |name: &str| request.as_ref()?.get(name)?.as_str().map(str::to_owned);
            names.into_iter().find_map(member)
        };
        let order_id = order_id.or_else(|| said(["orderId", "orderNo"])).filter(|id| is_id(api, id));
        let payment_key =
            payment_key.or_else(|| said(["paymentKey", "payToken"])).filter(|id| is_id(api, id));
        let mut call = Call {
            api,
            method: method.to_string(),
            path,
            order_id,
            payment_key,
            took: Duration::ZERO,
            status: None,
            outcome: Outcome::NoAnswer {
                failure: Failure::Abandoned,
                why: "whoever called did not wait for the answer".to_owned(),
            },
            trace_id: None,
            version: None,
            request: None,
            answer: None,
        };
        call.request = request.map(|request| redact::body(&request, &known(&call)));
        Self(Some(Watched { observer: Arc::clone(observer), began: Instant::now(), call }))
    }

    /// The head of an answer is here; the rest may still break off.
    pub(crate) fn began_to_answer(&mut self, status: u16, trace_id: Option<&HeaderValue>) {
        let Some(Watched { call, .. }) = &mut self.0 else { return };
        call.status = Some(status);
        call.trace_id = trace_id.and_then(redact::trace_id);
    }

    /// All of it is here, whatever it says.
    pub(crate) fn heard(&mut self, bytes: &[u8]) {
        let Some(Watched { call, .. }) = &mut self.0 else { return };
        if bytes.trim_ascii_start().starts_with(b"[") {
            let rows = serde_json::from_slice::<Vec<&RawValue>>(bytes);
            call.answer = rows.ok().map(|rows| redact::count(rows.len()));
        } else if bytes.len() <= LONGEST
            && let Ok(body) = serde_json::from_slice::<Value>(bytes)
        {
            let text = |name: &str| body.get(name).and_then(Value::as_str);
            call.trace_id = call.trace_id.take().or_else(|| text("traceId").and_then(redact::trace_ids));
            call.version = text("version").and_then(redact::version);
            call.answer = Some(redact::body(&body, &known(call)));
        }
    }

    pub(crate) fn end(mut self, outcome: impl FnOnce() -> Outcome) {
        if let Some(mut watched) = self.0.take() {
            watched.call.outcome = outcome();
            watched.tell();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(watched) = self.0.take() {
            watched.tell();
        }
    }
}

impl Watched {
    fn tell(mut self) {
        self.call.took = self.began.elapsed();
        self.observer.saw(self.call);
    }
}

fn known(call: &Call) -> Vec<&str> {
    call.order_id.iter().chain(&call.payment_key).map(String::as_str).collect()
}

/// What Toss takes for an id of an order or a payment (toss-api.md A4, B5.1). A stranger's webhook may name an order like an
/// e-mail address; a mini-app's are the merchant's own.
fn is_id(api: Api, text: &str) -> bool {
    let more: &[u8] = match api {
        Api::TossPayments => b"-_=.",
        Api::AppsInToss => b"-_=.:^@",
    };
    (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
}

/// What stands in a query, as members of a body: figures where they are figures.
pub(crate) fn members(query: &str) -> Option<Value> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let members: Map<String, Value> = pairs
        .map(|(name, text)| {
            (name.to_owned(), text.parse::<u32>().map_or_else(|_| Value::from(text), Value::from))
        })
        .collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    #[derive(Debug, Default)]
    struct Seen(Mutex<Vec<Call>>);

    impl Observer for Seen {
        fn saw(&self, call: Call) {
            self.0.lock().unwrap().push(call);
        }
    }

    fn watch(seen: &Arc<Seen>, request: Value) -> Watch {
        let observer: Arc<dyn Observer> = Arc::clone(seen) as _;
        Watch::begin(Some(&observer), || Leaving {
            api: Api::TossPayments,
            method: Method::POST,
            path: "/v1/payments/confirm",
            order_id: None,
            payment_key: None,
            request: Some(request),
        })
    }

    #[test]
    fn a_call_says_what_it_was_about_and_which_version_answered() {
        let seen = Arc::new(Seen::default());
        let mut watch = watch(
            &seen,
            json!({ "orderId": "ord_1", "paymentKey": "key_1", "amount": 5, "customerName": "홍길동" }),
        );
        let body = json!({ "version": "2024-06-01", "traceId": "abcdef0123", "orderId": "ord_1", "secret": "ps_1", "status": "DONE" });
        watch.began_to_answer(200, None);
        watch.heard(body.to_string().as_bytes());
        watch.end(|| Outcome::Done);
        let calls = seen.0.lock().unwrap();
        let [call] = calls.as_slice() else { panic!("{calls:?}") };
        assert_eq!((call.order_id.as_deref(), call.payment_key.as_deref()), (Some("ord_1"), Some("key_1")));
        assert_eq!(
            (call.version.as_deref(), call.trace_id.as_deref()),
            (Some("2024-06-01"), Some("abcdef0123"))
        );
        assert_eq!(call.request, Some(json!({ "orderId": "ord_1", "paymentKey": "key_1", "amount": 5 })));
        assert_eq!(
            call.answer,
            Some(json!({ "version": "2024-06-01", "orderId": "ord_1", "status": "DONE" }))
        );
    }

    #[test]
    fn a_call_that_nobody_waits_for_is_told_as_well_and_none_is_told_twice() {
        let seen = Arc::new(Seen::default());
        drop(watch(&seen, json!({})));
        watch(&seen, json!({})).end(|| Outcome::Done);
        let calls = seen.0.lock().unwrap();
        let outcomes: Vec<&str> = calls.iter().map(|call| call.outcome.as_str()).collect();
        assert_eq!(outcomes, ["no_answer", "ok"]);
        assert!(matches!(calls[0].outcome, Outcome::NoAnswer { failure: Failure::Abandoned, .. }));
    }

    #[test]
    fn what_can_be_no_id_is_not_kept_as_one() {
        for text in ["marked@example.com", "홍길동", "a b", "", "/v1"] {
            assert!(!is_id(Api::TossPayments, text), "{text:?}");
        }
        assert!(
            is_id(Api::TossPayments, "ord_1=.-") && is_id(Api::AppsInToss, "TEST-2023-02-09T06:44:04.217Z")
        );
    }

    #[test]
    fn of_a_list_its_length_is_kept_and_of_a_query_what_it_asked_for() {
        let seen = Arc::new(Seen::default());
        let query =
            members("startDate=2026-11-01T00:00:00&limit=1000&startingAfter=x&secretKey=test_sk_x").unwrap();
        let mut watch = watch(&seen, query);
        watch.heard(br#" [{"orderId":"a"},{"orderId":"b"}]"#);
        watch.end(|| Outcome::Done);
        let call = seen.0.lock().unwrap().remove(0);
        assert_eq!(call.answer, Some(json!({ "count": 2 })));
        assert_eq!(call.request, Some(json!({ "startDate": "2026-11-01T00:00:00", "limit": 1000 })));
    }
}
