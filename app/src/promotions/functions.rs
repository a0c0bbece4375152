//! Campaigns, and grants to one user.

use leptos::prelude::*;

use crate::error::AppError;

#[server(prefix = "/fn", endpoint = "add_campaign")]
pub async fn add_campaign(
    #[server(default)] promotion_code: String,
    #[server(default)] name: String,
    #[server(default)] amount: String,
    #[server(default)] user_cap: String,
    #[server(default)] budget: String,
    #[server(default)] starts_on: String,
    #[server(default)] ends_on: String,
    #[server(default)] approval_above: String,
) -> Result<(), AppError> {
    use backoffice::{promotions::NewCampaign, staff::Permission};

    use super::messages;
    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let new =
        NewCampaign { promotion_code, name, amount, user_cap, budget, starts_on, ends_on, approval_above };
    let values = [
        ("promotion_code", new.promotion_code.as_str()),
        ("name", new.name.as_str()),
        ("amount", new.amount.as_str()),
        ("user_cap", new.user_cap.as_str()),
        ("budget", new.budget.as_str()),
        ("starts_on", new.starts_on.as_str()),
        ("ends_on", new.ends_on.as_str()),
        ("approval_above", new.approval_above.as_str()),
    ];
    let mut back = routes::PROMOTIONS.to_owned();
    let outcome = match ctx.allow(Permission::ManageCampaigns) {
        Err(error) => Err(error),
        Ok(actor) => match backoffice::promotions::campaigns::add(ctx.books(), &actor, &new).await {
            Ok(Ok(code)) => {
                back = routes::campaign(&code);
                Ok(ctx.t("campaign-added"))
            }
            Ok(Err(wrong)) => Err(messages::campaign_error(&ctx, wrong)),
            Err(fault) => Err(shown(&fault)),
        },
    };
    ctx.finish("campaign", &values, outcome, &back).await
}

/// No more grants begin, or (with an empty `stop`) they may again.
#[server(prefix = "/fn", endpoint = "stop_campaign")]
pub async fn stop_campaign(
    #[server(default)] promotion_code: String,
    #[server(default)] stop: String,
) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = routes::campaign(&promotion_code);
    let outcome = match ctx.allow(Permission::ManageCampaigns) {
        Err(error) => Err(error),
        Ok(actor) => {
            match backoffice::promotions::campaigns::stop(ctx.books(), &actor, &promotion_code, stop == "1")
                .await
            {
                Ok(true) if stop == "1" => Ok(ctx.t("campaign-was-stopped")),
                Ok(true) => Ok(ctx.t("campaign-was-resumed")),
                Ok(false) => Ok(ctx.t("campaign-unchanged")),
                Err(fault) => Err(shown(&fault)),
            }
        }
    };
    ctx.finish("campaign", &[], outcome, &back).await
}

/// Points to one user. The intent is minted with the form: posting it twice is one grant.
#[server(prefix = "/fn", endpoint = "grant_promotion")]
pub async fn grant_promotion(
    #[server(default)] promotion_code: String,
    #[server(default)] intent: String,
    #[server(default)] user_key: String,
    #[server(default)] event: String,
    #[server(default)] amount: String,
    #[server(default)] is_test: String,
) -> Result<(), AppError> {
    use backoffice::{promotions::Form, staff::Permission};

    use super::messages;
    use crate::{context::Ctx, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let back = format!("{}#grant", routes::campaign(&promotion_code));
    let values = [("user_key", user_key.as_str()), ("event", event.as_str()), ("amount", amount.as_str())];
    let outcome = match ctx.allow(Permission::Grant) {
        Err(error) => Err(error),
        Ok(actor) => {
            let form = Form {
                intent,
                promotion_code: promotion_code.clone(),
                user_key: user_key.clone(),
                event: event.clone(),
                amount: amount.clone(),
                is_test: is_test == "1",
            };
            messages::outcome(&ctx, backoffice::promotions::grant(ctx.books(), &actor, &form).await)
        }
    };
    ctx.finish("grant", &values, outcome, &back).await
}

/// The second person approves one grant, and it is paid.
#[server(prefix = "/fn", endpoint = "approve_grant")]
pub async fn approve_grant(
    #[server(default)] promotion_code: String,
    #[server(default)] id: String,
) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{context::Ctx, refunds, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match refunds::messages::about(&ctx, Permission::ManageCampaigns, &id) {
        Ok((actor, id)) => {
            messages::outcome(&ctx, backoffice::promotions::approve(ctx.books(), &actor, id).await)
        }
        Err(error) => Err(error),
    };
    ctx.finish("grant", &[], outcome, &routes::campaign(&promotion_code)).await
}

#[server(prefix = "/fn", endpoint = "decline_grant")]
pub async fn decline_grant(
    #[server(default)] promotion_code: String,
    #[server(default)] id: String,
) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{context::Ctx, refunds, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match refunds::messages::about(&ctx, Permission::ManageCampaigns, &id) {
        Ok((actor, id)) => {
            messages::outcome(&ctx, backoffice::promotions::decline(ctx.books(), &actor, id).await)
        }
        Err(error) => Err(error),
    };
    ctx.finish("grant", &[], outcome, &routes::campaign(&promotion_code)).await
}

/// A person who has looked into Toss's console settles a grant: `paid` is "1" or empty.
#[server(prefix = "/fn", endpoint = "decide_grant")]
pub async fn decide_grant(
    #[server(default)] promotion_code: String,
    #[server(default)] id: String,
    #[server(default)] paid: String,
) -> Result<(), AppError> {
    use backoffice::staff::Permission;

    use super::messages;
    use crate::{context::Ctx, refunds, routes};

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let outcome = match refunds::messages::about(&ctx, Permission::ManageCampaigns, &id) {
        Ok((actor, id)) => messages::outcome(
            &ctx,
            backoffice::promotions::decide(ctx.books(), &actor, id, paid == "1").await,
        ),
        Err(error) => Err(error),
    };
    ctx.finish("grant", &[], outcome, &routes::campaign(&promotion_code)).await
}
