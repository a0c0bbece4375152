//! How far a file of refunds is.

use backoffice::refunds::batch::Progress as Done;

use crate::{context::Ctx, format, progress::Tick};

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
