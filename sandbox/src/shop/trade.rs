//! A month of trade, made the way trade is made: orders through the merchant API, buyers in the payment window,
//! the merchant confirming, banks depositing, some things going wrong. On the sandbox's clock.

use std::{collections::HashSet, sync::Arc};

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, Time, macros::format_description};
use toss::timestamp;

use super::{
    NewOrder, Shop, ShopConfig,
    goods::{BANKS, EASY_PAYS, FAMILY_NAMES, GIVEN_NAMES, ISSUERS, PRODUCTS},
    mini_app, number,
};

/// What to make.
#[derive(Debug, Clone)]
pub struct Plan {
    pub sandbox_url: String,
    /// A test key that the sandbox takes; refunds at Toss's own console are made with it.
    pub secret_key: String,
    pub shop: ShopConfig,
    pub orders: usize,
    pub days: i64,
    pub seed: u64,
    /// When it ends; the sandbox's now, if left out.
    pub until: Option<OffsetDateTime>,
}

/// How one purchase goes.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Paid,
    /// The buyer never finishes in the window.
    Abandoned,
    /// Authenticated; the shop never confirms.
    Unconfirmed,
    Declined(&'static str),
    /// Somebody changed the amount on the way to the shop's server.
    Tampered,
}

#[derive(Debug, Clone)]
enum Deed {
    Buy {
        order: NewOrder,
        fate: Fate,
        choice: Value,
        escrow: bool,
    },
    Deposit {
        order_id: String,
    },
    /// A cancel in Toss's own console; `None` is all that is left.
    Refund {
        order_id: String,
        amount: Option<Decimal>,
        reason: &'static str,
        account: bool,
    },
    FinishBankRefund {
        order_id: String,
    },
    SpoilWebhooks {
        copies: u32,
    },
}

impl Deed {
    /// The order that has to be bought before.
    fn follows(&self) -> Option<&str> {
        match self {
            Self::Deposit { order_id }
            | Self::Refund { order_id, .. }
            | Self::FinishBankRefund { order_id } => Some(order_id),
            Self::Buy { .. } | Self::SpoilWebhooks { .. } => None,
        }
    }
}

/// Steps of simulated time; everything inside one happens at once.
const STEP: Duration = Duration::minutes(12);

/// Makes the trade; `progress` hears of every step as `(done, of)`.
pub async fn make(plan: Plan, progress: impl Fn(usize, usize)) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().timeout(std::time::Duration::from_secs(30)).build()?;
    let maker = Arc::new(Maker { shop: Shop::new(http.clone(), plan.shop.clone()), http, plan });
    let (now, offset_ms) = maker.clock().await?;
    let until = maker.plan.until.unwrap_or(now);
    ensure!(until <= now, "the trade would end in the sandbox's future");
    let deeds = maker.script(until);
    let total = deeds.len();
    let mut done = 0;
    let mut day = deeds.first().map(|(at, _)| at.date());
    let mut rest = deeds.as_slice();
    while let Some((start, _)) = rest.first() {
        let end = *start + STEP;
        // Nobody pays into an account, or is paid back, before the order is there.
        let mut bought = HashSet::new();
        let count = rest.iter().take_while(|(at, deed)| {
            if let Deed::Buy { order, .. } = deed {
                bought.insert(order.order_id.as_str());
            }
            *at < end && deed.follows().is_none_or(|order_id| !bought.contains(order_id))
        });
        let count = count.count();
        let (step, later) = rest.split_at(count);
        maker.turn(*start).await?;
        if day.is_some_and(|d| d < start.date()) {
            if let Some(day) = day {
                maker.control("close-day", &json!({ "day": day.to_string() })).await?;
            }
            day = Some(start.date());
        }
        stream::iter(step.iter().map(|(_, deed)| maker.perform(deed)))
            .buffer_unordered(6)
            .try_collect::<()>()
            .await?;
        done += count;
        progress(done, total);
        rest = later;
    }
    maker.turn_back(offset_ms).await?;
    maker.spoil_settlements(until).await?;
    maker.clear_faults().await?;
    mini_app::trade(&maker.shop, maker.plan.seed, |path, body| {
        let maker = Arc::clone(&maker);
        async move { maker.control(&path, &body).await }
    })
    .await
}

struct Maker {
    http: reqwest::Client,
    shop: Shop,
    plan: Plan,
}

impl Maker {
    async fn call(&self, url: String, body: &Value) -> anyhow::Result<Value> {
        let response = self.http.post(&url).json(body).send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "{url} answered {status}: {text}");
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn control(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(format!("{}/_sandbox/{path}", self.plan.sandbox_url), body).await
    }

    /// The sandbox's time, and how far it is from the real one.
    async fn clock(&self) -> anyhow::Result<(OffsetDateTime, i64)> {
        let clock: Value =
            self.http.get(format!("{}/_sandbox/clock", self.plan.sandbox_url)).send().await?.json().await?;
        let now = clock["now"].as_str().and_then(timestamp::parse).context("the sandbox told no time")?;
        Ok((now, clock["offsetMs"].as_i64().context("the sandbox told no offset")?))
    }

    /// Lets every webhook arrive, then turns both clocks: the merchant's first, so that nobody is in the past.
    async fn turn(&self, now: OffsetDateTime) -> anyhow::Result<()> {
        self.settle().await?;
        let body = json!({ "now": timestamp::format(now) });
        self.merchant_clock(&body).await?;
        self.control("clock", &body).await?;
        Ok(())
    }

    async fn turn_back(&self, offset_ms: i64) -> anyhow::Result<()> {
        self.settle().await?;
        let body = json!({ "offsetMs": offset_ms });
        self.merchant_clock(&body).await?;
        self.control("clock", &body).await?;
        self.settle().await
    }

    /// A few settlements that finance has to find: too dear, missing, twice, of another amount.
    async fn spoil_settlements(&self, until: OffsetDateTime) -> anyhow::Result<()> {
        let url = format!("{}/_sandbox/transactions", self.plan.sandbox_url);
        let rows: Vec<toss::payments::Transaction> = self.http.get(url).send().await?.json().await?;
        let until = until - Duration::days(12);
        let is_old_sale = |row: &&toss::payments::Transaction| {
            row.status == toss::payments::PaymentStatus::Done
                && row.method == Some(toss::payments::Method::Card)
                && row.currency.as_deref() == Some("KRW")
                && row.transaction_at < until
        };
        let mut sales: Vec<_> = rows.iter().filter(is_old_sale).collect();
        // What happens within one step may be booked in any order.
        sales.sort_by(|a, b| a.order_id.as_str().cmp(b.order_id.as_str()));
        let ways = [
            |amount: Decimal| json!({ "fee": (amount / Decimal::from(25)).round() }),
            |_| json!("missing"),
            |_| json!("twice"),
            |amount: Decimal| json!({ "amount": amount - Decimal::from(100) }),
        ];
        let step = (sales.len() / ways.len()).max(1);
        for (sale, way) in sales.iter().step_by(step).zip(ways) {
            self.control(&format!("settlements/{}", sale.transaction_key), &way(sale.amount)).await?;
        }
        Ok(())
    }

    /// What the trade spoilt on purpose ends with it.
    async fn clear_faults(&self) -> anyhow::Result<()> {
        let url = format!("{}/_sandbox/faults", self.plan.sandbox_url);
        self.http.delete(url).send().await?.error_for_status()?;
        Ok(())
    }

    async fn settle(&self) -> anyhow::Result<()> {
        self.http.get(format!("{}/_sandbox/idle", self.plan.sandbox_url)).send().await?.error_for_status()?;
        Ok(())
    }

    async fn merchant_clock(&self, body: &Value) -> anyhow::Result<()> {
        let url = format!("{}/_sandbox/clock", self.plan.shop.api_url);
        self.http
            .post(url)
            .bearer_auth(&self.plan.shop.api_key)
            .json(body)
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    async fn perform(&self, deed: &Deed) -> anyhow::Result<()> {
        match deed {
            Deed::Buy { order, fate, choice, escrow } => self.buy(order, fate, choice, *escrow).await,
            Deed::Deposit { order_id } => {
                let key = self.payment_key(order_id).await?;
                self.control(&format!("payments/{key}/deposit"), &Value::Null).await?;
                Ok(())
            }
            Deed::FinishBankRefund { order_id } => {
                let key = self.payment_key(order_id).await?;
                self.control(&format!("payments/{key}/bank-refund"), &json!({ "status": "COMPLETED" }))
                    .await?;
                Ok(())
            }
            Deed::Refund { order_id, amount, reason, account } => {
                let key = self.payment_key(order_id).await?;
                let mut body = json!({ "cancelReason": reason });
                if let Some(amount) = amount {
                    body["cancelAmount"] = number(*amount);
                }
                if *account {
                    body["refundReceiveAccount"] =
                        json!({ "bank": "88", "accountNumber": "110123456789", "holderName": "홍길동" });
                }
                let url = format!("{}/v1/payments/{key}/cancel", self.plan.sandbox_url);
                let response = self
                    .http
                    .post(url)
                    .basic_auth(&self.plan.secret_key, Some(""))
                    .json(&body)
                    .send()
                    .await?;
                // A phone payment of last month is refused by Toss; that is part of trade.
                let status = response.status();
                ensure!(status.is_success() || status.as_u16() == 403, "a refund was answered {status}");
                Ok(())
            }
            Deed::SpoilWebhooks { copies } => {
                let fault = json!({ "on": "webhook", "kind": "duplicate", "copies": copies });
                self.control("faults", &fault).await?;
                Ok(())
            }
        }
    }

    async fn payment_key(&self, order_id: &str) -> anyhow::Result<String> {
        let url = format!("{}/v1/payments/orders/{order_id}", self.plan.sandbox_url);
        let response = self.http.get(url).basic_auth(&self.plan.secret_key, Some("")).send().await?;
        let payment: Value = response.error_for_status()?.json().await?;
        Ok(payment["paymentKey"].as_str().context("no paymentKey")?.to_owned())
    }

    async fn buy(&self, order: &NewOrder, fate: &Fate, choice: &Value, escrow: bool) -> anyhow::Result<()> {
        let (status, said) = self.shop.place(order).await?;
        ensure!(status == 201, "the order {} was answered {status}: {said}", order.order_id);
        let opened = self
            .control(
                "payments",
                &json!({ "orderId": order.order_id, "orderName": order.order_name, "amount": number(order.amount),
                         "currency": order.currency, "useEscrow": escrow }),
            )
            .await?;
        let key = opened["paymentKey"].as_str().context("no paymentKey")?;
        if *fate == Fate::Abandoned {
            return Ok(());
        }
        let mut choice = choice.clone();
        if let Fate::Declined(code) = fate {
            choice["decline"] = json!(code);
        }
        self.control(&format!("payments/{key}/authenticate"), &choice).await?;
        let amount = match fate {
            Fate::Unconfirmed => return Ok(()),
            Fate::Tampered => order.amount / Decimal::TEN,
            _ => order.amount,
        };
        let (status, said) = self.shop.confirm(&order.order_id, key, amount).await?;
        let expected = *fate == Fate::Paid;
        ensure!(
            (status == 200) == expected,
            "the confirm of {} was answered {status}: {said}",
            order.order_id
        );
        Ok(())
    }

    /// Everything that will happen, in order of time.
    fn script(&self, now: OffsetDateTime) -> Vec<(OffsetDateTime, Deed)> {
        let mut rng = StdRng::seed_from_u64(self.plan.seed);
        let mut deeds = Vec::new();
        let first = now - Duration::days(self.plan.days);
        for n in 0..self.plan.orders {
            let at = moment(&mut rng, first, now);
            purchase(&mut rng, n, at, now, &mut deeds);
        }
        // The last minutes: windows that are open right now.
        for n in 0..5usize {
            let at = now - Duration::minutes(6) + Duration::minutes(i64::try_from(n).unwrap_or(0));
            let fate = if n % 2 == 0 { Fate::Abandoned } else { Fate::Unconfirmed };
            let order = order(&mut rng, self.plan.orders + n, at, "KRW");
            deeds.push((at, Deed::Buy { order, fate, choice: card(&mut rng), escrow: false }));
        }
        for _ in 0..12 {
            deeds.push((moment(&mut rng, first, now), Deed::SpoilWebhooks { copies: 2 }));
        }
        deeds.sort_by_key(|(at, _)| *at);
        deeds
    }
}

/// More people buy in the evening than at four in the morning, and shops grow.
fn moment(rng: &mut StdRng, first: OffsetDateTime, last: OffsetDateTime) -> OffsetDateTime {
    const BY_HOUR: [u32; 24] =
        [4, 2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 11, 9, 8, 8, 8, 9, 10, 12, 14, 15, 13, 8];
    loop {
        let span = (last - first).whole_seconds().max(1);
        let drift = rng.random_range(0.0f64..1.0).powf(0.85);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "a random moment of sample trade"
        )]
        let at = first + Duration::seconds((drift * span as f64) as i64);
        if rng.random_range(0..15) < BY_HOUR[usize::from(at.hour())] {
            return at;
        }
    }
}

fn weighted<'a>(rng: &mut StdRng, table: &'a [(&'a str, u32)]) -> &'a str {
    let mut at = rng.random_range(0..table.iter().map(|(_, weight)| weight).sum::<u32>());
    for (name, weight) in table {
        if at < *weight {
            return name;
        }
        at -= weight;
    }
    table[0].0
}

fn pick<'a>(rng: &mut StdRng, names: &[&'a str]) -> &'a str {
    names.choose(rng).copied().unwrap_or_default()
}

fn order(rng: &mut StdRng, n: usize, at: OffsetDateTime, currency: &'static str) -> NewOrder {
    let (product, price) = PRODUCTS[rng.random_range(0..PRODUCTS.len())];
    let pieces = if rng.random_range(0..5) == 0 { rng.random_range(2..4) } else { 1 };
    let order_name =
        if pieces == 1 { product.to_owned() } else { format!("{product} 외 {}건", pieces - 1) };
    let amount = if currency == "KRW" {
        Decimal::from(price * pieces)
    } else {
        Decimal::new(price * pieces / 13, 2) + Decimal::new(rng.random_range(0..99), 2)
    };
    let day = at.format(format_description!("[year repr:last_two][month][day]")).unwrap_or_default();
    NewOrder {
        order_id: format!("ord_{day}_{n:05}"),
        amount,
        currency,
        order_name,
        customer_name: format!("{}{}", pick(rng, FAMILY_NAMES), pick(rng, GIVEN_NAMES)),
        customer_mobile_phone: format!("010{:08}", rng.random_range(10_000_000..99_999_999)),
        customer_email: format!("buyer{n}@example.com"),
    }
}

fn card(rng: &mut StdRng) -> Value {
    let months = if rng.random_range(0..6) == 0 { rng.random_range(2..7) } else { 0 };
    json!({ "method": "카드", "issuerCode": weighted(rng, ISSUERS), "installmentPlanMonths": months })
}

/// Every other buyer who pays from an account asks for a receipt.
fn wanted_receipt(n: usize, order: &NewOrder) -> Option<Value> {
    let kind = if n.is_multiple_of(5) { "지출증빙" } else { "소득공제" };
    n.is_multiple_of(2).then(|| json!({ "type": kind, "number": order.customer_mobile_phone }))
}

fn purchase(
    rng: &mut StdRng,
    n: usize,
    at: OffsetDateTime,
    now: OffsetDateTime,
    deeds: &mut Vec<(OffsetDateTime, Deed)>,
) {
    let method = rng.random_range(0..1000);
    let currency = if (958..970).contains(&method) { "USD" } else { "KRW" };
    let order = order(rng, n, at, currency);
    let (order_id, amount) = (order.order_id.clone(), order.amount);
    let bank = pick(rng, BANKS);
    let mut escrow = false;
    let mut account = false;
    let choice = match method {
        0..560 => card(rng),
        560..760 => {
            json!({ "method": "간편결제", "provider": weighted(rng, EASY_PAYS), "issuerCode": weighted(rng, ISSUERS) })
        }
        760..800 => json!({ "method": "간편결제", "provider": "토스페이" }),
        800..880 => {
            account = true;
            escrow = rng.random_range(0..8) == 0;
            json!({ "method": "가상계좌", "bankCode": bank, "customerName": order.customer_name, "validHours": 72,
                    "cashReceipt": wanted_receipt(n, &order) })
        }
        880..920 => {
            json!({ "method": "계좌이체", "bankCode": bank, "cashReceipt": wanted_receipt(n, &order) })
        }
        920..950 => json!({ "method": "휴대폰", "customerMobilePhone": order.customer_mobile_phone }),
        950..958 => json!({ "method": pick(rng, &["문화상품권", "도서문화상품권", "게임문화상품권"]) }),
        958..965 => json!({ "method": "해외간편결제", "provider": "PAYPAL" }),
        965..970 => json!({ "method": "해외간편결제", "provider": "ALIPAY" }),
        970..980 => json!({ "method": "카드", "issuerCode": "4V", "partialCancelable": false }),
        _ => card(rng),
    };
    let fate = match rng.random_range(0..1000) {
        0..45 => Fate::Abandoned,
        45..60 => Fate::Declined("REJECT_CARD_COMPANY"),
        60..72 => Fate::Declined("REJECT_ACCOUNT_PAYMENT"),
        72..76 => Fate::Unconfirmed,
        76..79 => Fate::Tampered,
        _ => Fate::Paid,
    };
    let paid = fate == Fate::Paid;
    deeds.push((at, Deed::Buy { order, fate, choice, escrow }));
    if !paid {
        return;
    }
    let mut paid_at = at;
    if account {
        if rng.random_range(0..100) < 22 {
            return;
        }
        paid_at = at + Duration::minutes(rng.random_range(20..60 * 40));
        if paid_at >= now {
            return;
        }
        deeds.push((paid_at, Deed::Deposit { order_id: order_id.clone() }));
    }
    let refund_at = paid_at + Duration::minutes(rng.random_range(40..60 * 24 * 6));
    if refund_at >= now - Duration::hours(3) {
        return;
    }
    // Refunds are made in office hours.
    let refund_at = refund_at.replace_time(
        Time::from_hms(10 + refund_at.hour() % 8, refund_at.minute(), 0).unwrap_or(refund_at.time()),
    );
    if refund_at <= paid_at || refund_at >= now {
        return;
    }
    let reason = pick(rng, &["고객 변심", "상품 불량", "미배송", "중복 주문", "가격 오류"]);
    let refund =
        |amount, order_id: &str| Deed::Refund { order_id: order_id.to_owned(), amount, reason, account };
    match rng.random_range(0..100) {
        0..5 => {
            deeds.push((refund_at, refund(None, &order_id)));
            if account {
                deeds.push((refund_at + Duration::days(2), Deed::FinishBankRefund { order_id }));
            }
        }
        5..9 if currency == "KRW" => {
            let half = (amount / Decimal::from(2)).round();
            deeds.push((refund_at, refund(Some(half), &order_id)));
            let second = refund_at + Duration::hours(26);
            if rng.random_range(0..4) == 0 && second < now {
                deeds.push((second, refund(None, &order_id)));
            }
        }
        _ => {}
    }
    deeds.retain(|(at, _)| *at < now);
}
