//! News of deliveries.

#[cfg(feature = "ssr")]
use backoffice::{staff::Permission, webhooks};
use leptos::{prelude::*, server_fn::codec::Json};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{action::question, explain::OrExplain as _, routes};

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
