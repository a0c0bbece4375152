//! Which days there are, and what is said of a day or of the contract that cannot be.

use backoffice::reconciliation::{close::CloseError, contract::RateError};
use time::Date;

use crate::{components::list, context::Ctx, error::AppError, explain::Explain};

/// A day that has begun.
pub fn past(ctx: &Ctx, text: &str) -> Result<Date, AppError> {
    list::parse_day(text)
        .filter(|day| day.year() >= 2000 && *day <= ctx.backoffice().clock.today())
        .ok_or_else(|| AppError::form(ctx.t("day-not-found")))
}

impl Explain for CloseError {
    fn explain(self, ctx: &Ctx) -> AppError {
        AppError::form(match self {
            Self::NotOver => ctx.t("close-not-over"),
            Self::Closed => ctx.t("close-closed"),
            Self::NotRead => ctx.t("close-not-read"),
            Self::Open(count) => ctx.tr("close-open", &[("count", count.to_string())]),
            Self::Expected(count) => ctx.tr("close-expected", &[("count", count.to_string())]),
            Self::Note => ctx.t("refund-error-reason-long"),
            Self::Fault(fault) => return fault.explain(ctx),
        })
    }
}

impl Explain for RateError {
    fn explain(self, ctx: &Ctx) -> AppError {
        let (field, key) = match self {
            Self::Method => ("method", "rate-error-method"),
            Self::Currency => ("currency", "rate-error-currency"),
            Self::ValidFrom => ("valid_from", "filter-error-day"),
            Self::PerCent => ("per_cent", "rate-error-per-cent"),
            Self::Flat => ("flat", "rate-error-flat"),
            Self::Cycle => ("cycle", "rate-error-cycle"),
            Self::PayoutDays => ("payout_days", "rate-error-days"),
        };
        AppError::field(field, ctx.words.get(key, &[]))
    }
}
