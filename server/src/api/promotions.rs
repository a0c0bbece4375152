//! `POST /api/v1/promotions/{promotionCode}/grants`, `GET …/grants`, `GET /api/v1/grants/{grantId}`: within the budget and the caps of
//! the campaign, and the limit of the key.

use app::i18n::Translator;
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use backoffice::{
    Fault, contains_card_number,
    promotions::{self, Filter, Form, Grant, GrantError, Refused, State as Stands},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tracing::Instrument;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    ApiError,
    error::codes,
    idempotency,
    keys::{self, Caller},
    list::{next, text, wanted},
    request::{Body, Id, Params},
    toss_pay::user_key,
    words,
};
use crate::Jangbu;

/// Points for a user of the mini-app
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewGrantBody {
    /// Digits, as a number or as text
    #[schema(value_type = String, pattern = "^[0-9]+$", example = "443731104")]
    user_key: serde_json::Value,
    /// What the points are for: a user gets them once for each
    #[schema(min_length = 1, max_length = 100, example = "첫 구매")]
    event: String,
    /// Absent: what the campaign gives
    #[schema(minimum = 1)]
    amount: Option<i64>,
    /// A test grant pays nothing out
    #[serde(default)]
    is_test: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GrantBody {
    grant_id: String,
    promotion_code: String,
    user_key: i64,
    event: String,
    /// Points, each worth a won
    amount: i64,
    is_test: bool,
    /// waiting_for_approval, declined, requested, sending, pending, unknown, succeeded or failed
    state: String,
    /// Toss's, of one that failed
    code: Option<String>,
    message: Option<String>,
    #[serde(with = "toss::timestamp")]
    #[schema(value_type = String, format = DateTime)]
    requested_at: OffsetDateTime,
}

impl From<Grant> for GrantBody {
    fn from(grant: Grant) -> Self {
        Self {
            grant_id: grant.id.to_string(),
            promotion_code: grant.promotion_code,
            user_key: grant.user_key,
            event: grant.event,
            amount: grant.amount,
            is_test: grant.is_test,
            state: grant.state.as_str().to_owned(),
            code: grant.error_code,
            message: grant.error_message,
            requested_at: grant.requested_at,
        }
    }
}

/// Grants points
///
/// At most once for each `Idempotency-Key`, and once for each user and event. Above the limit of the key or of the campaign
/// somebody of the staff decides, and the answer is 202 until then; `promotion.granted` and `promotion.failed` tell how it
/// ended.
#[utoipa::path(post, path = "/api/v1/promotions/{promotionCode}/grants", tag = "promotions", request_body = NewGrantBody,
    params(("promotionCode" = String, Path), ("Idempotency-Key" = String, Header, description = "Yours, of 1 to 300 characters: one for each grant that you mean",
            min_length = 1, max_length = 300)),
    security(("merchantKey" = ["promotions:write"])),
    responses((status = 201, description = "Granted", body = GrantBody),
              (status = 200, description = "The same request was made before: how it stands", body = GrantBody),
              (status = 202, description = "It waits for a person, or its outcome is not known yet", body = GrantBody),
              (status = 400, description = "Something is wrong with it, or Toss refused", body = ApiError),
              (status = 404, description = "No such promotion", body = ApiError),
              (status = 409, description = "Not open, above a cap or the budget, or granted already", body = ApiError),
              (status = 422, description = "The Idempotency-Key was used for another request", body = ApiError),
              (status = 503, description = "Apps in Toss is not set up", body = ApiError)))]
pub(crate) async fn grant(
    State(jangbu): State<Jangbu>,
    caller: Caller,
    Id(promotion_code): Id,
    headers: HeaderMap,
    Body(body): Body<NewGrantBody>,
) -> Result<Response, ApiError> {
    let words = words(&headers);
    let fault = keys::fault(&headers);
    if contains_card_number(&body.event) {
        return Err(ApiError::invalid(words, "event: a card number that is not masked"));
    }
    let id = idempotency::intent(&headers, &caller, "grant")?;
    let backoffice = jangbu.backoffice.clone();
    let is_again = promotions::get(&backoffice, id).await.map_err(&fault)?.is_some();
    let form = Form {
        intent: id.to_string(),
        promotion_code,
        user_key: user_key(&headers, &body.user_key)?.to_string(),
        event: body.event,
        amount: body.amount.map(|amount| amount.to_string()).unwrap_or_default(),
        is_test: body.is_test,
    };
    // On its own task: a shop that hangs up must not stop a grant half-way.
    let work = async move { promotions::grant(&backoffice, &caller.actor, &form).await };
    let granted = tokio::spawn(work.in_current_span())
        .await
        .map_err(|error| fault(error.into()))?
        .map_err(|error| refused(words, error))?;
    let status = match granted.state {
        Stands::Succeeded if !is_again => StatusCode::CREATED,
        Stands::Succeeded | Stands::Declined => StatusCode::OK,
        Stands::Failed => {
            let (code, why) =
                (granted.error_code.unwrap_or_default(), granted.error_message.unwrap_or_default());
            return Err(ApiError::of_toss(words, 400, code, why));
        }
        Stands::WaitingForApproval
        | Stands::Requested
        | Stands::Sending
        | Stands::Pending
        | Stands::Unknown => StatusCode::ACCEPTED,
    };
    Ok((status, Json(GrantBody::from(granted))).into_response())
}

fn refused(words: Translator, error: GrantError) -> ApiError {
    let why = match error {
        GrantError::Refused(why) => why,
        GrantError::Fault(fault) => return ApiError::fault(words, &fault),
    };
    let left = |left: i64| [("left", left.to_string())];
    let not_open = |key: &str| ApiError::saying(codes::PROMOTION_NOT_OPEN, words.get(key, &[]));
    match why {
        Refused::Form => ApiError::new(words, codes::IDEMPOTENCY_KEY_REUSED),
        Refused::NoSuchCampaign => ApiError::new(words, codes::NOT_FOUND_PROMOTION),
        Refused::UserKey => ApiError::invalid(words, "userKey: a positive whole number"),
        Refused::Event => ApiError::invalid(words, "event: 1 to 100 characters"),
        Refused::Amount => ApiError::invalid(words, "amount: points, at least 1"),
        Refused::AboveMost { most } => ApiError::invalid(words, &format!("amount: at most {most}")),
        Refused::OnlyTests => not_open("grant-error-only-tests"),
        Refused::NotStarted => not_open("grant-error-not-started"),
        Refused::Ended => not_open("grant-error-ended"),
        Refused::Stopped => not_open("grant-error-stopped"),
        Refused::NotApproved => not_open("grant-error-not-approved"),
        Refused::UserCap { left: more } => ApiError::with(words, codes::USER_CAP_EXCEEDED, &left(more)),
        Refused::Budget { left: more } => {
            ApiError::with(words, codes::PROMOTION_BUDGET_EXCEEDED, &left(more))
        }
        Refused::Already { state } => {
            let state = words.word("grant-state", state.as_str());
            ApiError::with(words, codes::ALREADY_GRANTED, &[("state", state)])
        }
        // Nothing of these is asked here.
        Refused::NoSuchGrant
        | Refused::NotSecond(_)
        | Refused::PaidAtToss
        | Refused::TossSilent
        | Refused::AlreadyDecided { .. }
        | Refused::TooEarly => {
            ApiError::fault(words, &Fault::Inconsistent(format!("a grant by the API was refused: {why:?}")))
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    /// Of this user
    #[param(minimum = 1)]
    user_key: Option<i64>,
    /// waiting_for_approval, declined, requested, sending, pending, unknown, succeeded or failed
    state: Option<String>,
    /// `next` of the page before
    cursor: Option<String>,
    /// At most 100; 50 without it
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct GrantsBody {
    /// Newest first
    grants: Vec<GrantBody>,
    /// The mark of the next page; absent at the end
    next: Option<String>,
}

/// Grants of a promotion
#[utoipa::path(get, path = "/api/v1/promotions/{promotionCode}/grants", tag = "promotions",
    params(("promotionCode" = String, Path), Asked), security(("merchantKey" = ["promotions:read"])),
    responses((status = 200, description = "Grants", body = GrantsBody),
              (status = 400, description = "No such mark, state or number", body = ApiError)))]
pub(crate) async fn list(
    State(jangbu): State<Jangbu>,
    Id(promotion_code): Id,
    headers: HeaderMap,
    Params(asked): Params<Asked>,
) -> Result<Json<GrantsBody>, ApiError> {
    let state = match asked.state.as_deref() {
        None => None,
        Some(word) => Some(
            Stands::parse(word)
                .ok_or_else(|| ApiError::invalid(words(&headers), "state: no state of a grant"))?,
        ),
    };
    let filter =
        Filter { promotion_code: text(Some(promotion_code)), user_key: asked.user_key, state, batch: None };
    let page = wanted(&headers, asked.cursor.as_deref(), asked.limit)?;
    let page = promotions::list(&jangbu.backoffice, &filter, page.cursor.as_ref(), page.limit)
        .await
        .map_err(keys::fault(&headers))?;
    Ok(Json(GrantsBody { next: next(&page), grants: page.rows.into_iter().map(GrantBody::from).collect() }))
}

/// How a grant stands
#[utoipa::path(get, path = "/api/v1/grants/{grantId}", tag = "promotions", params(("grantId" = Uuid, Path)),
    security(("merchantKey" = ["promotions:read"])),
    responses((status = 200, description = "The grant", body = GrantBody),
              (status = 404, description = "No such grant", body = ApiError)))]
pub(crate) async fn read(
    State(jangbu): State<Jangbu>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Json<GrantBody>, ApiError> {
    let none = || ApiError::new(words(&headers), codes::NOT_FOUND_GRANT);
    let id = Uuid::parse_str(&id).map_err(|_| none())?;
    let grant = promotions::get(&jangbu.backoffice, id).await.map_err(keys::fault(&headers))?;
    Ok(Json(grant.ok_or_else(none)?.into()))
}
