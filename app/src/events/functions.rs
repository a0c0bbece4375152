//! An event is told again.

#[cfg(feature = "ssr")]
use backoffice::{
    events::{self, Resend},
    staff::Permission,
};
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{action, parse_id},
    explain::OrExplain as _,
    routes,
};

/// Tells one endpoint of one event again, under the same id.
#[server(prefix = "/fn", endpoint = "resend_event")]
pub async fn resend_event(
    #[server(default)] id: String,
    #[server(default)] endpoint: String,
) -> Result<(), AppError> {
    action("resend", &format!("{}#again", routes::event(&id)), &[("endpoint", &endpoint)], async |ctx| {
        let actor = ctx.allow(Permission::ManageEvents)?;
        let id = parse_id(ctx, &id)?;
        let endpoint =
            endpoint.parse().map_err(|_| AppError::field("endpoint", ctx.t("event-again-where")))?;
        let which = Resend::One(id);
        let queued = events::resend(ctx.backoffice(), &actor, endpoint, &which).await.or_explain(ctx)?;
        Ok(ctx.t(if queued > 0 { "event-again-done" } else { "event-again-waits" }))
    })
    .await
}
