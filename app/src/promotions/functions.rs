//! Campaigns, and grants to one user.

#[cfg(feature = "ssr")]
use backoffice::{
    promotions::{self, Form, NewCampaign},
    staff::Permission,
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::messages;
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action, parse_id},
    explain::OrExplain as _,
    routes,
};

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
    let new =
        NewCampaign { promotion_code, name, amount, user_cap, budget, starts_on, ends_on, approval_above };
    let typed = [
        ("promotion_code", new.promotion_code.as_str()),
        ("name", &new.name),
        ("amount", &new.amount),
        ("user_cap", &new.user_cap),
        ("budget", &new.budget),
        ("starts_on", &new.starts_on),
        ("ends_on", &new.ends_on),
        ("approval_above", &new.approval_above),
    ];
    action("campaign", routes::PROMOTIONS, &typed, async |ctx| {
        let actor = ctx.allow(Permission::ManageCampaigns)?;
        let added = promotions::campaigns::add(ctx.backoffice(), &actor, &new).await.or_explain(ctx)?;
        let code = added.or_explain(ctx)?;
        Ok(Done::on(routes::campaign(&code), ctx.t("campaign-added")))
    })
    .await
}

/// A second administrator has seen that it gives points on one person's word.
#[server(prefix = "/fn", endpoint = "approve_campaign")]
pub async fn approve_campaign(#[server(default)] promotion_code: String) -> Result<(), AppError> {
    action("campaign", &routes::campaign(&promotion_code), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageCampaigns)?;
        promotions::campaigns::approve(ctx.backoffice(), &actor, &promotion_code).await.or_explain(ctx)?;
        Ok(ctx.t("campaign-approved"))
    })
    .await
}

/// No more grants begin, or (with an empty `stop`) they may again.
#[server(prefix = "/fn", endpoint = "stop_campaign")]
pub async fn stop_campaign(
    #[server(default)] promotion_code: String,
    #[server(default)] stop: String,
) -> Result<(), AppError> {
    action("campaign", &routes::campaign(&promotion_code), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageCampaigns)?;
        let stop = stop == "1";
        let changed = promotions::campaigns::stop(ctx.backoffice(), &actor, &promotion_code, stop)
            .await
            .or_explain(ctx)?;
        Ok(ctx.t(match (changed, stop) {
            (true, true) => "campaign-was-stopped",
            (true, false) => "campaign-was-resumed",
            (false, _) => "campaign-unchanged",
        }))
    })
    .await
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
    let form = Form { intent, promotion_code, user_key, event, amount, is_test: is_test == "1" };
    let page = format!("{}#grant", routes::campaign(&form.promotion_code));
    let typed = [("user_key", form.user_key.as_str()), ("event", &form.event), ("amount", &form.amount)];
    action("grant", &page, &typed, async |ctx| {
        let actor = ctx.allow(Permission::Grant)?;
        let grant = promotions::grant(ctx.backoffice(), &actor, &form).await.or_explain(ctx)?;
        messages::news(ctx, &grant)
    })
    .await
}

/// The second person approves one grant, and it is paid.
#[server(prefix = "/fn", endpoint = "approve_grant")]
pub async fn approve_grant(
    #[server(default)] promotion_code: String,
    #[server(default)] id: String,
) -> Result<(), AppError> {
    action("grant", &routes::campaign(&promotion_code), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageCampaigns)?;
        let id = parse_id(ctx, &id)?;
        let grant = promotions::approve(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        messages::news(ctx, &grant)
    })
    .await
}

#[server(prefix = "/fn", endpoint = "decline_grant")]
pub async fn decline_grant(
    #[server(default)] promotion_code: String,
    #[server(default)] id: String,
) -> Result<(), AppError> {
    action("grant", &routes::campaign(&promotion_code), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageCampaigns)?;
        let id = parse_id(ctx, &id)?;
        let grant = promotions::decline(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        messages::news(ctx, &grant)
    })
    .await
}

/// A person who has looked into Toss's console settles a grant: `paid` is "1" or empty.
#[server(prefix = "/fn", endpoint = "decide_grant")]
pub async fn decide_grant(
    #[server(default)] promotion_code: String,
    #[server(default)] id: String,
    #[server(default)] paid: String,
) -> Result<(), AppError> {
    action("grant", &routes::campaign(&promotion_code), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageCampaigns)?;
        let id = parse_id(ctx, &id)?;
        let grant = promotions::decide(ctx.backoffice(), &actor, id, paid == "1").await.or_explain(ctx)?;
        messages::news(ctx, &grant)
    })
    .await
}
