//! Grants for a file of users: previewed, started, stopped, approved.

use leptos::prelude::*;
use server_fn::codec::{MultipartData, MultipartFormData};

use crate::{error::AppError, progress::Tick};

/// Reads a file of users and keeps what would become of each of its lines. Nothing is granted.
#[server(prefix = "/fn", endpoint = "preview_grants", input = MultipartFormData)]
pub async fn preview_grants(data: MultipartData) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{context::Ctx, promotions::messages, routes, upload::Upload};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let actor = match ctx.allow(Permission::Grant) {
        Ok(actor) => actor,
        Err(error) => return ctx.finish("grants", &[], Err(error), routes::PROMOTIONS).await,
    };
    let Some(upload) = Upload::read(data).await? else {
        let wrong = AppError::Invalid { field: "file".into(), message: ctx.t("batch-error-upload") };
        return ctx.finish("grants", &[], Err(wrong), routes::PROMOTIONS).await;
    };
    let (code, event) = (upload.field("promotion_code"), upload.field("event"));
    match backoffice::promotions::batch::preview(
        ctx.books(),
        &actor,
        code,
        event,
        &upload.file_name,
        &upload.bytes,
    )
    .await
    {
        Ok(id) => ctx.finish("grants", &[], Ok(ctx.t("batch-previewed")), &routes::grant_batch(&id)).await,
        Err(error) => {
            let wrong = messages::batch_error(&ctx, error);
            let back = format!("{}#file", routes::campaign(code));
            ctx.finish("grants", &[("event", event)], Err(wrong), &back).await
        }
    }
}

#[server(prefix = "/fn", endpoint = "start_grants")]
pub async fn start_grants(#[server(default)] id: String) -> Result<(), AppError> {
    use backoffice::{refunds::batch::State, staff::Permission};

    use crate::{context::Ctx, promotions::messages, refunds, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match refunds::messages::about(&ctx, Permission::Grant, &id) {
        Ok((actor, id)) => match backoffice::promotions::batch::start(ctx.books(), &actor, id).await {
            Ok(State::WaitingForApproval) => Ok(ctx.t("batch-waits")),
            Ok(_) => Ok(ctx.t("batch-started")),
            Err(error) => Err(messages::batch_error(&ctx, error)),
        },
        Err(error) => Err(error),
    };
    ctx.finish("grants", &[], outcome, &routes::grant_batch(&id)).await
}

#[server(prefix = "/fn", endpoint = "stop_grants")]
pub async fn stop_grants(#[server(default)] id: String) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{context::Ctx, promotions::messages, refunds, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match refunds::messages::about(&ctx, Permission::Grant, &id) {
        Ok((actor, id)) => match backoffice::promotions::batch::stop(ctx.books(), &actor, id).await {
            Ok(()) => Ok(ctx.t("batch-stopped")),
            Err(error) => Err(messages::batch_error(&ctx, error)),
        },
        Err(error) => Err(error),
    };
    ctx.finish("grants", &[], outcome, &routes::grant_batch(&id)).await
}

/// The second person approves the whole file, and it runs.
#[server(prefix = "/fn", endpoint = "approve_grants")]
pub async fn approve_grants(#[server(default)] id: String) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{context::Ctx, promotions::messages, refunds, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match refunds::messages::about(&ctx, Permission::ManageCampaigns, &id) {
        Ok((actor, id)) => match backoffice::promotions::batch::approve(ctx.books(), &actor, id).await {
            Ok(()) => Ok(ctx.t("batch-started")),
            Err(error) => Err(messages::batch_error(&ctx, error)),
        },
        Err(error) => Err(error),
    };
    ctx.finish("grants", &[], outcome, &routes::grant_batch(&id)).await
}

#[server(prefix = "/fn", endpoint = "decline_grants")]
pub async fn decline_grants(#[server(default)] id: String) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{context::Ctx, promotions::messages, refunds, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match refunds::messages::about(&ctx, Permission::ManageCampaigns, &id) {
        Ok((actor, id)) => match backoffice::promotions::batch::decline(ctx.books(), &actor, id).await {
            Ok(()) => Ok(ctx.t("batch-declined")),
            Err(error) => Err(messages::batch_error(&ctx, error)),
        },
        Err(error) => Err(error),
    };
    ctx.finish("grants", &[], outcome, &routes::grant_batch(&id)).await
}

/// How far a file of grants is, for the bar that moves by itself.
#[server(prefix = "/fn", endpoint = "grants_progress")]
pub async fn grants_progress(#[server(default)] id: String) -> Result<Tick, AppError> {
    use backoffice::staff::Permission;

    use super::progress;
    use crate::{
        context::{Ctx, shown},
        refunds, routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let refused = match refunds::messages::about(&ctx, Permission::ViewTrade, &id) {
        Ok((_, id)) => {
            match backoffice::promotions::batch::get(ctx.books(), id).await.map_err(|fault| shown(&fault))? {
                Some(batch) => {
                    let done = backoffice::promotions::batch::progress(ctx.books(), id)
                        .await
                        .map_err(|fault| shown(&fault))?;
                    return Ok(progress::tick(&ctx, &done, batch.state));
                }
                None => AppError::Invalid { field: String::new(), message: ctx.t("batch-not-found") },
            }
        }
        Err(error) => error,
    };
    ctx.finish("grants", &[], Err(refused), routes::PROMOTIONS).await.map(|()| Tick::default())
}
