//! In-app purchases: requests are recorded and decided, orders looked up, prices kept.

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

    use super::messages;
    use crate::{context::Ctx, routes};

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
        Ok(actor) => match backoffice::iap::desk::record(ctx.books(), &actor, &new).await {
            Ok(_) => Ok(ctx.t("iap-recorded")),
            Err(error) => Err(messages::error(&ctx, error)),
        },
    };
    ctx.finish("iap", &values, outcome, &format!("{}?tab=requested", routes::IAP)).await
}

/// Records what was pasted or uploaded from Toss's console.
#[server(prefix = "/fn", endpoint = "import_iap_requests", input = MultipartFormData)]
pub async fn import_iap_requests(data: MultipartData) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{context::Ctx, routes, upload::Upload};

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
    let outcome = match backoffice::iap::desk::import(ctx.books(), &actor, bytes).await {
        Ok(imported) => Ok(messages::imported(&ctx, &imported)),
        Err(error) => Err(messages::error(&ctx, error)),
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

    use super::messages;
    use crate::{context::Ctx, refunds, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let (decision, tab) = match decision.as_str() {
        "approve" => (Some(Decision::Approve), "approved"),
        "reject" => (Some(Decision::Reject), "rejected"),
        "store_rejected" => (Some(Decision::StoreRejected), "rejected"),
        _ => (None, "requested"),
    };
    let mut back = format!("{}?tab=requested", routes::IAP);
    let outcome = match (refunds::messages::about(&ctx, Permission::Refund, &id), decision) {
        (Err(error), _) => Err(error),
        (_, None) => Err(AppError::Invalid { field: String::new(), message: ctx.t("refund-error-form") }),
        (Ok((actor, id)), Some(decision)) => {
            match backoffice::iap::desk::decide(ctx.books(), &actor, id, decision, &note).await {
                Ok(told) => {
                    back = format!("{}?tab={tab}", routes::IAP);
                    Ok(match (decision, told) {
                        (Decision::Approve, ToldBy::Hand) => ctx.t("iap-approve-by-hand"),
                        (Decision::Reject, ToldBy::Hand) => ctx.t("iap-reject-by-hand"),
                        _ => ctx.t("iap-decided"),
                    })
                }
                Err(error) => Err(messages::error(&ctx, error)),
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
        Ok(actor) => match backoffice::iap::orders::get(ctx.books(), &order_id.replace('\0', "")).await {
            Ok(None) => Err(invalid(ctx.t("order-not-found"))),
            Err(fault) => Err(shown(&fault)),
            Ok(Some(known)) => {
                match backoffice::iap::orders::look_up(ctx.books(), &actor, &known.order_id).await {
                    Ok(order) if order.status == known.status => Ok(ctx.t("look-up-same")),
                    Ok(_) => Ok(ctx.t("look-up-changed")),
                    Err(Fault::NoAppsInToss) => Err(invalid(ctx.t("apps-in-toss-missing"))),
                    Err(fault @ Fault::AppsInToss(_)) => {
                        tracing::warn!(%fault, "a look-up by hand");
                        Err(invalid(ctx.t("look-up-failed")))
                    }
                    Err(fault) => Err(shown(&fault)),
                }
            }
        },
    };
    ctx.finish("iap", &[], outcome, &back).await
}

/// What an in-app product costs.
#[server(prefix = "/fn", endpoint = "set_iap_price")]
pub async fn set_iap_price(
    #[server(default)] sku: String,
    #[server(default)] price: String,
) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match ctx.allow(Permission::Reconcile) {
        Err(error) => Err(error),
        Ok(actor) => match backoffice::iap::prices::set(ctx.books(), &actor, &sku, &price).await {
            Ok(Ok(())) => Ok(ctx.t("price-saved")),
            Ok(Err(wrong)) => Err(messages::price_error(&ctx, wrong)),
            Err(fault) => Err(shown(&fault)),
        },
    };
    let values = [("sku", sku.as_str()), ("price", price.as_str())];
    ctx.finish("price", &values, outcome, &format!("{}#price", routes::CONTRACT)).await
}
