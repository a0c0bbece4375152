//! How far a file of refunds is.

use backoffice::refunds::batch::{self, Progress as Done, State};
use uuid::Uuid;

use crate::{context::Ctx, error::AppError, explain::OrExplain as _, format, progress::Tick};

pub async fn of(ctx: &Ctx, id: Uuid) -> Result<Option<Tick>, AppError> {
    let Some(file) = batch::get(ctx.backoffice(), id).await.or_explain(ctx)? else { return Ok(None) };
    let done = batch::progress(ctx.backoffice(), id).await.or_explain(ctx)?;
    Ok(Some(tick(ctx, &done, file.state == State::Running)))
}

/// How far it is, in figures and in words.
pub fn tick(ctx: &Ctx, done: &Done, running: bool) -> Tick {
    let words = ctx.tr(
        "batch-progress",
        &[
            ("succeeded", done.succeeded.to_string()),
            ("failed", (done.failed + done.refused).to_string()),
            ("open", done.open.to_string()),
            ("ready", done.ready.to_string()),
            ("amount", format::amount(ctx.words, done.amount, "KRW")),
        ],
    );
    Tick { done: done.lines - done.ready, lines: done.lines, words, running }
}
