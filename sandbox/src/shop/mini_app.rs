//! A shop inside a mini-app: users log in, pay with Toss Pay and buy in-app, through the merchant's API.

use anyhow::ensure;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::{
    Said, Shop,
    goods::{FAMILY_NAMES, GIVEN_NAMES, PRODUCTS},
};

impl Shop {
    /// The mini-app has an authorization code: the merchant's server exchanges it.
    pub async fn log_in(&self, code: &Value) -> reqwest::Result<Said> {
        self.post("/api/v1/login", code).await
    }

    pub async fn begin_toss_pay(
        &self,
        order_no: &str,
        user: i64,
        name: &str,
        amount: i64,
    ) -> reqwest::Result<Said> {
        let body = json!({ "orderNo": order_no, "userKey": user, "productDesc": name, "amount": amount, "amountTaxFree": 0 });
        self.post("/api/v1/toss-pay/payments", &body).await
    }

    pub async fn execute_toss_pay(&self, order_no: &str, pay_token: &str) -> reqwest::Result<Said> {
        let body = json!({ "payToken": pay_token });
        self.post(&format!("/api/v1/toss-pay/payments/{order_no}/execute"), &body).await
    }

    pub async fn tell_purchase(&self, order: &Value) -> reqwest::Result<Said> {
        let body = json!({ "orderId": order["orderId"], "userKey": order["userKey"], "platform": order["platform"],
                           "sku": order["sku"] });
        self.post("/api/v1/iap/orders", &body).await
    }
}

/// Some users with what they bought today. Nothing where the merchant has no mini-app.
pub(super) async fn trade<F>(
    shop: &Shop,
    seed: u64,
    control: impl Fn(String, Value) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<Value>>,
{
    let mut rng = StdRng::seed_from_u64(seed);
    for (code, budget) in [("WELCOME", 1_000_000), ("REVIEW", 300_000)] {
        let promotion = json!({ "promotionCode": code, "budget": budget, "pendingLooks": 1 });
        control("apps-in-toss/promotions".into(), promotion).await?;
    }
    for n in 0..8 {
        let pick = |rng: &mut StdRng, from: &[&str]| from[rng.random_range(0..from.len())].to_owned();
        let name = pick(&mut rng, FAMILY_NAMES) + &pick(&mut rng, GIVEN_NAMES);
        let phone = format!("010{:08}", rng.random_range(10_000_000..99_999_999));
        let user =
            control("apps-in-toss/users".into(), json!({ "name": name, "phone": phone, "push": n % 4 != 0 }))
                .await?;
        let Some(key) = user["userKey"].as_i64() else { continue };
        let code = control(format!("apps-in-toss/users/{key}/authorize"), json!({})).await?;
        let (status, said) = shop.log_in(&code).await?;
        if status == 503 {
            return Ok(());
        }
        ensure!(status == 200, "the log-in was answered {status}: {said}");
        let product = &PRODUCTS[rng.random_range(0..PRODUCTS.len())];
        let order_no = format!("mini-{}", crate::ids::digits(10));
        let (status, said) = shop.begin_toss_pay(&order_no, key, product.0, product.1).await?;
        ensure!(status == 200, "make-payment was answered {status}: {said}");
        let token = said["payToken"].as_str().unwrap_or_default().to_owned();
        if n == 7 {
            continue;
        }
        let method = if n % 2 == 0 { "TOSS_MONEY" } else { "CARD" };
        control(format!("apps-in-toss/payments/{token}/authenticate"), json!({ "payMethod": method }))
            .await?;
        let (status, said) = shop.execute_toss_pay(&order_no, &token).await?;
        ensure!(status == 200, "execute-payment was answered {status}: {said}");
        let platform = if n % 3 == 0 { "IOS" } else { "ANDROID" };
        let order =
            control("apps-in-toss/orders".into(), json!({ "userKey": key, "platform": platform })).await?;
        let (status, said) = shop.tell_purchase(&order).await?;
        ensure!(status == 200, "the in-app purchase was answered {status}: {said}");
    }
    Ok(())
}
