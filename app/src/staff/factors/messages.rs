//! Why something shown is no proof, in words.

use backoffice::staff::factors::{FactorError, FactorRefused, TRIES};

use crate::{context::Ctx, error::AppError, explain::Explain, staff::messages::wait_words};

pub(crate) fn sentence(ctx: &Ctx, refused: FactorRefused) -> String {
    let key = match refused {
        FactorRefused::ClockOff(minutes) => {
            let (key, minutes) = if minutes < 0 {
                ("factor-error-slow", minutes.unsigned_abs())
            } else {
                ("factor-error-fast", minutes.unsigned_abs())
            };
            return ctx.tr(key, &[("minutes", minutes.to_string())]);
        }
        FactorRefused::TooMany => return ctx.tr("factor-error-too-many", &[("tries", TRIES.to_string())]),
        FactorRefused::Wait { seconds } => return wait_words(ctx, seconds),
        FactorRefused::Nothing => "factor-error-nothing",
        FactorRefused::Wrong => "factor-error-wrong",
        FactorRefused::Used => "factor-error-used",
        FactorRefused::NotAsked => "factor-error-not-asked",
        FactorRefused::OtherOrigin => "factor-error-origin",
        FactorRefused::UnknownPasskey => "factor-error-unknown",
        FactorRefused::NotVerified => "factor-error-not-verified",
        FactorRefused::Copied => "factor-error-copied",
        FactorRefused::Unreadable => "factor-error-unreadable",
        FactorRefused::Taken => "factor-error-taken",
        FactorRefused::NoPasskeysHere => "passkey-not-here",
        FactorRefused::Name => "staff-error-name",
        FactorRefused::NotBegun => "factor-error-not-begun",
        FactorRefused::NotFound => "factor-error-not-found",
        FactorRefused::LastOne => "factor-error-last",
    };
    ctx.words.get(key, &[])
}

impl Explain for FactorRefused {
    fn explain(self, ctx: &Ctx) -> AppError {
        let field = match self {
            Self::Name => "name",
            Self::Wrong | Self::Used | Self::ClockOff(_) => "code",
            _ => "",
        };
        AppError::field(field, sentence(ctx, self))
    }
}

impl Explain for FactorError {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Refused(refused) => refused.explain(ctx),
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}
