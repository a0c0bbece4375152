//! In-app purchases: orders through their eight states, and refunds that the store decides (toss-api.md B6).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Change, MiniApp, Outcome, Refused};

/// Look-ups a minute of one mini-app (toss-api.md B1.4).
const PER_MINUTE: usize = 3000;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Order {
    pub order_id: String,
    pub user_key: i64,
    pub sku: String,
    /// `ANDROID` or `IOS`
    pub platform: String,
    pub status: String,
    #[serde(with = "toss::timestamp::option")]
    pub determined_at: Option<OffsetDateTime>,
    /// The tab of the console it stands in, once a refund was asked for: 환불 요청, 요청 승인, 환불 반려, 환불 완료.
    pub tab: Option<String>,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            order_id: String::new(),
            user_key: 0,
            sku: "ait.0000010000.af647449.3bd55cfd00.0000000475".into(),
            platform: "ANDROID".into(),
            status: "PURCHASED".into(),
            determined_at: None,
            tab: None,
        }
    }
}

fn words(status: &str) -> &'static str {
    match status {
        "PAYMENT_COMPLETED" => "결제가 완료되었어요.",
        "PURCHASED" => "완료된 주문이에요.",
        "FAILED" => "결제에 실패했어요.",
        "REFUNDED" => "환불된 주문이에요.",
        "ORDER_IN_PROGRESS" => "주문이 진행 중이에요.",
        "MINIAPP_MISMATCH" => "다른 미니앱의 주문이에요.",
        "NOT_FOUND" => "주문을 찾을 수 없어요.",
        _ => "내부 오류가 발생했어요.",
    }
}

impl MiniApp {
    pub fn order_status(&mut self, user: Option<&str>, body: &Value, now: OffsetDateTime) -> Outcome {
        self.count("get-order-status".into(), PER_MINUTE, now)?;
        let order_id = body["orderId"].as_str().unwrap_or_default();
        if Uuid::parse_str(order_id).is_err() {
            return Err(Refused::parameter("orderId는 UUID여야 해요."));
        }
        let owner = user.map(|_| self.user(user).map(|u| u.user_key)).transpose()?;
        let found = self.orders.get(order_id).filter(|o| owner.is_none_or(|key| o.user_key == key));
        let status = found.map_or("NOT_FOUND", |o| o.status.as_str());
        let mut answer = json!({ "orderId": order_id, "status": status, "reason": words(status) });
        if let Some(order) = found {
            // As in the sample: without a zone.
            answer["statusDeterminedAt"] = json!(order.determined_at.map(toss::timestamp::format_local));
            if !matches!(status, "NOT_FOUND" | "MINIAPP_MISMATCH" | "ERROR") {
                answer["sku"] = json!(order.sku);
            }
        }
        Ok(answer)
    }

    /// A purchase in the Toss app.
    pub fn add_order(&mut self, mut order: Order, now: OffsetDateTime) -> Order {
        if order.order_id.is_empty() {
            order.order_id = Uuid::now_v7().to_string();
        }
        order.determined_at = Some(now);
        self.put(Change::Order(Box::new(order.clone())));
        order
    }

    /// The store, or time, moves an order.
    pub fn move_order(&mut self, order_id: &str, status: &str, now: OffsetDateTime) -> Option<Order> {
        let mut order = self.orders.get(order_id)?.clone();
        order.status = status.to_owned();
        order.determined_at = Some(now);
        if status == "REFUNDED" {
            order.tab = Some("환불 완료".into());
        }
        self.put(Change::Order(Box::new(order.clone())));
        Some(order)
    }

    /// The console's tabs. On iOS nobody can ask for a refund here.
    pub fn file_order(&mut self, order_id: &str, tab: &str) -> Option<Order> {
        let mut order = self.orders.get(order_id).filter(|o| o.platform != "IOS")?.clone();
        order.tab = Some(tab.to_owned());
        self.put(Change::Order(Box::new(order.clone())));
        Some(order)
    }
}
