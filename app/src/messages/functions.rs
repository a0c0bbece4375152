//! Templates are added, messages sent.

#[cfg(feature = "ssr")]
use backoffice::{
    messages::{self, Form, NewTemplate},
    staff::Permission,
};
use leptos::prelude::*;
use server_fn::codec::{MultipartData, MultipartFormData};

#[cfg(feature = "ssr")]
use super::wording;
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{action::action, explain::OrExplain as _, routes, upload::Upload};

#[server(prefix = "/fn", endpoint = "add_template")]
pub async fn add_template(
    #[server(default)] code: String,
    #[server(default)] name: String,
    #[server(default)] fields: String,
    #[server(default)] follows: String,
) -> Result<(), AppError> {
    let new = NewTemplate { code, name, fields, follows };
    let typed = [
        ("code", new.code.as_str()),
        ("name", &new.name),
        ("fields", &new.fields),
        ("follows", &new.follows),
    ];
    action("template", routes::MESSAGES, &typed, async |ctx| {
        let actor = ctx.allow(Permission::ManageCampaigns)?;
        messages::templates::add(ctx.backoffice(), &actor, &new).await.or_explain(ctx)?;
        Ok(ctx.t("template-added"))
    })
    .await
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
    let form = Form { intent, template_code, user_key, context, deployment_id };
    let typed = [
        ("template_code", form.template_code.as_str()),
        ("user_key", &form.user_key),
        ("context", &form.context),
        ("deployment_id", &form.deployment_id),
    ];
    action("message", &format!("{}#send", routes::MESSAGES), &typed, async |ctx| {
        let actor = ctx.allow(Permission::SendMessage)?;
        let message = messages::send(ctx.backoffice(), &actor, &form).await.or_explain(ctx)?;
        wording::news(ctx, &message)
    })
    .await
}

/// Sends to everybody in a file.
#[server(prefix = "/fn", endpoint = "send_bulk", input = MultipartFormData)]
pub async fn send_bulk(data: MultipartData) -> Result<(), AppError> {
    let upload = Upload::read(data).await?;
    let (intent, code) = (upload.field("intent"), upload.field("template_code"));
    let page = format!("{}#bulk", routes::MESSAGES);
    action("bulk", &page, &[("template_code", code)], async |ctx| {
        let actor = ctx.allow(Permission::SendMessage)?;
        let file = upload.file(ctx)?;
        let sent = messages::send_bulk(ctx.backoffice(), &actor, intent, code, file).await;
        wording::news(ctx, &sent.or_explain(ctx)?)
    })
    .await
}
