//! Whose an export is, and how far.

use backoffice::{Actor, Fault, exports::Export};

use crate::{context::Ctx, progress::Tick};

/// An export of whoever asks.
pub async fn own(ctx: &Ctx, actor: &Actor, id: &str) -> Result<Option<Export>, Fault> {
    let Ok(id) = id.parse() else { return Ok(None) };
    let export = backoffice::exports::get(ctx.backoffice(), id).await?;
    Ok(export.filter(|export| export.requested_by.is_some() && export.requested_by == actor.staff_id()))
}

pub fn tick(ctx: &Ctx, export: &Export) -> Tick {
    Tick {
        done: export.rows,
        // Lists are not counted before they are read.
        lines: 0,
        words: ctx.tr("export-rows", &[("count", export.rows.to_string())]),
        running: export.state.is_under_way(),
    }
}
