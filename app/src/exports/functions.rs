//! Files that staff have written for themselves.

#[cfg(feature = "ssr")]
use backoffice::{
    exports::{self, Request, sheet::Format},
    staff::Permission,
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::request;
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action},
    explain::OrExplain as _,
    routes,
};

/// Has the list or report of a page written as a file. `filter` is the query of that page.
#[server(prefix = "/fn", endpoint = "ask_for_export")]
pub async fn ask_for_export(
    #[server(default)] list: String,
    #[server(default)] filter: String,
    #[server(default)] format: String,
    #[server(default)] reason: String,
    #[server(default)] unmasked: String,
) -> Result<(), AppError> {
    action("export", routes::EXPORTS, &[("reason", &reason)], async |ctx| {
        let actor = ctx.allow(Permission::Export)?;
        let what = request::what(ctx, &list, &request::query(&filter));
        let what = what.ok_or_else(|| AppError::form(ctx.t("export-not-found")))?;
        ctx.allow(what.needs())?;
        let request = Request {
            format: Format::parse(&format).unwrap_or(Format::Xlsx),
            reason: reason.clone(),
            is_masked: unmasked != "1" || !ctx.may(Permission::RevealPersonal),
            title: request::title(ctx, &what),
            headers: request::headers(ctx, &what),
            words: request::words(ctx, &what),
            what,
        };
        let id = exports::request(ctx.backoffice(), &actor, &request).await.or_explain(ctx)?;
        Ok(Done::on(routes::export(&id), ctx.t("export-asked")))
    })
    .await
}
