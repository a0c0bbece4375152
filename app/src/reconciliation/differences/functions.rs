//! Differences are assigned, noted, accepted, looked into, corrected.

#[cfg(feature = "ssr")]
use backoffice::{
    Actor,
    reconciliation::differences::{self, Key},
    staff::Permission,
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::messages;
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{action::action, context::Ctx, explain::OrExplain as _, routes};

#[cfg(feature = "ssr")]
async fn work(
    key: &str,
    typed: &[(&str, &str)],
    work: impl AsyncFnOnce(&Ctx, &Actor, &Key) -> Result<String, AppError>,
) -> Result<(), AppError> {
    action("difference", &routes::difference(&key), typed, async |ctx| {
        let actor = ctx.allow(Permission::Reconcile)?;
        work(ctx, &actor, &Key::parse(key)).await
    })
    .await
}

#[server(prefix = "/fn", endpoint = "assign_difference")]
pub async fn assign_difference(#[server(default)] key: String) -> Result<(), AppError> {
    work(&key, &[], async |ctx, actor, key| {
        let is_mine = differences::assign(ctx.backoffice(), actor, key).await.or_explain(ctx)?;
        Ok(ctx.t(if is_mine { "difference-is-yours" } else { "difference-is-nobodys" }))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "note_difference")]
pub async fn note_difference(
    #[server(default)] key: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    work(&key, &[("note", &note)], async |ctx, actor, key| {
        differences::note(ctx.backoffice(), actor, key, &note).await.or_explain(ctx)?;
        Ok(ctx.t("difference-noted"))
    })
    .await
}

/// Takes it as it is; where money is at stake a second person has to agree.
#[server(prefix = "/fn", endpoint = "accept_difference")]
pub async fn accept_difference(
    #[server(default)] key: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    work(&key, &[("note", &note)], async |ctx, actor, key| {
        let state = differences::accept(ctx.backoffice(), actor, key, &note).await.or_explain(ctx)?;
        Ok(messages::is_now(ctx, state))
    })
    .await
}

/// The second person agrees, or gives it back to be worked.
#[server(prefix = "/fn", endpoint = "decide_difference")]
pub async fn decide_difference(
    #[server(default)] key: String,
    #[server(default)] agree: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    work(&key, &[("note", &note)], async |ctx, actor, key| {
        let agrees = agree == "1";
        let state = differences::decide(ctx.backoffice(), actor, key, agrees, &note).await.or_explain(ctx)?;
        Ok(messages::is_now(ctx, state))
    })
    .await
}

/// Asks Toss about the payment now.
#[server(prefix = "/fn", endpoint = "look_into_difference")]
pub async fn look_into_difference(#[server(default)] key: String) -> Result<(), AppError> {
    work(&key, &[], async |ctx, actor, key| {
        let difference = differences::look_into(ctx.backoffice(), actor, key).await.or_explain(ctx)?;
        Ok(messages::after_asking(ctx, &difference))
    })
    .await
}

/// Puts Toss's word in the place of ours.
#[server(prefix = "/fn", endpoint = "correct_difference")]
pub async fn correct_difference(#[server(default)] key: String) -> Result<(), AppError> {
    work(&key, &[], async |ctx, actor, key| {
        let difference = differences::correct(ctx.backoffice(), actor, key).await.or_explain(ctx)?;
        Ok(messages::after_asking(ctx, &difference))
    })
    .await
}
