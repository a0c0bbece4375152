//! A shop in front of the merchant API: it sells by hand (the sandbox's shop page) and by itself (`trade`).

pub mod goods;
mod mini_app;
pub mod trade;

use rust_decimal::Decimal;
use serde_json::{Value, json};

/// How to reach the merchant's order API.
#[derive(Debug, Clone)]
pub struct ShopConfig {
    /// Where `/api/v1/orders` lives, without a slash at the end.
    pub api_url: String,
    pub api_key: String,
    /// Where buyers reach this sandbox, for the way back from the payment window.
    pub own_url: String,
}

/// An order to be placed.
#[derive(Debug, Clone)]
pub struct NewOrder {
    pub order_id: String,
    pub amount: Decimal,
    pub currency: &'static str,
    pub order_name: String,
    pub customer_name: String,
    pub customer_mobile_phone: String,
    pub customer_email: String,
}

/// What the merchant API said: its status and its body.
pub type Said = (u16, Value);

#[derive(Debug, Clone)]
pub struct Shop {
    http: reqwest::Client,
    config: ShopConfig,
}

impl Shop {
    pub fn new(http: reqwest::Client, config: ShopConfig) -> Self {
        Self { http, config }
    }

    pub async fn place(&self, order: &NewOrder) -> reqwest::Result<Said> {
        let body = json!({
            "orderId": order.order_id, "amount": number(order.amount), "currency": order.currency,
            "orderName": order.order_name, "customerName": order.customer_name,
            "customerMobilePhone": order.customer_mobile_phone, "customerEmail": order.customer_email,
        });
        self.post("/api/v1/orders", &body).await
    }

    pub async fn confirm(&self, order_id: &str, payment_key: &str, amount: Decimal) -> reqwest::Result<Said> {
        let body = json!({ "paymentKey": payment_key, "amount": number(amount) });
        self.post(&format!("/api/v1/orders/{order_id}/confirm"), &body).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> reqwest::Result<Said> {
        let url = format!("{}{path}", self.config.api_url);
        let response = self.http.post(url).bearer_auth(&self.config.api_key).json(body).send().await?;
        let status = response.status().as_u16();
        Ok((status, response.json().await.unwrap_or(Value::Null)))
    }
}

/// A JSON number, as the merchant API takes amounts.
pub(crate) fn number(amount: Decimal) -> Value {
    #[derive(serde::Serialize)]
    struct Wire(#[serde(with = "toss::decimal")] Decimal);
    serde_json::to_value(Wire(amount)).unwrap_or(Value::Null)
}
