//! What is said of endpoints that cannot be as somebody wants them.

use backoffice::events::{EndpointError, Invalid, Unfit};

use crate::{context::Ctx, error::AppError, explain::Explain};

impl Explain for Invalid {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Name => AppError::field("name", ctx.t("endpoint-error-name")),
            Self::Url(unfit) => AppError::field("url", unfit_text(ctx, unfit)),
            Self::TooMany => AppError::form(ctx.t("endpoint-error-many")),
        }
    }
}

fn unfit_text(ctx: &Ctx, unfit: Unfit) -> String {
    match unfit {
        Unfit::Url => ctx.t("endpoint-error-url"),
        Unfit::NotEncrypted => ctx.t("endpoint-error-https"),
        Unfit::Credentials => ctx.t("endpoint-error-credentials"),
        Unfit::Inside => ctx.t("endpoint-error-inside"),
    }
}

impl Explain for EndpointError {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Invalid(invalid) => invalid.explain(ctx),
            Self::NotFound => AppError::form(ctx.t("endpoint-error-gone")),
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}
