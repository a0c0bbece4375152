//! Many refunds at once: a file is previewed, started, stopped, approved.

#[cfg(feature = "ssr")]
use backoffice::{
    refunds::batch::{self, State},
    staff::Permission,
};
use leptos::prelude::*;
use server_fn::codec::{MultipartData, MultipartFormData};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action, parse_id},
    explain::OrExplain as _,
    refunds::messages,
    routes,
    upload::Upload,
};

/// Reads a file and keeps what would become of each of its lines. Nothing is refunded.
#[server(prefix = "/fn", endpoint = "preview_batch", input = MultipartFormData)]
pub async fn preview_batch(data: MultipartData) -> Result<(), AppError> {
    let upload = Upload::read(data).await?;
    let (code, words) = (upload.field("reason_code"), upload.field("reason"));
    let typed = [("reason_code", code), ("reason", words)];
    action("batch", routes::REFUND_BATCHES, &typed, async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let (file, reason) = (upload.file(ctx)?, messages::reason(ctx, code, words));
        let id = batch::preview(ctx.backoffice(), &actor, &upload.file_name, file, code, &reason)
            .await
            .or_explain(ctx)?;
        Ok(Done::on(routes::refund_batch(&id), ctx.t("batch-previewed")))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "start_batch")]
pub async fn start_batch(#[server(default)] id: String) -> Result<(), AppError> {
    action("batch", &routes::refund_batch(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let id = parse_id(ctx, &id)?;
        let state = batch::start(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t(if state == State::WaitingForApproval { "batch-waits" } else { "batch-started" }))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "stop_batch")]
pub async fn stop_batch(#[server(default)] id: String) -> Result<(), AppError> {
    action("batch", &routes::refund_batch(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let id = parse_id(ctx, &id)?;
        batch::stop(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t("batch-stopped"))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "approve_batch")]
pub async fn approve_batch(#[server(default)] id: String) -> Result<(), AppError> {
    action("batch", &routes::refund_batch(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::ApproveRefund)?;
        let id = parse_id(ctx, &id)?;
        batch::approve(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t("batch-started"))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "decline_batch")]
pub async fn decline_batch(
    #[server(default)] id: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    action("batch", &routes::refund_batch(&id), &[("note", &note)], async |ctx| {
        let actor = ctx.allow(Permission::ApproveRefund)?;
        let id = parse_id(ctx, &id)?;
        batch::decline(ctx.backoffice(), &actor, id, &note).await.or_explain(ctx)?;
        Ok(ctx.t("batch-declined"))
    })
    .await
}
