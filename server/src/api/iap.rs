//! `POST` and `GET /api/v1/iap/orders`, `GET /api/v1/iap/orders/{orderId}`.

use axum::{Json, extract::State, http::HeaderMap};
use backoffice::{
    Fault,
    iap::{
        self, NewOrder, Order, OrderError, Platform,
        orders::{self, Filter},
    },
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiError,
    error::codes,
    keys::{self, Caller},
    list::{next, text, wanted},
    request::{Body, Id, Params},
    toss_pay::user_key,
    words,
};
use crate::Jangbu;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewIapOrder {
    /// A UUID
    #[schema(format = Uuid, example = "018f7c2e-6b1a-7c3d-9e4f-0a1b2c3d4e5f")]
    order_id: String,
    #[schema(value_type = Option<String>)]
    user_key: Option<serde_json::Value>,
    sku: Option<String>,
    /// `ANDROID` or `IOS`
    platform: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IapOrderBody {
    order_id: String,
    user_key: Option<i64>,
    sku: Option<String>,
    #[schema(value_type = Option<String>)]
    platform: Option<Platform>,
    /// Toss's own word; absent until Toss could be asked
    status: Option<String>,
    reason: Option<String>,
    #[serde(with = "toss::timestamp::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    status_determined_at: Option<OffsetDateTime>,
    #[serde(with = "toss::timestamp::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    refunded_at: Option<OffsetDateTime>,
}

impl From<Order> for IapOrderBody {
    fn from(order: Order) -> Self {
        Self {
            order_id: order.order_id,
            user_key: order.user_key,
            sku: order.sku,
            platform: order.platform,
            status: order.status,
            reason: order.reason,
            status_determined_at: order.determined_at,
            refunded_at: order.refunded_at,
        }
    }
}

/// Makes an in-app purchase known; Toss is asked how it stands, now and from then on
#[utoipa::path(post, path = "/api/v1/iap/orders", tag = "iap", request_body = NewIapOrder, security(("merchantKey" = ["iap:write"])),
    responses((status = 200, description = "The order", body = IapOrderBody),
              (status = 400, description = "Not a UUID", body = ApiError),
              (status = 503, description = "Apps in Toss is not set up: it is kept, and asked about later", body = ApiError)))]
pub(crate) async fn add(
    State(jangbu): State<Jangbu>,
    caller: Caller,
    headers: HeaderMap,
    Body(body): Body<NewIapOrder>,
) -> Result<Json<IapOrderBody>, ApiError> {
    let user = body.user_key.as_ref().map(|value| user_key(&headers, value)).transpose()?;
    let platform = match body.platform.as_deref() {
        None => None,
        Some(text) => match Platform::read(text) {
            Some(platform) => Some(platform),
            None => return Err(ApiError::invalid(words(&headers), "platform: ANDROID or IOS")),
        },
    };
    let new = NewOrder { order_id: body.order_id, user_key: user, sku: body.sku, platform };
    match iap::orders::add(&jangbu.backoffice, &caller.actor, &new).await {
        Ok(order) => Ok(Json(order.into())),
        Err(OrderError::Fault(Fault::AppsInToss(error))) => {
            Err(ApiError::toss_pay(words(&headers), error.into()))
        }
        Err(OrderError::Fault(fault)) => Err(ApiError::fault(words(&headers), &fault)),
        Err(wrong) => Err(ApiError::invalid(words(&headers), &wrong.to_string())),
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    /// Toss's own word: PURCHASED, REFUNDED, …
    status: Option<String>,
    /// Of this user
    #[param(minimum = 1)]
    user_key: Option<i64>,
    /// `next` of the page before
    cursor: Option<String>,
    /// At most 100; 50 without it
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct IapOrdersBody {
    /// Newest first
    orders: Vec<IapOrderBody>,
    /// The mark of the next page; absent at the end
    next: Option<String>,
}

/// In-app purchases
#[utoipa::path(get, path = "/api/v1/iap/orders", tag = "iap", params(Asked), security(("merchantKey" = ["iap:read"])),
    responses((status = 200, description = "Purchases", body = IapOrdersBody),
              (status = 400, description = "No such mark or number", body = ApiError)))]
pub(crate) async fn list(
    State(jangbu): State<Jangbu>,
    headers: HeaderMap,
    Params(asked): Params<Asked>,
) -> Result<Json<IapOrdersBody>, ApiError> {
    let filter = Filter { q: None, status: text(asked.status), user_key: asked.user_key };
    let page = wanted(&headers, asked.cursor.as_deref(), asked.limit)?;
    let page = orders::list(&jangbu.backoffice, &filter, page.cursor.as_ref(), page.limit)
        .await
        .map_err(keys::fault(&headers))?;
    Ok(Json(IapOrdersBody {
        next: next(&page),
        orders: page.rows.into_iter().map(IapOrderBody::from).collect(),
    }))
}

/// How a purchase stands
#[utoipa::path(get, path = "/api/v1/iap/orders/{orderId}", tag = "iap", params(("orderId" = String, Path)),
    security(("merchantKey" = ["iap:read"])),
    responses((status = 200, description = "The purchase", body = IapOrderBody),
              (status = 404, description = "No such purchase", body = ApiError)))]
pub(crate) async fn read(
    State(jangbu): State<Jangbu>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Json<IapOrderBody>, ApiError> {
    let order = orders::get(&jangbu.backoffice, &id).await.map_err(keys::fault(&headers))?;
    let order = order.ok_or_else(|| ApiError::new(words(&headers), codes::NOT_FOUND_IAP_ORDER))?;
    Ok(Json(order.into()))
}
