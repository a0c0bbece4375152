//! Whose an export is, and how far.

use backoffice::{Actor, Fault, exports::Export, staff::Permission};

use crate::{context::Ctx, error::AppError, explain::OrExplain as _, progress::Tick};

/// Of a file of whoever asks.
pub async fn of(ctx: &Ctx, id: &str) -> Result<Option<Tick>, AppError> {
    let actor = ctx.allow(Permission::Export)?;
    Ok(own(ctx, &actor, id).await.or_explain(ctx)?.map(|export| tick(ctx, &export)))
}

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
