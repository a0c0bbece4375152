//! The legal clock of an order: started when goods come back or a buyer withdraws, stopped by a refund or by hand.

use leptos::prelude::*;

use crate::error::AppError;

#[server(prefix = "/fn", endpoint = "record_return")]
pub async fn record_return(
    #[server(default)] order_id: String,
    #[server(default)] kind: String,
    #[server(default)] received_on: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use backoffice::{
        returns::{Refused, ReturnError},
        staff::Permission,
    };

    use crate::{
        context::{Ctx, shown},
        format, routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = format!("{}#return", routes::order(&order_id));
    let values = [("kind", kind.as_str()), ("received_on", received_on.as_str()), ("note", note.as_str())];
    let at = |field: &str, message: String| AppError::Invalid { field: field.into(), message };
    let outcome = match ctx.allow(Permission::Refund) {
        Err(error) => Err(error),
        Ok(actor) => {
            match backoffice::returns::record(ctx.books(), &actor, &order_id, &kind, &received_on, &note)
                .await
            {
                Ok(kept) => Ok(ctx.tr("return-recorded", &[("day", format::iso_day(kept.due_on))])),
                Err(ReturnError::Fault(fault)) => Err(shown(&fault)),
                Err(ReturnError::Refused(refused)) => Err(match refused {
                    Refused::NoSuchOrder | Refused::NotOpen => at("", ctx.t("order-not-found")),
                    Refused::NotPaid => at("", ctx.t("why-not-paid")),
                    Refused::Kind => at("kind", ctx.t("refund-error-reason-code")),
                    Refused::Day => at("received_on", ctx.t("return-error-day")),
                    Refused::NoteTooLong => at("note", ctx.t("refund-error-reason-long")),
                    Refused::NoNote => at("note", ctx.t("refund-error-reason-empty")),
                    Refused::AlreadyOpen { by, received_on } => at(
                        "",
                        ctx.tr("return-error-open", &[("by", by), ("day", format::iso_day(received_on))]),
                    ),
                }),
            }
        }
    };
    ctx.finish("return", &values, outcome, &back).await
}

#[server(prefix = "/fn", endpoint = "close_return")]
pub async fn close_return(
    #[server(default)] order_id: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use backoffice::{
        returns::{Refused, ReturnError},
        staff::Permission,
    };

    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = format!("{}#return", routes::order(&order_id));
    let at = |field: &str, message: String| AppError::Invalid { field: field.into(), message };
    let outcome = match ctx.allow(Permission::Refund) {
        Err(error) => Err(error),
        Ok(actor) => match backoffice::returns::close(ctx.books(), &actor, &order_id, &note).await {
            Ok(()) => Ok(ctx.t("return-closed")),
            Err(ReturnError::Fault(fault)) => Err(shown(&fault)),
            Err(ReturnError::Refused(Refused::NoNote)) => Err(at("note", ctx.t("refund-error-reason-empty"))),
            Err(ReturnError::Refused(Refused::NoteTooLong)) => {
                Err(at("note", ctx.t("refund-error-reason-long")))
            }
            Err(ReturnError::Refused(_)) => Err(at("", ctx.t("return-error-closed"))),
        },
    };
    ctx.finish("return", &[("note", &note)], outcome, &back).await
}
