//! Refusals of the merchant API.

use std::borrow::Cow;

use app::i18n::Translator;
use axum::{
    Json,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use backoffice::{
    Fault,
    payments::{ConfirmError, toss_pay::TossPayError},
};
use serde::Serialize;
use toss::apps_in_toss::{Refusal, ResultType};
use utoipa::ToSchema;

use crate::Jangbu;

macro_rules! codes {
    ($($code:ident $status:literal $key:literal),+ $(,)?) => {
        /// What the API answers besides Toss's own codes: the word is for programs, the key for the sentence.
        pub(crate) mod codes {
            use super::Code;

            $(pub(crate) const $code: Code = Code { word: stringify!($code), status: $status, key: $key };)+

            pub(crate) const ALL: &[Code] = &[$($code),+];
        }
    };
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Code {
    pub word: &'static str,
    pub status: u16,
    pub key: &'static str,
}

codes! {
    INVALID_REQUEST 400 "api-invalid",
    UNAUTHORIZED 401 "api-unauthorized",
    API_KEY_EXPIRED 401 "api-key-expired",
    MISSING_SCOPE 403 "api-missing-scope",
    NOT_FOUND 404 "api-no-such-call",
    METHOD_NOT_ALLOWED 405 "api-wrong-method",
    PAYLOAD_TOO_LARGE 413 "api-too-large",
    TOO_MANY_REQUESTS 429 "error-too-many",
    INTERNAL_ERROR 500 "error-fault",
    IDEMPOTENCY_KEY_REQUIRED 400 "api-idempotency-missing",
    IDEMPOTENCY_KEY_REUSED 422 "api-idempotency-reused",
    NOT_FOUND_ORDER 404 "order-not-found",
    DUPLICATED_ORDER_ID 409 "api-conflict",
    AMOUNT_MISMATCH 400 "api-amount-differs",
    INVALID_PAYMENT_KEY 400 "api-other-order",
    ALREADY_PROCESSED_PAYMENT 409 "api-paid-otherwise",
    CONFIRM_UNKNOWN 504 "api-confirm-unknown",
    NOT_FOUND_REFUND 404 "refund-error-gone",
    NOT_CANCELABLE_PAYMENT 403 "api-not-refundable",
    NOT_CANCELABLE_AMOUNT 403 "api-not-this-amount",
    REFUND_IN_PROGRESS 409 "api-refund-open",
    REFUND_NOT_MADE 409 "api-refund-not-made",
    APPS_IN_TOSS_NOT_SET_UP 503 "apps-in-toss-missing",
    TOSS_NOT_REACHED 503 "api-not-reached",
    INVALID_PAY_TOKEN 400 "api-other-order",
    NOT_EXECUTABLE_PAYMENT 409 "api-not-executable",
    PAYMENT_UNKNOWN 504 "api-confirm-unknown",
    LOGIN_UNKNOWN 504 "api-login-unknown",
    NOT_FOUND_USER 404 "api-no-user",
    UNLINK_UNKNOWN 504 "user-unlink-unknown",
    NOT_FOUND_IAP_ORDER 404 "api-no-iap-order",
    NOT_FOUND_PROMOTION 404 "api-no-promotion",
    NOT_FOUND_GRANT 404 "grant-error-gone",
    PROMOTION_NOT_OPEN 409 "api-promotion-not-open",
    PROMOTION_BUDGET_EXCEEDED 409 "grant-error-budget",
    USER_CAP_EXCEEDED 409 "grant-error-cap",
    ALREADY_GRANTED 409 "grant-error-already",
    NOT_FOUND_TEMPLATE 404 "template-error-none",
    NOT_FOUND_MESSAGE 404 "api-no-message",
}

/// `code` is for programs, `message` for people, in the language of `Accept-Language`; `documentationUrl` says more of the code.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiError {
    #[serde(skip)]
    status: u16,
    code: Cow<'static, str>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation_url: Option<String>,
}

impl ApiError {
    pub(super) fn new(words: Translator, code: Code) -> Self {
        Self::with(words, code, &[])
    }

    pub(super) fn with(words: Translator, code: Code, args: &[(&'static str, String)]) -> Self {
        Self::saying(code, words.get(code.key, args))
    }

    /// In another sentence than that of the code.
    pub(super) fn saying(code: Code, message: String) -> Self {
        Self { status: code.status, code: code.word.into(), message, documentation_url: None }
    }

    pub(super) fn code(&self) -> &str {
        &self.code
    }

    pub(crate) fn unauthorized(words: Translator) -> Self {
        Self::new(words, codes::UNAUTHORIZED)
    }

    /// `why` names the member.
    pub(super) fn invalid(words: Translator, why: &str) -> Self {
        Self::with(words, codes::INVALID_REQUEST, &[("why", why.to_owned())])
    }

    /// `most`: bytes.
    pub(super) fn too_large(words: Translator, most: usize) -> Self {
        Self::with(words, codes::PAYLOAD_TOO_LARGE, &[("most", (most / 1024).to_string())])
    }

    pub(super) fn fault(words: Translator, fault: &Fault) -> Self {
        if matches!(fault, Fault::NoAppsInToss) {
            return Self::new(words, codes::APPS_IN_TOSS_NOT_SET_UP);
        }
        tracing::error!(error = %fault, "the merchant API failed");
        Self::new(words, codes::INTERNAL_ERROR)
    }

    /// Toss's code with what Toss documents of it, or at least a sentence.
    pub(super) fn of_toss(words: Translator, status: u16, code: String, documented: String) -> Self {
        let message = if documented.is_empty() {
            words.get("refund-refused-by-toss", &[("why", code.clone())])
        } else {
            documented
        };
        Self { status, code: code.into(), message, documentation_url: None }
    }

    pub(super) fn confirm(words: Translator, error: ConfirmError) -> Self {
        match error {
            ConfirmError::NotFound => Self::new(words, codes::NOT_FOUND_ORDER),
            ConfirmError::AmountDiffers { .. } => Self::new(words, codes::AMOUNT_MISMATCH),
            ConfirmError::PaidOtherwise => Self::new(words, codes::ALREADY_PROCESSED_PAYMENT),
            ConfirmError::PaymentOfAnotherOrder => Self::new(words, codes::INVALID_PAYMENT_KEY),
            // Toss's own status, code and message: the merchant's code knows them from Toss's documents.
            ConfirmError::Refused(refusal) => {
                Self::of_toss(words, refusal.status, refusal.code, refusal.message)
            }
            ConfirmError::Unknown => Self::new(words, codes::CONFIRM_UNKNOWN),
            ConfirmError::Fault(fault) => Self::fault(words, &fault),
        }
    }
}

impl ApiError {
    pub(super) fn toss_pay(words: Translator, error: TossPayError) -> Self {
        match error {
            TossPayError::Invalid(why) => Self::invalid(words, &why.to_string()),
            TossPayError::NotFound => Self::new(words, codes::NOT_FOUND_ORDER),
            TossPayError::Conflict => Self::new(words, codes::DUPLICATED_ORDER_ID),
            TossPayError::OtherToken => Self::new(words, codes::INVALID_PAY_TOKEN),
            TossPayError::NotExecutable(status) => {
                Self::with(words, codes::NOT_EXECUTABLE_PAYMENT, &[("status", words.word("status", &status))])
            }
            // Toss's own code and words, some of which come with HTTP 200.
            TossPayError::Refused(refusal) => {
                let status = if refusal.status < 400 { 400 } else { refusal.status };
                Self::of_toss(words, status, refusal.code, refusal.reason)
            }
            TossPayError::NotSent(why) => {
                tracing::warn!(why, "Apps in Toss was not reached");
                Self::new(words, codes::TOSS_NOT_REACHED)
            }
            TossPayError::Unknown => Self::new(words, codes::PAYMENT_UNKNOWN),
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
            TossPayError::Unknown => Self::new(words, codes::LOGIN_UNKNOWN),
            other => Self::toss_pay(words, other),
        }
    }
}

impl ApiError {
    /// Of the call that ends a link: it may have ended although nobody says so.
    pub(super) fn unlink(words: Translator, fault: Fault) -> Self {
        match &fault {
            Fault::AppsInToss(error) if error.may_have_happened() => Self::new(words, codes::UNLINK_UNKNOWN),
            _ => Self::login(words, fault),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Adds to a refusal where its code is explained.
pub(super) async fn explained(State(jangbu): State<Jangbu>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<ApiError>() else { return response };
    let (url, base) = (&jangbu.settings.public_url, &jangbu.settings.base_path);
    let documentation_url = Some(format!("{url}{base}/api/v1/errors#{}", error.code));
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = Json(ApiError { documentation_url, ..error }).into_response().into_body();
    Response::from_parts(parts, body)
}
