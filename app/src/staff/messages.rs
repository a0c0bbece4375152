//! What may be wrong with an account.

use backoffice::staff::{
    Invalid, LinkEnded, StaffError,
    rights::{Refused, RightsError},
};

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
            Self::BeyondYours => ("", "staff-error-beyond-yours"),
            Self::Colleague => ("hand_to", "leaving-error-colleague"),
            Self::Addresses => ("allowed_ips", "addresses-error"),
            Self::OwnAddress => {
                let ip = ctx.visitor.ip.clone();
                return AppError::field("allowed_ips", ctx.tr("addresses-error-own", &[("ip", ip)]));
            }
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

impl Explain for Refused {
    fn explain(self, ctx: &Ctx) -> AppError {
        let (field, key) = match self {
            Self::NoSuchRole => ("role", "role-error-unknown"),
            Self::Name => ("name", "role-error-name"),
            Self::NameTaken => ("name", "role-error-taken"),
            Self::Base => ("base", "staff-error-role"),
            Self::Nothing => ("permissions", "role-error-nothing"),
            Self::InUse { people } => {
                return AppError::form(ctx.tr("role-error-in-use", &[("count", people.to_string())]));
            }
            Self::Stale => ("", "role-error-stale"),
            Self::NothingWaits => ("", "limit-error-gone"),
            Self::NotSecond(not) => return not.explain(ctx),
        };
        AppError::field(field, ctx.words.get(key, &[]))
    }
}

impl Explain for RightsError {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Refused(refused) => refused.explain(ctx),
            Self::Invalid(invalid) => invalid.explain(ctx),
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}
