//! How far a file of grants is.

use backoffice::{promotions::batch::Progress as Done, refunds::batch::State};

use crate::{context::Ctx, progress::Tick, promotions::messages::points};

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
