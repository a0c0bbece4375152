//! What is done to an order: look it up, settle a mark, find it.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::AppError;

/// Asks Toss how the order's payment stands, now.
#[server(prefix = "/fn", endpoint = "look_up")]
pub async fn look_up(#[server(default)] order_id: String) -> Result<(), AppError> {
    use backoffice::{Fault, staff::Permission};

    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = routes::order(&order_id);
    let actor = match ctx.allow(Permission::LookUpAtToss) {
        Ok(actor) => actor,
        Err(error) => return ctx.finish("order", &[], Err(error), &back).await,
    };
    let invalid = |message: String| AppError::Invalid { field: String::new(), message };
    let outcome = match backoffice::orders::get(ctx.books(), &order_id).await {
        Ok(None) => Err(invalid(ctx.t("order-not-found"))),
        Err(fault) => Err(shown(&fault)),
        Ok(Some(order)) => {
            match backoffice::payments::look_up_on_rail(ctx.books(), &actor, &order.order_id, None).await {
                Ok((_, changed)) if changed.is_empty() => Ok(ctx.t("look-up-same")),
                Ok(_) => Ok(ctx.t("look-up-changed")),
                Err(Fault::Toss(error)) if error.is_not_found() => Err(invalid(ctx.t("look-up-not-found"))),
                Err(Fault::AppsInToss(error)) if error.is_not_found() => {
                    Err(invalid(ctx.t("look-up-not-found")))
                }
                Err(fault @ (Fault::Toss(_) | Fault::AppsInToss(_))) => {
                    tracing::warn!(%fault, "a look-up by hand");
                    Err(invalid(ctx.t("look-up-failed")))
                }
                Err(Fault::NoAppsInToss) => Err(invalid(ctx.t("apps-in-toss-missing"))),
                Err(fault) => Err(shown(&fault)),
            }
        }
    };
    ctx.finish("order", &[], outcome, &back).await
}

/// A person has looked at what was marked.
#[server(prefix = "/fn", endpoint = "settle_attention")]
pub async fn settle_attention(#[server(default)] order_id: String) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = routes::order(&order_id);
    let outcome = match ctx.allow(Permission::Refund) {
        Ok(actor) => match backoffice::orders::settle_attention(ctx.books(), &actor, &order_id).await {
            Ok(_) => Ok(ctx.t("attention-settled")),
            Err(fault) => Err(shown(&fault)),
        },
        Err(error) => Err(error),
    };
    ctx.finish("order", &[], outcome, &back).await
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
#[server(prefix = "/fn", endpoint = "find")]
pub async fn find(#[server(default)] q: String) -> Result<Vec<Hit>, AppError> {
    use backoffice::staff::Permission;

    use crate::{
        components::badge,
        context::{Ctx, shown},
        format, routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    if let Err(error) = ctx.allow(Permission::ViewTrade) {
        return ctx.finish("find", &[], Err(error), routes::HOME).await.map(|()| Vec::new());
    }
    let q = q.trim();
    if q.is_empty() || q.len() > 200 || q.contains('\0') {
        return Ok(Vec::new());
    }
    let orders = backoffice::orders::search(ctx.books(), q, 8).await.map_err(|fault| shown(&fault))?;
    Ok(orders
        .into_iter()
        .map(|order| Hit {
            href: ctx.href(&routes::order(&order.order_id)),
            detail: format!(
                "{} · {}",
                order.order_name,
                order.customer_name.as_deref().map(format::mask_name).unwrap_or_default()
            ),
            amount: format::amount(ctx.words, order.amount, &order.currency),
            status: badge::order_status(&ctx, &order).1,
            tone: badge::order_status(&ctx, &order).0.to_owned(),
            title: order.order_id,
        })
        .collect())
}
