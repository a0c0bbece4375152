//! What may be wrong with an account.

use backoffice::staff::{Invalid, LinkEnded, StaffError};

use crate::{context::Ctx, error::AppError, explain::Explain};

pub fn link_ended(why: LinkEnded) -> &'static str {
    match why {
        LinkEnded::Unknown => "invitation-unknown",
        LinkEnded::Used => "invitation-used",
        LinkEnded::Expired => "invitation-expired",
        LinkEnded::Withdrawn => "invitation-withdrawn",
    }
}

/// How long whoever finds no place is asked to wait.
const BUSY_SECONDS: u64 = 5;

/// Too many were wrong: how long the next one has to wait. The same for accounts that do not exist.
pub fn wait(ctx: &Ctx, seconds: u64) -> AppError {
    AppError::Wait { message: wait_words(ctx, seconds), seconds }
}

pub fn wait_words(ctx: &Ctx, seconds: u64) -> String {
    ctx.tr("login-wait", &[("seconds", seconds.to_string())])
}

pub fn busy(ctx: &Ctx) -> AppError {
    AppError::Busy { message: ctx.t("login-busy"), seconds: BUSY_SECONDS }
}

impl Explain for Invalid {
    fn explain(self, ctx: &Ctx) -> AppError {
        let (field, key) = match self {
            Self::Email => ("email", "staff-error-email"),
            Self::EmailTaken => ("email", "staff-error-taken"),
            Self::Name => ("name", "staff-error-name"),
            Self::Password => ("password", "staff-error-password"),
            Self::PasswordWeak => ("password", "staff-error-password-weak"),
            Self::PasswordWrong => ("current", "staff-error-password-wrong"),
            Self::Wait { seconds } => return wait(ctx, seconds),
            Self::Busy => return busy(ctx),
            Self::Link(why) => ("", link_ended(why)),
            Self::LastAdmin => ("", "staff-error-last-admin"),
            Self::Yourself => ("", "staff-error-yourself"),
            Self::NotFound => ("", "staff-error-not-found"),
            Self::NoFactor => ("", "staff-error-no-factor"),
            Self::Why => ("why", "staff-error-why"),
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
