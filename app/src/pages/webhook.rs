//! One delivery: what it said, how far it was believed, what it changed.

use backoffice::webhooks::Opened;
use leptos::prelude::*;
use serde_json::Value;

use super::{Answer, errors};
use crate::{
    components::{badge, layout::Frame},
    context::Ctx,
    format, routes,
};

/// Headers that carry a secret.
const SECRET_HEADERS: [&str; 3] = ["authorization", "cookie", "tosspayments-webhook-signature"];

fn body_text(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            format::redact(&mut value);
            serde_json::to_string_pretty(&value).unwrap_or_default()
        }
        // Not JSON: what can be read of it, at most a screenful.
        Err(_) => String::from_utf8_lossy(body).chars().take(4000).collect(),
    }
}

fn changes(ctx: &Ctx, changed: Option<&Value>) -> AnyView {
    let rows: Vec<_> = changed
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, pair)| {
            let shown = |value: Option<&Value>| match (name.as_str(), value) {
                (_, None | Some(Value::Null)) => "–".to_owned(),
                ("status", Some(Value::String(status))) => badge::payment_status(ctx, status).1,
                (_, Some(Value::String(text))) => text.clone(),
                (_, Some(other)) => other.to_string(),
            };
            let (before, after) = (shown(pair.get(0)), shown(pair.get(1)));
            view! {
                <dt><code>{name.clone()}</code></dt>
                <dd>{format!("{before} → {after}")}</dd>
            }
        })
        .collect();
    if rows.is_empty() {
        return view! { <p class="soft">{ctx.t("webhook-changed-nothing")}</p> }.into_any();
    }
    view! { <dl class="facts">{rows}</dl> }.into_any()
}

fn opened(ctx: &Ctx, opened: Opened) -> AnyView {
    let Opened { delivery, headers, body, duplicates } = opened;
    let order = delivery.order_id.clone().map(|id| {
        view! {
            <dt>{ctx.t("col-order")}</dt>
            <dd><a href=ctx.href(&routes::order(&id))><code>{id.clone()}</code></a></dd>
        }
    });
    let first = delivery.duplicate_of.map(|id| {
        view! {
            <dt>{ctx.t("webhook-duplicate-of")}</dt>
            <dd><a href=ctx.href(&routes::webhook(id))>{format!("#{id}")}</a></dd>
        }
    });
    let again = (!duplicates.is_empty()).then(|| {
        let links = duplicates
            .iter()
            .map(|id| view! { <a href=ctx.href(&routes::webhook(*id))>{format!("#{id}")}</a> " " })
            .collect_view();
        view! {
            <dt>{ctx.t("webhook-came-again")}</dt>
            <dd>{links}</dd>
        }
    });
    let headers = headers
        .into_iter()
        .map(|(name, value)| {
            let hidden = SECRET_HEADERS.contains(&name.to_ascii_lowercase().as_str());
            let value = if hidden { "•••".to_owned() } else { value };
            view! {
                <dt><code>{name}</code></dt>
                <dd><code>{value}</code></dd>
            }
        })
        .collect_view();
    let explain =
        delivery.badge.as_deref().map(|b| view! { <p class="soft">{ctx.words.word("trust-why", b)}</p> });
    let text = |value: Option<String>| value.unwrap_or_else(|| "–".into());
    let size = ctx.tr("webhook-bytes", &[("count", body.len().to_string())]);
    view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::WEBHOOKS)>{ctx.t("nav-webhooks")}</a>
            " / "
            <h1>{format!("#{}", delivery.id)}</h1>
        </nav>
        <div class="two even">
            <section class="card pad">
                <p class="badges">
                    {delivery.badge.as_deref().map(|b| badge::badge(badge::trust(ctx, b)))}
                    {badge::badge(badge::delivery_state(ctx, &delivery.state))}
                </p>
                {explain}
                <dl class="facts">
                    <dt>{ctx.t("col-event")}</dt>
                    <dd>{text(delivery.event_type.clone())}</dd>
                    {order}
                    <dt>"transmission-id"</dt>
                    <dd><code>{text(delivery.transmission_id.clone())}</code></dd>
                    <dt>{ctx.t("col-retries")}</dt>
                    <dd>{text(delivery.retried_count.map(|n| n.to_string()))}</dd>
                    <dt>{ctx.t("col-received-at")}</dt>
                    <dd>{format::full_time(delivery.received_at)}</dd>
                    <dt>{ctx.t("webhook-processed-at")}</dt>
                    <dd>{text(delivery.processed_at.map(format::full_time))}</dd>
                    <dt>{ctx.t("webhook-from")}</dt>
                    <dd><code>{text(delivery.source_ip.clone())}</code></dd>
                    <dt>{ctx.t("webhook-answer")}</dt>
                    <dd>"200"</dd>
                    {first}
                    {again}
                    {delivery.error.clone().map(|error| view! { <dt>{ctx.t("webhook-error")}</dt> <dd>{error}</dd> })}
                </dl>
                <h2>{ctx.t("webhook-changed")}</h2>
                {changes(ctx, delivery.changed.as_ref())}
            </section>
            <section class="card pad">
                <h2>{ctx.t("webhook-body")} " " <small class="soft">{size}</small></h2>
                <pre tabindex="0" aria-label=ctx.t("webhook-body")>{body_text(&body)}</pre>
                <h2>{ctx.t("webhook-headers")}</h2>
                <dl class="facts wide">{headers}</dl>
            </section>
        </div>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, id: String) -> Answer {
    let flash = ctx.take_flash().await;
    let found = match id.parse::<i64>() {
        Ok(id) => ctx.books().webhook(id).await?,
        Err(_) => None,
    };
    let Some(found) = found else { return Ok(errors::missing(&ctx, ctx.t("webhook-not-found"))) };
    let title = format!("{} #{}", ctx.t("nav-webhooks"), found.delivery.id);
    Ok(Frame { title, active: routes::WEBHOOKS, flash, body: opened(&ctx, found) })
}
