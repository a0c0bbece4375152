//! A merchant's own service with the dashboard mounted in it, for the people that it knows already:
//!
//! ```text
//! JANGBU_MODE=sandbox TOSS_PAYMENTS_URL=http://127.0.0.1:4100 TOSS_PAYMENTS_SECRET_KEY=test_sk_… \
//! JANGBU_BASE_PATH=/back/office cargo run --example host
//! ```

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use axum::{
    Router,
    extract::Query,
    http::{header, request::Parts},
    response::{Html, IntoResponse, Redirect},
    routing::get,
};
use backoffice::staff::Role;
use serde::Deserialize;
use server::{
    Identified, Identify, Jangbu,
    database::Database,
    settings::{Settings, Source},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The host's people. A real one looks its session up, and takes the role from its own groups.
const PEOPLE: [(&str, &str, Role); 2] =
    [("haneul", "김하늘", Role::Support), ("gaon", "이가온", Role::Admin)];

#[derive(Debug)]
struct Shop;

#[async_trait]
impl Identify for Shop {
    async fn identify(&self, parts: &Parts) -> anyhow::Result<Option<Identified>> {
        let cookies = parts.headers.get(header::COOKIE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let known = cookies.split("; ").find_map(|pair| pair.strip_prefix("shop="));
        let found = PEOPLE.iter().find(|(id, ..)| Some(*id) == known);
        Ok(found.map(|(id, name, role)| Identified {
            subject: (*id).to_owned(),
            name: (*name).to_owned(),
            email: format!("{id}@shop.example"),
            role: *role,
            // Say so only where the shop has asked for one: Jangbu asks for none then.
            second_factor_proven: false,
        }))
    }

    fn log_in_url(&self, back: &str) -> String {
        let back: String = back.bytes().map(|byte| format!("%{byte:02X}")).collect();
        format!("/log-in?back={back}")
    }

    fn log_out_url(&self) -> String {
        "/log-out".into()
    }
}

#[derive(Deserialize)]
struct LogIn {
    #[serde(default)]
    back: String,
    who: Option<String>,
}

/// No log-in to copy: whoever clicks on a name is that person.
async fn log_in(Query(LogIn { back, who }): Query<LogIn>) -> impl IntoResponse {
    let Some(who) = who.filter(|who| PEOPLE.iter().any(|(id, ..)| id == who)) else {
        let back: String = back.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let link =
            |(id, name, _): &(&str, &str, Role)| format!("<p><a href=\"?who={id}&back={back}\">{name}</a>");
        return Html(PEOPLE.iter().map(link).collect::<String>()).into_response();
    };
    let cookie = format!("shop={who}; Path=/; HttpOnly; SameSite=Lax");
    let inside = back.starts_with('/') && !back.starts_with("//");
    ([(header::SET_COOKIE, cookie)], Redirect::to(if inside { &back } else { "/" })).into_response()
}

async fn log_out() -> impl IntoResponse {
    ([(header::SET_COOKIE, "shop=; Path=/; Max-Age=0")], Redirect::to("/"))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::read(&Source::from_machine()?)?;
    let addr = settings.addr;
    let database = Database::of(settings.database_url.as_deref(), &settings.data_dir).await?;
    let jangbu = Jangbu::start(settings, &database.url).await?.with_identify(Arc::new(Shop));

    let host = Router::new()
        .route("/", get(|| async { "the shop" }))
        .route("/log-in", get(log_in))
        .route("/log-out", get(log_out))
        .merge(jangbu.router());

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
