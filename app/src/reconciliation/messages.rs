//! Which days there are, and what is said of a day or of the contract that cannot be.

use backoffice::reconciliation::{close::CloseError, contract::RateError};
use time::Date;

use crate::{
    components::list,
    context::{Ctx, shown},
    error::AppError,
};

/// A day that has begun.
pub fn past(ctx: &Ctx, text: &str) -> Option<Date> {
    let day = list::parse_day(text)?;
    (day.year() >= 2000 && day <= ctx.books().clock.today()).then_some(day)
}

pub fn no_day(ctx: &Ctx) -> AppError {
    AppError::Invalid { field: String::new(), message: ctx.t("day-not-found") }
}

pub fn close_error(ctx: &Ctx, error: CloseError) -> AppError {
    let message = match error {
        CloseError::NotOver => ctx.t("close-not-over"),
        CloseError::Closed => ctx.t("close-closed"),
        CloseError::NotRead => ctx.t("close-not-read"),
        CloseError::Open(count) => ctx.tr("close-open", &[("count", count.to_string())]),
        CloseError::Expected(count) => ctx.tr("close-expected", &[("count", count.to_string())]),
        CloseError::Note => ctx.t("refund-error-reason-long"),
        CloseError::Fault(fault) => return shown(&fault),
    };
    AppError::Invalid { field: String::new(), message }
}

pub fn rate_error(ctx: &Ctx, error: RateError) -> AppError {
    let (field, key) = match error {
        RateError::Method => ("method", "rate-error-method"),
        RateError::Currency => ("currency", "rate-error-currency"),
        RateError::ValidFrom => ("valid_from", "filter-error-day"),
        RateError::PerCent => ("per_cent", "rate-error-per-cent"),
        RateError::Flat => ("flat", "rate-error-flat"),
        RateError::Cycle => ("cycle", "rate-error-cycle"),
        RateError::PayOutDays => ("pay_out_days", "rate-error-days"),
    };
    AppError::Invalid { field: field.into(), message: ctx.words.get(key, &[]) }
}
