//! The listener of `jangbu serve`: `axum::serve`, with an end to everybody's patience. A host that mounts the router has a
//! listener of its own.
//!
//! HTTP/1.1 only: browsers speak HTTP/2 with the proxy that ends TLS, and proxies HTTP/1.1 with us. What finds out the version
//! (hyper-util 0.1.21, `auto`) waits for the first bytes without any limit.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo, http::StatusCode};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tower_http::{
    add_extension::AddExtension,
    timeout::{RequestBodyTimeout, Timeout},
};

/// How long anybody may take, and how many at once.
#[derive(Debug, Clone)]
pub struct Patience {
    /// For the head of a request, and for one to begin.
    pub head: Duration,
    /// The same for a proxy, which keeps connections for its next visitor.
    pub head_of_proxy: Duration,
    /// For the next piece of a body.
    pub body: Duration,
    /// For the head of our answer. What follows it, as a download does, takes as long as it takes.
    pub answer: Duration,
    /// For what is under way when we are told to stop.
    pub goodbye: Duration,
    pub connections: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            // A browser whose connection is gone opens another one.
            head: Duration::from_secs(15),
            // Longer than the 60 seconds after which nginx and the usual load balancers close an idle one: who closes first
            // must not be us, or a request that is just being sent is lost.
            head_of_proxy: Duration::from_secs(75),
            // Whoever loses the network for longer sends again.
            body: Duration::from_secs(20),
            // One call to Toss may take 60 seconds (toss-api.md A1.1), and a refund may need two of them.
            answer: Duration::from_secs(180),
            // A browser may hold a connection open for ever; a refund under way gets this long.
            goodbye: Duration::from_secs(25),
            // Half of the files that Linux lets a process have unless told otherwise (1,024): the database and Toss need some.
            connections: 512,
        }
    }
}

/// Serves until told to stop. `proxies`: whose connections wait for visitors.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    proxies: &[IpNet],
    patience: Patience,
    stop: CancellationToken,
) {
    // With its state each route is made once, and not for each request.
    let service = RequestBodyTimeout::new(router.with_state::<()>(()), patience.body);
    // Not 408, which says that the visitor was slow: Chromium takes it for a connection that was closed in its sleep, and sends again.
    let service = Timeout::with_status_code(service, StatusCode::GATEWAY_TIMEOUT, patience.answer);
    let room = Arc::new(Semaphore::new(patience.connections));
    let open = GracefulShutdown::new();
    loop {
        // Who finds no room waits in the queue of the operating system.
        let arrival = async { (Arc::clone(&room).acquire_owned().await, accept(&listener).await) };
        let (place, (stream, peer)) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            arrival = arrival => arrival,
        };
        let ip = peer.ip().to_canonical();
        let is_proxy = proxies.iter().any(|net| net.contains(&ip));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(if is_proxy {
            patience.head_of_proxy
        } else {
            patience.head
        });
        let service = AddExtension::new(service.clone(), ConnectInfo(peer));
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = open.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = open.shutdown() => {}
        () = tokio::time::sleep(patience.goodbye) => tracing::warn!("connections were cut"),
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(arrived) => return arrived,
            // Gone before it was let in.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                ) => {}
            // Too many open files, above all: some may be closed soon.
            Err(error) => {
                tracing::warn!(%error, "nobody can be let in");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}
