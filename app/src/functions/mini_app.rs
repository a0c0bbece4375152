//! In-app purchases, messages and users of the mini-app.

use leptos::prelude::*;
use server_fn::codec::{MultipartData, MultipartFormData};

use crate::error::AppError;

/// Records that a user has asked for a refund of an in-app purchase.
#[server(prefix = "/fn", endpoint = "record_iap_request")]
pub async fn record_iap_request(
    #[server(default)] order_id: String,
    #[server(default)] user_key: String,
    #[server(default)] platform: String,
    #[server(default)] reason: String,
) -> Result<(), AppError> {
    use backoffice::{iap::NewRequest, staff::Permission};

    use crate::{context::Ctx, pages::iap_words, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let values = [
        ("order_id", order_id.as_str()),
        ("user_key", user_key.as_str()),
        ("platform", platform.as_str()),
        ("reason", reason.as_str()),
    ];
    let new = NewRequest {
        order_id: order_id.clone(),
        user_key: user_key.clone(),
        platform: platform.clone(),
        reason: reason.clone(),
    };
    let outcome = match ctx.allow(Permission::Refund) {
        Err(error) => Err(error),
        Ok(actor) => match ctx.books().record_iap_request(&actor, &new).await {
            Ok(_) => Ok(ctx.t("iap-recorded")),
            Err(error) => Err(iap_words::error(&ctx, error)),
        },
    };
    ctx.finish("iap", &values, outcome, &format!("{}?tab=requested", routes::IAP)).await
}

/// Records what was pasted or uploaded from Toss's console.
#[server(prefix = "/fn", endpoint = "import_iap_requests", input = MultipartFormData)]
pub async fn import_iap_requests(data: MultipartData) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{context::Ctx, pages::iap_words, routes, upload::Upload};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = format!("{}?tab=requested", routes::IAP);
    let actor = match ctx.allow(Permission::Refund) {
        Ok(actor) => actor,
        Err(error) => return ctx.finish("iap-list", &[], Err(error), &back).await,
    };
    let Some(upload) = Upload::read(data).await? else {
        let wrong = AppError::Invalid { field: "file".into(), message: ctx.t("batch-error-upload") };
        return ctx.finish("iap-list", &[], Err(wrong), &back).await;
    };
    let pasted = upload.field("list").as_bytes();
    let bytes = if upload.bytes.is_empty() { pasted } else { upload.bytes.as_slice() };
    let outcome = match ctx.books().import_iap_requests(&actor, bytes).await {
        Ok(imported) => Ok(iap_words::imported(&ctx, &imported)),
        Err(error) => Err(iap_words::error(&ctx, error)),
    };
    ctx.finish("iap-list", &[("list", upload.field("list"))], outcome, &back).await
}

/// Records our decision (`approve`, `reject`), or that the store has said no (`store_rejected`).
#[server(prefix = "/fn", endpoint = "decide_iap")]
pub async fn decide_iap(
    #[server(default)] id: String,
    #[server(default)] decision: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use backoffice::{
        iap::{Decision, ToldBy},
        staff::Permission,
    };

    use crate::{
        context::Ctx,
        pages::{iap_words, refund_words},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let (decision, tab) = match decision.as_str() {
        "approve" => (Some(Decision::Approve), "approved"),
        "reject" => (Some(Decision::Reject), "rejected"),
        "store_rejected" => (Some(Decision::StoreRejected), "rejected"),
        _ => (None, "requested"),
    };
    let mut back = format!("{}?tab=requested", routes::IAP);
    let outcome = match (refund_words::about(&ctx, Permission::Refund, &id), decision) {
        (Err(error), _) => Err(error),
        (_, None) => Err(AppError::Invalid { field: String::new(), message: ctx.t("refund-error-form") }),
        (Ok((actor, id)), Some(decision)) => {
            match ctx.books().decide_iap(&actor, id, decision, &note).await {
                Ok(told) => {
                    back = format!("{}?tab={tab}", routes::IAP);
                    Ok(match (decision, told) {
                        (Decision::Approve, ToldBy::Hand) => ctx.t("iap-approve-by-hand"),
                        (Decision::Reject, ToldBy::Hand) => ctx.t("iap-reject-by-hand"),
                        _ => ctx.t("iap-decided"),
                    })
                }
                Err(error) => Err(iap_words::error(&ctx, error)),
            }
        }
    };
    ctx.finish("iap-decide", &[("note", &note)], outcome, &back).await
}

/// Asks Toss how an in-app purchase stands, now.
#[server(prefix = "/fn", endpoint = "look_up_iap")]
pub async fn look_up_iap(
    #[server(default)] order_id: String,
    #[server(default)] back: String,
) -> Result<(), AppError> {
    use backoffice::{Fault, staff::Permission};

    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = if routes::is_inside(&back) { back } else { routes::IAP.to_owned() };
    let invalid = |message: String| AppError::Invalid { field: String::new(), message };
    let outcome = match ctx.allow(Permission::LookUpAtToss) {
        Err(error) => Err(error),
        Ok(actor) => match ctx.books().iap_order(&order_id.replace('\0', "")).await {
            Ok(None) => Err(invalid(ctx.t("order-not-found"))),
            Err(fault) => Err(shown(&fault)),
            Ok(Some(known)) => match ctx.books().look_up_iap(&actor, &known.order_id).await {
                Ok(order) if order.status == known.status => Ok(ctx.t("look-up-same")),
                Ok(_) => Ok(ctx.t("look-up-changed")),
                Err(Fault::NoAppsInToss) => Err(invalid(ctx.t("apps-in-toss-missing"))),
                Err(fault @ Fault::AppsInToss(_)) => {
                    tracing::warn!(%fault, "a look-up by hand");
                    Err(invalid(ctx.t("look-up-failed")))
                }
                Err(fault) => Err(shown(&fault)),
            },
        },
    };
    ctx.finish("iap", &[], outcome, &back).await
}

#[server(prefix = "/fn", endpoint = "add_template")]
pub async fn add_template(
    #[server(default)] code: String,
    #[server(default)] name: String,
    #[server(default)] fields: String,
    #[server(default)] follows: String,
) -> Result<(), AppError> {
    use backoffice::{messages::NewTemplate, staff::Permission};

    use crate::{context::Ctx, pages::message_words, routes};

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
        Ok(actor) => match ctx.books().add_template(&actor, &new).await {
            Ok(()) => Ok(ctx.t("template-added")),
            Err(error) => Err(message_words::error(&ctx, error)),
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

    use crate::{context::Ctx, pages::message_words, routes};

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
        Ok(actor) => message_words::outcome(&ctx, ctx.books().send_message(&actor, &form).await),
    };
    ctx.finish("message", &values, outcome, &format!("{}#send", routes::MESSAGES)).await
}

/// Sends to everybody in a file.
#[server(prefix = "/fn", endpoint = "send_bulk", input = MultipartFormData)]
pub async fn send_bulk(data: MultipartData) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{context::Ctx, pages::message_words, routes, upload::Upload};

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
    let sent = ctx.books().send_bulk(&actor, intent, code, &upload.bytes).await;
    ctx.finish("bulk", &[("template_code", code)], message_words::outcome(&ctx, sent), &back).await
}

/// Shows a user's personal data for a few minutes, to whoever says why. The reason is kept.
#[server(prefix = "/fn", endpoint = "reveal_profile")]
pub async fn reveal_profile(
    #[server(default)] user_key: String,
    #[server(default)] why: String,
) -> Result<(), AppError> {
    use backoffice::{staff::Permission, users::NotShown};

    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let key = user_key.trim().parse().unwrap_or_default();
    let at = |field: &str, message: String| AppError::Invalid { field: field.into(), message };
    let outcome = match ctx.allow(Permission::RevealPersonal) {
        Err(error) => Err(error),
        Ok(actor) => match ctx.books().note_reveal(&actor, key, &why).await {
            Ok(Ok(())) => {
                ctx.let_see_profile(key).await;
                Ok(ctx.t("profile-revealed"))
            }
            Ok(Err(NotShown::NoSuchUser)) => Err(at("", ctx.t("user-not-found"))),
            Ok(Err(NotShown::NoReason)) => Err(at("why", ctx.t("refund-error-reason-empty"))),
            Ok(Err(NotShown::ReasonTooLong)) => Err(at("why", ctx.t("refund-error-reason-long"))),
            Err(fault) => Err(shown(&fault)),
        },
    };
    ctx.finish("reveal", &[("why", &why)], outcome, &routes::user(key)).await
}

/// Asks Toss to end a user's link with the mini-app.
#[server(prefix = "/fn", endpoint = "unlink_user")]
pub async fn unlink_user(#[server(default)] user_key: String) -> Result<(), AppError> {
    use backoffice::{Fault, staff::Permission, users::parse_key};

    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let invalid = |message: String| AppError::Invalid { field: String::new(), message };
    let key = parse_key(&user_key);
    let back = routes::user(key.map(|key| key.0).unwrap_or_default());
    let outcome = match (ctx.allow(Permission::UnlinkUser), key) {
        (Err(error), _) => Err(error),
        (_, None) => Err(invalid(ctx.t("user-not-found"))),
        (Ok(actor), Some(key)) => match ctx.books().unlink_user(&actor, key).await {
            Ok(()) => Ok(ctx.t("user-unlinked")),
            Err(Fault::NoAppsInToss) => Err(invalid(ctx.t("apps-in-toss-missing"))),
            Err(Fault::AppsInToss(error)) if error.may_have_happened() => {
                tracing::warn!(%error, "an unlink by hand");
                Err(invalid(ctx.t("user-unlink-unknown")))
            }
            Err(Fault::AppsInToss(error)) => {
                tracing::warn!(%error, "an unlink by hand");
                let why = error.refusal().map(|r| format!("{} ({})", r.reason, r.code)).unwrap_or_default();
                Err(invalid(ctx.tr("user-not-unlinked", &[("why", why)])))
            }
            Err(fault) => Err(shown(&fault)),
        },
    };
    ctx.finish("unlink", &[], outcome, &back).await
}
