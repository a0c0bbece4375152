//! A small shop with Jangbu as its back office. An order goes through it like this:
//!
//! 1. `POST /buy` registers the order at Jangbu, then opens the payment window;
//! 2. `GET /success` is where the window sends the buyer back: the confirm takes the money;
//! 3. `GET /fail` is where it sends a buyer who has not paid;
//! 4. `POST /events` hears what becomes of the order from then on, and ships.

mod events;
mod jangbu;
mod orders;
mod pages;
mod window;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use clap::Parser;
use reqwest::{Client, Url};
use serde::Deserialize;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

use crate::{
    jangbu::{Error, Jangbu},
    orders::{Order, Orders, PRODUCTS},
    window::Window,
};

/// How long a confirm may take: Jangbu asks Toss more than once before it says that it does not know.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Parser)]
#[command(version, about)]
struct Settings {
    /// Where to listen.
    #[arg(long, env = "SHOP_ADDR", default_value = "127.0.0.1:4300")]
    addr: SocketAddr,
    /// Where buyers reach the shop, without a slash at the end; http:// and the address, if left out.
    #[arg(long, env = "SHOP_URL")]
    url: Option<String>,
    /// Where Jangbu is.
    #[arg(long, env = "JANGBU_URL")]
    jangbu_url: String,
    /// Opens Jangbu's merchant API.
    #[arg(long, env = "JANGBU_KEY", hide_env_values = true)]
    jangbu_key: String,
    /// What Jangbu signs its events with: whsec_…
    #[arg(long, env = "JANGBU_EVENT_SECRET", hide_env_values = true)]
    event_secret: String,
    /// For Toss's own window: the client key of the API keys, test_ck_… or live_ck_…
    #[arg(long, env = "TOSS_CLIENT_KEY")]
    client_key: Option<String>,
    /// For the sandbox's window instead: http://127.0.0.1:4100/_sandbox/payments
    #[arg(long, env = "TOSS_WINDOW_URL")]
    window_url: Option<Url>,
}

struct Shop {
    url: String,
    orders: Arc<Orders>,
    jangbu: Jangbu,
    window: Window,
}

type Shared = State<Arc<Shop>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    drop(rustls::crypto::ring::default_provider().install_default());

    let http = Client::builder().timeout(PATIENCE).build()?;
    let window = match (settings.client_key, settings.window_url) {
        (Some(client_key), None) => Window::Toss { client_key },
        (None, Some(url)) => Window::Sandbox { url, http: http.clone() },
        _ => bail!("set TOSS_CLIENT_KEY for Toss's own window, or TOSS_WINDOW_URL for the sandbox's"),
    };
    // An empty secret is one that everybody knows.
    ensure!(settings.event_secret.len() > 30, "JANGBU_EVENT_SECRET: whsec_…, as Jangbu has shown it");
    let webhook = Webhook::new(&settings.event_secret).context("JANGBU_EVENT_SECRET")?;

    let orders = Arc::new(Orders::default());
    let shop = Shop {
        url: settings.url.unwrap_or_else(|| format!("http://{}", settings.addr)),
        orders: Arc::clone(&orders),
        jangbu: Jangbu::new(http, &settings.jangbu_url, settings.jangbu_key),
        window,
    };
    tracing::info!("the shop is open at {}", shop.url);
    let router: Router = Router::new()
        .route("/", get(|| async { pages::shelf() }))
        .route("/buy", post(buy))
        .route("/success", get(success))
        .route("/fail", get(fail))
        .route("/orders/{orderId}", get(order))
        .with_state(Arc::new(shop))
        .merge(events::router(webhook, orders));
    let listener = TcpListener::bind(settings.addr).await?;
    axum::serve(listener, router).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Basket {
    product: usize,
}

async fn buy(State(shop): Shared, Form(basket): Form<Basket>) -> Response {
    let Some(product) = PRODUCTS.get(basket.product) else { return no_such_order() };
    let order = shop.orders.place(product);
    match begin(&shop, &order).await {
        Ok(window) => window,
        Err(error) => {
            tracing::error!(order = %order.id, "the window was not opened: {error:#}");
            let words = "돈은 나가지 않았어요. 잠시 뒤 다시 시도해 주세요.";
            (StatusCode::BAD_GATEWAY, pages::notice("주문을 받지 못했어요", words, None)).into_response()
        }
    }
}

/// Registers first: what the buyer pays is then compared with what the order costs, whatever the browser says.
async fn begin(shop: &Shop, order: &Order) -> anyhow::Result<Response> {
    shop.jangbu.register(&order.id, order.product.name, order.product.price).await?;
    shop.window.open(order, &shop.url).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Success {
    payment_key: String,
    order_id: String,
    amount: i64,
}

/// The buyer has proven a method; the money moves only now. A page that is loaded again confirms again, and is answered alike.
async fn success(State(shop): Shared, Query(back): Query<Success>) -> Response {
    let Some(order) = shop.orders.get(&back.order_id) else { return no_such_order() };
    if back.amount != order.product.price {
        let words = "주문 금액과 결제 금액이 달라요. 돈은 나가지 않았어요.";
        return (StatusCode::BAD_REQUEST, pages::notice("결제하지 못했어요", words, None)).into_response();
    }
    match shop.jangbu.confirm(&order.id, &back.payment_key, order.product.price).await {
        Ok(confirmed) => {
            shop.orders.confirmed(&order.id, confirmed);
            Redirect::to(&format!("/orders/{}", order.id)).into_response()
        }
        Err(Error::Refused(refusal)) => {
            tracing::info!(order = %order.id, %refusal, "not paid");
            pages::notice("결제하지 못했어요", &refusal.message, Some(&order)).into_response()
        }
        // Neither a yes nor a no. To say "failed" here has buyers pay twice: an event will tell.
        Err(Error::Unknown(error)) => {
            tracing::warn!(order = %order.id, %error, "not known yet");
            let words = "이미 결제됐을 수 있으니 다시 결제하지 말고, 잠시 뒤 주문을 확인해 주세요.";
            let page = pages::notice("아직 결제 결과를 몰라요", words, Some(&order));
            (StatusCode::ACCEPTED, page).into_response()
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Fail {
    code: String,
    message: String,
    /// Toss leaves it out of some.
    order_id: Option<String>,
}

/// Nothing is decided here: anybody can write such an address, and another attempt may have been paid. Nor are its words shown
/// without an order that it belongs to.
async fn fail(State(shop): Shared, Query(back): Query<Fail>) -> Response {
    let title = "결제하지 않았어요";
    let Some(order) = back.order_id.and_then(|id| shop.orders.get(&id)) else {
        return pages::notice(title, "돈은 나가지 않았어요.", None).into_response();
    };
    if let Err(error) = shop.jangbu.fail(&order.id, &back.code, &back.message).await {
        tracing::warn!(order = %order.id, %error, "Jangbu does not know of a failed attempt");
    }
    pages::notice(title, &back.message, Some(&order)).into_response()
}

/// Whoever has the address sees it: its id cannot be guessed. A real shop asks for a log-in as well.
async fn order(State(shop): Shared, Path(id): Path<String>) -> Response {
    shop.orders.get(&id).map_or_else(no_such_order, |order| pages::order(&order).into_response())
}

fn no_such_order() -> Response {
    let page = pages::notice("없는 주문이에요", "주소를 다시 확인해 주세요.", None);
    (StatusCode::NOT_FOUND, page).into_response()
}
