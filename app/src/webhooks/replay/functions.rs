//! Deliveries are looked into once more: one, or all that a filter finds.

use leptos::prelude::*;

use crate::{error::AppError, progress::Tick};

/// Looks into one delivery again, now.
#[server(prefix = "/fn", endpoint = "replay_webhook")]
pub async fn replay_webhook(#[server(default)] id: String) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match messages::about(&ctx, Permission::LookUpAtToss, &id) {
        Ok((actor, id)) => match backoffice::webhooks::replay::replay(ctx.books(), &actor, id).await {
            Ok(true) => Ok(ctx.t("replay-one-changed")),
            Ok(false) => Ok(ctx.t("replay-one-same")),
            Err(error) => Err(messages::error(&ctx, error)),
        },
        Err(error) => Err(error),
    };
    ctx.finish("webhook", &[], outcome, &routes::webhook(&id)).await
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
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{components::list::Query, context::Ctx, routes, webhooks::filter};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let typed = [("q", q), ("event", event), ("state", state), ("badge", badge), ("from", from), ("to", to)];
    let query = Query(typed.map(|(name, value)| (name.to_owned(), value)).to_vec());
    let back = format!("{}{}", routes::WEBHOOK_REPLAYS, query.with("", ""));
    let (filter, wrong) = filter::from_query(&ctx, &query);
    let outcome = match ctx.allow(Permission::LookUpAtToss) {
        Ok(_) if !wrong.errors.is_empty() => Err(AppError::Invalid {
            field: String::new(),
            message: wrong.errors.into_values().next().unwrap_or_default(),
        }),
        Ok(actor) => backoffice::webhooks::replay::start(ctx.books(), &actor, &filter)
            .await
            .map_err(|error| messages::error(&ctx, error)),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(id) => ctx.finish("replay", &[], Ok(ctx.t("replay-started")), &routes::webhook_replay(&id)).await,
        Err(error) => ctx.finish("replay", &[], Err(error), &back).await,
    }
}

#[server(prefix = "/fn", endpoint = "stop_replay")]
pub async fn stop_replay(#[server(default)] id: String) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match messages::about(&ctx, Permission::LookUpAtToss, &id) {
        Ok((actor, id)) => match backoffice::webhooks::replay::stop(ctx.books(), &actor, id).await {
            Ok(()) => Ok(ctx.t("replay-stopped")),
            Err(error) => Err(messages::error(&ctx, error)),
        },
        Err(error) => Err(error),
    };
    ctx.finish("replay", &[], outcome, &routes::webhook_replay(&id)).await
}

#[server(prefix = "/fn", endpoint = "go_on_with_replay")]
pub async fn go_on_with_replay(#[server(default)] id: String) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match messages::about(&ctx, Permission::LookUpAtToss, &id) {
        Ok((actor, id)) => match backoffice::webhooks::replay::resume(ctx.books(), &actor, id).await {
            Ok(()) => Ok(ctx.t("replay-started")),
            Err(error) => Err(messages::error(&ctx, error)),
        },
        Err(error) => Err(error),
    };
    ctx.finish("replay", &[], outcome, &routes::webhook_replay(&id)).await
}

#[server(prefix = "/fn", endpoint = "replay_progress")]
pub async fn replay_progress(#[server(default)] id: String) -> Result<Tick, AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let refused = match messages::about(&ctx, Permission::ViewTrade, &id) {
        Ok((_, id)) => {
            match backoffice::webhooks::replay::get(ctx.books(), id).await.map_err(|fault| shown(&fault))? {
                Some(replay) => return Ok(messages::tick(&ctx, &replay)),
                None => AppError::Invalid { field: String::new(), message: ctx.t("replay-not-found") },
            }
        }
        Err(error) => error,
    };
    ctx.finish("replay", &[], Err(refused), routes::WEBHOOKS).await.map(|()| Tick::default())
}
