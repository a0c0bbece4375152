//! What in-app purchases and their refunds say.

use backoffice::iap::{DeskError, Imported, PriceError, Refund};

use crate::{
    context::{Ctx, shown},
    error::AppError,
    refunds,
};

fn at(field: &str, message: String) -> AppError {
    AppError::Invalid { field: field.into(), message }
}

pub fn error(ctx: &Ctx, error: DeskError) -> AppError {
    match error {
        DeskError::OrderId => at("order_id", ctx.t("iap-error-order")),
        DeskError::UserKey => at("user_key", ctx.t("grant-error-user")),
        DeskError::Platform => at("platform", ctx.t("iap-error-platform")),
        DeskError::Reason => at("reason", ctx.t("iap-error-reason")),
        DeskError::AlreadyOpen => at("order_id", ctx.t("iap-error-open")),
        DeskError::AlreadyRefunded => at("order_id", ctx.t("iap-error-refunded")),
        DeskError::NotFound => at("", ctx.t("iap-error-gone")),
        DeskError::NotNow(state) => {
            at("", ctx.tr("refund-error-settled", &[("state", ctx.words.word("iap-state", state.as_str()))]))
        }
        DeskError::Apple => at("", ctx.t("iap-error-apple")),
        DeskError::File(error) => at("list", refunds::messages::file_error(ctx, error)),
        DeskError::Fault(fault) => shown(&fault),
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

pub fn price_error(ctx: &Ctx, error: PriceError) -> AppError {
    let (field, message) = match error {
        PriceError::Sku => ("sku", ctx.t("price-error-sku")),
        PriceError::Price(error) => ("price", refunds::messages::amount(ctx, error)),
    };
    AppError::Invalid { field: field.into(), message }
}
