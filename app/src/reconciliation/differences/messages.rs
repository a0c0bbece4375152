//! What a difference is called, why it is one, and what came of working it.

use backoffice::{
    Actor,
    reconciliation::{
        Class,
        differences::{Difference, Key, LONGEST_NOTE, State, WorkError},
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

fn error(ctx: &Ctx, error: WorkError) -> AppError {
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

/// A function about one difference, from its first line to its last.
pub struct Work {
    pub ctx: Ctx,
    pub actor: Actor,
    pub key: Key,
    back: String,
}

impl Work {
    /// Nothing when whoever asks may not: that is answered already.
    pub async fn begin(key: &str) -> Result<Option<Self>, AppError> {
        let ctx = Ctx::current().ok_or(AppError::Fault)?;
        let back = routes::difference(&key);
        match ctx.allow(Permission::Reconcile) {
            Ok(actor) => Ok(Some(Self { ctx, actor, key: Key::parse(key), back })),
            Err(error) => {
                ctx.finish("difference", &[], Err(error), &back).await?;
                Ok(None)
            }
        }
    }

    pub fn is_now(&self, state: State) -> String {
        self.ctx.t(match state {
            State::Asked => "difference-waits",
            State::Open => "difference-reopened",
            State::Accepted | State::Agreed => "difference-accepted",
        })
    }

    /// What Toss's answer has made of it.
    pub fn after_asking(&self, difference: &Difference) -> String {
        if difference.state == State::Agreed {
            return self.ctx.t("difference-agrees");
        }
        self.ctx.tr("difference-still", &[("class", class(&self.ctx, difference.class).1)])
    }

    pub async fn end(
        &self,
        values: &[(&str, &str)],
        outcome: Result<String, WorkError>,
    ) -> Result<(), AppError> {
        let outcome = outcome.map_err(|wrong| error(&self.ctx, wrong));
        self.ctx.finish("difference", values, outcome, &self.back).await
    }
}
