//! `POST /api/v1/toss-pay/payments`, `POST /api/v1/toss-pay/payments/{orderNo}/execute`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use backoffice::payments::toss_pay::TossPayError;
use serde::{Deserialize, Serialize};
use toss::apps_in_toss::{MakePayment, PayToken, UserKey};
use tracing::Instrument;
use utoipa::ToSchema;

use super::{
    ApiError,
    keys::Caller,
    orders,
    request::{Body, Id},
    words,
};
use crate::Jangbu;

/// `isTestPayment` is not among it: it follows from the mode that Jangbu runs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MakeBody {
    /// 1 to 50 characters of `A-Z a-z 0-9 _ - : . ^ @`; can never be used again
    #[schema(min_length = 1, max_length = 50, example = "ord_8fk2m1")]
    order_no: String,
    /// The user of the mini-app: digits, as a number or as text
    #[schema(value_type = String, example = "443731104")]
    user_key: serde_json::Value,
    /// At most 255 characters, without backslash and quotation mark
    #[schema(max_length = 255, example = "토끼 인형")]
    product_desc: String,
    /// Won, at most 9,999,999
    #[schema(minimum = 1, maximum = 9_999_999, example = 24000)]
    amount: i64,
    /// Won; 0 where everything is taxed
    #[schema(minimum = 0, example = 0)]
    amount_tax_free: i64,
    amount_taxable: Option<i64>,
    amount_vat: Option<i64>,
    amount_service_fee: Option<i64>,
    /// `TOSS_MONEY`, `CARD`, or both with a comma
    enable_pay_methods: Option<String>,
    /// Has to be said now: it cannot be asked for later
    cash_receipt: Option<bool>,
    /// GENERAL, CULTURE or PUBLIC_TP
    cash_receipt_trade_option: Option<String>,
    /// USE or NOT_USE
    installment: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MadeBody {
    order_no: String,
    /// For the mini-app's `checkoutPayment`
    pay_token: String,
    /// True where no money moves
    is_test_payment: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExecuteBody {
    pay_token: String,
}

/// A user key as text or number.
pub(super) fn user_key(headers: &HeaderMap, value: &serde_json::Value) -> Result<UserKey, ApiError> {
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    UserKey::parse(&text).ok_or_else(|| ApiError::invalid(words(headers), "userKey: a positive whole number"))
}

/// Begins a Toss Pay payment and gives its `payToken`. The same request again gives the same token
#[utoipa::path(post, path = "/api/v1/toss-pay/payments", tag = "toss-pay", request_body = MakeBody, security(("merchantKey" = ["orders:write"])),
    responses((status = 200, description = "The token", body = MadeBody),
              (status = 400, description = "Refused before it was sent, or by Toss", body = ApiError),
              (status = 409, description = "The order number is taken", body = ApiError),
              (status = 503, description = "Apps in Toss is not set up or was not reached: nothing was sent", body = ApiError),
              (status = 504, description = "Not known yet: send the same again", body = ApiError)))]
pub(crate) async fn make(
    State(jangbu): State<Jangbu>,
    caller: Caller,
    headers: HeaderMap,
    Body(body): Body<MakeBody>,
) -> Result<Response, ApiError> {
    let user = user_key(&headers, &body.user_key)?;
    let payment = MakePayment {
        order_no: body.order_no,
        product_desc: body.product_desc,
        amount: body.amount,
        amount_tax_free: body.amount_tax_free,
        amount_taxable: body.amount_taxable,
        amount_vat: body.amount_vat,
        amount_service_fee: body.amount_service_fee,
        enable_pay_methods: body.enable_pay_methods,
        cash_receipt: body.cash_receipt,
        cash_receipt_trade_option: body.cash_receipt_trade_option,
        installment: body.installment,
    };
    let order_no = payment.order_no.clone();
    let backoffice = jangbu.backoffice.clone();
    let made = apart(&headers, async move {
        backoffice::payments::toss_pay::make(&backoffice, &caller.actor, user, &payment).await
    })
    .await?;
    let is_test_payment = jangbu.backoffice.apps_in_toss.as_ref().is_none_or(|apps| apps.client.is_test());
    let body = MadeBody { order_no, pay_token: made.0, is_test_payment };
    Ok((StatusCode::OK, Json(body)).into_response())
}

/// Takes the money of a payment that the buyer has authenticated
#[utoipa::path(post, path = "/api/v1/toss-pay/payments/{orderNo}/execute", tag = "toss-pay", params(("orderNo" = String, Path)),
    request_body = ExecuteBody, security(("merchantKey" = ["orders:write"])),
    responses((status = 200, description = "The order, paid", body = orders::OrderBody),
              (status = 400, description = "Refused", body = ApiError),
              (status = 404, description = "No such order", body = ApiError),
              (status = 409, description = "Not authenticated yet, or ended", body = ApiError),
              (status = 503, description = "Not reached: nothing was sent", body = ApiError),
              (status = 504, description = "Not known yet: send the same again, it is not taken twice", body = ApiError)))]
pub(crate) async fn execute(
    State(jangbu): State<Jangbu>,
    caller: Caller,
    Id(order_no): Id,
    headers: HeaderMap,
    Body(body): Body<ExecuteBody>,
) -> Result<Response, ApiError> {
    let token =
        PayToken::parse(&body.pay_token).map_err(|e| ApiError::toss_pay(words(&headers), e.into()))?;
    let backoffice = jangbu.backoffice.clone();
    let order = apart(&headers, async move {
        backoffice::payments::toss_pay::execute(&backoffice, &caller.actor, &order_no, &token).await
    })
    .await?;
    orders::answer(&jangbu, &headers, StatusCode::OK, order).await
}

/// On its own task: a shop that hangs up must not stop a payment half-way.
async fn apart<T: Send + 'static>(
    headers: &HeaderMap,
    work: impl Future<Output = Result<T, TossPayError>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(outcome) => outcome.map_err(|error| ApiError::toss_pay(words(headers), error)),
        Err(error) => {
            Err(ApiError::fault(words(headers), &backoffice::Fault::Inconsistent(error.to_string())))
        }
    }
}
