//! What is done to an order: look it up, give money back, settle a mark, find it.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

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
) -> Result<(), AppError> {
    use backoffice::{
        refunds::{Form, RefundError, State},
        staff::Permission,
    };

    use crate::{
        context::{Ctx, shown},
        format,
        pages::refund_words,
        routes,
    };

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
    };
    let outcome = match ctx.books().refund(&actor, &form).await {
        Ok(refund) => {
            let money = format::amount(ctx.words, refund.amount, &refund.currency);
            match refund.state {
                State::Succeeded => Ok(ctx.tr("refund-done", &[("amount", money)])),
                State::Failed => {
                    let why = refund.error_message.or(refund.error_code).unwrap_or_default();
                    Err(AppError::Invalid {
                        field: String::new(),
                        message: ctx.tr("refund-refused-by-toss", &[("why", why)]),
                    })
                }
                State::Requested | State::Sending | State::Unknown => {
                    Ok(ctx.tr("refund-unknown-yet", &[("amount", money)]))
                }
            }
        }
        Err(RefundError::Refused(refused)) => Err(refund_words::invalid(&ctx, &refused)),
        Err(RefundError::Fault(fault)) => Err(shown(&fault)),
    };
    ctx.finish("refund", &values, outcome, &back).await
}

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
    let outcome = match ctx.books().order(&order_id).await {
        Ok(None) => Err(invalid(ctx.t("order-not-found"))),
        Err(fault) => Err(shown(&fault)),
        Ok(Some(order)) => match ctx.books().look_up_known(&actor, &order).await {
            Ok(changed) if changed.is_empty() => Ok(ctx.t("look-up-same")),
            Ok(_) => Ok(ctx.t("look-up-changed")),
            Err(Fault::Toss(error)) if error.is_not_found() => Err(invalid(ctx.t("look-up-not-found"))),
            Err(Fault::Toss(error)) => {
                tracing::warn!(%error, "a look-up by hand");
                Err(invalid(ctx.t("look-up-failed")))
            }
            Err(fault) => Err(shown(&fault)),
        },
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
        Ok(actor) => match ctx.books().settle_attention(&actor, &order_id).await {
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
    let orders = ctx.books().find_orders(q, 8).await.map_err(|fault| shown(&fault))?;
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
