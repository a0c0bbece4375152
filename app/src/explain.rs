//! What went wrong, in words that a person can act on. Each room explains its own errors; what is everybody's is here.

use std::fmt::Debug;

use backoffice::{
    Fault,
    files::{batch::BatchError, import::FileError},
    money::AmountError,
};

use crate::{context::Ctx, error::AppError};

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
            Self::Own => AppError::form(ctx.t("refund-error-own")),
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
