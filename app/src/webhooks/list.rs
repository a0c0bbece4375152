//! What Toss posted to us, newest first.

use backoffice::{
    staff::Permission,
    webhooks::{Badge, Delivery, Health, UNTRUSTED},
};
use leptos::prelude::*;

use super::{filter, tabs::tabs};
use crate::{
    components::{
        badge, export, form,
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    format,
    islands::LiveCount,
    routes,
};

const TYPES: [&str; 9] = [
    "PAYMENT_STATUS_CHANGED",
    "DEPOSIT_CALLBACK",
    "CANCEL_STATUS_CHANGED",
    "ORDER_PAYMENT_STATUS_CHANGED",
    "BILLING_DELETED",
    "METHOD_UPDATED",
    "CUSTOMER_STATUS_CHANGED",
    "payout.changed",
    "seller.changed",
];
const STATES: [&str; 5] = ["received", "failed", "applied", "unchanged", "ignored"];

/// What an event is called, in words; what Toss adds tomorrow keeps its own name.
pub fn event_name(ctx: &Ctx, event_type: Option<&str>) -> String {
    event_type.map_or_else(|| ctx.t("webhook-unreadable"), |name| ctx.words.word("event-type", name))
}

/// What a delivery is about, with a way there.
pub fn subject(ctx: &Ctx, delivery: &Delivery) -> AnyView {
    if let Some(id) = delivery.order_id.clone() {
        let href = ctx.href(&routes::order(&id));
        return view! { <a href=href><code>{id}</code></a> }.into_any();
    }
    let Some(id) = delivery.subject_id.clone() else { return "–".into_any() };
    let kind = ctx.words.word("subject", delivery.subject.as_deref().unwrap_or("other"));
    // A billing key pays whoever holds it: not even an address carries it.
    if delivery.subject.as_deref() == Some("billing_key") {
        return view! { {kind} " " <code>{format::mask_number(&id)}</code> }.into_any();
    }
    let href = ctx.href(&format!("{}?q={}", routes::WEBHOOKS, routes::encode(&id)));
    view! { {kind} " " <a href=href><code>{id}</code></a> }.into_any()
}

pub fn badges(ctx: &Ctx, delivery: &Delivery) -> AnyView {
    delivery
        .badges
        .iter()
        .map(|b| view! { {badge::badge(badge::trust(ctx, b))} " " })
        .collect_view()
        .into_any()
}

fn row(ctx: &Ctx, delivery: Delivery) -> AnyView {
    let href = ctx.href(&routes::webhook(&delivery.id));
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href>{event_name(ctx, delivery.event_type.as_deref())}</a></td>
            <td class="what">{subject(ctx, &delivery)}</td>
            <td class="buyer">{delivery.body_status.as_deref().map_or_else(|| "–".into(), |s| badge::payment_status(ctx, s).1)}</td>
            <td class="trust">{badges(ctx, &delivery)}</td>
            <td class="state">{badge::badge(badge::delivery_state(ctx, &delivery.state))}</td>
            <td class="n left">{delivery.retried_count.map(|n| n.to_string())}</td>
            <td class="when">{list::time(delivery.received_at)}</td>
        </tr>
    }
    .into_any()
}

fn filters(ctx: &Ctx, flash: &Flash) -> AnyView {
    let options = |all: &str, words: Vec<(String, String)>| {
        std::iter::once((String::new(), ctx.words.get(all, &[]))).chain(words).collect::<Vec<_>>()
    };
    let types = TYPES.map(|t| (t.to_owned(), ctx.words.word("event-type", t))).to_vec();
    let trust = std::iter::once(UNTRUSTED)
        .chain(Badge::ALL.map(Badge::as_str))
        .map(|b| (b.to_owned(), badge::trust(ctx, b).1))
        .collect();
    let states = STATES.map(|s| (s.to_owned(), badge::delivery_state(ctx, s).1)).to_vec();
    let q = form::Field { kind: "search", ..form::Field::text("q", ctx.t("filter-q-webhooks"), flash) };
    view! {
        <form class="filters" method="get" action=ctx.href(routes::WEBHOOKS)>
            {q.view()}
            {form::select("event", ctx.t("col-event"), options("all-types", types), "", flash)}
            {form::select("badge", ctx.t("col-trust"), options("all-badges", trust), "", flash)}
            {form::select("state", ctx.t("col-handled"), options("all-states", states), "", flash)}
            {form::filter_days(ctx, flash)}
            {form::filter_actions(ctx, routes::WEBHOOKS)}
        </form>
    }
    .into_any()
}

/// How the stream is: one line, and what is wrong with it behind.
fn health(ctx: &Ctx, health: &Health) -> AnyView {
    let link = |state: &str| ctx.href(&format!("{}?{state}", routes::WEBHOOKS));
    let count = |key: &str, n: i64, tone: &'static str, href: Option<String>| {
        (n > 0).then(|| {
            let word = ctx.words.get(key, &[("count", if n >= 100 { "100+".into() } else { n.to_string() })]);
            match href {
                Some(href) => {
                    view! { <li><a href=href><span class=format!("dot {tone}")></span>{word}</a></li> }
                        .into_any()
                }
                None => view! { <li><span class=format!("dot {tone}")></span>{word}</li> }.into_any(),
            }
        })
    };
    let last = health.last_at.map_or_else(
        || ctx.t("webhook-health-none"),
        |at| ctx.tr("webhook-health-last", &[("time", format::short_time(at))]),
    );
    let silence = health.silence.map(|silence| {
        let line = ctx.tr(
            "webhook-health-silent",
            &[("time", format::short_time(silence.since)), ("usual", format!("{:.0}", silence.usual))],
        );
        view! { <p class="notice bad" role="note">{line}</p> }
    });
    let tone = if health.silence.is_some() { "failed" } else { "done" };
    view! {
        {silence}
        <ul class="health">
            <li><span class=format!("dot {tone}")></span>{last}</li>
            {count("webhook-health-failed", health.failed, "failed", Some(link("state=failed")))}
            {count("webhook-health-retried", health.retried, "waiting", None)}
            {count("webhook-health-untrusted", health.untrusted, "failed", Some(link("badge=untrusted")))}
        </ul>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let (filter, typed) = filter::from_query(&ctx, &query);
    let again = ctx.may(Permission::LookUpAtToss).then(|| {
        let href = ctx.href(&format!("{}{}", routes::WEBHOOK_REPLAYS, query.with("", "")));
        view! { <p class="again"><a class="link" href=href>{ctx.t("webhooks-replay")}</a></p> }
    });
    let heading = view! {
        <h1>{ctx.t("nav-webhooks")}</h1>
        {tabs(&ctx, routes::WEBHOOKS)}
        {health(&ctx, &backoffice::webhooks::health(ctx.backoffice()).await?)}
        {filters(&ctx, &typed)}
        {again}
    };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::WEBHOOKS)} }.into_any(),
        Ok(cursor) => {
            let page = backoffice::webhooks::list(ctx.backoffice(), &filter, cursor.as_ref(), SIZE).await?;
            let newest = page.rows.first().map(|d| d.id.to_string()).unwrap_or_default();
            let live = cursor.is_none().then(|| {
                view! {
                    <LiveCount newest=newest words=ctx.tr("webhooks-new", &[("count", "{}".into())]) href=ctx.href(routes::WEBHOOKS)/>
                }
            });
            let spec = list::ListSpec {
                path: routes::WEBHOOKS,
                class: "webhook-rows",
                headers: vec![
                    list::head(&ctx, "col-event"),
                    list::head(&ctx, "webhook-about"),
                    list::head(&ctx, "col-said"),
                    list::head(&ctx, "col-trust"),
                    list::head(&ctx, "col-handled"),
                    list::figures(&ctx, "col-retries"),
                    list::head(&ctx, "col-received-at"),
                ],
                empty: (ctx.t("webhooks-empty"), ctx.tr("webhooks-empty-hint", &[("url", hook_url(&ctx))])),
            };
            view! { {heading} {live} {list::view(&ctx, &query, spec, page, row)} {export::form(&ctx, "webhooks", &query)} }.into_any()
        }
    };
    Ok(Frame { title: ctx.t("nav-webhooks"), active: routes::WEBHOOKS, flash, body })
}

/// Where Toss has to post to.
pub fn hook_url(ctx: &Ctx) -> String {
    format!("{}{}/hooks/toss-payments", ctx.site.public_url, ctx.site.base.0)
}
