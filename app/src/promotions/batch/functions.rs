//! Grants for a file of users: previewed, started, stopped, approved.

#[cfg(feature = "ssr")]
use backoffice::{promotions::batch, refunds::batch::State, staff::Permission};
use leptos::prelude::*;
use server_fn::codec::{MultipartData, MultipartFormData};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action, parse_id},
    explain::OrExplain as _,
    routes,
    upload::Upload,
};

/// Reads a file of users and keeps what would become of each of its lines. Nothing is granted.
#[server(prefix = "/fn", endpoint = "preview_grants", input = MultipartFormData)]
pub async fn preview_grants(data: MultipartData) -> Result<(), AppError> {
    let upload = Upload::read(data).await?;
    let (code, event) = (upload.field("promotion_code"), upload.field("event"));
    let page = match code {
        "" => routes::PROMOTIONS.to_owned(),
        code => format!("{}#file", routes::campaign(code)),
    };
    action("grants", &page, &[("event", event)], async |ctx| {
        let actor = ctx.allow(Permission::Grant)?;
        let file = upload.file(ctx)?;
        let id = batch::preview(ctx.backoffice(), &actor, code, event, &upload.file_name, file)
            .await
            .or_explain(ctx)?;
        Ok(Done::on(routes::grant_batch(&id), ctx.t("batch-previewed")))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "start_grants")]
pub async fn start_grants(#[server(default)] id: String) -> Result<(), AppError> {
    action("grants", &routes::grant_batch(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::Grant)?;
        let id = parse_id(ctx, &id)?;
        let state = batch::start(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t(if state == State::WaitingForApproval { "batch-waits" } else { "batch-started" }))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "stop_grants")]
pub async fn stop_grants(#[server(default)] id: String) -> Result<(), AppError> {
    action("grants", &routes::grant_batch(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::Grant)?;
        let id = parse_id(ctx, &id)?;
        batch::stop(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t("batch-stopped"))
    })
    .await
}

/// The second person approves the whole file, and it runs.
#[server(prefix = "/fn", endpoint = "approve_grants")]
pub async fn approve_grants(#[server(default)] id: String) -> Result<(), AppError> {
    action("grants", &routes::grant_batch(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageCampaigns)?;
        let id = parse_id(ctx, &id)?;
        batch::approve(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t("batch-started"))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "decline_grants")]
pub async fn decline_grants(#[server(default)] id: String) -> Result<(), AppError> {
    action("grants", &routes::grant_batch(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageCampaigns)?;
        let id = parse_id(ctx, &id)?;
        batch::decline(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t("batch-declined"))
    })
    .await
}
