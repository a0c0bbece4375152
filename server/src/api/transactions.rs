//! `GET /api/v1/transactions`: what Toss's list of transactions has told, and what payments have told of themselves.

use axum::{Json, extract::State, http::HeaderMap};
use backoffice::{
    Decimal,
    transactions::{self, Filter, Row},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiError, keys,
    list::{moment, next, text, wanted},
    request::Params,
};
use crate::Jangbu;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransactionBody {
    transaction_key: String,
    payment_key: String,
    order_id: String,
    /// `toss_payments`, `toss_pay` or `iap`
    rail: String,
    method: Option<String>,
    /// Toss's own word
    status: String,
    /// Money that goes out; the amount has no sign
    is_outgoing: bool,
    #[serde(with = "toss::decimal")]
    #[schema(value_type = f64)]
    amount: Decimal,
    currency: String,
    #[serde(with = "toss::timestamp")]
    #[schema(value_type = String, format = DateTime)]
    transaction_at: OffsetDateTime,
}

impl From<Row> for TransactionBody {
    fn from(row: Row) -> Self {
        Self {
            is_outgoing: row.is_outgoing(),
            transaction_key: row.transaction_key,
            payment_key: row.payment_key,
            order_id: row.order_id,
            rail: row.rail.as_str().to_owned(),
            method: row.method,
            status: row.status,
            amount: row.amount,
            currency: row.currency,
            transaction_at: row.transaction_at,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// An order id, payment key or transaction key
    of: Option<String>,
    /// Only money that goes out, or only what comes in
    outgoing: Option<bool>,
    /// At this moment or later
    #[param(format = DateTime)]
    from: Option<String>,
    /// Before this moment
    #[param(format = DateTime)]
    to: Option<String>,
    /// `next` of the page before
    cursor: Option<String>,
    /// At most 100; 50 without it
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TransactionsBody {
    /// Newest first
    transactions: Vec<TransactionBody>,
    /// The mark of the next page; absent at the end
    next: Option<String>,
}

/// Movements of money
#[utoipa::path(get, path = "/api/v1/transactions", tag = "transactions", params(Asked),
    security(("merchantKey" = ["transactions:read"])),
    responses((status = 200, description = "Transactions", body = TransactionsBody),
              (status = 400, description = "No such mark, moment or number", body = ApiError)))]
pub(crate) async fn list(
    State(jangbu): State<Jangbu>,
    headers: HeaderMap,
    Params(asked): Params<Asked>,
) -> Result<Json<TransactionsBody>, ApiError> {
    let filter = Filter {
        from: moment(&headers, "from", asked.from.as_deref())?,
        to: moment(&headers, "to", asked.to.as_deref())?,
        outgoing: asked.outgoing,
        q: text(asked.of),
    };
    let page = wanted(&headers, asked.cursor.as_deref(), asked.limit)?;
    let page = transactions::list(&jangbu.backoffice, &filter, page.cursor.as_ref(), page.limit)
        .await
        .map_err(keys::fault(&headers))?;
    let next = next(&page);
    Ok(Json(TransactionsBody {
        next,
        transactions: page.rows.into_iter().map(TransactionBody::from).collect(),
    }))
}
