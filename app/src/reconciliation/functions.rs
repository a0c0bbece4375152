//! Days are read again and closed, the contract is kept.

use leptos::prelude::*;

use crate::error::AppError;

/// Has Toss's lists of a day read again, and the day reconciled.
#[server(prefix = "/fn", endpoint = "read_day")]
pub async fn read_day(#[server(default)] day: String) -> Result<(), AppError> {
    use std::time::Duration;

    use backoffice::staff::Permission;

    use super::messages;
    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let mut back = routes::RECONCILIATION.to_owned();
    let outcome = match (ctx.allow(Permission::Reconcile), messages::past(&ctx, &day)) {
        (Err(error), _) => Err(error),
        (Ok(_), None) => Err(messages::no_day(&ctx)),
        (Ok(actor), Some(day)) => {
            back = routes::day(day);
            match backoffice::reconciliation::request_day(ctx.books(), &actor, day, Duration::from_secs(8))
                .await
            {
                Ok(true) => Ok(ctx.t("day-was-read")),
                Ok(false) => Ok(ctx.t("day-is-being-read")),
                Err(fault) => Err(shown(&fault)),
            }
        }
    };
    ctx.finish("day", &[], outcome, &back).await
}

/// Signs for a day.
#[server(prefix = "/fn", endpoint = "close_day")]
pub async fn close_day(
    #[server(default)] day: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let mut back = routes::RECONCILIATION.to_owned();
    let outcome = match (ctx.allow(Permission::Reconcile), messages::past(&ctx, &day)) {
        (Err(error), _) => Err(error),
        (Ok(_), None) => Err(messages::no_day(&ctx)),
        (Ok(actor), Some(day)) => {
            back = routes::day(day);
            let closed = backoffice::reconciliation::close::close(ctx.books(), &actor, day, &note).await;
            closed.map(|_| ctx.t("day-was-closed")).map_err(|error| messages::close_error(&ctx, error))
        }
    };
    ctx.finish("close", &[("note", &note)], outcome, &back).await
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
    #[server(default)] pay_out_days: String,
) -> Result<(), AppError> {
    use backoffice::{reconciliation::contract::NewRate, staff::Permission};

    use super::messages;
    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let new = NewRate { method, currency, valid_from, per_cent, flat, cycle, pay_out_days };
    let values = [
        ("method", new.method.as_str()),
        ("currency", new.currency.as_str()),
        ("valid_from", new.valid_from.as_str()),
        ("per_cent", new.per_cent.as_str()),
        ("flat", new.flat.as_str()),
        ("cycle", new.cycle.as_str()),
        ("pay_out_days", new.pay_out_days.as_str()),
    ];
    let outcome = match ctx.allow(Permission::Reconcile) {
        Err(error) => Err(error),
        Ok(actor) => match backoffice::reconciliation::contract::set_rate(ctx.books(), &actor, &new).await {
            Ok(Ok(())) => Ok(ctx.t("rate-saved")),
            Ok(Err(wrong)) => Err(messages::rate_error(&ctx, wrong)),
            Err(fault) => Err(shown(&fault)),
        },
    };
    ctx.finish("rate", &values, outcome, &format!("{}#rate", routes::CONTRACT)).await
}
