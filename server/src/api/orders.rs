//! `POST /api/v1/orders`, `POST /api/v1/orders/{orderId}/confirm`, `GET /api/v1/orders/{orderId}`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use backoffice::{
    Actor, Decimal,
    orders::{NewOrder, Order, Registered},
    payments::Confirm,
    refunds,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tracing::Instrument;
use utoipa::ToSchema;

use super::{
    ApiError,
    request::{Body, Id},
    words,
};
use crate::Jangbu;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisterBody {
    /// 6 to 64 characters of `A-Z a-z 0-9 - _ = .`
    order_id: String,
    #[serde(with = "toss::decimal")]
    #[schema(value_type = f64, minimum = 0)]
    amount: Decimal,
    /// KRW when absent.
    currency: Option<String>,
    order_name: String,
    customer_name: Option<String>,
    customer_mobile_phone: Option<String>,
    customer_email: Option<String>,
    user_key: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfirmBody {
    /// Must be the order of the path when given.
    order_id: Option<String>,
    payment_key: String,
    #[serde(with = "toss::decimal")]
    #[schema(value_type = f64, minimum = 0)]
    amount: Decimal,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderBody {
    order_id: String,
    order_name: String,
    #[serde(with = "toss::decimal")]
    #[schema(value_type = f64)]
    amount: Decimal,
    currency: String,
    /// `toss_payments` or `toss_pay`
    rail: String,
    /// Toss's own word: READY, DONE, PARTIAL_CANCELED, …
    status: String,
    #[serde(with = "toss::decimal::option")]
    #[schema(value_type = Option<f64>)]
    balance_amount: Option<Decimal>,
    payment_key: Option<String>,
    method: Option<String>,
    #[serde(with = "toss::timestamp")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    #[serde(with = "toss::timestamp::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    approved_at: Option<OffsetDateTime>,
    /// What may be given back, by the rule that the refund form uses. Absent until there is a payment.
    refundable: Option<RefundableBody>,
    refunds: Vec<RefundBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefundableBody {
    /// What is left can go back as a whole
    full: bool,
    /// And in part
    part: bool,
    /// The least that a part may be
    #[serde(with = "toss::decimal::option")]
    #[schema(value_type = Option<f64>)]
    least_amount: Option<Decimal>,
    /// `refundReceiveAccount` has to be given
    needs_account: bool,
    /// After this moment Toss refuses
    #[serde(with = "toss::timestamp::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<OffsetDateTime>,
    /// nothing_to_return, at_once, same_day, card_three_to_four_days, two_business_days, five_business_days or
    /// up_to_thirty_days
    #[schema(value_type = String)]
    arrival: refunds::Arrival,
    /// not_paid, expired, aborted, nothing_left, month_is_over, too_late, under_way, settled or
    /// unknown_status
    #[schema(value_type = Option<String>)]
    why_not: Option<refunds::WhyNot>,
}

impl From<refunds::Eligibility> for RefundableBody {
    fn from(may: refunds::Eligibility) -> Self {
        Self {
            full: may.full,
            part: may.part,
            least_amount: may.least,
            needs_account: may.needs_account,
            until: may.until,
            arrival: may.arrival,
            why_not: may.why_not,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefundBody {
    refund_id: String,
    /// here, toss (in its console, or by another system with the same key) or store
    #[schema(value_type = String)]
    origin: refunds::Origin,
    #[serde(with = "toss::decimal")]
    #[schema(value_type = f64)]
    cancel_amount: Decimal,
    cancel_reason: String,
    /// What of a part bears no VAT. Absent where the whole went back, or where all of it bears VAT
    #[serde(with = "toss::decimal::option")]
    #[schema(value_type = Option<f64>)]
    tax_free_amount: Option<Decimal>,
    /// requested, waiting_for_approval, approved, declined, sending, succeeded, failed or unknown
    state: String,
    transaction_key: Option<String>,
    #[serde(with = "toss::timestamp")]
    #[schema(value_type = String, format = DateTime)]
    requested_at: OffsetDateTime,
    /// Where the money is since Toss took the refund: accepted (Toss tells nothing more of this method), at_the_bank,
    /// arrived, partly_arrived or returned. Absent where no money goes back
    #[schema(value_type = Option<String>)]
    stage: Option<refunds::Stage>,
    #[serde(with = "toss::timestamp::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    stage_at: Option<OffsetDateTime>,
    /// The day in Korea by which the buyer has it
    #[schema(value_type = Option<String>, format = Date)]
    expected_on: Option<String>,
}

async fn body_of(jangbu: &Jangbu, order: Order) -> Result<OrderBody, backoffice::Fault> {
    let filter = refunds::Filter { order_id: Some(order.order_id.clone()), ..refunds::Filter::default() };
    let refunds = backoffice::refunds::history(&jangbu.backoffice, &filter, None, 100).await?.rows;
    let record = match &order.payment_key {
        Some(key) => backoffice::payments::get(&jangbu.backoffice, key).await?,
        None => None,
    };
    let now = jangbu.backoffice.clock.now();
    let refundable = record.map(|r| r.payment()).transpose()?.map(|p| refunds::eligibility(&p, now).into());
    Ok(OrderBody {
        refundable,
        order_id: order.order_id,
        order_name: order.order_name,
        amount: order.amount,
        currency: order.currency,
        rail: order.rail.as_str().to_owned(),
        status: order.status,
        balance_amount: order.balance_amount,
        payment_key: order.payment_key,
        method: order.method,
        created_at: order.created_at,
        approved_at: order.paid_at,
        refunds: refunds
            .into_iter()
            .map(|refund| RefundBody {
                refund_id: refund.id.to_string(),
                origin: refund.origin,
                cancel_amount: refund.amount,
                cancel_reason: refund.reason,
                tax_free_amount: refund.tax_free_amount,
                state: refund.state.as_str().to_owned(),
                transaction_key: refund.transaction_key,
                requested_at: refund.requested_at,
                stage: refund.stage,
                stage_at: refund.stage_at,
                expected_on: refund.expected_on.map(|day| day.to_string()),
            })
            .collect(),
    })
}

pub(super) async fn answer(
    jangbu: &Jangbu,
    headers: &HeaderMap,
    status: StatusCode,
    order: Order,
) -> Result<Response, ApiError> {
    let body = body_of(jangbu, order).await.map_err(|fault| ApiError::fault(words(headers), &fault))?;
    Ok((status, Json(body)).into_response())
}

/// Registers an order before the payment window opens
#[utoipa::path(post, path = "/api/v1/orders", request_body = RegisterBody, security(("merchantKey" = [])),
    responses((status = 201, description = "Registered", body = OrderBody),
              (status = 200, description = "The very same order was registered before", body = OrderBody),
              (status = 400, description = "Something is wrong with it", body = ApiError),
              (status = 409, description = "Another order has this id", body = ApiError)))]
pub(crate) async fn register(
    State(jangbu): State<Jangbu>,
    headers: HeaderMap,
    Body(body): Body<RegisterBody>,
) -> Result<Response, ApiError> {
    let new = NewOrder {
        order_id: body.order_id,
        amount: body.amount,
        currency: body.currency.unwrap_or_else(|| "KRW".into()),
        order_name: body.order_name,
        customer_name: body.customer_name,
        customer_mobile_phone: body.customer_mobile_phone,
        customer_email: body.customer_email,
        user_key: body.user_key,
    };
    new.check().map_err(|invalid| ApiError::invalid(words(&headers), &invalid.to_string()))?;
    let registered = backoffice::orders::register(&jangbu.backoffice, &Actor::MerchantApi, &new)
        .await
        .map_err(|fault| ApiError::fault(words(&headers), &fault))?;
    match registered {
        Registered::New(order) => answer(&jangbu, &headers, StatusCode::CREATED, order).await,
        Registered::Again(order) => answer(&jangbu, &headers, StatusCode::OK, order).await,
        Registered::Conflict => Err(ApiError::conflict(words(&headers))),
    }
}

/// Takes the money once the buyer is back from the payment window
#[utoipa::path(post, path = "/api/v1/orders/{orderId}/confirm", params(("orderId" = String, Path)),
    request_body = ConfirmBody, security(("merchantKey" = [])),
    responses((status = 200, description = "Confirmed, now or before", body = OrderBody),
              (status = 400, description = "The amount is not the order's, or Toss refused", body = ApiError),
              (status = 404, description = "No such order", body = ApiError),
              (status = 409, description = "Paid with another payment", body = ApiError),
              (status = 504, description = "Not known yet: read the order in a moment", body = ApiError)))]
pub(crate) async fn confirm(
    State(jangbu): State<Jangbu>,
    Id(order_id): Id,
    headers: HeaderMap,
    Body(body): Body<ConfirmBody>,
) -> Result<Response, ApiError> {
    if body.order_id.is_some_and(|id| id != order_id) {
        return Err(ApiError::invalid(words(&headers), "orderId: differs from the path"));
    }
    let confirm = Confirm { order_id, payment_key: body.payment_key, amount: body.amount };
    // On its own task: a shop that hangs up must not stop a confirm half-way.
    let backoffice = jangbu.backoffice.clone();
    let confirmed = tokio::spawn(
        async move { backoffice::payments::confirm(&backoffice, &Actor::MerchantApi, &confirm).await }
            .in_current_span(),
    )
    .await
    .map_err(|e| ApiError::fault(words(&headers), &backoffice::Fault::Inconsistent(e.to_string())))?;
    match confirmed {
        Ok(order) => answer(&jangbu, &headers, StatusCode::OK, order).await,
        Err(error) => Err(ApiError::confirm(words(&headers), error)),
    }
}

/// How an order stands
#[utoipa::path(get, path = "/api/v1/orders/{orderId}", params(("orderId" = String, Path)), security(("merchantKey" = [])),
    responses((status = 200, description = "The order", body = OrderBody),
              (status = 404, description = "No such order", body = ApiError)))]
pub(crate) async fn read(
    State(jangbu): State<Jangbu>,
    Id(order_id): Id,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let order = backoffice::orders::get(&jangbu.backoffice, &order_id)
        .await
        .map_err(|fault| ApiError::fault(words(&headers), &fault))?;
    match order {
        Some(order) => answer(&jangbu, &headers, StatusCode::OK, order).await,
        None => Err(ApiError::not_found(words(&headers))),
    }
}
