//! What replays say.

use backoffice::{
    Actor,
    staff::Permission,
    webhooks::{Replay, ReplayError, ReplayState},
};
use uuid::Uuid;

use crate::{
    context::{Ctx, shown},
    error::AppError,
    progress::Tick,
};

/// Who asks, and about which delivery or replay.
pub fn about(ctx: &Ctx, permission: Permission, id: &str) -> Result<(Actor, Uuid), AppError> {
    let actor = ctx.allow(permission)?;
    match Uuid::try_parse(id) {
        Ok(id) => Ok((actor, id)),
        Err(_) => Err(error(ctx, ReplayError::NotFound)),
    }
}

pub fn error(ctx: &Ctx, error: ReplayError) -> AppError {
    let message = match error {
        ReplayError::NotFound => ctx.t("replay-not-found"),
        ReplayError::Nothing => ctx.t("replay-nothing"),
        ReplayError::State(ReplayState::Running) => ctx.t("replay-is-running"),
        ReplayError::State(ReplayState::Stopped | ReplayState::Finished) => ctx.t("replay-is-over"),
        ReplayError::TossSilent => ctx.t("replay-toss-silent"),
        ReplayError::Fault(fault) => return shown(&fault),
    };
    AppError::Invalid { field: String::new(), message }
}

pub fn state(ctx: &Ctx, state: ReplayState) -> (&'static str, String) {
    let tone = match state {
        ReplayState::Running => "waiting",
        ReplayState::Stopped => "ended",
        ReplayState::Finished => "done",
    };
    (tone, ctx.words.word("replay-state", state.as_str()))
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
