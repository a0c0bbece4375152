//! Toss Payments' HTTP surface (toss-api.md A3), each call one function.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use rust_decimal::Decimal;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use toss::{
    payments::{
        BillingChargeRequest, BillingIssueRequest, CancelRequest, CashReceiptRequest, ConfirmRequest,
        SettlementDate, VirtualAccountRequest,
    },
    timestamp,
};

use crate::{
    World,
    books::{Books, Outcome, Refused, SettlementQuery, TransactionQuery},
    gate,
};

type Shared = State<Arc<World>>;

pub fn router(world: &Arc<World>) -> Router {
    Router::new()
        .route("/v1/payments/confirm", post(confirm))
        .route("/v1/payments/{paymentKey}", get(payment))
        .route("/v1/payments/orders/{orderId}", get(payment_by_order))
        .route("/v1/payments/{paymentKey}/cancel", post(cancel))
        .route("/v1/virtual-accounts", post(issue_virtual_account))
        .route("/v1/transactions", get(transactions))
        .route("/v1/settlements", get(settlements).post(settle))
        .route("/v1/billing/authorizations/issue", post(issue_billing_key))
        .route("/v1/billing/{billingKey}", post(charge_billing_key).merge(delete(delete_billing_key)))
        .route("/v1/cash-receipts", post(issue_cash_receipt).get(cash_receipts))
        .route("/v1/cash-receipts/{receiptKey}/cancel", post(cancel_cash_receipt))
        .fallback(|| async { Refused("NOT_FOUND") })
        .method_not_allowed_fallback(|| async { Refused("NOT_FOUND_HTTP_METHOD") })
        .layer(middleware::from_fn_with_state(Arc::clone(world), gate::pass))
        .with_state(Arc::clone(world))
}

/// Toss answers malformed JSON like any other bad parameter.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Outcome<T> {
    serde_json::from_slice(body).map_err(|_| Refused("INVALID_REQUEST"))
}

/// Runs one rule and turns its outcome into an answer.
fn answer<T: serde::Serialize>(
    world: &World,
    rule: impl FnOnce(&mut Books, &World) -> Outcome<T>,
) -> Response {
    match world.with_books(|books| rule(books, world)) {
        Ok(value) => Json(value).into_response(),
        Err(refused) => refused.into_response(),
    }
}

async fn confirm(State(world): Shared, body: Bytes) -> Response {
    answer(&world, |books, w| books.confirm(&parse::<ConfirmRequest>(&body)?, w.clock.now()))
}

async fn payment(State(world): Shared, Path(key): Path<String>) -> Response {
    answer(&world, |books, w| books.look_up(&key, w.clock.now()))
}

async fn payment_by_order(State(world): Shared, Path(order): Path<String>) -> Response {
    answer(&world, |books, w| books.look_up_order(&order, w.clock.now()))
}

async fn cancel(State(world): Shared, Path(key): Path<String>, body: Bytes) -> Response {
    answer(&world, |books, w| books.cancel(&key, &parse::<CancelRequest>(&body)?, w.clock.now()))
}

async fn issue_virtual_account(State(world): Shared, body: Bytes) -> Response {
    answer(&world, |books, w| {
        books.issue_virtual_account(parse::<VirtualAccountRequest>(&body)?, w.clock.now())
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TransactionParams {
    start_date: String,
    end_date: String,
    starting_after: Option<String>,
    limit: Option<usize>,
}

async fn transactions(State(world): Shared, q: Result<Query<TransactionParams>, QueryRejection>) -> Response {
    let Ok(Query(q)) = q else { return Refused("INVALID_REQUEST").into_response() };
    answer(&world, |books, _| {
        let day = |text: &str| timestamp::parse(text).ok_or(Refused("INVALID_DATE"));
        books.transactions(&TransactionQuery {
            from: day(&q.start_date)?,
            to: day(&q.end_date)?,
            starting_after: q.starting_after.as_deref(),
            limit: q.limit.unwrap_or(100),
        })
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SettlementParams {
    start_date: String,
    end_date: String,
    date_type: Option<String>,
    page: Option<usize>,
    size: Option<usize>,
}

async fn settlements(State(world): Shared, q: Result<Query<SettlementParams>, QueryRejection>) -> Response {
    let Ok(Query(q)) = q else { return Refused("INVALID_REQUEST").into_response() };
    answer(&world, |books, world| {
        books.close_days_before(world.clock.now().to_offset(timestamp::SEOUL).date());
        let day = |text: &str| timestamp::parse_date(text).ok_or(Refused("INVALID_DATE"));
        let by = match q.date_type.as_deref() {
            None | Some("soldDate") => SettlementDate::Sold,
            Some("paidOutDate") => SettlementDate::PaidOut,
            Some(_) => return Err(Refused("INVALID_REQUEST")),
        };
        let (from, to) = (day(&q.start_date)?, day(&q.end_date)?);
        books.settlements(&SettlementQuery {
            from,
            to,
            by,
            page: q.page.unwrap_or(1),
            size: q.size.unwrap_or(100),
        })
    })
}

async fn settle(State(world): Shared, body: Bytes) -> Response {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        payment_key: String,
    }
    answer(&world, |books, w| {
        let Body { payment_key } = parse(&body)?;
        books.look_up(&payment_key, w.clock.now()).map(|_| json!({ "result": true }))
    })
}

async fn issue_billing_key(State(world): Shared, body: Bytes) -> Response {
    answer(&world, |books, w| {
        let request: BillingIssueRequest = parse(&body)?;
        if request.auth_key.is_empty() || request.auth_key.len() > 300 {
            return Err(Refused("INVALID_REQUEST"));
        }
        books.issue_billing_key(&request.customer_key, w.clock.now())
    })
}

async fn charge_billing_key(State(world): Shared, Path(key): Path<String>, body: Bytes) -> Response {
    answer(&world, |books, w| {
        books.charge_billing_key(&key, &parse::<BillingChargeRequest>(&body)?, w.clock.now())
    })
}

async fn delete_billing_key(State(world): Shared, Path(key): Path<String>) -> Response {
    match world.with_books(|books| books.delete_billing_key(&key)) {
        Ok(()) => ().into_response(),
        Err(refused) => refused.into_response(),
    }
}

async fn issue_cash_receipt(State(world): Shared, body: Bytes) -> Response {
    answer(&world, |books, w| books.issue_cash_receipt(parse::<CashReceiptRequest>(&body)?, w.clock.now()))
}

async fn cancel_cash_receipt(State(world): Shared, Path(key): Path<String>, body: Bytes) -> Response {
    #[derive(Deserialize, Default)]
    struct Body {
        #[serde(default, with = "toss::decimal::option")]
        amount: Option<Decimal>,
    }
    answer(&world, |books, w| {
        let Body { amount } = if body.is_empty() { Body::default() } else { parse(&body)? };
        books.cancel_cash_receipt(&key, amount, w.clock.now())
    })
}

async fn cash_receipts(
    State(world): Shared,
    Query(q): Query<std::collections::HashMap<String, String>>,
) -> Response {
    answer(&world, |books, w| {
        let day = q
            .get("requestDate")
            .and_then(|text| timestamp::parse_date(text))
            .ok_or(Refused("INVALID_DATE"))?;
        let number = |name: &str| q.get(name).map(|text| text.parse::<usize>()).transpose();
        let number = |name: &str| number(name).map_err(|_| Refused("INVALID_REQUEST"));
        let (from, limit) = (number("cursor")?.unwrap_or(0), number("limit")?.unwrap_or(100).clamp(1, 100));
        let all = books.cash_receipts_of(day, w.clock.now());
        let page: Vec<_> = all.iter().skip(from).take(limit).collect();
        let next = from + page.len();
        let has_next = next < all.len();
        Ok(json!({ "hasNext": has_next, "lastCursor": has_next.then_some(next), "data": page }))
    })
}
