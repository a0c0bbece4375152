//! The HTTP server. Like `axum::serve`, except that it can hang up without an answer, and ask for client certificates.

use std::{convert::Infallible, sync::Arc};

use axum::{Router, response::Response};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// Marks a response that must never be sent: the connection is closed instead.
#[derive(Debug, Clone, Copy)]
pub struct LoseAnswer;

impl LoseAnswer {
    pub fn response() -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(Self);
        response
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the answer is lost on purpose")]
struct Lost;

/// Serves until the future is dropped.
pub async fn serve(listener: TcpListener, router: Router) {
    loop {
        let stream = accept(&listener).await;
        tokio::spawn(answer(stream, router.clone()));
    }
}

/// The same behind TLS.
pub async fn serve_tls(listener: TcpListener, router: Router, tls: Arc<ServerConfig>) {
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let stream = accept(&listener).await;
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            match acceptor.accept(stream).await {
                Ok(stream) => answer(stream, router).await,
                Err(error) => tracing::info!(%error, "a caller was refused by TLS"),
            }
        });
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "accept");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

/// One connection to its end.
async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            let response: Result<Response, Infallible> =
                router.oneshot(request.map(axum::body::Body::new)).await;
            let Ok(response) = response;
            if response.extensions().get::<LoseAnswer>().is_some() { Err(Lost) } else { Ok(response) }
        }
    });
    let served =
        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}
