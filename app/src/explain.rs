//! What went wrong, in words that a person can act on. Each room explains its own errors; what is everybody's is here.

use std::fmt::Debug;

use backoffice::{
    Fault, NotSecond,
    files::{batch::BatchError, import::FileError},
    limits::{self, LimitError},
    money::AmountError,
};

use crate::{context::Ctx, error::AppError, format};

/// An error of the back office as a field of the form and a sentence beside it.
pub trait Explain {
    fn explain(self, ctx: &Ctx) -> AppError;
}

impl Explain for Fault {
    /// Logged once, here, where it leaves our hands.
    fn explain(self, ctx: &Ctx) -> AppError {
        if matches!(self, Self::NoAppsInToss) {
            return AppError::form(ctx.t("apps-in-toss-missing"));
        }
        tracing::error!(error = %self, "a request failed");
        AppError::Fault
    }
}

impl Explain for NotSecond {
    fn explain(self, ctx: &Ctx) -> AppError {
        AppError::form(match self {
            Self::Own => ctx.t("refund-error-own"),
            Self::TooNew { until } => ctx.tr("second-too-new", &[("time", format::full_time(until))]),
            Self::OwnCreation { until } => {
                ctx.tr("second-own-creation", &[("time", format::full_time(until))])
            }
        })
    }
}

impl Explain for LimitError {
    fn explain(self, ctx: &Ctx) -> AppError {
        let refused = match self {
            Self::Refused(refused) => refused,
            Self::Fault(fault) => return fault.explain(ctx),
        };
        let at = |field, error| {
            let empty = error == AmountError::Empty;
            AppError::field(field, if empty { ctx.t("limit-error-empty") } else { amount(ctx, error) })
        };
        match refused {
            limits::Refused::Role => AppError::form(ctx.t("staff-error-role")),
            limits::Refused::OneRefund(error) => at("one_refund", error),
            limits::Refused::PerDay(error) => at("per_day", error),
            limits::Refused::GrantsPerDay(error) => at("grants_per_day", error),
            limits::Refused::NothingWaits => AppError::form(ctx.t("limit-error-gone")),
            limits::Refused::NotSecond(not) => not.explain(ctx),
        }
    }
}

impl Explain for FileError {
    fn explain(self, ctx: &Ctx) -> AppError {
        AppError::field("file", file(ctx, self))
    }
}

impl<R: Explain + Debug> Explain for BatchError<R> {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::NotFound => AppError::form(ctx.t("batch-not-found")),
            Self::File(error) => error.explain(ctx),
            Self::Refused(refused) => refused.explain(ctx),
            Self::State(state) => {
                let state = ctx.words.word("batch-state", state.as_str());
                AppError::form(ctx.tr("batch-error-state", &[("state", state)]))
            }
            Self::NotYours => AppError::form(ctx.t("batch-error-not-yours")),
            Self::NotSecond(not) => not.explain(ctx),
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}

/// The same, for what may have gone wrong.
pub trait OrExplain<T> {
    fn or_explain(self, ctx: &Ctx) -> Result<T, AppError>;
}

impl<T, E: Explain> OrExplain<T> for Result<T, E> {
    fn or_explain(self, ctx: &Ctx) -> Result<T, AppError> {
        self.map_err(|error| error.explain(ctx))
    }
}

pub fn amount(ctx: &Ctx, error: AmountError) -> String {
    match error {
        AmountError::Empty => ctx.t("amount-error-empty"),
        AmountError::NotANumber => ctx.t("amount-error-number"),
        AmountError::NotPositive => ctx.t("amount-error-zero"),
        AmountError::TooLarge => ctx.t("amount-error-large"),
        AmountError::TooFine => ctx.t("amount-error-fine"),
    }
}

pub fn file(ctx: &Ctx, error: FileError) -> String {
    match error {
        FileError::Empty => ctx.t("batch-error-empty"),
        FileError::TooLarge => ctx.t("batch-error-large"),
        FileError::TooManyLines => ctx.t("batch-error-lines"),
        FileError::Workbook => ctx.t("batch-error-workbook"),
        FileError::Encoding => ctx.t("batch-error-encoding"),
        FileError::Columns => ctx.t("batch-error-columns"),
        FileError::Quotes(line) => ctx.tr("batch-error-quotes", &[("line", line.to_string())]),
    }
}
