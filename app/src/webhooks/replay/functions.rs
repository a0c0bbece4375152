//! Deliveries are looked into once more: one, or all that a filter finds.

#[cfg(feature = "ssr")]
use backoffice::{staff::Permission, webhooks::replay};
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action, parse_id},
    components::list::Query,
    explain::OrExplain as _,
    routes,
    webhooks::filter,
};

/// Looks into one delivery again, now.
#[server(prefix = "/fn", endpoint = "replay_webhook")]
pub async fn replay_webhook(#[server(default)] id: String) -> Result<(), AppError> {
    action("webhook", &routes::webhook(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::LookUpAtToss)?;
        let id = parse_id(ctx, &id)?;
        let changed = replay::replay(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t(if changed { "replay-one-changed" } else { "replay-one-same" }))
    })
    .await
}

/// Looks into everything a filter of the list finds; the fields are those of its address.
#[server(prefix = "/fn", endpoint = "start_replay")]
pub async fn start_replay(
    #[server(default)] q: String,
    #[server(default)] event: String,
    #[server(default)] state: String,
    #[server(default)] badge: String,
    #[server(default)] from: String,
    #[server(default)] to: String,
) -> Result<(), AppError> {
    let typed = [("q", q), ("event", event), ("state", state), ("badge", badge), ("from", from), ("to", to)];
    let query = Query(typed.map(|(name, value)| (name.to_owned(), value)).to_vec());
    let page = format!("{}{}", routes::WEBHOOK_REPLAYS, query.with("", ""));
    action("replay", &page, &[], async |ctx| {
        let actor = ctx.allow(Permission::LookUpAtToss)?;
        let (filter, wrong) = filter::from_query(ctx, &query);
        if let Some(wrong) = wrong.errors.into_values().next() {
            return Err(AppError::form(wrong));
        }
        let id = replay::start(ctx.backoffice(), &actor, &filter).await.or_explain(ctx)?;
        Ok(Done::on(routes::webhook_replay(&id), ctx.t("replay-started")))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "stop_replay")]
pub async fn stop_replay(#[server(default)] id: String) -> Result<(), AppError> {
    action("replay", &routes::webhook_replay(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::LookUpAtToss)?;
        let id = parse_id(ctx, &id)?;
        replay::stop(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t("replay-stopped"))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "go_on_with_replay")]
pub async fn go_on_with_replay(#[server(default)] id: String) -> Result<(), AppError> {
    action("replay", &routes::webhook_replay(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::LookUpAtToss)?;
        let id = parse_id(ctx, &id)?;
        replay::resume(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t("replay-started"))
    })
    .await
}
