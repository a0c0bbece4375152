//! A receiver of events: `receive MILLISECONDS` takes each request after so long. Its port goes to standard output when it listens.
//! Ends when its standard input does. Used by `cargo xtask bench events`.

#![expect(clippy::print_stdout, reason = "its answer")]

use std::time::Duration;

use anyhow::Context;
use axum::{Router, http::StatusCode, routing::post};
use tokio::{io::AsyncReadExt as _, net::TcpListener};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let wait: u64 = std::env::args().nth(1).context("receive MILLISECONDS")?.parse()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let take = move |_: axum::body::Bytes| async move {
        if wait > 0 {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        StatusCode::NO_CONTENT
    };
    let serving = axum::serve(listener, Router::new().route("/", post(take)));
    let over = async { tokio::io::stdin().read_to_end(&mut Vec::new()).await };
    tokio::select! {
        ended = serving => ended?,
        read = over => drop(read?),
    }
    Ok(())
}
