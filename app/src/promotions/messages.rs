//! What promotions say to the people who grant.

use backoffice::promotions::{CampaignError, Grant, GrantError, Refused, State, batch::LineRefused};

use crate::{context::Ctx, error::AppError, explain::Explain, format};

/// `1,000P`
pub fn points(amount: i64) -> String {
    format!("{}P", backoffice::money::group(amount.into(), "KRW"))
}

impl Explain for CampaignError {
    fn explain(self, ctx: &Ctx) -> AppError {
        let at = AppError::field;
        match self {
            Self::Code => at("promotion_code", ctx.t("campaign-error-code")),
            Self::Taken => at("promotion_code", ctx.t("campaign-error-taken")),
            Self::Name => at("name", ctx.t("campaign-error-name")),
            Self::Amount => at("amount", ctx.t("grant-error-amount")),
            Self::UserCap => at("user_cap", ctx.t("campaign-error-cap")),
            Self::Budget => at("budget", ctx.t("campaign-error-budget")),
            Self::StartsOn => at("starts_on", ctx.t("filter-error-day")),
            Self::EndsOn => at("ends_on", ctx.t("campaign-error-ends")),
            Self::ApprovalAbove => at("approval_above", ctx.t("grant-error-amount")),
        }
    }
}

/// A refused grant as field and sentence.
pub fn refused(ctx: &Ctx, refused: &Refused) -> AppError {
    let at = AppError::field;
    match refused {
        Refused::Form => at("", ctx.t("refund-error-form")),
        Refused::NoSuchCampaign => at("", ctx.t("campaign-not-found")),
        Refused::OnlyTests => at("", ctx.t("grant-error-only-tests")),
        Refused::NotStarted => at("", ctx.t("grant-error-not-started")),
        Refused::Ended => at("", ctx.t("grant-error-ended")),
        Refused::Stopped => at("", ctx.t("grant-error-stopped")),
        Refused::UserKey => at("user_key", ctx.t("grant-error-user")),
        Refused::Event => at("event", ctx.t("grant-error-event")),
        Refused::Amount => at("amount", ctx.t("grant-error-amount")),
        Refused::AboveMost { most } => at("amount", ctx.tr("grant-error-most", &[("most", points(*most))])),
        Refused::UserCap { left } => at("amount", ctx.tr("grant-error-cap", &[("left", points(*left))])),
        Refused::Budget { left } => at("amount", ctx.tr("grant-error-budget", &[("left", points(*left))])),
        Refused::Already { state } => {
            let state = ctx.words.word("grant-state", state.as_str());
            at("event", ctx.tr("grant-error-already", &[("state", state)]))
        }
        Refused::NoSuchGrant => at("", ctx.t("grant-error-gone")),
        Refused::NotSecond(not) => not.explain(ctx),
        Refused::NotApproved => at("", ctx.t("grant-error-not-approved")),
        Refused::PaidAtToss => at("", ctx.t("grant-error-paid-at-toss")),
        Refused::TossSilent => at("", ctx.t("look-up-failed")),
        Refused::TooEarly => at("", ctx.t("refund-error-early")),
        Refused::AlreadyDecided { state } => {
            let state = ctx.words.word("grant-state", state.as_str());
            at("", ctx.tr("refund-error-settled", &[("state", state)]))
        }
    }
}

impl Explain for GrantError {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Refused(why) => why.explain(ctx),
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}

/// How a grant stands after somebody did something to it.
pub fn news(ctx: &Ctx, grant: &Grant) -> Result<String, AppError> {
    let who = [("user", grant.user_key.to_string()), ("amount", points(grant.amount))];
    match grant.state {
        State::Succeeded if grant.is_test => Ok(ctx.tr("grant-tested", &who)),
        State::Succeeded => Ok(ctx.tr("grant-done", &who)),
        State::WaitingForApproval => Ok(ctx.tr("grant-waits", &who)),
        State::Declined => Ok(ctx.tr("grant-declined", &who)),
        State::Failed if grant.error_code.as_deref() == Some("NOT_PAID") => Ok(ctx.t("grant-not-paid")),
        State::Failed => {
            Err(AppError::form(ctx.tr("grant-refused-by-toss", &[("why", failure_text(ctx, grant))])))
        }
        State::Pending | State::Unknown if grant.not_paid_by_name.is_some() => {
            Ok(ctx.t("grant-said-not-paid"))
        }
        State::Pending | State::Requested | State::Sending | State::Unknown => {
            Ok(ctx.tr("grant-under-way", &who))
        }
    }
}

/// Toss's own words, with what to do about it where that is known.
pub fn failure_text(ctx: &Ctx, grant: &Grant) -> String {
    let message = grant.error_message.as_deref();
    match grant.error_code.as_deref() {
        Some("NOT_PAID") => ctx.t("grant-not-paid"),
        Some(code) => {
            let hint = match code {
                "4100" | "4104" | "4105" | "4108" | "4109" | "4112" | "4114" | "4116" => {
                    ctx.words.word("promotion-code", code)
                }
                _ => String::new(),
            };
            [format::with_code(message, Some(code)).unwrap_or_default(), hint]
                .into_iter()
                .filter(|t| !t.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        }
        None => message.unwrap_or_default().to_owned(),
    }
}

pub fn state(ctx: &Ctx, state: State) -> (&'static str, String) {
    let tone = match state {
        State::Succeeded => "done",
        State::Failed => "failed",
        State::Unknown => "unknown",
        State::Declined => "ended",
        State::WaitingForApproval | State::Requested | State::Sending | State::Pending => "waiting",
    };
    (tone, ctx.words.word("grant-state", state.as_str()))
}

impl Explain for Refused {
    fn explain(self, ctx: &Ctx) -> AppError {
        refused(ctx, &self)
    }
}

/// Why a line of a file is not run.
pub fn line_refused(ctx: &Ctx, why: &LineRefused) -> String {
    match why {
        LineRefused::Grant(why) => match refused(ctx, why) {
            AppError::Invalid { message, .. } => message,
            other => other.to_string(),
        },
        LineRefused::Formula => ctx.t("batch-line-formula"),
        LineRefused::Twice { line } => ctx.tr("batch-line-twice", &[("line", line.to_string())]),
    }
}
