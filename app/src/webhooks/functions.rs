//! News of deliveries.

use leptos::prelude::*;

use crate::error::AppError;

/// How many deliveries came after the given one; a hundred means "a hundred or more".
#[server(prefix = "/fn", endpoint = "deliveries_since")]
pub async fn deliveries_since(#[server(default)] id: String) -> Result<i64, AppError> {
    use backoffice::staff::Permission;

    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    if let Err(error) = ctx.allow(Permission::ViewTrade) {
        return ctx.finish("deliveries", &[], Err(error), routes::HOME).await.map(|()| 0);
    }
    let id = uuid::Uuid::try_parse(&id).unwrap_or_default();
    backoffice::webhooks::count_since(ctx.books(), id).await.map_err(|fault| shown(&fault))
}
