//! Files that leave the house.

use leptos::prelude::*;

use crate::{error::AppError, progress::Tick};

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

    use super::request;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let mut back = routes::EXPORTS.to_owned();
    let wrong = |message: String| AppError::Invalid { field: String::new(), message };
    let query = request::query(&filter);
    let outcome = match (ctx.allow(Permission::Export), request::what(&ctx, &list, &query)) {
        (Err(error), _) => Err(error),
        (Ok(_), None) => Err(wrong(ctx.t("export-not-found"))),
        (Ok(actor), Some(what)) => {
            let request = Request {
                format: Format::parse(&format).unwrap_or(Format::Xlsx),
                reason: reason.clone(),
                is_masked: unmasked != "1" || !ctx.may(Permission::RevealPersonal),
                title: request::title(&ctx, &what),
                heads: request::heads(&ctx, &what),
                words: request::words(&ctx),
                what,
            };
            match backoffice::exports::request(ctx.books(), &actor, &request).await {
                Ok(id) => {
                    back = routes::export(&id);
                    Ok(ctx.t("export-asked"))
                }
                Err(error) => Err(request::error(&ctx, error)),
            }
        }
    };
    ctx.finish("export", &[("reason", &reason)], outcome, &back).await
}

#[server(prefix = "/fn", endpoint = "export_progress")]
pub async fn export_progress(#[server(default)] id: String) -> Result<Tick, AppError> {
    use backoffice::staff::Permission;

    use super::progress;
    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let refused = match ctx.allow(Permission::Export) {
        Ok(actor) => match progress::own(&ctx, &actor, &id).await.map_err(|fault| shown(&fault))? {
            Some(export) => return Ok(progress::tick(&ctx, &export)),
            None => AppError::Invalid { field: String::new(), message: ctx.t("export-not-found") },
        },
        Err(error) => error,
    };
    ctx.finish("export", &[], Err(refused), routes::EXPORTS).await.map(|()| Tick::default())
}
