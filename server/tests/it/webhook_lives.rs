//! A thousand payments live through deposits and refunds while their webhooks come late, twice, and in any order.

use std::collections::HashMap;

use backoffice::{Decimal, audit, webhooks::Filter};
use futures::{StreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::SliceRandom};
use sandbox::books::{Choice, Opening};
use serde_json::{Value, json};
use toss::payments::{
    CancelRequest, ConfirmRequest, OrderId, Payment, RefundAccount, webhook::TRANSMISSION_ID,
};

use crate::support::Shop;

const LIVES: u64 = 1000;

/// Both events that Toss sends of a change of an account, the one of a card.
fn events(payment: &Payment, n: usize) -> Vec<(String, String)> {
    let mut data = serde_json::to_value(payment).unwrap();
    if payment.virtual_account.is_none() {
        // As real ones were seen (toss-api.md A10.3): nothing to compare but what Toss says.
        data.as_object_mut().unwrap().remove("secret");
    }
    let created = format!("2026-11-22T12:00:{n:02}.000000");
    let mut events =
        vec![json!({ "createdAt": created, "eventType": "PAYMENT_STATUS_CHANGED", "data": data })];
    if payment.virtual_account.is_some() {
        events.push(json!({ "createdAt": created, "secret": data["secret"], "status": data["status"],
                            "transactionKey": data["lastTransactionKey"], "orderId": data["orderId"] }));
    }
    events.into_iter().map(|event| (uuid::Uuid::new_v4().to_string(), event.to_string())).collect()
}

/// The stages of a life, one after the other, at Toss.
fn step(shop: &Shop, key: &str, n: usize, rng: &mut SmallRng) -> Option<Payment> {
    let now = shop.sandbox.clock.now();
    shop.sandbox.with_books(|books| {
        let payment = books.record(key)?.payment.clone();
        let is_account = payment.virtual_account.is_some();
        if is_account && n == 0 {
            return books.deposit(key, now).ok();
        }
        let left = i64::try_from(payment.balance_amount).ok().filter(|left| *left > 0)?;
        let amount = if rng.random_bool(0.3) { left } else { rng.random_range(1..=left) };
        let account = RefundAccount {
            bank: "20".into(),
            account_number: "110123456789".into(),
            holder_name: "김하준".into(),
        };
        let request = CancelRequest {
            cancel_reason: format!("{n}"),
            cancel_amount: Some(amount.into()),
            refund_receive_account: is_account.then_some(account),
            ..CancelRequest::default()
        };
        books.cancel(key, &request, now).ok()
    })
}

async fn post(shop: &Shop, batch: Vec<(String, String)>) {
    stream::iter(batch)
        .for_each_concurrent(4, |(id, body)| async move {
            assert_eq!(shop.hook(&[(TRANSMISSION_ID, &id)], body).await, 200);
        })
        .await;
}

async fn live(shop: &Shop, seed: u64) -> String {
    let mut rng = SmallRng::seed_from_u64(seed);
    let order = format!("life_{seed}");
    let method = if rng.random_bool(0.5) { "가상계좌" } else { "카드" };
    let now = shop.sandbox.clock.now();
    let opened = shop.sandbox.with_books(|books| {
        let opening: Opening =
            serde_json::from_value(json!({ "orderId": order, "orderName": "머그컵", "amount": 10_000 }))
                .unwrap();
        let key = books.open(opening, now).unwrap().payment.payment_key;
        let choice = Choice { method: Some(method.into()), ..Choice::default() };
        books.authenticate(&key.0, choice, now).unwrap();
        let confirm =
            ConfirmRequest { payment_key: key, order_id: OrderId(order.clone()), amount: 10_000.into() };
        books.confirm(&confirm, now).unwrap()
    });
    let key = opened.payment_key.0.clone();
    let mut on_their_way = events(&opened, 0);
    for n in 0..rng.random_range(1..5) {
        let Some(payment) = step(shop, &key, n, &mut rng) else { break };
        on_their_way.extend(events(&payment, n + 1));
        // Some come while the payment lives on, some of them twice.
        on_their_way.shuffle(&mut rng);
        let now = on_their_way.split_off(rng.random_range(0..=on_their_way.len()));
        if rng.random_bool(0.4) {
            on_their_way.extend(now.iter().take(2).cloned());
        }
        post(shop, now).await;
    }
    let copies: Vec<_> = on_their_way.iter().filter(|_| rng.random_bool(0.3)).cloned().collect();
    on_their_way.extend(copies);
    on_their_way.shuffle(&mut rng);
    post(shop, on_their_way).await;
    key
}

/// How far a state is on its way; what is further never becomes less.
fn stage(status: &str) -> usize {
    ["READY", "IN_PROGRESS", "WAITING_FOR_DEPOSIT", "DONE", "PARTIAL_CANCELED", "CANCELED"]
        .iter()
        .position(|s| *s == status)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_any_order_and_any_number_a_thousand_payments_end_as_toss_has_them() {
    let shop = Shop::open().await;
    shop.sandbox.outbox().urls.clear();
    let keys: Vec<String> =
        stream::iter(0..LIVES).map(|seed| live(&shop, seed)).buffer_unordered(12).collect().await;
    shop.eventually_within(120, "everything was looked into", || async {
        !backoffice::webhooks::any_waiting(shop.backoffice()).await.unwrap()
    })
    .await;

    let mut badges: HashMap<String, usize> = HashMap::new();
    for key in &keys {
        let truth = shop.sandbox.with_books(|books| books.record(key).unwrap().payment.clone());
        let ours = backoffice::payments::get(shop.backoffice(), key).await.unwrap().expect("a payment");
        let order = truth.order_id.as_str();
        assert_eq!(
            (ours.status.as_str(), ours.balance_amount),
            (truth.status.as_str(), truth.balance_amount),
            "{order}"
        );
        assert_eq!(shop.status_of(order).await, truth.status.as_str(), "{order}");
        let booked: Decimal = backoffice::transactions::of_order(shop.backoffice(), order)
            .await
            .unwrap()
            .iter()
            .filter(|row| row.is_outgoing())
            .map(|row| row.amount)
            .sum();
        assert_eq!(
            booked,
            truth.total_amount - truth.balance_amount,
            "{order}: what was cancelled is booked once"
        );
        never_backwards(&shop, order).await;
        for delivery in backoffice::webhooks::of_order(shop.backoffice(), order).await.unwrap() {
            assert!(matches!(delivery.state.as_str(), "applied" | "unchanged"), "{delivery:?}");
            for badge in delivery.badges {
                *badges.entry(badge).or_default() += 1;
            }
        }
    }
    // All of them were honest, and nobody says otherwise.
    let mut seen: Vec<&str> = badges.keys().map(String::as_str).collect();
    seen.sort_unstable();
    assert_eq!(seen, ["duplicate", "fetched_equal", "out_of_order", "secret_matched"], "{badges:?}");
    assert_eq!(shop.deliveries(&Filter { state: Some("failed".into()), ..Filter::default() }).await.len(), 0);
}

async fn never_backwards(shop: &Shop, order: &str) {
    let mut rows = audit::of_subject(&shop.backoffice().pool, "order", order).await.unwrap();
    rows.sort_by_key(|row| row.seq);
    let (mut reached, mut balance) = (0, Decimal::MAX);
    for row in rows.iter().filter(|row| row.action == "payment.changed") {
        if let Some(status) = row.detail.pointer("/status/1").and_then(Value::as_str) {
            assert!(stage(status) >= reached, "{order} went back to {status}");
            reached = stage(status);
        }
        let now = row.detail.pointer("/balanceAmount/1").and_then(Value::as_str).and_then(|b| b.parse().ok());
        if let Some(now) = now {
            // An account that is waited for holds nothing yet to be given back.
            assert!(now <= balance, "{order}: the balance rose to {now}");
            balance = now;
        }
    }
}
