//! What a difference is called, why it is one, and what came of working it.

use backoffice::{
    NotSecond,
    reconciliation::{
        Class, Finding,
        differences::{Difference, LONGEST_NOTE, State, WorkError},
    },
};

use crate::{context::Ctx, error::AppError, explain::Explain};

pub fn class(ctx: &Ctx, class: Class) -> (&'static str, String) {
    let tone = match class {
        Class::Matched => "done",
        Class::Expected => "waiting",
        _ => "failed",
    };
    (tone, ctx.words.word("class", class.as_str()))
}

pub fn state(ctx: &Ctx, state: State) -> (&'static str, String) {
    let tone = match state {
        State::Open => "failed",
        State::PendingApproval => "waiting",
        State::Accepted => "ended",
        State::Resolved => "done",
    };
    (tone, ctx.words.word("difference-state", state.as_str()))
}

/// Why, each in a sentence.
pub fn findings(ctx: &Ctx, findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| ctx.words.word("finding", finding.as_str())).collect()
}

impl Explain for WorkError {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::NotFound => AppError::form(ctx.t("difference-not-found")),
            Self::NotOpen => AppError::form(ctx.t("difference-not-open")),
            Self::Reason => AppError::field("note", ctx.t("difference-needs-note")),
            Self::TooLong => {
                AppError::field("note", ctx.tr("difference-note-long", &[("most", LONGEST_NOTE.to_string())]))
            }
            Self::NotSecond(NotSecond::Own) => AppError::form(ctx.t("difference-own")),
            Self::NotSecond(not) => not.explain(ctx),
            Self::NotCorrectable => AppError::form(ctx.t("difference-not-correctable")),
            Self::Fault(fault) if fault.is_of_toss() => {
                tracing::warn!(%fault, "a difference could not be looked into");
                AppError::form(ctx.t("difference-no-answer"))
            }
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}

pub fn is_now(ctx: &Ctx, state: State) -> String {
    ctx.t(match state {
        State::PendingApproval => "difference-waits",
        State::Open => "difference-reopened",
        State::Accepted | State::Resolved => "difference-accepted",
    })
}

/// What Toss's answer has made of it.
pub fn after_asking(ctx: &Ctx, difference: &Difference) -> String {
    if difference.state == State::Resolved {
        return ctx.t("difference-agrees");
    }
    ctx.tr("difference-still", &[("class", class(ctx, difference.class).1)])
}
