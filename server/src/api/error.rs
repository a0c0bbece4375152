//! Refusals of the merchant API.

use app::i18n::Translator;
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use backoffice::{
    Fault,
    payments::{ConfirmError, toss_pay::TossPayError},
};
use serde::Serialize;
use toss::apps_in_toss::{Refusal, ResultType};
use utoipa::ToSchema;

/// `code` is for programs, `message` for people, in the language of `Accept-Language`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiError {
    #[serde(skip)]
    status: u16,
    code: String,
    message: String,
}

impl ApiError {
    pub(super) fn new(words: Translator, status: StatusCode, code: &str, key: &str) -> Self {
        Self { status: status.as_u16(), code: code.into(), message: words.get(key, &[]) }
    }

    pub(crate) fn unauthorized(words: Translator) -> Self {
        Self::new(words, StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "api-unauthorized")
    }

    pub(super) fn not_found(words: Translator) -> Self {
        Self::new(words, StatusCode::NOT_FOUND, "NOT_FOUND_ORDER", "order-not-found")
    }

    pub(super) fn conflict(words: Translator) -> Self {
        Self::new(words, StatusCode::CONFLICT, "DUPLICATED_ORDER_ID", "api-conflict")
    }

    /// `why` names the member.
    pub(super) fn invalid(words: Translator, why: &str) -> Self {
        let message = words.get("api-invalid", &[("why", why.to_owned())]);
        Self { status: 400, code: "INVALID_REQUEST".into(), message }
    }

    /// `most`: bytes.
    pub(super) fn too_large(words: Translator, most: usize) -> Self {
        let message = words.get("api-too-large", &[("most", (most / 1024).to_string())]);
        Self { status: 413, code: "PAYLOAD_TOO_LARGE".into(), message }
    }

    pub(super) fn too_many(words: Translator) -> Self {
        Self::new(words, StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", "error-too-many")
    }

    pub(super) fn fault(words: Translator, fault: &Fault) -> Self {
        if matches!(fault, Fault::NoAppsInToss) {
            return Self::new(
                words,
                StatusCode::SERVICE_UNAVAILABLE,
                "APPS_IN_TOSS_NOT_SET_UP",
                "apps-in-toss-missing",
            );
        }
        tracing::error!(error = %fault, "the merchant API failed");
        Self::new(words, StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "error-fault")
    }

    /// Toss's code with what Toss documents of it, or at least a sentence.
    fn of_toss(words: Translator, status: u16, code: String, documented: String) -> Self {
        let message = if documented.is_empty() {
            words.get("refund-refused-by-toss", &[("why", code.clone())])
        } else {
            documented
        };
        Self { status, code, message }
    }

    pub(super) fn confirm(words: Translator, error: ConfirmError) -> Self {
        match error {
            ConfirmError::NotFound => Self::not_found(words),
            ConfirmError::AmountDiffers { .. } => {
                Self::new(words, StatusCode::BAD_REQUEST, "AMOUNT_MISMATCH", "api-amount-differs")
            }
            ConfirmError::PaidOtherwise => {
                Self::new(words, StatusCode::CONFLICT, "ALREADY_PROCESSED_PAYMENT", "api-paid-otherwise")
            }
            ConfirmError::PaymentOfAnotherOrder => {
                Self::new(words, StatusCode::BAD_REQUEST, "INVALID_PAYMENT_KEY", "api-other-order")
            }
            // Toss's own status, code and message: the merchant's code knows them from Toss's documents.
            ConfirmError::Refused(refusal) => {
                Self::of_toss(words, refusal.status, refusal.code, refusal.message)
            }
            ConfirmError::Unknown => {
                Self::new(words, StatusCode::GATEWAY_TIMEOUT, "CONFIRM_UNKNOWN", "api-confirm-unknown")
            }
            ConfirmError::Fault(fault) => Self::fault(words, &fault),
        }
    }
}

impl ApiError {
    pub(super) fn toss_pay(words: Translator, error: TossPayError) -> Self {
        match error {
            TossPayError::Invalid(why) => Self::invalid(words, &why.to_string()),
            TossPayError::NotFound => Self::not_found(words),
            TossPayError::Conflict => Self::conflict(words),
            TossPayError::OtherToken => {
                Self::new(words, StatusCode::BAD_REQUEST, "INVALID_PAY_TOKEN", "api-other-order")
            }
            TossPayError::NotExecutable(status) => Self {
                status: 409,
                code: "NOT_EXECUTABLE_PAYMENT".into(),
                message: words.get("api-not-executable", &[("status", words.word("status", &status))]),
            },
            // Toss's own code and words, some of which come with HTTP 200.
            TossPayError::Refused(refusal) => {
                let status = if refusal.status < 400 { 400 } else { refusal.status };
                Self::of_toss(words, status, refusal.code, refusal.reason)
            }
            TossPayError::NotSent(why) => {
                tracing::warn!(why, "Apps in Toss was not reached");
                Self::new(words, StatusCode::SERVICE_UNAVAILABLE, "TOSS_NOT_REACHED", "api-not-reached")
            }
            TossPayError::Unknown => {
                Self::new(words, StatusCode::GATEWAY_TIMEOUT, "PAYMENT_UNKNOWN", "api-confirm-unknown")
            }
            TossPayError::Fault(fault) => Self::fault(words, &fault),
        }
    }
}

impl ApiError {
    /// Of the calls that exchange or end tokens. A refusal is a refusal, also in the words that of a payment would leave
    /// everything open (toss-api.md C26).
    pub(super) fn login(words: Translator, fault: Fault) -> Self {
        let Fault::AppsInToss(error) = fault else { return Self::fault(words, &fault) };
        let of_the_way = |refusal: &Refusal| {
            // Whether it happened was not found out; every other word is a no.
            matches!(
                refusal.result_type,
                ResultType::HttpTimeout | ResultType::NetworkError | ResultType::Interrupted
            )
        };
        if let Some(refusal) = error.refusal().filter(|refusal| !of_the_way(refusal)) {
            return Self::of_toss(words, 400, refusal.code.clone(), refusal.reason.clone());
        }
        match error.into() {
            // The code may be spent, and the tokens are lost with the answer.
            TossPayError::Unknown => {
                Self::new(words, StatusCode::GATEWAY_TIMEOUT, "LOGIN_UNKNOWN", "api-login-unknown")
            }
            other => Self::toss_pay(words, other),
        }
    }
}

impl ApiError {
    /// Of the call that ends a link: it may have ended although nobody says so.
    pub(super) fn unlink(words: Translator, fault: Fault) -> Self {
        match &fault {
            Fault::AppsInToss(error) if error.may_have_happened() => {
                Self::new(words, StatusCode::GATEWAY_TIMEOUT, "UNLINK_UNKNOWN", "user-unlink-unknown")
            }
            _ => Self::login(words, fault),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}
