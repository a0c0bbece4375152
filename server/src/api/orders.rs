//! `POST` and `GET /api/v1/orders`, `GET /api/v1/orders/{orderId}`, and below it `POST …/confirm` and `POST …/failures`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use backoffice::{
    Decimal, Fault,
    orders::{self, Filter, NewOrder, Order, Registered},
    payments::{self, Confirm, NotNoted, ProviderPayment},
    refunds,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use toss::payments::institutions;
use tracing::Instrument;
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiError,
    error::codes,
    keys::{self, Caller},
    list::{moment, next, text, wanted},
    refunds::RefundBody,
    request::{Body, Id, Params},
    words,
};
use crate::Jangbu;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisterBody {
    /// 6 to 64 characters of `A-Z a-z 0-9 - _ = .`
    #[schema(min_length = 6, max_length = 64, pattern = "^[A-Za-z0-9=._-]+$", example = "ord_8fk2m1")]
    order_id: String,
    #[serde(with = "toss::decimal")]
    #[schema(value_type = f64, minimum = 0, example = 24000)]
    amount: Decimal,
    /// KRW when absent.
    #[schema(example = "KRW")]
    currency: Option<String>,
    #[schema(min_length = 1, max_length = 100, example = "머그컵 세트")]
    order_name: String,
    #[schema(max_length = 100, example = "김하준")]
    customer_name: Option<String>,
    #[schema(max_length = 20, example = "01012345678")]
    customer_mobile_phone: Option<String>,
    #[schema(max_length = 100, example = "hajun@example.com")]
    customer_email: Option<String>,
    /// Of a user of the mini-app
    #[schema(max_length = 64, example = "443731104")]
    user_key: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfirmBody {
    /// Must be the order of the path when given.
    order_id: Option<String>,
    #[schema(example = "tviva20261118143012abcd1")]
    payment_key: String,
    #[serde(with = "toss::decimal")]
    #[schema(value_type = f64, minimum = 0, example = 24000)]
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
    /// Where the buyer pays into, of a virtual account
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_account: Option<VirtualAccountBody>,
    /// What may be given back, by the rule that the refund form uses. Absent until there is a payment.
    refundable: Option<RefundableBody>,
    refunds: Vec<RefundBody>,
}

/// An account that Toss has issued for one order
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VirtualAccountBody {
    bank_code: String,
    /// As buyers know it
    bank_name: String,
    account_number: String,
    /// Until then
    #[serde(with = "toss::timestamp::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_date: Option<OffsetDateTime>,
}

impl VirtualAccountBody {
    fn of(payment: &ProviderPayment) -> Option<Self> {
        let ProviderPayment::TossPayments(payment) = payment else { return None };
        let account = payment.virtual_account.as_ref()?;
        let bank_code = account.bank_code.clone()?;
        let bank_name = institutions::bank_name(&bank_code).unwrap_or(&bank_code).to_owned();
        Some(Self {
            bank_name,
            bank_code,
            account_number: account.account_number.clone()?,
            due_date: account.due_date,
        })
    }
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

async fn body_of(jangbu: &Jangbu, order: Order) -> Result<OrderBody, Fault> {
    let filter = refunds::Filter { order_id: Some(order.order_id.clone()), ..refunds::Filter::default() };
    let refunds = refunds::history(&jangbu.backoffice, &filter, None, 100).await?.rows;
    let record = match &order.payment_key {
        Some(key) => payments::get(&jangbu.backoffice, key).await?,
        None => None,
    };
    let now = jangbu.backoffice.clock.now();
    let payment = record.map(|r| r.payment()).transpose()?;
    Ok(OrderBody {
        refundable: payment.as_ref().map(|payment| refunds::eligibility(payment, now).into()),
        virtual_account: payment.as_ref().and_then(VirtualAccountBody::of),
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
        refunds: refunds.into_iter().map(RefundBody::from).collect(),
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
#[utoipa::path(post, path = "/api/v1/orders", tag = "orders", request_body = RegisterBody, security(("merchantKey" = ["orders:write"])),
    responses((status = 201, description = "Registered", body = OrderBody),
              (status = 200, description = "The very same order was registered before", body = OrderBody),
              (status = 400, description = "Something is wrong with it", body = ApiError),
              (status = 409, description = "Another order has this id", body = ApiError)))]
pub(crate) async fn register(
    State(jangbu): State<Jangbu>,
    caller: Caller,
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
    let registered =
        orders::register(&jangbu.backoffice, &caller.actor, &new).await.map_err(keys::fault(&headers))?;
    match registered {
        Registered::New(order) => answer(&jangbu, &headers, StatusCode::CREATED, order).await,
        Registered::Again(order) => answer(&jangbu, &headers, StatusCode::OK, order).await,
        Registered::Conflict => Err(ApiError::new(words(&headers), codes::DUPLICATED_ORDER_ID)),
    }
}

/// Takes the money once the buyer is back from the payment window
#[utoipa::path(post, path = "/api/v1/orders/{orderId}/confirm", tag = "orders", params(("orderId" = String, Path)),
    request_body = ConfirmBody, security(("merchantKey" = ["orders:write"])),
    responses((status = 200, description = "Confirmed, now or before", body = OrderBody),
              (status = 400, description = "The amount is not the order's, or Toss refused", body = ApiError),
              (status = 404, description = "No such order", body = ApiError),
              (status = 409, description = "Paid with another payment", body = ApiError),
              (status = 504, description = "Not known yet: read the order in a moment", body = ApiError)))]
pub(crate) async fn confirm(
    State(jangbu): State<Jangbu>,
    caller: Caller,
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
    let work = async move { payments::confirm(&backoffice, &caller.actor, &confirm).await };
    let confirmed = tokio::spawn(work.in_current_span())
        .await
        .map_err(|error| ApiError::fault(words(&headers), &error.into()))?;
    match confirmed {
        Ok(order) => answer(&jangbu, &headers, StatusCode::OK, order).await,
        Err(error) => Err(ApiError::confirm(words(&headers), error)),
    }
}

/// How an order stands
#[utoipa::path(get, path = "/api/v1/orders/{orderId}", tag = "orders", params(("orderId" = String, Path)), security(("merchantKey" = ["orders:read"])),
    responses((status = 200, description = "The order", body = OrderBody),
              (status = 404, description = "No such order", body = ApiError)))]
pub(crate) async fn read(
    State(jangbu): State<Jangbu>,
    Id(order_id): Id,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let order = orders::get(&jangbu.backoffice, &order_id).await.map_err(keys::fault(&headers))?;
    match order {
        Some(order) => answer(&jangbu, &headers, StatusCode::OK, order).await,
        None => Err(ApiError::new(words(&headers), codes::NOT_FOUND_ORDER)),
    }
}

/// An order as lists have it
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedOrder {
    order_id: String,
    order_name: String,
    #[serde(with = "toss::decimal")]
    #[schema(value_type = f64)]
    amount: Decimal,
    currency: String,
    /// `toss_payments` or `toss_pay`
    rail: String,
    status: String,
    #[serde(with = "toss::decimal::option")]
    #[schema(value_type = Option<f64>)]
    balance_amount: Option<Decimal>,
    payment_key: Option<String>,
    method: Option<String>,
    user_key: Option<String>,
    #[serde(with = "toss::timestamp")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    #[serde(with = "toss::timestamp::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    approved_at: Option<OffsetDateTime>,
}

impl From<Order> for ListedOrder {
    fn from(order: Order) -> Self {
        Self {
            user_key: order.shown_user_key().map(str::to_owned),
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
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OrdersBody {
    /// Newest first
    orders: Vec<ListedOrder>,
    /// The mark of the next page; absent at the end
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    /// Toss's own word: READY, DONE, PARTIAL_CANCELED, …
    status: Option<String>,
    /// Toss's own word: 카드, 가상계좌, …
    method: Option<String>,
    user_key: Option<String>,
    /// Registered at this moment or later
    #[param(format = DateTime)]
    from: Option<String>,
    /// Registered before this moment
    #[param(format = DateTime)]
    to: Option<String>,
    /// `next` of the page before
    cursor: Option<String>,
    /// At most 100; 50 without it
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

/// Orders
#[utoipa::path(get, path = "/api/v1/orders", tag = "orders", params(Asked), security(("merchantKey" = ["orders:read"])),
    responses((status = 200, description = "Orders", body = OrdersBody),
              (status = 400, description = "No such mark, moment or number", body = ApiError)))]
pub(crate) async fn list(
    State(jangbu): State<Jangbu>,
    headers: HeaderMap,
    Params(asked): Params<Asked>,
) -> Result<Json<OrdersBody>, ApiError> {
    let filter = Filter {
        status: text(asked.status),
        method: text(asked.method),
        user_key: text(asked.user_key),
        from: moment(&headers, "from", asked.from.as_deref())?,
        to: moment(&headers, "to", asked.to.as_deref())?,
        ..Filter::default()
    };
    let page = wanted(&headers, asked.cursor.as_deref(), asked.limit)?;
    let page = orders::list(&jangbu.backoffice, &filter, page.cursor.as_ref(), page.limit)
        .await
        .map_err(keys::fault(&headers))?;
    Ok(Json(OrdersBody { next: next(&page), orders: page.rows.into_iter().map(ListedOrder::from).collect() }))
}

/// Why an attempt came to nothing, as `failUrl` says it
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct FailureBody {
    #[schema(min_length = 1, max_length = 60, pattern = "^[A-Z0-9_]+$", example = "PAY_PROCESS_CANCELED")]
    code: String,
    /// Not kept: what Toss documents of the code is shown
    #[serde(rename = "message")]
    _message: Option<String>,
}

/// Tells why an attempt came to nothing in the payment window. Toss tells nobody else
#[utoipa::path(post, path = "/api/v1/orders/{orderId}/failures", tag = "orders", params(("orderId" = String, Path)),
    request_body = FailureBody, security(("merchantKey" = ["orders:write"])),
    responses((status = 204, description = "Written down"),
              (status = 400, description = "No code of Toss's", body = ApiError),
              (status = 404, description = "No such order", body = ApiError)))]
pub(crate) async fn fail(
    State(jangbu): State<Jangbu>,
    caller: Caller,
    Id(order_id): Id,
    headers: HeaderMap,
    Body(body): Body<FailureBody>,
) -> Result<StatusCode, ApiError> {
    match payments::note_failed_attempt(&jangbu.backoffice, &caller.actor, &order_id, &body.code).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(NotNoted::NoSuchOrder) => Err(ApiError::new(words(&headers), codes::NOT_FOUND_ORDER)),
        Err(NotNoted::Fault(fault)) => Err(ApiError::fault(words(&headers), &fault)),
        Err(wrong @ NotNoted::Code) => Err(ApiError::invalid(words(&headers), &wrong.to_string())),
    }
}
