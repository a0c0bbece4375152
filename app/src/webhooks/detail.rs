//! One delivery: what it said, how far it was believed, what it changed.

use backoffice::{
    staff::Permission,
    webhooks::{Delivery, Opened},
};
use leptos::{prelude::*, server_fn::ServerFn};
use serde_json::Value;

use super::{diff, functions::RevealWebhook, list, replay::functions::ReplayWebhook, series};
use crate::{
    components::{
        badge, errors,
        layout::{Answer, Frame},
        reveal,
    },
    context::Ctx,
    flash::Flash,
    format, routes,
};

/// Headers that carry a secret.
const SHOWN_HEADERS: [&str; 8] = [
    "accept",
    "content-length",
    "content-type",
    "host",
    "tosspayments-webhook-transmission-id",
    "tosspayments-webhook-transmission-retried-count",
    "tosspayments-webhook-transmission-time",
    "user-agent",
];

/// Longer bodies are no webhooks of Toss's; laid out, some would fill the memory.
const SHOWN: usize = 64 << 10;

fn body_text(ctx: &Ctx, body: &[u8], is_revealed: bool) -> String {
    if body.len() > SHOWN {
        return ctx.t("webhook-body-too-long");
    }
    match serde_json::from_slice::<Value>(body) {
        Err(_) if is_revealed => String::from_utf8_lossy(body).into_owned(),
        Ok(mut value) => {
            format::redact(&mut value);
            serde_json::to_string_pretty(&value).unwrap_or_default()
        }
        // Whatever it is, it may be anybody's data.
        Err(_) => ctx.t("webhook-body-not-json"),
    }
}

/// Whether it is a body that nothing can be masked of.
fn is_hidden(body: &[u8]) -> bool {
    body.len() <= SHOWN && serde_json::from_slice::<Value>(body).is_err()
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

/// What matched: which value of the header, and how the key was read.
fn proof(ctx: &Ctx, proof: &Value) -> Option<String> {
    let value = proof.get("value")?.to_string();
    let reading = ctx.words.word("key-reading", proof.get("reading")?.as_str()?);
    Some(ctx.tr("webhook-proof", &[("value", value), ("reading", reading)]))
}

fn facts(ctx: &Ctx, delivery: &Delivery) -> AnyView {
    let text = |value: Option<String>| value.unwrap_or_else(|| "–".into());
    let event_type = delivery.event_type.clone().map(|t| view! { " " <code>{t}</code> });
    let first = delivery.duplicate_of.map(|id| {
        view! {
            <dt>{ctx.t("webhook-duplicate-of")}</dt>
            <dd><a href=ctx.href(&routes::webhook(&id))>{ctx.t("webhook-first")}</a></dd>
        }
    });
    let took = delivery.answered_in_us.map(|us| format!(" · {:.1} ms", f64::from(us) / 1000.0));
    view! {
        <dl class="facts">
            <dt>{ctx.t("col-event")}</dt>
            <dd>{list::event_name(ctx, delivery.event_type.as_deref())} {event_type}</dd>
            <dt>{ctx.t("webhook-about")}</dt>
            <dd>{list::subject(ctx, delivery)}</dd>
            {delivery.payment_key.clone().map(|key| view! { <dt>"paymentKey"</dt> <dd><code>{key}</code></dd> })}
            <dt>"transmission-id"</dt>
            <dd><code>{text(delivery.transmission_id.clone())}</code></dd>
            <dt>{ctx.t("col-received-at")}</dt>
            <dd>{format::full_time(delivery.received_at)}</dd>
            <dt>{ctx.t("webhook-answer")}</dt>
            <dd>"200" {took}</dd>
            <dt>{ctx.t("webhook-processed-at")}</dt>
            <dd>{text(delivery.processed_at.map(format::full_time))}</dd>
            <dt>{ctx.t("webhook-from")}</dt>
            <dd><code>{text(delivery.source_ip.clone())}</code></dd>
            {first}
            {delivery.error.clone().map(|error| view! { <dt>{ctx.t("webhook-error")}</dt> <dd>{error}</dd> })}
        </dl>
    }
    .into_any()
}

fn opened(ctx: &Ctx, opened: Opened, is_revealed: bool, flash: &Flash) -> AnyView {
    let Opened { delivery, headers, body, series, now } = opened;
    let headers = headers
        .into_iter()
        .map(|(name, value)| {
            let hidden = !SHOWN_HEADERS.contains(&name.to_ascii_lowercase().as_str());
            let value = if hidden { "•••".to_owned() } else { value };
            view! {
                <dt><code>{name}</code></dt>
                <dd><code>{value}</code></dd>
            }
        })
        .collect_view();
    let explain = delivery
        .badges
        .iter()
        .map(|b| view! { <p class="soft">{ctx.words.word("trust-why", b)}</p> })
        .collect_view();
    let matched =
        delivery.proof.as_ref().and_then(|p| proof(ctx, p)).map(|line| view! { <p class="soft">{line}</p> });
    let again = ctx.may(Permission::LookUpAtToss).then(|| {
        view! {
            <form class="actions" method="post" action=ctx.href(ReplayWebhook::PATH)>
                <input type="hidden" name="id" value=delivery.id.to_string()/>
                <button class="button quiet" type="submit">{ctx.t("replay-one")}</button>
                <span class="soft">{ctx.t("replay-one-hint")}</span>
            </form>
        }
    });
    let diff = now.filter(|_| body.len() <= SHOWN).and_then(|(now, at)| diff::view(ctx, &body, &now, at));
    let show = (!is_revealed && is_hidden(&body)).then(|| {
        let of = ("id", delivery.id.to_string());
        reveal::form(ctx, RevealWebhook::PATH, of, ctx.t("webhook-show"), flash)
    });
    let size = ctx.tr("webhook-bytes", &[("count", body.len().to_string())]);
    view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::WEBHOOKS)>{ctx.t("nav-webhooks")}</a>
            " / "
            <h1>{title(ctx, &delivery)}</h1>
        </nav>
        <div class="two even">
            <section class="card pad">
                <p class="badges">
                    {list::badges(ctx, &delivery)}
                    {badge::badge(badge::delivery_state(ctx, &delivery.state))}
                </p>
                {explain}
                {matched}
                {facts(ctx, &delivery)}
                {again}
                <h2>{ctx.t("webhook-changed")}</h2>
                {changes(ctx, delivery.changed.as_ref())}
                {diff}
            </section>
            <section class="card pad">
                {series::view(ctx, &series, &delivery)}
                <h2>{ctx.t("webhook-body")} " " <small class="soft">{size}</small></h2>
                <pre tabindex="0" aria-label=ctx.t("webhook-body")>{body_text(ctx, &body, is_revealed)}</pre>
                {show}
                <h2>{ctx.t("webhook-headers")}</h2>
                <dl class="facts wide">{headers}</dl>
            </section>
        </div>
    }
    .into_any()
}

fn title(ctx: &Ctx, delivery: &Delivery) -> String {
    let name = list::event_name(ctx, delivery.event_type.as_deref());
    format!("{name} · {}", format::short_time(delivery.received_at))
}

pub async fn page(ctx: Ctx, id: String) -> Answer {
    let flash = ctx.take_flash().await;
    let found = match uuid::Uuid::try_parse(&id) {
        Ok(id) => backoffice::webhooks::get(ctx.backoffice(), id).await?,
        Err(_) => None,
    };
    let Some(found) = found else { return Ok(errors::missing(&ctx, ctx.t("webhook-not-found"))) };
    let title = title(&ctx, &found.delivery);
    if let Some(actor) = ctx.actor() {
        backoffice::webhooks::note_view(ctx.backoffice(), &actor, &found).await?;
    }
    let is_revealed = ctx.is_revealed(&routes::webhook(&found.delivery.id)).await;
    let body = opened(&ctx, found, is_revealed, &flash);
    Ok(Frame { title, active: routes::WEBHOOKS, flash, body })
}
