//! What is done to an order: look it up, settle a mark, find it.

#[cfg(feature = "ssr")]
use backoffice::{Fault, orders, payments, refunds, staff::Permission};
use leptos::{prelude::*, server_fn::codec::Json};
use serde::{Deserialize, Serialize};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{action, question},
    components::badge,
    explain::{Explain as _, OrExplain as _},
    format, routes,
};

/// Asks Toss how the order's payment stands, now.
#[server(prefix = "/fn", endpoint = "look_up")]
pub async fn look_up(#[server(default)] order_id: String) -> Result<(), AppError> {
    action("order", &routes::order(&order_id), &[], async |ctx| {
        let actor = ctx.allow(Permission::LookUpAtToss)?;
        let order = orders::get(ctx.backoffice(), &order_id).await.or_explain(ctx)?;
        let order = order.ok_or_else(|| AppError::form(ctx.t("order-not-found")))?;
        let looked = payments::look_up_on_rail(ctx.backoffice(), &actor, &order.order_id, None).await;
        // What the bank did with refunds of it is part of the question.
        if let (Ok(_), Some(key)) = (&looked, &order.payment_key) {
            refunds::follow(ctx.backoffice(), key).await.or_explain(ctx)?;
        }
        match looked {
            Ok((_, changed)) if changed.is_empty() => Ok(ctx.t("look-up-same")),
            Ok(_) => Ok(ctx.t("look-up-changed")),
            Err(fault) if fault.is_not_found() => Err(AppError::form(ctx.t("look-up-not-found"))),
            Err(fault @ (Fault::Toss(_) | Fault::AppsInToss(_))) => {
                tracing::warn!(%fault, "a look-up by hand");
                Err(AppError::form(ctx.t("look-up-failed")))
            }
            Err(fault) => Err(fault.explain(ctx)),
        }
    })
    .await
}

/// A person has looked at what was marked.
#[server(prefix = "/fn", endpoint = "settle_attention")]
pub async fn settle_attention(#[server(default)] order_id: String) -> Result<(), AppError> {
    action("order", &routes::order(&order_id), &[], async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        orders::settle_attention(ctx.backoffice(), &actor, &order_id).await.or_explain(ctx)?;
        Ok(ctx.t("attention-settled"))
    })
    .await
}

/// One line of the command palette.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    pub href: String,
    pub title: String,
    pub detail: String,
    pub amount: String,
    pub status: String,
    /// The CSS class of the status.
    pub tone: String,
}

/// What the palette finds for an id or a name.
#[server(prefix = "/fn", endpoint = "find", input = Json)]
pub async fn find(#[server(default)] q: String) -> Result<Vec<Hit>, AppError> {
    question(routes::HOME, async |ctx| {
        let actor = ctx.allow(Permission::ViewTrade)?;
        let q = q.trim();
        if q.is_empty() || q.len() > 200 || q.contains('\0') {
            return Ok(Vec::new());
        }
        let found = orders::search(ctx.backoffice(), q, 8).await.or_explain(ctx)?;
        orders::note_search(ctx.backoffice(), &actor, q, &found).await.or_explain(ctx)?;
        let hit = |order: orders::Order| {
            let (tone, status) = badge::order_status(ctx, &order);
            let buyer = order.customer_name.as_deref().map(format::mask_name).unwrap_or_default();
            Hit {
                href: ctx.href(&routes::order(&order.order_id)),
                detail: format!("{} · {buyer}", order.order_name),
                amount: format::amount(ctx.words, order.amount, &order.currency),
                status,
                tone: tone.to_owned(),
                title: order.order_id,
            }
        };
        Ok(found.into_iter().map(hit).collect())
    })
    .await
}
