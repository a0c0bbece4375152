//! The listener of `jangbu serve`, over bare TCP: nobody may hold it for ever.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    routing::get,
};
use futures::{StreamExt, stream};
use ipnet::IpNet;
use server::serve::{self, Patience};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::Shop;

/// Longer than any test waits.
const NEVER: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(50);

/// With whoever it is.
pub fn patient() -> Patience {
    Patience {
        head: NEVER,
        head_of_proxy: NEVER,
        body: NEVER,
        answer: NEVER,
        goodbye: NEVER,
        connections: 100,
    }
}

pub struct Served {
    pub url: String,
    addr: SocketAddr,
    ended: JoinHandle<()>,
    stop: DropGuard,
}

impl Served {
    pub async fn start(router: Router, proxies: &[IpNet], patience: Patience) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, proxies) = (CancellationToken::new(), proxies.to_vec());
        let stopped = stop.clone();
        let ended =
            tokio::spawn(async move { serve::serve(listener, router, &proxies, patience, stopped).await });
        Self { url: format!("http://{addr}"), addr, ended, stop: stop.drop_guard() }
    }

    async fn connect(&self, begin: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(begin.as_bytes()).await.unwrap();
        stream
    }
}

/// All that comes until the other side hangs up.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = stream.read_to_end(&mut bytes);
    tokio::time::timeout(Duration::from_secs(30), reading).await.expect("nobody hangs up").unwrap();
    String::from_utf8(bytes).unwrap()
}

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

#[tokio::test]
async fn who_never_ends_the_head_is_cut_off_and_a_proxy_may_wait_for_its_next_visitor() {
    let proxy: IpNet = "127.0.0.0/8".parse().unwrap();
    let patience = Patience { head: SOON, ..patient() };
    let strangers = Served::start(hello(), &[], patience.clone()).await;
    let behind = Served::start(hello(), &[proxy], patience).await;
    let half = "GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n";
    let mut waiting = behind.connect(half).await;
    for begin in ["", "P", half] {
        assert_eq!(rest(strangers.connect(begin).await).await, "", "{begin:?}");
    }
    waiting.write_all(b"\r\n").await.unwrap();
    assert!(rest(waiting).await.ends_with("hello"));
}

#[tokio::test]
async fn a_body_that_stops_coming_is_no_delivery_and_no_form() {
    let shop = Shop::open().await;
    let patience = Patience { body: SOON, ..patient() };
    let served = Served::start(shop.jangbu.router(), &[], patience).await;
    let form = "Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    for (path, headers) in [("/hooks/toss-payments", ""), ("/fn/log_in", form)] {
        let begin = format!(
            "POST {path} HTTP/1.1\r\nHost: shop\r\n{headers}Connection: close\r\nContent-Length: 20\r\n\r\n{{\"a\":"
        );
        let said = rest(served.connect(&begin).await).await;
        assert!(said.starts_with("HTTP/1.1 408 "), "{path}: {said}");
    }
    assert!(shop.deliveries(&Default::default()).await.is_empty());
}

#[tokio::test]
async fn an_answer_comes_in_time_and_a_download_takes_as_long_as_it_takes() {
    let pieces = || {
        stream::iter(0..5).then(async |n| {
            tokio::time::sleep(SOON).await;
            Ok::<_, Infallible>(Bytes::from(n.to_string()))
        })
    };
    let router = Router::new()
        .route("/never", get(async || std::future::pending::<&str>().await))
        .route("/download", get(async move || Body::from_stream(pieces())));
    let served = Served::start(router, &[], Patience { answer: 2 * SOON, ..patient() }).await;
    assert_eq!(reqwest::get(format!("{}/never", served.url)).await.unwrap().status(), 504);
    let download = reqwest::get(format!("{}/download", served.url)).await.unwrap();
    assert_eq!(download.text().await.unwrap(), "01234");
}

#[tokio::test]
async fn who_finds_no_room_waits_for_somebody_to_leave() {
    let served = Served::start(hello(), &[], Patience { connections: 1, ..patient() }).await;
    let ask = "GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
    let first = served.connect("GET / HTTP/1.1\r\n").await;
    let mut second = served.connect(ask).await;
    let early = tokio::time::timeout(2 * SOON, second.read_u8()).await;
    assert!(early.is_err(), "{early:?}");
    drop(first);
    assert!(rest(second).await.ends_with("hello"));
}

#[tokio::test]
async fn what_is_under_way_is_answered_before_the_process_ends() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes) = (Arc::clone(&begun), Arc::clone(&go));
    let slow = async move || {
        begins.notify_one();
        goes.notified().await;
        "done"
    };
    let served = Served::start(hello().route("/slow", get(slow)), &[], patient()).await;
    // A browser that keeps its connection, for later.
    let mut idle = served.connect("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let mut said = String::new();
    while !said.ends_with("hello") {
        said.push(char::from(idle.read_u8().await.unwrap()));
    }
    let under_way = served.connect("GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    begun.notified().await;
    let Served { addr, ended, stop, .. } = served;
    drop(stop);
    assert_eq!(rest(idle).await, "", "nobody waits for who asks nothing");
    assert!(TcpStream::connect(addr).await.is_err(), "nobody new is let in");
    assert!(!ended.is_finished());
    go.notify_one();
    assert!(rest(under_way).await.ends_with("done"));
    ended.await.unwrap();
}

#[tokio::test]
async fn who_does_not_come_to_an_end_is_cut_when_the_process_has_to() {
    let router = Router::new().route("/", get(async || std::future::pending::<&str>().await));
    let served = Served::start(router, &[], Patience { goodbye: SOON, ..patient() }).await;
    let _for_ever = served.connect("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let Served { ended, stop, .. } = served;
    drop(stop);
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it ends").unwrap();
}
