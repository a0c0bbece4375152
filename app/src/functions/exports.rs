//! Files that leave the house.

use leptos::prelude::*;

use super::batches::Tick;
use crate::error::AppError;

/// Has the list or report of a page written as a file. `filter` is the query of that page.
#[server(prefix = "/fn", endpoint = "ask_for_export")]
pub async fn ask_for_export(
    #[server(default)] list: String,
    #[server(default)] filter: String,
    #[server(default)] format: String,
    #[server(default)] reason: String,
    #[server(default)] unmasked: String,
) -> Result<(), AppError> {
    use backoffice::{
        exports::{Request, sheet::Format},
        staff::Permission,
    };

    use crate::{context::Ctx, pages::export_words, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let mut back = routes::EXPORTS.to_owned();
    let wrong = |message: String| AppError::Invalid { field: String::new(), message };
    let query = export_words::query(&filter);
    let outcome = match (ctx.allow(Permission::Export), export_words::what(&ctx, &list, &query)) {
        (Err(error), _) => Err(error),
        (Ok(_), None) => Err(wrong(ctx.t("export-not-found"))),
        (Ok(actor), Some(what)) => {
            let request = Request {
                format: Format::parse(&format).unwrap_or(Format::Xlsx),
                reason: reason.clone(),
                is_masked: unmasked != "1" || !ctx.may(Permission::RevealPersonal),
                title: export_words::title(&ctx, &what),
                heads: export_words::heads(&ctx, &what),
                words: export_words::words(&ctx),
                what,
            };
            match ctx.books().ask_for_export(&actor, &request).await {
                Ok(id) => {
                    back = routes::export(&id);
                    Ok(ctx.t("export-asked"))
                }
                Err(error) => Err(export_words::error(&ctx, error)),
            }
        }
    };
    ctx.finish("export", &[("reason", &reason)], outcome, &back).await
}

#[server(prefix = "/fn", endpoint = "export_progress")]
pub async fn export_progress(#[server(default)] id: String) -> Result<Tick, AppError> {
    use backoffice::staff::Permission;

    use crate::{
        context::{Ctx, shown},
        pages::exports,
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let refused = match ctx.allow(Permission::Export) {
        Ok(actor) => match exports::own(&ctx, &actor, &id).await.map_err(|fault| shown(&fault))? {
            Some(export) => return Ok(exports::tick(&ctx, &export)),
            None => AppError::Invalid { field: String::new(), message: ctx.t("export-not-found") },
        },
        Err(error) => error,
    };
    ctx.finish("export", &[], Err(refused), routes::EXPORTS).await.map(|()| Tick::default())
}
