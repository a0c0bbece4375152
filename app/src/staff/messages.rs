//! What may be wrong with an account.

use backoffice::staff::{Invalid, StaffError};

use crate::{context::Ctx, error::AppError, explain::Explain};

impl Explain for Invalid {
    fn explain(self, ctx: &Ctx) -> AppError {
        let (field, key) = match self {
            Self::Email => ("email", "staff-error-email"),
            Self::EmailTaken => ("email", "staff-error-taken"),
            Self::Name => ("name", "staff-error-name"),
            Self::Password => ("password", "staff-error-password"),
            Self::LastAdmin => ("", "staff-error-last-admin"),
            Self::Yourself => ("", "staff-error-yourself"),
            Self::NotFound => ("", "staff-error-not-found"),
        };
        AppError::field(field, ctx.words.get(key, &[]))
    }
}

impl Explain for StaffError {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Invalid(invalid) => invalid.explain(ctx),
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}
