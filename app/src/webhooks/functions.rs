//! News of deliveries, and what nobody can mask of one.

#[cfg(feature = "ssr")]
use backoffice::{staff::Permission, webhooks};
use leptos::{prelude::*, server_fn::codec::Json};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{action, parse_id, question},
    explain::OrExplain as _,
    routes,
};

/// Shows a body that is no JSON for a few minutes, to whoever says why.
#[server(prefix = "/fn", endpoint = "reveal_webhook")]
pub async fn reveal_webhook(
    #[server(default)] id: String,
    #[server(default)] why: String,
) -> Result<(), AppError> {
    let page = routes::webhook(&id);
    action("reveal", &page, &[("why", &why)], async |ctx| {
        let actor = ctx.allow(Permission::RevealPersonal)?;
        let id = parse_id(ctx, &id)?;
        let noted = webhooks::note_reveal(ctx.backoffice(), &actor, id, &why).await.or_explain(ctx)?;
        noted.or_explain(ctx)?;
        ctx.reveal(&routes::webhook(&id)).await;
        Ok(ctx.t("profile-revealed"))
    })
    .await
}

/// How many deliveries came after the given one; a hundred means "a hundred or more".
#[server(prefix = "/fn", endpoint = "deliveries_since", input = Json)]
pub async fn deliveries_since(#[server(default)] id: String) -> Result<i64, AppError> {
    question(routes::HOME, async |ctx| {
        ctx.allow(Permission::ViewTrade)?;
        let id = uuid::Uuid::try_parse(&id).unwrap_or_default();
        webhooks::count_since(ctx.backoffice(), id).await.or_explain(ctx)
    })
    .await
}
