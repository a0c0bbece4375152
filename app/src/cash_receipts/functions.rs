//! A receipt is asked for, taken back, tried again; Toss's list of a day is read.

#[cfg(feature = "ssr")]
use backoffice::{
    cash_receipts::{self, Receipt, ReceiptError, State},
    staff::Permission,
};
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{action, parse_id},
    components::list,
    context::Ctx,
    explain::OrExplain as _,
    routes,
};

#[cfg(feature = "ssr")]
fn page(order_id: &str) -> String {
    format!("{}#cash-receipt", routes::order(order_id))
}

/// What became of what was asked: good news, or why not.
#[cfg(feature = "ssr")]
fn outcome(ctx: &Ctx, receipt: Result<Receipt, ReceiptError>) -> Result<String, AppError> {
    let receipt = receipt.or_explain(ctx)?;
    match receipt.state {
        State::Completed => Ok(ctx.t("cash-receipt-done")),
        State::InProgress => Ok(ctx.t("cash-receipt-in-progress")),
        State::Requested | State::Unknown => Ok(ctx.t("cash-receipt-unknown")),
        State::Failed => {
            let code = receipt.failure_code.unwrap_or_default();
            Err(AppError::form(ctx.tr("cash-receipt-failed", &[("code", code)])))
        }
    }
}

#[server(prefix = "/fn", endpoint = "issue_cash_receipt")]
pub async fn issue_cash_receipt(
    #[server(default)] order_id: String,
    #[server(default)] intent: String,
    #[server(default)] kind: String,
    #[server(default)] number: String,
) -> Result<(), AppError> {
    let typed = [("kind", kind.as_str()), ("number", &number)];
    action("cash-receipt", &page(&order_id), &typed, async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let intent = parse_id(ctx, &intent)?;
        let form = cash_receipts::Form {
            order_id: order_id.clone(),
            intent,
            kind: kind.clone(),
            number: number.clone(),
        };
        outcome(ctx, cash_receipts::issue(ctx.backoffice(), &actor, &form).await)
    })
    .await
}

#[server(prefix = "/fn", endpoint = "cancel_cash_receipt")]
pub async fn cancel_cash_receipt(
    #[server(default)] order_id: String,
    #[server(default)] id: String,
    #[server(default)] intent: String,
    #[server(default)] amount: String,
) -> Result<(), AppError> {
    action("cash-receipt", &page(&order_id), &[("amount", &amount)], async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let (id, intent) = (parse_id(ctx, &id)?, parse_id(ctx, &intent)?);
        outcome(ctx, cash_receipts::cancel(ctx.backoffice(), &actor, &order_id, id, intent, &amount).await)
    })
    .await
}

#[server(prefix = "/fn", endpoint = "retry_cash_receipt")]
pub async fn retry_cash_receipt(
    #[server(default)] order_id: String,
    #[server(default)] id: String,
    #[server(default)] intent: String,
) -> Result<(), AppError> {
    action("cash-receipt", &page(&order_id), &[], async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let (id, intent) = (parse_id(ctx, &id)?, parse_id(ctx, &intent)?);
        outcome(ctx, cash_receipts::retry(ctx.backoffice(), &actor, &order_id, id, intent).await)
    })
    .await
}

/// Has Toss's list of a day read now.
#[server(prefix = "/fn", endpoint = "read_cash_receipts")]
pub async fn read_cash_receipts(#[server(default)] day: String) -> Result<(), AppError> {
    let page = format!("{}?day={}", routes::CASH_RECEIPTS, routes::encode(&day));
    action("cash-receipts", &page, &[], async |ctx| {
        let actor = ctx.allow(Permission::LookUpAtToss)?;
        let day = list::parse_day(&day).filter(|day| *day <= ctx.backoffice().clock.today());
        let day = day.ok_or_else(|| AppError::form(ctx.t("filter-error-day")))?;
        let read = cash_receipts::read_day(ctx.backoffice(), &actor, day).await.or_explain(ctx)?;
        Ok(ctx.tr("cash-receipts-read", &[("count", read.to_string())]))
    })
    .await
}
