//! What in-app purchases and their refunds say.

use backoffice::iap::{DeskError, Imported, PriceError, Refund};

use crate::{
    context::Ctx,
    error::AppError,
    explain::{self, Explain},
};

impl Explain for DeskError {
    fn explain(self, ctx: &Ctx) -> AppError {
        let at = AppError::field;
        match self {
            Self::OrderId => at("order_id", ctx.t("iap-error-order")),
            Self::UserKey => at("user_key", ctx.t("grant-error-user")),
            Self::Platform => at("platform", ctx.t("iap-error-platform")),
            Self::Reason => at("reason", ctx.t("iap-error-reason")),
            Self::AlreadyOpen => at("order_id", ctx.t("iap-error-open")),
            Self::AlreadyRefunded => at("order_id", ctx.t("iap-error-refunded")),
            Self::NotFound => AppError::form(ctx.t("iap-error-gone")),
            Self::NotNow(state) => {
                let state = ctx.words.word("iap-state", state.as_str());
                AppError::form(ctx.tr("refund-error-settled", &[("state", state)]))
            }
            Self::Apple => AppError::form(ctx.t("iap-error-apple")),
            Self::File(error) => at("list", explain::file(ctx, error)),
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}

pub fn imported(ctx: &Ctx, imported: &Imported) -> String {
    let lines = imported.unread.iter().take(20).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let said = ctx.tr(
        "iap-imported",
        &[("recorded", imported.recorded.to_string()), ("known", imported.known.to_string())],
    );
    if lines.is_empty() { said } else { format!("{said} {}", ctx.tr("iap-unread", &[("lines", lines)])) }
}

/// Who decides now, as a badge.
pub fn decider(ctx: &Ctx, refund: &Refund) -> (&'static str, String) {
    use backoffice::iap::{Decider, State};
    let tone = match (refund.decider(), refund.state) {
        (Decider::You, _) => "unknown",
        (Decider::Google | Decider::Apple, _) => "waiting",
        (Decider::Nobody, State::Refunded | State::Detected) => "done",
        (Decider::Nobody, _) => "ended",
    };
    let word = match refund.decider() {
        Decider::Nobody => ctx.words.word("iap-state", refund.state.as_str()),
        other => ctx.words.word("iap-decider", other.as_str()),
    };
    (tone, word)
}

/// Toss's word for an order, and what it means (toss-api.md B6).
pub fn status(ctx: &Ctx, status: Option<&str>) -> (&'static str, String) {
    match status {
        None => ("waiting", ctx.t("iap-not-asked")),
        Some(word @ ("PURCHASED" | "PAYMENT_COMPLETED")) => ("done", ctx.words.word("iap-status", word)),
        Some("REFUNDED") => ("part", ctx.words.word("iap-status", "REFUNDED")),
        Some("ORDER_IN_PROGRESS") => ("waiting", ctx.words.word("iap-status", "ORDER_IN_PROGRESS")),
        Some(word @ ("FAILED" | "NOT_FOUND" | "MINIAPP_MISMATCH" | "ERROR")) => {
            ("failed", ctx.words.word("iap-status", word))
        }
        Some(word) => ("ended", word.to_owned()),
    }
}

impl Explain for PriceError {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Sku => AppError::field("sku", ctx.t("price-error-sku")),
            Self::Price(error) => AppError::field("price", explain::amount(ctx, error)),
        }
    }
}
