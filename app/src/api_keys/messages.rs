//! What is said of keys that cannot be as somebody wants them.

use backoffice::api_keys::{Invalid, KeyError, Which};

use super::words;
use crate::{context::Ctx, error::AppError, explain::Explain, format};

impl Explain for Invalid {
    fn explain(self, ctx: &Ctx) -> AppError {
        let at = AppError::field;
        match self {
            Self::Name => at("name", ctx.t("endpoint-error-name")),
            Self::NameTaken => at("name", ctx.t("api-key-error-taken")),
            Self::NoScope => at("scopes", ctx.t("api-key-error-scopes")),
            Self::Days => at("days", ctx.t("api-key-error-days")),
            Self::PerMinute => at("per_minute", ctx.t("api-key-error-per-minute")),
            Self::Scope(scope) => {
                at("scopes", ctx.tr("api-key-error-scope", &[("scope", words::scope(ctx, scope))]))
            }
            Self::Limit { which, own } => {
                let (field, own) = match which {
                    Which::OneRefund => ("one_refund", format::amount(ctx.words, own, "KRW")),
                    Which::PerDay => ("per_day", format::amount(ctx.words, own, "KRW")),
                    Which::GrantsPerDay => ("grants_per_day", own.to_string()),
                };
                at(field, ctx.tr("api-key-error-limit", &[("own", own)]))
            }
            Self::TooMany => AppError::form(ctx.t("api-key-error-many")),
        }
    }
}

impl Explain for KeyError {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Invalid(invalid) => invalid.explain(ctx),
            Self::NotFound => AppError::form(ctx.t("api-key-error-gone")),
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}
