//! What Toss posted to us, newest first.

use backoffice::webhooks::{Delivery, Filter};
use leptos::prelude::*;

use super::Answer;
use crate::{
    components::{
        badge, form,
        layout::{self, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    islands::LiveCount,
    routes,
};

const TYPES: [&str; 8] = [
    "PAYMENT_STATUS_CHANGED",
    "DEPOSIT_CALLBACK",
    "CANCEL_STATUS_CHANGED",
    "BILLING_DELETED",
    "METHOD_UPDATED",
    "CUSTOMER_STATUS_CHANGED",
    "payout.changed",
    "seller.changed",
];
const STATES: [&str; 5] = ["received", "applied", "unchanged", "ignored", "failed"];

fn row(ctx: &Ctx, delivery: Delivery) -> AnyView {
    let href = ctx.href(&routes::webhook(delivery.id));
    let name = delivery.event_type.clone().unwrap_or_else(|| ctx.t("webhook-unreadable"));
    let trust = delivery.badge.as_deref().map(|b| badge::badge(badge::trust(ctx, b)));
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href>{name}</a></td>
            <td class="what"><code>{delivery.order_id.unwrap_or_else(|| "–".into())}</code></td>
            <td class="buyer">{delivery.body_status.map_or_else(|| "–".into(), |s| badge::payment_status(ctx, &s).1)}</td>
            <td class="trust">{trust}</td>
            <td class="state">{badge::badge(badge::delivery_state(ctx, &delivery.state))}</td>
            <td class="n left">{delivery.retried_count.map(|n| n.to_string())}</td>
            <td class="when">{list::time(delivery.received_at)}</td>
        </tr>
    }
    .into_any()
}

fn filters(ctx: &Ctx, query: &Query) -> AnyView {
    let mut flash = Flash::default();
    for name in ["q", "type", "state"] {
        if let Some(value) = query.get(name) {
            flash.values.insert(name.into(), value);
        }
    }
    let types: Vec<(String, String)> = std::iter::once((String::new(), ctx.t("all-types")))
        .chain(TYPES.map(|t| (t.to_owned(), ctx.words.word("event-type", t))))
        .collect();
    let states: Vec<(String, String)> = std::iter::once((String::new(), ctx.t("all-states")))
        .chain(STATES.map(|s| (s.to_owned(), badge::delivery_state(ctx, s).1)))
        .collect();
    let q = form::Field { kind: "search", ..form::Field::text("q", ctx.t("filter-q-webhooks"), &flash) };
    view! {
        <form class="filters" method="get" action=ctx.href(routes::WEBHOOKS)>
            {q.view()}
            {form::select("type", ctx.t("col-event"), types, "", &flash)}
            {form::select("state", ctx.t("col-handled"), states, "", &flash)}
            <div class="filter-acts">
                <button class="button" type="submit">{ctx.t("filter-apply")}</button>
                <a class="link" href=ctx.href(routes::WEBHOOKS)>{ctx.t("filter-clear")}</a>
            </div>
        </form>
    }
    .into_any()
}

pub fn tabs(ctx: &Ctx, active: &str) -> AnyView {
    let views = [(routes::WEBHOOKS, "webhooks-came"), (routes::MISSING_EVENTS, "nav-missing")];
    layout::tabs(ctx, "nav-webhooks", &views, active)
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let filter = Filter {
        event_type: query.get("type"),
        state: query.get("state"),
        badge: query.get("badge"),
        q: query.get("q"),
    };
    let heading =
        view! { <h1>{ctx.t("nav-webhooks")}</h1> {tabs(&ctx, routes::WEBHOOKS)} {filters(&ctx, &query)} };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::WEBHOOKS)} }.into_any(),
        Ok(cursor) => {
            let page = ctx.books().webhooks(&filter, cursor.as_ref(), SIZE).await?;
            let newest = page.rows.first().map_or(0, |d| d.id);
            let live = cursor.is_none().then(|| {
                view! {
                    <LiveCount newest=newest words=ctx.tr("webhooks-new", &[("count", "{}".into())]) href=ctx.href(routes::WEBHOOKS)/>
                }
            });
            let look = list::Look {
                path: routes::WEBHOOKS,
                class: "webhook-rows",
                heads: vec![
                    list::head(&ctx, "col-event"),
                    list::head(&ctx, "col-order"),
                    list::head(&ctx, "col-said"),
                    list::head(&ctx, "col-trust"),
                    list::head(&ctx, "col-handled"),
                    list::figures(&ctx, "col-retries"),
                    list::head(&ctx, "col-received-at"),
                ],
                empty: (ctx.t("webhooks-empty"), ctx.tr("webhooks-empty-hint", &[("url", hook_url(&ctx))])),
            };
            view! { {heading} {live} {list::view(&ctx, &query, look, page, row)} }.into_any()
        }
    };
    Ok(Frame { title: ctx.t("nav-webhooks"), active: routes::WEBHOOKS, flash, body })
}

/// Where Toss has to post to.
pub fn hook_url(ctx: &Ctx) -> String {
    format!("{}{}/hooks/toss-payments", ctx.site.public_url, ctx.site.base.0)
}
