//! What replays say.

use backoffice::webhooks::{Replay, ReplayError, ReplayState};
use uuid::Uuid;

use crate::{
    context::Ctx,
    error::AppError,
    explain::{Explain, OrExplain as _},
    progress::Tick,
};

impl Explain for ReplayError {
    fn explain(self, ctx: &Ctx) -> AppError {
        AppError::form(match self {
            Self::NotFound => ctx.t("replay-not-found"),
            Self::Nothing => ctx.t("replay-nothing"),
            Self::State(ReplayState::Running) => ctx.t("replay-is-running"),
            Self::State(ReplayState::Stopped | ReplayState::Finished) => ctx.t("replay-is-over"),
            Self::TossSilent => ctx.t("replay-toss-silent"),
            Self::Fault(fault) => return fault.explain(ctx),
        })
    }
}

pub fn state(ctx: &Ctx, state: ReplayState) -> (&'static str, String) {
    let tone = match state {
        ReplayState::Running => "waiting",
        ReplayState::Stopped => "ended",
        ReplayState::Finished => "done",
    };
    (tone, ctx.words.word("replay-state", state.as_str()))
}

pub async fn progress(ctx: &Ctx, id: Uuid) -> Result<Option<Tick>, AppError> {
    let replay = backoffice::webhooks::replay::get(ctx.backoffice(), id).await.or_explain(ctx)?;
    Ok(replay.map(|replay| tick(ctx, &replay)))
}

/// How far it is, in figures and in words.
pub fn tick(ctx: &Ctx, replay: &Replay) -> Tick {
    let running = replay.state == ReplayState::Running;
    let figures = [
        ("done", replay.done.to_string()),
        ("total", replay.total.to_string()),
        ("changed", replay.changed.to_string()),
    ];
    let mut words = ctx.tr("replay-progress", &figures);
    if running && replay.error.is_some() {
        words = format!("{words} · {}", ctx.t("replay-holds-back"));
    }
    Tick { done: replay.done, lines: replay.total, words, running }
}
