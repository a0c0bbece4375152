//! Templates are added, messages sent.

use leptos::prelude::*;
use server_fn::codec::{MultipartData, MultipartFormData};

use crate::error::AppError;

#[server(prefix = "/fn", endpoint = "add_template")]
pub async fn add_template(
    #[server(default)] code: String,
    #[server(default)] name: String,
    #[server(default)] fields: String,
    #[server(default)] follows: String,
) -> Result<(), AppError> {
    use backoffice::{messages::NewTemplate, staff::Permission};

    use super::wording;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let values = [
        ("code", code.as_str()),
        ("name", name.as_str()),
        ("fields", fields.as_str()),
        ("follows", follows.as_str()),
    ];
    let new = NewTemplate {
        code: code.clone(),
        name: name.clone(),
        fields: fields.clone(),
        follows: follows.clone(),
    };
    let outcome = match ctx.allow(Permission::ManageCampaigns) {
        Err(error) => Err(error),
        Ok(actor) => match backoffice::messages::templates::add(ctx.books(), &actor, &new).await {
            Ok(()) => Ok(ctx.t("template-added")),
            Err(error) => Err(wording::error(&ctx, error)),
        },
    };
    ctx.finish("template", &values, outcome, routes::MESSAGES).await
}

/// Sends one message, or with a `deployment_id` a test of one.
#[server(prefix = "/fn", endpoint = "send_message")]
pub async fn send_message(
    #[server(default)] intent: String,
    #[server(default)] template_code: String,
    #[server(default)] user_key: String,
    #[server(default)] context: String,
    #[server(default)] deployment_id: String,
) -> Result<(), AppError> {
    use backoffice::{messages::Form, staff::Permission};

    use super::wording;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let values = [
        ("template_code", template_code.as_str()),
        ("user_key", user_key.as_str()),
        ("context", context.as_str()),
        ("deployment_id", deployment_id.as_str()),
    ];
    let form = Form {
        intent,
        template_code: template_code.clone(),
        user_key: user_key.clone(),
        context: context.clone(),
        deployment_id: deployment_id.clone(),
    };
    let outcome = match ctx.allow(Permission::SendMessage) {
        Err(error) => Err(error),
        Ok(actor) => wording::outcome(&ctx, backoffice::messages::send(ctx.books(), &actor, &form).await),
    };
    ctx.finish("message", &values, outcome, &format!("{}#send", routes::MESSAGES)).await
}

/// Sends to everybody in a file.
#[server(prefix = "/fn", endpoint = "send_bulk", input = MultipartFormData)]
pub async fn send_bulk(data: MultipartData) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::wording;
    use crate::{context::Ctx, routes, upload::Upload};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = format!("{}#bulk", routes::MESSAGES);
    let actor = match ctx.allow(Permission::SendMessage) {
        Ok(actor) => actor,
        Err(error) => return ctx.finish("bulk", &[], Err(error), &back).await,
    };
    let Some(upload) = Upload::read(data).await? else {
        let wrong = AppError::Invalid { field: "file".into(), message: ctx.t("batch-error-upload") };
        return ctx.finish("bulk", &[], Err(wrong), &back).await;
    };
    let (intent, code) = (upload.field("intent"), upload.field("template_code"));
    let sent = backoffice::messages::send_bulk(ctx.books(), &actor, intent, code, &upload.bytes).await;
    ctx.finish("bulk", &[("template_code", code)], wording::outcome(&ctx, sent), &back).await
}
