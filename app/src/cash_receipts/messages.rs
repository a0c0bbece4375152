//! Why nothing was asked of Toss.

use backoffice::cash_receipts::{ReceiptError, Refused};

use crate::{context::Ctx, error::AppError, explain::Explain, format};

impl Explain for ReceiptError {
    fn explain(self, ctx: &Ctx) -> AppError {
        let refused = match self {
            Self::Refused(refused) => refused,
            Self::Fault(fault) => return fault.explain(ctx),
        };
        match refused {
            Refused::NoSuchOrder => AppError::form(ctx.t("order-not-found")),
            Refused::NoSuchReceipt => AppError::form(ctx.t("cash-receipt-error-gone")),
            Refused::NotCash => AppError::form(ctx.t("cash-receipt-error-not-cash")),
            Refused::Kind => AppError::field("kind", ctx.t("cash-receipt-error-kind")),
            Refused::Number => AppError::field("number", ctx.t("cash-receipt-error-number")),
            Refused::Amount => AppError::field("amount", ctx.t("cash-receipt-error-amount")),
            Refused::TooMuch(room) => {
                let most = format::amount(ctx.words, room, "KRW");
                AppError::field("amount", ctx.tr("cash-receipt-error-much", &[("amount", most)]))
            }
            Refused::AlreadyReceipted => AppError::form(ctx.t("cash-receipt-error-all")),
            Refused::NotNow => AppError::form(ctx.t("cash-receipt-error-state")),
            Refused::Intent => AppError::form(ctx.t("refund-error-form")),
        }
    }
}
