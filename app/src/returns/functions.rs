//! The legal clock of an order: started when goods come back or a buyer withdraws, stopped by a refund or by hand.

#[cfg(feature = "ssr")]
use backoffice::{returns, staff::Permission};
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{action::action, explain::OrExplain as _, format, routes};

#[cfg(feature = "ssr")]
fn page(order_id: &str) -> String {
    format!("{}#return", routes::order(order_id))
}

#[server(prefix = "/fn", endpoint = "record_return")]
pub async fn record_return(
    #[server(default)] order_id: String,
    #[server(default)] kind: String,
    #[server(default)] received_on: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    let typed = [("kind", kind.as_str()), ("received_on", &received_on), ("note", &note)];
    action("return", &page(&order_id), &typed, async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let kept = returns::record(ctx.backoffice(), &actor, &order_id, &kind, &received_on, &note).await;
        Ok(ctx.tr("return-recorded", &[("day", format::iso_day(kept.or_explain(ctx)?.due_on))]))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "close_return")]
pub async fn close_return(
    #[server(default)] order_id: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    action("return", &page(&order_id), &[("note", &note)], async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        returns::close(ctx.backoffice(), &actor, &order_id, &note).await.or_explain(ctx)?;
        Ok(ctx.t("return-closed"))
    })
    .await
}
