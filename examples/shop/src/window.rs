//! Where the buyer pays. Both windows take the same and send the buyer back alike.

use axum::response::{IntoResponse, Redirect, Response};
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::json;

use crate::{orders::Order, pages};

pub enum Window {
    /// Opened in the buyer's browser by Toss's script.
    Toss { client_key: String },
    /// Opened by a call, so that nothing has to be loaded from elsewhere.
    Sandbox { url: Url, http: Client },
}

/// What the sandbox answers.
#[derive(Deserialize)]
struct Opened {
    /// The window's address.
    checkout: String,
}

impl Window {
    pub async fn open(&self, order: &Order, shop_url: &str) -> anyhow::Result<Response> {
        let (success_url, fail_url) = (format!("{shop_url}/success"), format!("{shop_url}/fail"));
        match self {
            Self::Toss { client_key } => {
                Ok(pages::checkout(client_key, order, &success_url, &fail_url).into_response())
            }
            Self::Sandbox { url, http } => {
                let opening = json!({ "orderId": order.id, "orderName": order.product.name, "amount": order.product.price,
                                      "successUrl": success_url, "failUrl": fail_url });
                let answer = http.post(url.clone()).json(&opening).send().await?;
                let opened: Opened = answer.error_for_status()?.json().await?;
                Ok(Redirect::to(url.join(&opened.checkout)?.as_str()).into_response())
            }
        }
    }
}
