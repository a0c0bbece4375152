//! `POST /api/v1/orders/{orderId}/refunds`, `GET /api/v1/refunds`, `GET /api/v1/refunds/{refundId}`: the same intents, limits and
//! second persons that the pages have.

use app::i18n::Translator;
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use backoffice::{
    Decimal, Fault, contains_card_number,
    refunds::{self, Filter, OWN_ACCOUNT, Refund, RefundError, Refused, State as Stands},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use toss::payments::codes as toss_codes;
use tracing::Instrument;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    ApiError,
    error::codes,
    idempotency,
    keys::{self, Caller},
    list::{day, next, text, wanted},
    request::{Body, Id, Params},
    words,
};
use crate::Jangbu;

/// What goes back to the buyer
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewRefundBody {
    /// Absent: all that is left
    #[serde(default, with = "toss::decimal::option")]
    #[schema(value_type = Option<f64>, minimum = 0, example = 10000)]
    cancel_amount: Option<Decimal>,
    /// Goes to Toss; 1 to 200 characters, in Toss Pay 55
    #[schema(min_length = 1, max_length = 200, example = "단순 변심")]
    cancel_reason: String,
    /// changed_mind, defect, not_delivered, duplicate, price, fraud or other, which it is when absent
    #[schema(example = "changed_mind")]
    reason_code: Option<String>,
    /// Where `refundable.needsAccount` says so; absent: the account that the buyer has left
    refund_receive_account: Option<AccountBody>,
    /// Of a part, what bears no VAT; absent: in proportion
    #[serde(default, with = "toss::decimal::option")]
    #[schema(value_type = Option<f64>, minimum = 0)]
    tax_free_amount: Option<Decimal>,
}

/// An account that money is paid back to
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountBody {
    /// A bank's code or name as Toss writes it
    #[schema(example = "88")]
    bank: String,
    /// 6 to 20 digits
    #[schema(example = "110123456789")]
    account_number: String,
    /// 1 to 60 characters
    #[schema(example = "김하준")]
    holder_name: String,
}

impl std::fmt::Debug for AccountBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccountBody")
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefundBody {
    refund_id: String,
    order_id: String,
    payment_key: String,
    /// here, toss (in its console, or by another system with the same key) or store
    #[schema(value_type = String)]
    origin: refunds::Origin,
    #[serde(with = "toss::decimal")]
    #[schema(value_type = f64)]
    cancel_amount: Decimal,
    currency: String,
    reason_code: String,
    cancel_reason: String,
    /// What of a part bears no VAT. Absent where the whole went back, or where all of it bears VAT
    #[serde(with = "toss::decimal::option")]
    #[schema(value_type = Option<f64>)]
    tax_free_amount: Option<Decimal>,
    /// requested, waiting_for_approval, approved, declined, sending, succeeded, failed or unknown
    state: String,
    transaction_key: Option<String>,
    /// Why it failed: Toss's code, or a word of ours
    code: Option<String>,
    message: Option<String>,
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

impl From<Refund> for RefundBody {
    fn from(refund: Refund) -> Self {
        Self {
            refund_id: refund.id.to_string(),
            order_id: refund.order_id,
            payment_key: refund.payment_key,
            origin: refund.origin,
            cancel_amount: refund.amount,
            currency: refund.currency,
            reason_code: refund.reason_code,
            cancel_reason: refund.reason,
            tax_free_amount: refund.tax_free_amount,
            state: refund.state.as_str().to_owned(),
            transaction_key: refund.transaction_key,
            code: refund.error_code,
            message: refund.error_message,
            requested_at: refund.requested_at,
            stage: refund.stage,
            stage_at: refund.stage_at,
            expected_on: refund.expected_on.map(|day| day.to_string()),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    order_id: Option<String>,
    /// requested, waiting_for_approval, approved, declined, sending, succeeded, failed or unknown
    state: Option<String>,
    /// Days in Korea, both included
    #[param(format = Date)]
    from: Option<String>,
    #[param(format = Date)]
    to: Option<String>,
    /// `next` of the page before
    cursor: Option<String>,
    /// At most 100; 50 without it
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RefundsBody {
    /// Newest first
    refunds: Vec<RefundBody>,
    /// The mark of the next page; absent at the end
    next: Option<String>,
}

/// Gives money back
///
/// At most once for each `Idempotency-Key`: the same request again answers how the first one stands. Above the limits of the
/// key somebody of the staff decides, and the answer is 202 until then; `refund.succeeded`, `refund.failed` and
/// `refund.declined` tell how it ended.
#[utoipa::path(post, path = "/api/v1/orders/{orderId}/refunds", tag = "refunds", request_body = NewRefundBody,
    params(("orderId" = String, Path), ("Idempotency-Key" = String, Header, description = "Yours, of 1 to 300 characters: one for each refund that you mean",
            min_length = 1, max_length = 300)),
    security(("merchantKey" = ["refunds:write"])),
    responses((status = 201, description = "Toss took it", body = RefundBody),
              (status = 200, description = "The same request was made before: how it stands", body = RefundBody),
              (status = 202, description = "It waits for a person, or its outcome is not known yet", body = RefundBody),
              (status = 400, description = "Something is wrong with it, or Toss refused", body = ApiError),
              (status = 403, description = "This cannot go back, or Toss refused", body = ApiError),
              (status = 404, description = "No such order", body = ApiError),
              (status = 409, description = "Another refund of the payment is under way, or it was not made", body = ApiError),
              (status = 422, description = "The Idempotency-Key was used for another request", body = ApiError)))]
pub(crate) async fn make(
    State(jangbu): State<Jangbu>,
    caller: Caller,
    Id(order_id): Id,
    headers: HeaderMap,
    Body(body): Body<NewRefundBody>,
) -> Result<Response, ApiError> {
    let words = words(&headers);
    let fault = keys::fault(&headers);
    let id = idempotency::intent(&headers, &caller, "refund")?;
    let backoffice = jangbu.backoffice.clone();
    let is_again = refunds::get(&backoffice, id).await.map_err(&fault)?.is_some();
    if contains_card_number(&body.cancel_reason) {
        return Err(ApiError::invalid(words, "cancelReason: a card number that is not masked"));
    }
    let account = body.refund_receive_account.unwrap_or_else(|| AccountBody {
        bank: OWN_ACCOUNT.to_owned(),
        account_number: String::new(),
        holder_name: String::new(),
    });
    let form = refunds::Form {
        intent: id.to_string(),
        order_id,
        whole: body.cancel_amount.is_none(),
        amount: body.cancel_amount.map(|amount| amount.normalize().to_string()).unwrap_or_default(),
        reason_code: body.reason_code.unwrap_or_else(|| "other".into()),
        reason: body.cancel_reason,
        bank: account.bank,
        account_number: account.account_number,
        holder_name: account.holder_name,
        for_return: false,
        tax_free_amount: body
            .tax_free_amount
            .map(|amount| amount.normalize().to_string())
            .unwrap_or_default(),
    };
    // On its own task: a shop that hangs up must not stop a refund half-way.
    let work = async move { refunds::request(&backoffice, &caller.actor, &form).await };
    let made = tokio::spawn(work.in_current_span())
        .await
        .map_err(|error| fault(error.into()))?
        .map_err(|error| refused(words, error))?;
    answer(words, made, is_again)
}

fn answer(words: Translator, refund: Refund, is_again: bool) -> Result<Response, ApiError> {
    let status = match refund.state {
        Stands::Succeeded if is_again => StatusCode::OK,
        Stands::Succeeded => StatusCode::CREATED,
        Stands::Declined => StatusCode::OK,
        Stands::Failed => return Err(failed(words, &refund)),
        Stands::Requested
        | Stands::WaitingForApproval
        | Stands::Approved
        | Stands::Sending
        | Stands::Unknown => StatusCode::ACCEPTED,
    };
    Ok((status, Json(RefundBody::from(refund))).into_response())
}

/// Toss's own code where Toss refused it.
fn failed(words: Translator, refund: &Refund) -> ApiError {
    let code = refund.error_code.clone().unwrap_or_default();
    match toss_codes::find(&code) {
        // 401 would speak of the caller's key, and not of ours at Toss.
        Some((status, documented)) if status != 401 => {
            let message = refund.error_message.clone().unwrap_or_else(|| documented.to_owned());
            ApiError::of_toss(words, status, code, message)
        }
        _ => ApiError::with(words, codes::REFUND_NOT_MADE, &[("why", code)]),
    }
}

fn refused(words: Translator, error: RefundError) -> ApiError {
    let why = match error {
        RefundError::Refused(why) => why,
        RefundError::Fault(fault) => return ApiError::fault(words, &fault),
    };
    let invalid = |why: &str| ApiError::invalid(words, why);
    let not_this = |why: String| ApiError::with(words, codes::NOT_CANCELABLE_AMOUNT, &[("why", why)]);
    match why {
        Refused::NoSuchOrder => ApiError::new(words, codes::NOT_FOUND_ORDER),
        Refused::NoSuchRefund => ApiError::new(words, codes::NOT_FOUND_REFUND),
        Refused::Form => ApiError::new(words, codes::IDEMPOTENCY_KEY_REUSED),
        Refused::Amount(error) => invalid(&format!("cancelAmount: {error}")),
        Refused::TaxFreeAmount(error) => invalid(&format!("taxFreeAmount: {error}")),
        Refused::TaxFree { least, most } => invalid(&format!("taxFreeAmount: from {least} to {most}")),
        Refused::ReasonCode => invalid(&format!("reasonCode: one of {}", refunds::REASONS.join(", "))),
        Refused::ReasonTooShort | Refused::ReasonTooLong => invalid("cancelReason: 1 to 200 characters"),
        Refused::ReasonTooLongFor { most } => invalid(&format!("cancelReason: at most {most} characters")),
        Refused::ReasonCharacters { not_taken, .. } => {
            invalid(&format!("cancelReason: Toss Pay does not take {not_taken}"))
        }
        Refused::Bank => invalid("refundReceiveAccount.bank: no bank that money can be paid back to"),
        Refused::AccountNumber => invalid("refundReceiveAccount.accountNumber: 6 to 20 digits"),
        Refused::HolderName => invalid("refundReceiveAccount.holderName: 1 to 60 characters"),
        Refused::NoOwnAccount => invalid("refundReceiveAccount: the buyer has left none"),
        Refused::OverBalance { left, .. } => not_this(format!("{left}")),
        Refused::BelowLeast { least, .. } => not_this(format!("≥ {least}")),
        Refused::WholeOnly => not_this(words.get("refund-error-whole", &[])),
        Refused::NotPossible(why) => {
            ApiError::with(words, codes::NOT_CANCELABLE_PAYMENT, &[("why", word_of(&why))])
        }
        Refused::AlreadyOpen { .. } => ApiError::new(words, codes::REFUND_IN_PROGRESS),
        // Nothing of these is asked here.
        Refused::Lapsed
        | Refused::NotSecond(_)
        | Refused::AlreadyDecided { .. }
        | Refused::NoteTooShort
        | Refused::NoteTooLong
        | Refused::FactsChanged
        | Refused::TooEarly
        | Refused::TossSilent
        | Refused::NotReturned
        | Refused::FittingCancel => {
            ApiError::fault(words, &Fault::Inconsistent(format!("a refund by the API was refused: {why:?}")))
        }
    }
}

/// The same word that `refundable.whyNot` has.
fn word_of(why: &refunds::WhyNot) -> String {
    serde_json::to_value(why).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// All money that went back, or is to: what was asked for here, in Toss's console, by another system, by a store
#[utoipa::path(get, path = "/api/v1/refunds", tag = "refunds", params(Asked), security(("merchantKey" = ["refunds:read"])),
    responses((status = 200, description = "Refunds", body = RefundsBody),
              (status = 400, description = "No such mark, day, state or number", body = ApiError)))]
pub(crate) async fn list(
    State(jangbu): State<Jangbu>,
    headers: HeaderMap,
    Params(asked): Params<Asked>,
) -> Result<Json<RefundsBody>, ApiError> {
    let state = match asked.state.as_deref() {
        None => None,
        Some(word) => Some(
            Stands::parse(word)
                .ok_or_else(|| ApiError::invalid(words(&headers), "state: no state of a refund"))?,
        ),
    };
    let filter = Filter {
        state,
        order_id: text(asked.order_id),
        from: day(&headers, "from", asked.from.as_deref())?,
        to: day(&headers, "to", asked.to.as_deref())?,
        ..Filter::default()
    };
    let page = wanted(&headers, asked.cursor.as_deref(), asked.limit)?;
    let page = refunds::history(&jangbu.backoffice, &filter, page.cursor.as_ref(), page.limit)
        .await
        .map_err(keys::fault(&headers))?;
    Ok(Json(RefundsBody {
        next: next(&page),
        refunds: page.rows.into_iter().map(RefundBody::from).collect(),
    }))
}

/// How a refund stands that was asked for here
#[utoipa::path(get, path = "/api/v1/refunds/{refundId}", tag = "refunds", params(("refundId" = Uuid, Path)),
    security(("merchantKey" = ["refunds:read"])),
    responses((status = 200, description = "The refund", body = RefundBody),
              (status = 404, description = "No such refund", body = ApiError)))]
pub(crate) async fn read(
    State(jangbu): State<Jangbu>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Json<RefundBody>, ApiError> {
    let none = || ApiError::new(words(&headers), codes::NOT_FOUND_REFUND);
    let id = Uuid::parse_str(&id).map_err(|_| none())?;
    let refund = refunds::get(&jangbu.backoffice, id).await.map_err(keys::fault(&headers))?;
    Ok(Json(refund.ok_or_else(none)?.into()))
}
