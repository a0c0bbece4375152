//! Campaigns: what each has given of its budget, and a new one.

use backoffice::{promotions::Campaign, staff::Permission};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{functions::AddCampaign, messages::points};
use crate::{
    components::{
        badge,
        form::{self, Field},
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    format, routes,
};

/// Whether it gives now: the tone and the word.
pub fn standing(ctx: &Ctx, campaign: &Campaign) -> (&'static str, String) {
    let now = ctx.backoffice().clock.now();
    let (tone, key) = if campaign.stopped_at.is_some() {
        ("failed", "stopped")
    } else if now < campaign.starts_at {
        ("waiting", "not_started")
    } else if now >= campaign.ends_at {
        ("ended", "ended")
    } else if campaign.left() < campaign.amount {
        ("ended", "spent_all")
    } else {
        ("done", "running")
    };
    (tone, ctx.words.word("campaign", key))
}

pub fn period(campaign: &Campaign) -> String {
    let last = campaign.ends_at - time::Duration::SECOND;
    format!("{} – {}", format::day(campaign.starts_at), format::day(last))
}

fn row(ctx: &Ctx, campaign: Campaign) -> AnyView {
    let href = ctx.href(&routes::campaign(&campaign.promotion_code));
    let spent = format!("{} / {}", points(campaign.promised), points(campaign.budget));
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><code>{campaign.promotion_code.clone()}</code></a></td>
            <td class="what">{campaign.name.clone()}</td>
            <td class="state">{badge::badge(standing(ctx, &campaign))}</td>
            <td class="n amount">{points(campaign.amount)}</td>
            <td class="spent">
                <meter min="0" max=campaign.budget.to_string() value=campaign.promised.to_string() aria-label=spent.clone()></meter>
                " " <span class="soft">{spent}</span>
            </td>
            <td class="when">{period(&campaign)}</td>
        </tr>
    }
    .into_any()
}

fn new(ctx: &Ctx, flash: &Flash) -> AnyView {
    let number = |name: &'static str, key: &str, hint: &str| Field {
        input_mode: "numeric",
        hint: Some(ctx.words.get(hint, &[])),
        ..Field::text(name, ctx.words.get(key, &[]), flash)
    };
    let day = |name: &'static str, key: &str| Field {
        kind: "date",
        value: format::iso_day(ctx.backoffice().clock.today()),
        ..Field::text(name, ctx.words.get(key, &[]), flash)
    };
    let error = flash.is_error.then(|| form::notice(flash));
    view! {
        <section class="card">
            <h2>{ctx.t("campaign-new")}</h2>
            {error}
            <form class="pad" method="post" action=ctx.href(AddCampaign::PATH)>
                {Field { hint: Some(ctx.t("campaign-code-hint")), ..Field::text("promotion_code", ctx.t("campaign-code"), flash) }.view()}
                {Field::text("name", ctx.t("col-name"), flash).view()}
                {number("amount", "campaign-amount", "campaign-amount-hint").view()}
                {number("user_cap", "campaign-cap", "campaign-cap-hint").view()}
                {number("budget", "campaign-budget", "campaign-budget-hint").view()}
                {day("starts_on", "filter-from").view()}
                {day("ends_on", "filter-to").view()}
                {number("approval_above", "campaign-approval", "campaign-approval-hint").view()}
                <button class="button" type="submit">{ctx.t("campaign-add")}</button>
            </form>
        </section>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let mut flash = ctx.take_flash().await;
    let own = if flash.form == "campaign" { flash.clone() } else { Flash::default() };
    if own.is_error {
        flash.notice = None;
    }
    let new = ctx.may(Permission::ManageCampaigns).then(|| new(&ctx, &own));
    let missing = ctx.backoffice().apps_in_toss.is_none().then(|| {
        view! { <p class="notice bad" role="note">{ctx.t("apps-in-toss-missing")}</p> }
    });
    let heading = view! { <h1>{ctx.t("nav-promotions")}</h1> {missing} };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::PROMOTIONS)} }.into_any(),
        Ok(cursor) => {
            let page =
                backoffice::promotions::campaigns::list(ctx.backoffice(), cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: routes::PROMOTIONS,
                class: "campaign-rows",
                headers: vec![
                    list::head(&ctx, "campaign-code"),
                    list::head(&ctx, "col-name"),
                    list::head(&ctx, "col-status"),
                    list::figures(&ctx, "campaign-amount"),
                    list::head(&ctx, "campaign-spent"),
                    list::head(&ctx, "campaign-period"),
                ],
                empty: (ctx.t("campaigns-empty"), ctx.t("campaigns-empty-hint")),
            };
            view! {
                {heading}
                <div class="two">
                    <div>{list::view(&ctx, &query, spec, page, row)}</div>
                    {new}
                </div>
            }
            .into_any()
        }
    };
    Ok(Frame { title: ctx.t("nav-promotions"), active: routes::PROMOTIONS, flash, body })
}
