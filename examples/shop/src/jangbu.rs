//! Those calls of Jangbu's merchant API that a shop needs; all of them are described at `/api/v1/openapi.json`.

use reqwest::{Client, Response, header::ACCEPT_LANGUAGE};
use serde::Deserialize;
use serde_json::{Value, json};

pub struct Jangbu {
    http: Client,
    url: String,
    key: String,
}

/// An order that was confirmed, as far as the shop asks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmed {
    /// Toss's own word: `DONE`, or `WAITING_FOR_DEPOSIT`.
    pub status: String,
    /// Where the buyer has to pay into.
    pub virtual_account: Option<VirtualAccount>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualAccount {
    pub bank_name: String,
    pub account_number: String,
}

/// A plain no. `code` is for programs, `message` for the buyer.
#[derive(Debug, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Refusal {
    pub code: String,
    pub message: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No answer, or one that leaves it open (504): it may have happened.
    #[error("no answer to rely on: {0}")]
    Unknown(#[from] reqwest::Error),
}

impl Jangbu {
    pub fn new(http: Client, url: &str, key: String) -> Self {
        Self { http, url: format!("{}/api/v1/orders", url.trim_end_matches('/')), key }
    }

    /// Before the window opens. `amount` is in won.
    pub async fn register(&self, order_id: &str, order_name: &str, amount: i64) -> Result<(), Error> {
        let body = json!({ "orderId": order_id, "orderName": order_name, "amount": amount });
        self.post("", &body).await.map(drop)
    }

    /// Takes the money, within ten minutes of the buyer's return. Asked again, it answers like the first time.
    pub async fn confirm(&self, order_id: &str, payment_key: &str, amount: i64) -> Result<Confirmed, Error> {
        let body = json!({ "paymentKey": payment_key, "amount": amount });
        Ok(self.post(&format!("/{order_id}/confirm"), &body).await?.json().await?)
    }

    /// Tells why the buyer came back without paying: staff see it with the order.
    pub async fn fail(&self, order_id: &str, code: &str, message: &str) -> Result<(), Error> {
        let body = json!({ "code": code, "message": message });
        self.post(&format!("/{order_id}/failures"), &body).await.map(drop)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Response, Error> {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.key);
        // Refusals are shown to buyers: in their language.
        let response = request.header(ACCEPT_LANGUAGE, "ko").json(body).send().await?;
        if response.status().is_client_error() {
            return Err(response.json::<Refusal>().await?.into());
        }
        Ok(response.error_for_status()?)
    }
}
