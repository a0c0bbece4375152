//! How far a file of grants is.

use backoffice::{
    promotions::batch::{self, Progress as Done},
    refunds::batch::State,
};
use uuid::Uuid;

use crate::{
    context::Ctx, error::AppError, explain::OrExplain as _, progress::Tick, promotions::messages::points,
};

pub async fn of(ctx: &Ctx, id: Uuid) -> Result<Option<Tick>, AppError> {
    let Some(file) = batch::get(ctx.backoffice(), id).await.or_explain(ctx)? else { return Ok(None) };
    let done = batch::progress(ctx.backoffice(), id).await.or_explain(ctx)?;
    Ok(Some(tick(ctx, &done, file.state)))
}

/// How far it is, in figures and in words.
pub fn tick(ctx: &Ctx, done: &Done, state: State) -> Tick {
    let words = ctx.tr(
        "grants-progress",
        &[
            ("succeeded", done.succeeded.to_string()),
            ("failed", (done.failed + done.refused).to_string()),
            ("open", done.open.to_string()),
            ("ready", done.ready.to_string()),
            ("amount", points(done.amount)),
        ],
    );
    Tick {
        done: done.lines - done.ready - done.open,
        lines: done.lines,
        words,
        running: state == State::Running,
    }
}
