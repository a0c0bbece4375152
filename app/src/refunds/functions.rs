//! What is done to a refund: ask for it, decide on it as the second person, settle what no machine can tell.

use leptos::prelude::*;

use crate::error::AppError;

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
    #[server(default)] for_return: String,
) -> Result<(), AppError> {
    use backoffice::{refunds::Form, staff::Permission};

    use super::messages;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let values = [
        ("amount", amount.as_str()),
        ("reason_code", reason_code.as_str()),
        ("reason", reason.as_str()),
        ("bank", bank.as_str()),
        ("account_number", account_number.as_str()),
        ("holder_name", holder_name.as_str()),
    ];
    let back = format!("{}#refund", routes::order(&order_id));
    let actor = match ctx.allow(Permission::Refund) {
        Ok(actor) => actor,
        Err(error) => return ctx.finish("refund", &values, Err(error), &back).await,
    };
    // Nobody has to write prose: the words of the chosen reason go to Toss.
    let said = if reason.trim().is_empty() { ctx.words.word("reason", &reason_code) } else { reason.clone() };
    let form = Form {
        intent,
        order_id: order_id.clone(),
        amount: amount.clone(),
        reason_code: reason_code.clone(),
        reason: said,
        bank: bank.clone(),
        account_number: account_number.clone(),
        holder_name: holder_name.clone(),
        for_return: for_return == "1",
    };
    let outcome = messages::outcome(&ctx, backoffice::refunds::request(ctx.books(), &actor, &form).await);
    ctx.finish("refund", &values, outcome, &back).await
}

/// The second person approves: the refund is tried at once.
#[server(prefix = "/fn", endpoint = "approve_refund")]
pub async fn approve_refund(
    #[server(default)] order_id: String,
    #[server(default)] id: String,
) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = format!("{}#refund", routes::order(&order_id));
    let outcome = match messages::about(&ctx, Permission::ApproveRefund, &id) {
        Ok((actor, id)) => {
            messages::outcome(&ctx, backoffice::refunds::approve(ctx.books(), &actor, id).await)
        }
        Err(error) => Err(error),
    };
    ctx.finish("refund", &[], outcome, &back).await
}

/// The second person declines, and says why.
#[server(prefix = "/fn", endpoint = "decline_refund")]
pub async fn decline_refund(
    #[server(default)] order_id: String,
    #[server(default)] id: String,
    #[server(default)] note: String,
) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = format!("{}#refund", routes::order(&order_id));
    let outcome = match messages::about(&ctx, Permission::ApproveRefund, &id) {
        Ok((actor, id)) => {
            messages::outcome(&ctx, backoffice::refunds::decline(ctx.books(), &actor, id, &note).await)
        }
        Err(error) => Err(error),
    };
    ctx.finish("refund", &[("note", &note)], outcome, &back).await
}

/// Whoever asked takes it back before anybody has decided.
#[server(prefix = "/fn", endpoint = "withdraw_refund")]
pub async fn withdraw_refund(
    #[server(default)] order_id: String,
    #[server(default)] id: String,
) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = format!("{}#refund", routes::order(&order_id));
    let outcome = match messages::about(&ctx, Permission::Refund, &id) {
        Ok((actor, id)) => {
            messages::outcome(&ctx, backoffice::refunds::withdraw(ctx.books(), &actor, id).await)
        }
        Err(error) => Err(error),
    };
    ctx.finish("refund", &[], outcome, &back).await
}

/// A person says how a refund ended that no machine can tell. `ours` is Toss's transactionKey of the cancel that is
/// this refund; empty says that none is.
#[server(prefix = "/fn", endpoint = "decide_refund")]
pub async fn decide_refund(
    #[server(default)] order_id: String,
    #[server(default)] id: String,
    #[server(default)] ours: String,
    #[server(default)] mark: String,
) -> Result<(), AppError> {
    use backoffice::{refunds::Decision, staff::Permission};

    use super::messages;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = format!("{}#refund", routes::order(&order_id));
    let decision = if ours.is_empty() { Decision::NotMade } else { Decision::Ours(ours) };
    let outcome = match messages::about(&ctx, Permission::Refund, &id) {
        Ok((actor, id)) => messages::outcome(
            &ctx,
            backoffice::refunds::decide(ctx.books(), &actor, id, &decision, &mark).await,
        ),
        Err(error) => Err(error),
    };
    ctx.finish("refund", &[], outcome, &back).await
}

/// Above which amounts a second person is asked, for one role. Empty means no limit.
#[server(prefix = "/fn", endpoint = "set_refund_limit")]
pub async fn set_refund_limit(
    #[server(default)] role: String,
    #[server(default)] one_refund: String,
    #[server(default)] per_day: String,
) -> Result<(), AppError> {
    use backoffice::{refunds::LimitError, staff::Permission};

    use super::messages;
    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let values = [("one_refund", one_refund.as_str()), ("per_day", per_day.as_str())];
    // One form per role: what was typed goes back into the right one.
    let form = format!("limit-{role}");
    let back = format!("{}#limits", routes::SETTINGS);
    let at = |field: &str, message: String| AppError::Invalid { field: field.into(), message };
    let outcome = match ctx.allow(Permission::ChangeSettings) {
        Err(error) => Err(error),
        Ok(actor) => {
            match backoffice::refunds::limits::set(ctx.books(), &actor, &role, &one_refund, &per_day).await {
                Ok(Ok(())) => Ok(ctx.tr("limit-kept", &[("role", ctx.words.word("role", &role))])),
                Ok(Err(LimitError::Role)) => Err(at("", ctx.t("staff-error-role"))),
                Ok(Err(LimitError::OneRefund(error))) => Err(at("one_refund", messages::amount(&ctx, error))),
                Ok(Err(LimitError::PerDay(error))) => Err(at("per_day", messages::amount(&ctx, error))),
                Err(fault) => Err(shown(&fault)),
            }
        }
    };
    ctx.finish(&form, &values, outcome, &back).await
}
