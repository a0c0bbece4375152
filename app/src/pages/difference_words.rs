//! What a difference is called, why it is one, and what came of working it.

use backoffice::{
    Actor,
    reconciliation::{
        Class,
        differences::{Difference, LONGEST_NOTE, State, WorkError},
    },
    staff::Permission,
};

use crate::{
    context::{Ctx, shown},
    error::AppError,
    routes,
};

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
        State::Asked => "waiting",
        State::Accepted => "ended",
        State::Agreed => "done",
    };
    (tone, ctx.words.word("difference-state", state.as_str()))
}

/// Why, each in a sentence.
pub fn remarks(ctx: &Ctx, remarks: &[String]) -> Vec<String> {
    remarks.iter().map(|remark| ctx.words.word("remark", remark)).collect()
}

pub fn error(ctx: &Ctx, error: WorkError) -> AppError {
    let at = |field: &str, message: String| AppError::Invalid { field: field.into(), message };
    match error {
        WorkError::NotFound => at("", ctx.t("difference-not-found")),
        WorkError::NotOpen => at("", ctx.t("difference-not-open")),
        WorkError::Reason => at("note", ctx.t("difference-needs-note")),
        WorkError::TooLong => {
            at("note", ctx.tr("difference-note-long", &[("most", LONGEST_NOTE.to_string())]))
        }
        WorkError::OwnRequest => at("", ctx.t("difference-own")),
        WorkError::NotCorrectable => at("", ctx.t("difference-not-correctable")),
        WorkError::Fault(fault @ (backoffice::Fault::Toss(_) | backoffice::Fault::AppsInToss(_))) => {
            tracing::warn!(%fault, "a difference could not be looked into");
            at("", ctx.t("difference-no-answer"))
        }
        WorkError::Fault(fault) => shown(&fault),
    }
}

/// What Toss's answer has made of it.
pub fn asked(ctx: &Ctx, asked: Result<Difference, WorkError>) -> Result<String, AppError> {
    match asked {
        Ok(difference) if difference.state == State::Agreed => Ok(ctx.t("difference-agrees")),
        Ok(difference) => Ok(ctx.tr("difference-still", &[("class", class(ctx, difference.class).1)])),
        Err(wrong) => Err(error(ctx, wrong)),
    }
}

/// A function about one difference, from its first line to its last.
pub struct Work {
    pub ctx: Ctx,
    back: String,
}

impl Work {
    pub fn begin(key: &str) -> Result<Self, AppError> {
        let ctx = Ctx::current().ok_or(AppError::Fault)?;
        Ok(Self { ctx, back: routes::difference(&key) })
    }

    pub fn allowed(&self) -> Result<Actor, AppError> {
        self.ctx.allow(Permission::Reconcile)
    }

    pub async fn end(
        &self,
        values: &[(&str, &str)],
        outcome: Result<String, AppError>,
    ) -> Result<(), AppError> {
        self.ctx.finish("difference", values, outcome, &self.back).await
    }
}
