//! What refunds say to the people who make them.

use backoffice::{
    money::AmountError,
    refunds::{Eligibility, Refused, WhyNot, eligibility::Arrival},
};

use crate::{context::Ctx, error::AppError, format};

pub fn why_not(ctx: &Ctx, why: WhyNot) -> String {
    match why {
        WhyNot::NotPaid => ctx.t("why-not-paid"),
        WhyNot::Expired => ctx.t("why-not-expired"),
        WhyNot::Aborted => ctx.t("why-not-aborted"),
        WhyNot::NothingLeft => ctx.t("why-not-nothing-left"),
        WhyNot::MonthIsOver => ctx.t("why-not-month"),
        WhyNot::TooLate => ctx.t("why-not-late"),
        WhyNot::UnknownStatus => ctx.t("why-not-unknown"),
    }
}

pub fn arrival(ctx: &Ctx, arrival: Arrival) -> String {
    match arrival {
        Arrival::NothingToReturn => ctx.t("arrival-nothing"),
        Arrival::AtOnce => ctx.t("arrival-now"),
        Arrival::SameDay => ctx.t("arrival-same-day"),
        Arrival::CardThreeToFourDays => ctx.t("arrival-card"),
        Arrival::TwoBusinessDays => ctx.t("arrival-two-days"),
        Arrival::FiveBusinessDays => ctx.t("arrival-five-days"),
        Arrival::UpToThirtyDays => ctx.t("arrival-thirty-days"),
    }
}

/// What is possible, in one line each, before anybody clicks.
pub fn terms(ctx: &Ctx, may: &Eligibility) -> Vec<String> {
    let scope = if may.part { ctx.t("terms-part") } else { ctx.t("terms-whole") };
    let until = may.until.map(|at| {
        // The limit is the first moment at which it is over: the day before is the last one.
        let last = at - time::Duration::SECOND;
        ctx.tr("terms-until", &[("day", format::day(last))])
    });
    let may_fail = may.may_fail.then(|| ctx.t("terms-may-fail"));
    [Some(scope), Some(arrival(ctx, may.arrival)), until, may_fail].into_iter().flatten().collect()
}

/// A refused form as field and sentence.
pub fn invalid(ctx: &Ctx, refused: &Refused) -> AppError {
    let at = |field: &str, message: String| AppError::Invalid { field: field.into(), message };
    match refused {
        Refused::Form => at("", ctx.t("refund-error-form")),
        Refused::NoSuchOrder => at("", ctx.t("order-not-found")),
        Refused::Amount(AmountError::Empty) => at("amount", ctx.t("amount-error-empty")),
        Refused::Amount(AmountError::NotANumber) => at("amount", ctx.t("amount-error-number")),
        Refused::Amount(AmountError::NotPositive) => at("amount", ctx.t("amount-error-zero")),
        Refused::Amount(AmountError::TooLarge) => at("amount", ctx.t("amount-error-large")),
        Refused::Amount(AmountError::TooFine) => at("amount", ctx.t("amount-error-fine")),
        Refused::OverBalance { left, currency } => {
            at("amount", ctx.tr("refund-error-over", &[("left", format::figures(*left, currency))]))
        }
        Refused::WholeOnly => at("amount", ctx.t("refund-error-whole")),
        Refused::ReasonCode => at("reason_code", ctx.t("refund-error-reason-code")),
        Refused::ReasonTooShort => at("reason", ctx.t("refund-error-reason-empty")),
        Refused::ReasonTooLong => at("reason", ctx.t("refund-error-reason-long")),
        Refused::Bank => at("bank", ctx.t("refund-error-bank")),
        Refused::AccountNumber => at("account_number", ctx.t("refund-error-account")),
        Refused::HolderName => at("holder_name", ctx.t("refund-error-holder")),
        Refused::NotPossible(why) => at("", why_not(ctx, *why)),
        Refused::AlreadyOpen { by, amount, currency } => at(
            "",
            ctx.tr(
                "refund-error-open",
                &[("by", by.clone()), ("amount", format::figures(*amount, currency))],
            ),
        ),
    }
}
