//! A merchant's own service with the dashboard mounted in it:
//!
//! ```text
//! JANGBU_MODE=sandbox TOSS_PAYMENTS_URL=http://127.0.0.1:4100 TOSS_PAYMENTS_SECRET_KEY=test_sk_… \
//! JANGBU_BASE_PATH=/back/office cargo run --example host
//! ```

use std::net::SocketAddr;

use axum::{Router, routing::get};
use server::{
    Jangbu,
    database::Database,
    settings::{Settings, Source},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::read(&Source::from_machine()?)?;
    let addr = settings.addr;
    let database = Database::of(&settings).await?;
    let jangbu = Jangbu::start(settings, &database.url).await?;

    let host = Router::new().route("/", get(|| async { "the shop" })).merge(jangbu.router());

    let stop = CancellationToken::new();
    let listener = TcpListener::bind(addr).await?;
    tokio::select! {
        served = axum::serve(listener, host.into_make_service_with_connect_info::<SocketAddr>()) => served?,
        () = jangbu.work(stop.clone()) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    database.close().await;
    Ok(())
}
