//! Days are read again and closed, the contract is kept.

#[cfg(feature = "ssr")]
use std::time::Duration;

#[cfg(feature = "ssr")]
use backoffice::{
    reconciliation::{self, close, contract},
    staff::Permission,
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::messages;
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{action::action, components::list, explain::OrExplain as _, routes};

/// A request waits as long for the day to be read; after that the page says that it is being read.
#[cfg(feature = "ssr")]
const PATIENCE: Duration = Duration::from_secs(8);

#[cfg(feature = "ssr")]
fn page(day: &str) -> String {
    list::parse_day(day).map_or_else(|| routes::RECONCILIATION.to_owned(), routes::day)
}

/// Has Toss's lists of a day read again, and the day reconciled.
#[server(prefix = "/fn", endpoint = "read_day")]
pub async fn read_day(#[server(default)] day: String) -> Result<(), AppError> {
    action("day", &page(&day), &[], async |ctx| {
        let actor = ctx.allow(Permission::Reconcile)?;
        let day = messages::past(ctx, &day)?;
        let read = reconciliation::request_day(ctx.backoffice(), &actor, day, PATIENCE).await;
        Ok(ctx.t(if read.or_explain(ctx)? { "day-was-read" } else { "day-is-being-read" }))
    })
    .await
}

/// Signs for a day.
#[server(prefix = "/fn", endpoint = "close_day")]
pub async fn close_day(
    #[server(default)] day: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    action("close", &page(&day), &[("note", &note)], async |ctx| {
        let actor = ctx.allow(Permission::Reconcile)?;
        let day = messages::past(ctx, &day)?;
        close::close(ctx.backoffice(), &actor, day, &note).await.or_explain(ctx)?;
        Ok(ctx.t("day-was-closed"))
    })
    .await
}

/// A line of the contract with Toss.
#[server(prefix = "/fn", endpoint = "set_rate")]
pub async fn set_rate(
    #[server(default)] method: String,
    #[server(default)] currency: String,
    #[server(default)] valid_from: String,
    #[server(default)] per_cent: String,
    #[server(default)] flat: String,
    #[server(default)] cycle: String,
    #[server(default)] payout_days: String,
) -> Result<(), AppError> {
    let new = contract::NewRate { method, currency, valid_from, per_cent, flat, cycle, payout_days };
    let typed = [
        ("method", new.method.as_str()),
        ("currency", &new.currency),
        ("valid_from", &new.valid_from),
        ("per_cent", &new.per_cent),
        ("flat", &new.flat),
        ("cycle", &new.cycle),
        ("payout_days", &new.payout_days),
    ];
    action("rate", &format!("{}#rate", routes::CONTRACT), &typed, async |ctx| {
        let actor = ctx.allow(Permission::Reconcile)?;
        let kept = contract::set_rate(ctx.backoffice(), &actor, &new).await.or_explain(ctx)?;
        kept.or_explain(ctx)?;
        Ok(ctx.t("rate-saved"))
    })
    .await
}
