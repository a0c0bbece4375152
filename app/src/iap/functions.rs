//! In-app purchases: requests are recorded and decided, orders looked up, prices kept.

#[cfg(feature = "ssr")]
use backoffice::{
    Fault,
    iap::{Decision, DecisionChannel, NewRequest, orders, prices, refund_requests},
    staff::Permission,
};
use leptos::prelude::*;
use server_fn::codec::{MultipartData, MultipartFormData};

#[cfg(feature = "ssr")]
use super::messages;
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action, parse_id},
    explain::{Explain as _, OrExplain as _},
    routes,
    upload::Upload,
};

#[cfg(feature = "ssr")]
fn tab(name: &str) -> String {
    format!("{}?tab={name}", routes::IAP)
}

/// Records that a user has asked for a refund of an in-app purchase.
#[server(prefix = "/fn", endpoint = "record_iap_request")]
pub async fn record_iap_request(
    #[server(default)] order_id: String,
    #[server(default)] user_key: String,
    #[server(default)] platform: String,
    #[server(default)] reason: String,
) -> Result<(), AppError> {
    let new = NewRequest { order_id, user_key, platform, reason };
    let typed = [
        ("order_id", new.order_id.as_str()),
        ("user_key", &new.user_key),
        ("platform", &new.platform),
        ("reason", &new.reason),
    ];
    action("iap", &tab("requested"), &typed, async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        refund_requests::record(ctx.backoffice(), &actor, &new).await.or_explain(ctx)?;
        Ok(ctx.t("iap-recorded"))
    })
    .await
}

/// Records what was pasted or uploaded from Toss's console.
#[server(prefix = "/fn", endpoint = "import_iap_requests", input = MultipartFormData)]
pub async fn import_iap_requests(data: MultipartData) -> Result<(), AppError> {
    let upload = Upload::read(data).await?;
    let pasted = upload.field("list");
    action("iap-list", &tab("requested"), &[("list", pasted)], async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let file = upload.file(ctx)?;
        let bytes = if file.is_empty() { pasted.as_bytes() } else { file };
        let imported = refund_requests::import(ctx.backoffice(), &actor, bytes).await.or_explain(ctx)?;
        Ok(messages::imported(ctx, &imported))
    })
    .await
}

/// Records our decision (`approve`, `reject`), or that the store has said no (`store_rejected`).
#[server(prefix = "/fn", endpoint = "decide_iap")]
pub async fn decide_iap(
    #[server(default)] id: String,
    #[server(default)] decision: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    action("iap-decide", &tab("requested"), &[("note", &note)], async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let id = parse_id(ctx, &id)?;
        let (decision, decided) = match decision.as_str() {
            "approve" => (Decision::Approve, "approved"),
            "reject" => (Decision::Reject, "rejected"),
            "store_rejected" => (Decision::StoreRejected, "rejected"),
            _ => return Err(AppError::form(ctx.t("refund-error-form"))),
        };
        let channel =
            refund_requests::decide(ctx.backoffice(), &actor, id, decision, &note).await.or_explain(ctx)?;
        let notice = match (decision, channel) {
            (Decision::Approve, DecisionChannel::Manual) => "iap-approve-by-hand",
            (Decision::Reject, DecisionChannel::Manual) => "iap-reject-by-hand",
            _ => "iap-decided",
        };
        Ok(Done::on(tab(decided), ctx.words.get(notice, &[])))
    })
    .await
}

/// Asks Toss how an in-app purchase stands, now.
#[server(prefix = "/fn", endpoint = "look_up_iap")]
pub async fn look_up_iap(
    #[server(default)] order_id: String,
    #[server(default)] back: String,
) -> Result<(), AppError> {
    let page = if routes::is_inside(&back) { &back } else { routes::IAP };
    action("iap", page, &[], async |ctx| {
        let actor = ctx.allow(Permission::LookUpAtToss)?;
        let known = orders::get(ctx.backoffice(), &order_id.replace('\0', "")).await.or_explain(ctx)?;
        let known = known.ok_or_else(|| AppError::form(ctx.t("order-not-found")))?;
        match orders::look_up(ctx.backoffice(), &actor, &known.order_id).await {
            Ok(order) if order.status == known.status => Ok(ctx.t("look-up-same")),
            Ok(_) => Ok(ctx.t("look-up-changed")),
            Err(fault @ Fault::AppsInToss(_)) => {
                tracing::warn!(%fault, "a look-up by hand");
                Err(AppError::form(ctx.t("look-up-failed")))
            }
            Err(fault) => Err(fault.explain(ctx)),
        }
    })
    .await
}

/// What an in-app product costs.
#[server(prefix = "/fn", endpoint = "set_iap_price")]
pub async fn set_iap_price(
    #[server(default)] sku: String,
    #[server(default)] price: String,
) -> Result<(), AppError> {
    let page = format!("{}#price", routes::CONTRACT);
    action("price", &page, &[("sku", &sku), ("price", &price)], async |ctx| {
        let actor = ctx.allow(Permission::Reconcile)?;
        let kept = prices::set(ctx.backoffice(), &actor, &sku, &price).await.or_explain(ctx)?;
        kept.or_explain(ctx)?;
        Ok(ctx.t("price-saved"))
    })
    .await
}
