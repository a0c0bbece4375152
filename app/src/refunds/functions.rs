//! What is done to a refund: ask for it, decide on it as the second person, settle what no machine can tell.

#[cfg(feature = "ssr")]
use backoffice::{
    refunds::{self, Decision, Form, WayOut},
    staff::Permission,
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::messages;
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{action, parse_id},
    explain::OrExplain as _,
    routes,
};

#[cfg(feature = "ssr")]
fn page(order_id: &str) -> String {
    format!("{}#refund", routes::order(order_id))
}

/// Gives money back, all or a part. The intent is minted with the form: posting it twice is one refund.
#[server(prefix = "/fn", endpoint = "refund")]
pub async fn refund(
    #[server(default)] order_id: String,
    #[server(default)] intent: String,
    #[server(default)] amount: String,
    #[server(default)] reason_code: String,
    #[server(default)] reason: String,
    #[server(default)] bank: String,
    #[server(default)] account_number: String,
    #[server(default)] holder_name: String,
    #[server(default)] tax_free_amount: String,
    #[server(default)] for_return: String,
) -> Result<(), AppError> {
    let typed = [
        ("amount", amount.as_str()),
        ("reason_code", &reason_code),
        ("reason", &reason),
        ("bank", &bank),
        ("account_number", &account_number),
        ("holder_name", &holder_name),
        ("tax_free_amount", &tax_free_amount),
    ];
    action("refund", &page(&order_id), &typed, async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let form = Form {
            intent,
            order_id: order_id.clone(),
            amount: amount.clone(),
            reason_code: reason_code.clone(),
            reason: messages::reason(ctx, &reason_code, &reason),
            bank: bank.clone(),
            account_number: account_number.clone(),
            holder_name: holder_name.clone(),
            for_return: for_return == "1",
            tax_free_amount: tax_free_amount.clone(),
            whole: false,
        };
        let refund = refunds::request(ctx.backoffice(), &actor, &form).await.or_explain(ctx)?;
        messages::news(ctx, &refund)
    })
    .await
}

/// The second person approves: the refund is tried at once.
#[server(prefix = "/fn", endpoint = "approve_refund")]
pub async fn approve_refund(
    #[server(default)] order_id: String,
    #[server(default)] id: String,
) -> Result<(), AppError> {
    action("refund", &page(&order_id), &[], async |ctx| {
        let actor = ctx.allow(Permission::ApproveRefund)?;
        let id = parse_id(ctx, &id)?;
        let refund = refunds::approve(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        messages::news(ctx, &refund)
    })
    .await
}

/// The second person declines, and says why.
#[server(prefix = "/fn", endpoint = "decline_refund")]
pub async fn decline_refund(
    #[server(default)] order_id: String,
    #[server(default)] id: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    action("refund", &page(&order_id), &[("note", &note)], async |ctx| {
        let actor = ctx.allow(Permission::ApproveRefund)?;
        let id = parse_id(ctx, &id)?;
        let refund = refunds::decline(ctx.backoffice(), &actor, id, &note).await.or_explain(ctx)?;
        messages::news(ctx, &refund)
    })
    .await
}

/// Whoever asked takes it back before anybody has decided.
#[server(prefix = "/fn", endpoint = "withdraw_refund")]
pub async fn withdraw_refund(
    #[server(default)] order_id: String,
    #[server(default)] id: String,
) -> Result<(), AppError> {
    action("refund", &page(&order_id), &[], async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let id = parse_id(ctx, &id)?;
        let refund = refunds::withdraw(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        messages::news(ctx, &refund)
    })
    .await
}

/// A person says how a refund ended that no machine can tell. `ours` is Toss's transactionKey of the cancel that is
/// this refund; empty says that none is.
#[server(prefix = "/fn", endpoint = "decide_refund")]
pub async fn decide_refund(
    #[server(default)] order_id: String,
    #[server(default)] id: String,
    #[server(default)] ours: String,
    #[server(default)] version: String,
) -> Result<(), AppError> {
    action("refund", &page(&order_id), &[], async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let id = parse_id(ctx, &id)?;
        let decision = if ours.is_empty() { Decision::NotMade } else { Decision::Ours(ours) };
        let decided = refunds::decide(ctx.backoffice(), &actor, id, &decision, &version).await;
        messages::news(ctx, &decided.or_explain(ctx)?)
    })
    .await
}

/// A person writes down what they did about money that did not reach the buyer: `sent_again` in Toss's admin, or
/// `paid_otherwise`.
#[server(prefix = "/fn", endpoint = "record_way_out")]
pub async fn record_way_out(
    #[server(default)] order_id: String,
    #[server(default)] id: String,
    #[server(default)] way_out: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    action("refund", &page(&order_id), &[("note", &note)], async |ctx| {
        let actor = ctx.allow(Permission::Refund)?;
        let id = parse_id(ctx, &id)?;
        let way_out = WayOut::parse(&way_out).ok_or_else(|| AppError::form(ctx.t("refund-error-form")))?;
        refunds::record_way_out(ctx.backoffice(), &actor, id, way_out, &note).await.or_explain(ctx)?;
        Ok(ctx.t(match way_out {
            WayOut::SentAgain => "way-out-recorded-again",
            WayOut::PaidOtherwise => "way-out-recorded-otherwise",
        }))
    })
    .await
}
