//! Many refunds at once: a file is previewed, started, stopped, approved.

use leptos::prelude::*;
use server_fn::codec::{MultipartData, MultipartFormData};

use crate::{error::AppError, progress::Tick};

/// Reads a file and keeps what would become of each of its lines. Nothing is refunded.
#[server(prefix = "/fn", endpoint = "preview_batch", input = MultipartFormData)]
pub async fn preview_batch(data: MultipartData) -> Result<(), AppError> {
    use backoffice::{refunds::batch::BatchError, staff::Permission};

    use crate::{context::Ctx, refunds::messages, routes, upload::Upload};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let actor = match ctx.allow(Permission::Refund) {
        Ok(actor) => actor,
        Err(error) => return ctx.finish("batch", &[], Err(error), routes::REFUND_BATCHES).await,
    };
    let Some(upload) = Upload::read(data).await? else {
        let wrong = AppError::Invalid { field: "file".into(), message: ctx.t("batch-error-upload") };
        return ctx.finish("batch", &[], Err(wrong), routes::REFUND_BATCHES).await;
    };
    let (code, words) = (upload.field("reason_code"), upload.field("reason"));
    let values = [("reason_code", code), ("reason", words)];
    let said = if words.trim().is_empty() { ctx.words.word("reason", code) } else { words.to_owned() };
    let made = backoffice::refunds::batch::preview(
        ctx.books(),
        &actor,
        &upload.file_name,
        &upload.bytes,
        code,
        &said,
    )
    .await;
    match made {
        Ok(id) => {
            let back = routes::refund_batch(&id);
            ctx.finish("batch", &[], Ok(ctx.t("batch-previewed")), &back).await
        }
        Err(BatchError::File(error)) => {
            let message = messages::file_error(&ctx, error);
            let wrong = AppError::Invalid { field: "file".into(), message };
            ctx.finish("batch", &values, Err(wrong), routes::REFUND_BATCHES).await
        }
        Err(error) => {
            let wrong = messages::batch_error(&ctx, error);
            ctx.finish("batch", &values, Err(wrong), routes::REFUND_BATCHES).await
        }
    }
}

#[server(prefix = "/fn", endpoint = "start_batch")]
pub async fn start_batch(#[server(default)] id: String) -> Result<(), AppError> {
    use backoffice::{refunds::batch::State, staff::Permission};

    use crate::{context::Ctx, refunds::messages, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match messages::about(&ctx, Permission::Refund, &id) {
        Ok((actor, id)) => match backoffice::refunds::batch::start(ctx.books(), &actor, id).await {
            Ok(State::WaitingForApproval) => Ok(ctx.t("batch-waits")),
            Ok(_) => Ok(ctx.t("batch-started")),
            Err(error) => Err(messages::batch_error(&ctx, error)),
        },
        Err(error) => Err(error),
    };
    ctx.finish("batch", &[], outcome, &routes::refund_batch(&id)).await
}

#[server(prefix = "/fn", endpoint = "stop_batch")]
pub async fn stop_batch(#[server(default)] id: String) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{context::Ctx, refunds::messages, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match messages::about(&ctx, Permission::Refund, &id) {
        Ok((actor, id)) => match backoffice::refunds::batch::stop(ctx.books(), &actor, id).await {
            Ok(()) => Ok(ctx.t("batch-stopped")),
            Err(error) => Err(messages::batch_error(&ctx, error)),
        },
        Err(error) => Err(error),
    };
    ctx.finish("batch", &[], outcome, &routes::refund_batch(&id)).await
}

#[server(prefix = "/fn", endpoint = "approve_batch")]
pub async fn approve_batch(#[server(default)] id: String) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{context::Ctx, refunds::messages, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match messages::about(&ctx, Permission::ApproveRefund, &id) {
        Ok((actor, id)) => match backoffice::refunds::batch::approve(ctx.books(), &actor, id).await {
            Ok(()) => Ok(ctx.t("batch-started")),
            Err(error) => Err(messages::batch_error(&ctx, error)),
        },
        Err(error) => Err(error),
    };
    ctx.finish("batch", &[], outcome, &routes::refund_batch(&id)).await
}

#[server(prefix = "/fn", endpoint = "decline_batch")]
pub async fn decline_batch(
    #[server(default)] id: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{context::Ctx, refunds::messages, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match messages::about(&ctx, Permission::ApproveRefund, &id) {
        Ok((actor, id)) => match backoffice::refunds::batch::decline(ctx.books(), &actor, id, &note).await {
            Ok(()) => Ok(ctx.t("batch-declined")),
            Err(error) => Err(messages::batch_error(&ctx, error)),
        },
        Err(error) => Err(error),
    };
    ctx.finish("batch", &[("note", &note)], outcome, &routes::refund_batch(&id)).await
}

#[server(prefix = "/fn", endpoint = "batch_progress")]
pub async fn batch_progress(#[server(default)] id: String) -> Result<Tick, AppError> {
    use backoffice::{refunds::batch::State, staff::Permission};

    use super::progress;
    use crate::{
        context::{Ctx, shown},
        refunds::messages,
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let refused = match messages::about(&ctx, Permission::ViewTrade, &id) {
        Ok((_, id)) => {
            match backoffice::refunds::batch::get(ctx.books(), id).await.map_err(|fault| shown(&fault))? {
                Some(batch) => {
                    let progress = backoffice::refunds::batch::progress(ctx.books(), id)
                        .await
                        .map_err(|fault| shown(&fault))?;
                    return Ok(progress::tick(&ctx, &progress, batch.state == State::Running));
                }
                None => AppError::Invalid { field: String::new(), message: ctx.t("batch-not-found") },
            }
        }
        Err(error) => error,
    };
    ctx.finish("batch", &[], Err(refused), routes::REFUND_BATCHES).await.map(|()| Tick::default())
}
