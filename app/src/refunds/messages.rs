//! What refunds say to the people who make them.

use backoffice::refunds::{
    AccountCheck, ApprovalReason, Arrival, ELSEWHERE, Eligibility, Origin, Refund, RefundError, Refused,
    Stage, State, WhyNot, batch::LineRefused,
};

use crate::{
    context::Ctx,
    error::AppError,
    explain::{self, Explain},
    format,
};

pub fn why_not(ctx: &Ctx, why: WhyNot) -> String {
    match why {
        WhyNot::NotPaid => ctx.t("why-not-paid"),
        WhyNot::Expired => ctx.t("why-not-expired"),
        WhyNot::Aborted => ctx.t("why-not-aborted"),
        WhyNot::NothingLeft => ctx.t("why-not-nothing-left"),
        WhyNot::MonthIsOver => ctx.t("why-not-month"),
        WhyNot::TooLate => ctx.t("why-not-late"),
        WhyNot::UnderWay => ctx.t("why-not-under-way"),
        WhyNot::Settled => ctx.t("why-not-settled"),
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

/// Where the money is, and by when the buyer has it. Nothing until Toss has taken the refund.
pub fn whereabouts(ctx: &Ctx, refund: &Refund) -> Option<String> {
    let today = ctx.backoffice().clock.today();
    let day = |day: Option<time::Date>| day.map(format::iso_day).unwrap_or_default();
    let at = refund.stage_at.map(format::short_time).unwrap_or_default();
    let by_person = refund.stage_by_name.as_ref().map(|by| {
        let note = refund.stage_note.clone().unwrap_or_default();
        [("by", by.clone()), ("note", note), ("time", at.clone())]
    });
    let text = match (refund.stage?, by_person) {
        (Stage::Arrived, Some(words)) => ctx.tr("stage-paid-otherwise-by", &words),
        (Stage::AtTheBank, Some(words)) => ctx.tr("stage-sent-again-by", &words),
        (Stage::Accepted, _) => ctx.tr("stage-expected", &[("day", format::iso_day(refund.expected_on?))]),
        (Stage::AtTheBank, None) if refund.did_not_arrive(today) => {
            ctx.tr("stage-bank-overdue", &[("day", day(refund.bank_due_on))])
        }
        (Stage::AtTheBank, None) if refund.expected_on.is_some_and(|on| today > on) => {
            ctx.tr("stage-bank-late", &[("day", day(refund.bank_due_on))])
        }
        (Stage::AtTheBank, None) => match refund.expected_on {
            Some(on) => ctx.tr("stage-bank-expected", &[("day", format::iso_day(on))]),
            None => ctx.t("stage-bank"),
        },
        (Stage::Arrived, None) => ctx.tr("stage-arrival-at", &[("time", at)]),
        (Stage::PartlyArrived, _) => ctx.tr("stage-partly-arrived-at", &[("time", at)]),
        (Stage::Returned, _) => ctx.tr("stage-returned-at", &[("time", at)]),
    };
    Some(text)
}

/// What is possible, in one line each, before anybody clicks.
pub fn terms(ctx: &Ctx, may: &Eligibility, currency: &str) -> Vec<String> {
    let scope = if may.part { ctx.t("terms-part") } else { ctx.t("terms-whole") };
    let until = may.until.map(|at| {
        // The limit is the first moment at which it is over: the day before is the last one.
        let last = at - time::Duration::SECOND;
        ctx.tr("terms-until", &[("day", format::day(last))])
    });
    let least = may
        .least
        .map(|least| ctx.tr("terms-least", &[("amount", format::amount(ctx.words, least, currency))]));
    let free = (!may.tax.is_chosen() && !may.tax.free.is_zero()).then(|| ctx.t("terms-tax-free"));
    let may_fail = may.may_fail.then(|| ctx.t("terms-may-fail"));
    [Some(scope), least, free, Some(arrival(ctx, may.arrival)), until, may_fail]
        .into_iter()
        .flatten()
        .collect()
}

/// A refused form as field and sentence.
pub fn invalid(ctx: &Ctx, refused: &Refused) -> AppError {
    let at = AppError::field;
    match refused {
        Refused::Form => at("", ctx.t("refund-error-form")),
        Refused::NoSuchOrder => at("", ctx.t("order-not-found")),
        Refused::Amount(error) => at("amount", explain::amount(ctx, *error)),
        Refused::OverBalance { left, currency } => {
            at("amount", ctx.tr("refund-error-over", &[("left", format::figures(*left, currency))]))
        }
        Refused::WholeOnly => at("amount", ctx.t("refund-error-whole")),
        Refused::BelowLeast { least, currency } => {
            at("amount", ctx.tr("refund-error-least", &[("least", format::figures(*least, currency))]))
        }
        Refused::TaxFreeAmount(error) => at("tax_free_amount", explain::amount(ctx, *error)),
        Refused::TaxFree { least, most } => at(
            "tax_free_amount",
            ctx.tr(
                "refund-error-tax-free",
                &[("least", format::figures(*least, "KRW")), ("most", format::figures(*most, "KRW"))],
            ),
        ),
        Refused::ReasonCode => at("reason_code", ctx.t("refund-error-reason-code")),
        Refused::ReasonTooShort => at("reason", ctx.t("refund-error-reason-empty")),
        Refused::ReasonTooLong => at("reason", ctx.t("refund-error-reason-long")),
        Refused::ReasonTooLongFor { most } => {
            at("reason", ctx.tr("refund-error-reason-most", &[("most", most.to_string())]))
        }
        Refused::ReasonCharacters { not_taken, sent } => at(
            "reason",
            ctx.tr(
                "refund-error-reason-characters",
                &[("characters", not_taken.clone()), ("sent", sent.clone())],
            ),
        ),
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
        Refused::NoSuchRefund => at("", ctx.t("refund-error-gone")),
        Refused::NotSecond(not) => not.explain(ctx),
        Refused::FittingCancel => at("", ctx.t("refund-error-fitting")),
        Refused::AlreadyDecided { state, by } => {
            let state = ctx.words.word("refund-state", state.as_str());
            at(
                "",
                match by {
                    Some(by) => ctx.tr("refund-error-decided", &[("by", by.clone()), ("state", state)]),
                    None => ctx.tr("refund-error-settled", &[("state", state)]),
                },
            )
        }
        Refused::Lapsed => at("", ctx.t("refund-error-lapsed")),
        Refused::NoteTooShort => at("note", ctx.t("refund-error-reason-empty")),
        Refused::NoteTooLong => at("note", ctx.t("refund-error-reason-long")),
        Refused::FactsChanged => at("", ctx.t("refund-error-facts")),
        Refused::TooEarly => at("", ctx.t("refund-error-early")),
        Refused::TossSilent => at("", ctx.t("look-up-failed")),
        Refused::NoOwnAccount => at("bank", ctx.t("refund-error-no-own-account")),
        Refused::NotReturned => at("", ctx.t("refund-error-not-returned")),
    }
}

impl Explain for RefundError {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Refused(refused) => refused.explain(ctx),
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}

/// What goes to Toss: nobody has to write prose, the words of the chosen reason will do.
pub fn reason(ctx: &Ctx, code: &str, words: &str) -> String {
    if words.trim().is_empty() { ctx.words.word("reason", code) } else { words.to_owned() }
}

/// How a refund stands after somebody did something to it, as good or bad news.
pub fn news(ctx: &Ctx, refund: &Refund) -> Result<String, AppError> {
    let money = [("amount", format::amount(ctx.words, refund.amount, &refund.currency))];
    match refund.state {
        State::Succeeded => Ok(done(ctx, refund)),
        State::WaitingForApproval if refund.approval_reason == Some(ApprovalReason::Account) => {
            Ok(ctx.tr("refund-waits-account", &money))
        }
        State::WaitingForApproval => Ok(ctx.tr("refund-waits", &money)),
        State::Declined if refund.error_code.as_deref() == Some("WITHDRAWN") => {
            Ok(ctx.tr("refund-was-withdrawn", &money))
        }
        State::Declined => Ok(ctx.tr("refund-was-declined", &money)),
        State::Failed if refund.error_code.as_deref() == Some("NOT_MADE") => {
            Ok(ctx.tr("refund-was-not-made", &money))
        }
        State::Failed => {
            let (code, message) = (refund.error_code.as_deref(), refund.error_message.as_deref());
            let why = failure_text(ctx, refund.state, code, message).unwrap_or_default();
            Err(AppError::form(ctx.tr("refund-refused-by-toss", &[("why", why)])))
        }
        State::Requested | State::Approved | State::Sending | State::Unknown => {
            Ok(ctx.tr("refund-unknown-yet", &money))
        }
    }
}

/// Toss took it: whether the buyer has it by now, or when.
fn done(ctx: &Ctx, refund: &Refund) -> String {
    let amount = format::amount(ctx.words, refund.amount, &refund.currency);
    let day = refund.expected_on.filter(|on| *on > ctx.backoffice().clock.today()).map(format::iso_day);
    match (refund.stage, day) {
        (Some(Stage::AtTheBank), Some(day)) => {
            ctx.tr("refund-done-at-the-bank", &[("amount", amount), ("day", day)])
        }
        (Some(Stage::Accepted), Some(day)) => {
            ctx.tr("refund-done-expected", &[("amount", amount), ("day", day)])
        }
        _ => ctx.tr("refund-done", &[("amount", amount)]),
    }
}

/// Why a refund stands as it does: our own codes in words, Toss's in its own. Nothing where there is nothing to say.
pub fn failure_text(ctx: &Ctx, state: State, code: Option<&str>, message: Option<&str>) -> Option<String> {
    match (state, code) {
        (State::Failed | State::Declined, Some("LAPSED")) => Some(ctx.t("said-lapsed")),
        (State::Failed | State::Declined, Some("SETTLED")) => Some(ctx.t("why-not-settled")),
        (State::Failed | State::Declined, Some("NOT_MADE")) => Some(ctx.t("said-not-made")),
        (State::Failed | State::Declined, Some("NOT_SENT")) => Some(ctx.t("said-not-sent")),
        (State::Failed | State::Declined, Some("ABORTED")) => Some(ctx.t("said-aborted")),
        (State::Failed | State::Declined, Some("WITHDRAWN")) => Some(ctx.t("said-withdrawn")),
        (State::Failed | State::Declined, _) => {
            message.filter(|text| !text.is_empty()).or(code).map(str::to_owned)
        }
        (state, Some(_)) if state.is_under_way() => format::with_code(message, code),
        (state, None) if state.is_under_way() => Some(ctx.t("refund-being-found-out")),
        _ => None,
    }
}

/// Who asked for it, or where it was made.
pub fn who(ctx: &Ctx, refund: &Refund) -> String {
    match refund.origin {
        Origin::Here => refund.requested_by_name.clone(),
        origin => ctx.words.word("origin", origin.as_str()),
    }
}

/// What a list says of a refund beside its state: Toss's own words where it said something, plain ones while it is
/// being asked, the reason otherwise.
pub fn note(ctx: &Ctx, refund: &Refund) -> String {
    let said = failure_text(ctx, refund.state, refund.error_code.as_deref(), refund.error_message.as_deref());
    let second =
        refund.approved_by_name.as_ref().map(|by| ctx.tr("refund-approved-by", &[("by", by.clone())]));
    let said = match (said, refund.origin) {
        (Some(said), _) => said,
        (None, Origin::Here) => refund.reason.clone(),
        (None, _) => ctx.words.word("reason", ELSEWHERE),
    };
    [Some(said), second].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// What asks for a second person.
pub fn because(ctx: &Ctx, because: ApprovalReason) -> String {
    match because {
        ApprovalReason::OneRefund => ctx.t("because-one-refund"),
        ApprovalReason::PerDay => ctx.t("because-per-day"),
        ApprovalReason::Currency => ctx.t("because-currency"),
        ApprovalReason::Account => ctx.t("because-account"),
    }
}

/// Whose account it is.
pub fn account_check(ctx: &Ctx, check: AccountCheck) -> String {
    ctx.words.word("account-check", check.as_str())
}

impl Explain for Refused {
    fn explain(self, ctx: &Ctx) -> AppError {
        invalid(ctx, &self)
    }
}

/// Why a line of a file is not run.
pub fn line_refused(ctx: &Ctx, why: &LineRefused) -> String {
    match why {
        // There is nothing to choose from in a file.
        LineRefused::Refund(Refused::Bank) => ctx.t("batch-line-bank"),
        LineRefused::Refund(refused) => match invalid(ctx, refused) {
            AppError::Invalid { message, .. } => message,
            other => other.to_string(),
        },
        LineRefused::Cells => ctx.t("batch-line-cells"),
        LineRefused::Formula => ctx.t("batch-line-formula"),
        LineRefused::Twice { line } => ctx.tr("batch-line-twice", &[("line", line.to_string())]),
        LineRefused::Earlier { file } => ctx.tr("batch-line-earlier", &[("file", file.clone())]),
    }
}
