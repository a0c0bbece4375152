//! The HTTP server. Like `axum::serve`, except that it can hang up without an answer.

use std::{convert::Infallible, sync::Arc};

use axum::{Router, response::Response};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::net::TcpListener;
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
    let router = Arc::new(router);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accept");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let router = Arc::clone(&router);
        tokio::spawn(async move {
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let router = Router::clone(&router);
                async move {
                    let response: Result<Response, Infallible> =
                        router.oneshot(request.map(axum::body::Body::new)).await;
                    let Ok(response) = response;
                    if response.extensions().get::<LoseAnswer>().is_some() { Err(Lost) } else { Ok(response) }
                }
            });
            let served = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
}
