//! What is written down of a request, and by which id it is found again.

use std::{
    io::Write,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use backoffice::staff::Role;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};
use uuid::Uuid;

use crate::support::Shop;

pub static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let filter = EnvFilter::new(
        "trace,sandbox=off,hyper=off,hyper_util=off,h2=off,reqwest=off,html5ever=off,selectors=off",
    );
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(log.clone()).with_ansi(false).finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only subscriber of these tests");
    log
});

#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn one_id_finds_a_request_its_calls_to_toss_and_who_asked() {
    LazyLock::force(&LOG);
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    shop.paid("ord_seen_1", 10_000).await;
    let intent = Uuid::new_v4().to_string();
    let fields = [
        ("intent", intent.as_str()),
        ("order_id", "ord_seen_1"),
        ("amount", "4000"),
        ("reason_code", "defect"),
        ("reason", "불량"),
    ];
    let posted = shop.form("refund", Some(&agent.cookie), &fields).await;
    let id = posted.headers()["x-request-id"].to_str().unwrap().to_owned();
    let log = LOG.text();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(&format!("id=\"{id}\""))).collect();
    let has = |what: &[&str]| lines.iter().any(|line| what.iter().all(|part| line.contains(part)));
    let staff = format!("staff={}", agent.id);
    assert!(
        has(&["answered", "method=POST", "route=\"/fn/refund\"", "status=302", &staff, " ms="]),
        "the request is told"
    );
    assert!(has(&["client: toss ", "/cancel", "status=200", &staff]), "the request is told");
    shop.quiet().await;
    assert!(LOG.text().contains("job{name=\"apply_webhooks\" id="));
}

#[tokio::test]
async fn an_id_that_came_along_is_kept_and_a_text_is_not() {
    let shop = Shop::open().await;
    let ask = async |id: &str| {
        let answer = shop
            .http
            .get(format!("{}/health/live", shop.url))
            .header("x-request-id", id)
            .send()
            .await
            .unwrap();
        answer.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(ask("proxy-42.a_B").await, "proxy-42.a_B");
    for text in ["", "a b", "<script>", "id=\"1\"", &"9".repeat(65)] {
        assert!(Uuid::parse_str(&ask(text).await).is_ok(), "{text}");
    }
}
