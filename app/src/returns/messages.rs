//! Why a return cannot be recorded or closed.

use backoffice::returns::{Refused, ReturnError};

use crate::{context::Ctx, error::AppError, explain::Explain, format};

impl Explain for ReturnError {
    fn explain(self, ctx: &Ctx) -> AppError {
        let refused = match self {
            Self::Refused(refused) => refused,
            Self::Fault(fault) => return fault.explain(ctx),
        };
        match refused {
            Refused::NoSuchOrder => AppError::form(ctx.t("order-not-found")),
            Refused::NotOpen => AppError::form(ctx.t("return-error-closed")),
            Refused::NotPaid => AppError::form(ctx.t("why-not-paid")),
            Refused::Kind => AppError::field("kind", ctx.t("refund-error-reason-code")),
            Refused::Day => AppError::field("received_on", ctx.t("return-error-day")),
            Refused::NoteTooLong => AppError::field("note", ctx.t("refund-error-reason-long")),
            Refused::NoNote => AppError::field("note", ctx.t("refund-error-reason-empty")),
            Refused::AlreadyOpen { by, received_on } => {
                let since = [("by", by), ("day", format::iso_day(received_on))];
                AppError::form(ctx.tr("return-error-open", &since))
            }
        }
    }
}
