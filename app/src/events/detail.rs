//! One event: what it said, who has taken it, who waits for it, and every request about it.

use backoffice::{
    events::{self, Attempt, Endpoint, Outcome, State, Told, Waiting},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};
use serde_json::Value;

use super::{functions::ResendEvent, words};
use crate::{
    components::{
        badge::badge,
        errors, form,
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    flash::Flash,
    format,
    islands::Copy,
    routes,
};

fn endpoint_link(ctx: &Ctx, id: &uuid::Uuid, name: &str, endpoints: &[Endpoint]) -> AnyView {
    if endpoints.iter().any(|one| one.id == *id) {
        view! { <a href=ctx.href(&routes::event_endpoint(id))>{name.to_owned()}</a> }.into_any()
    } else {
        // It was removed.
        name.to_owned().into_any()
    }
}

/// When an endpoint that waits for an event is told of it.
fn next(ctx: &Ctx, waiting: &Waiting, endpoint: Option<&Endpoint>) -> String {
    let is_paused = endpoint.is_some_and(|one| one.state == State::Paused);
    let at =
        endpoint.and_then(|one| one.retry_at).map_or(waiting.next_at, |retry| retry.max(waiting.next_at));
    match () {
        () if is_paused => ctx.t("event-waits-paused"),
        () if waiting.is_behind => ctx.t("event-waits-behind"),
        () if at <= ctx.backoffice().clock.now() => ctx.t("event-waits-now"),
        () => ctx.tr("endpoint-next-try", &[("time", format::full_time(at))]),
    }
}

/// How each endpoint stands with this event.
fn receivers(ctx: &Ctx, waiting: &[Waiting], attempts: &[Attempt], endpoints: &[Endpoint]) -> AnyView {
    let waits = waiting.iter().map(|one| {
        let endpoint = endpoints.iter().find(|endpoint| endpoint.id == one.endpoint_id);
        let tries = (one.attempts > 0)
            .then(|| ctx.tr("event-attempts-so-far", &[("count", one.attempts.to_string())]));
        let line =
            [Some(next(ctx, one, endpoint)), tries].into_iter().flatten().collect::<Vec<_>>().join(" · ");
        view! {
            <li>
                {badge(("waiting", ctx.t("event-outcome-waiting")))} " "
                {endpoint_link(ctx, &one.endpoint_id, &one.endpoint_name, endpoints)} " "
                <span class="soft">{line}</span>
            </li>
        }
        .into_any()
    });
    let mut over: Vec<&Attempt> = Vec::new();
    for attempt in attempts {
        let is_known = over.iter().any(|known| known.endpoint_id == attempt.endpoint_id);
        let is_waiting = waiting.iter().any(|one| one.endpoint_id == attempt.endpoint_id);
        if attempt.outcome != Outcome::Failed && !is_known && !is_waiting {
            over.push(attempt);
        }
    }
    let over = over.into_iter().map(|attempt| {
        view! {
            <li>
                {badge(words::outcome(ctx, attempt.outcome))} " "
                {endpoint_link(ctx, &attempt.endpoint_id, &attempt.endpoint_name, endpoints)} " "
                <span class="soft">{format::full_time(attempt.at)}</span>
            </li>
        }
        .into_any()
    });
    let all: Vec<AnyView> = waits.chain(over).collect();
    if all.is_empty() {
        return view! { <p class="soft">{ctx.t("event-receivers-none")}</p> }.into_any();
    }
    view! { <ul class="attempts">{all}</ul> }.into_any()
}

fn attempt(ctx: &Ctx, attempt: Attempt, endpoints: &[Endpoint]) -> AnyView {
    let answer = attempt.answer.trim().to_owned();
    let said = (attempt.status.is_some() && !answer.is_empty()).then(|| {
        view! {
            <details>
                <summary>{ctx.t("event-answer")}</summary>
                <pre tabindex="0" aria-label=ctx.t("event-answer")>{answer}</pre>
            </details>
        }
    });
    view! {
        <li>
            {list::time(attempt.at)} " "
            {endpoint_link(ctx, &attempt.endpoint_id, &attempt.endpoint_name, endpoints)} " "
            {badge(words::outcome(ctx, attempt.outcome))} " "
            <span class="soft">{format!("{} · {}", words::answered(ctx, &attempt), ctx.tr("event-attempt", &[("count", attempt.attempt.to_string())]))}</span>
            {said}
        </li>
    }
    .into_any()
}

fn attempts(ctx: &Ctx, attempts: Vec<Attempt>, endpoints: &[Endpoint]) -> AnyView {
    if attempts.is_empty() {
        return view! { <p class="soft">{ctx.t("event-attempts-none")}</p> }.into_any();
    }
    let lines = attempts.into_iter().map(|one| attempt(ctx, one, endpoints)).collect_view();
    view! { <ol class="attempts">{lines}</ol> }.into_any()
}

/// Tells one endpoint again.
fn again(ctx: &Ctx, told: &Told, endpoints: &[Endpoint], flash: &Flash) -> AnyView {
    let may_hear: Vec<(String, String)> = endpoints
        .iter()
        .filter(|one| one.state != State::Disabled)
        .map(|one| (one.id.to_string(), one.name.clone()))
        .collect();
    if !ctx.may(Permission::ManageEvents) || may_hear.is_empty() {
        return ().into_any();
    }
    let first = may_hear.first().map(|(id, _)| id.clone()).unwrap_or_default();
    view! {
        <section class="card" id="again">
            <h2>{ctx.t("event-again")}</h2>
            <form class="pad" method="post" action=ctx.href(ResendEvent::PATH)>
                <p class="soft">{ctx.t("event-again-hint")}</p>
                <input type="hidden" name="id" value=told.event.id.to_string()/>
                {form::select("endpoint", ctx.t("event-endpoint"), may_hear, &first, flash)}
                <button class="button quiet" type="submit">{ctx.t("event-again-do")}</button>
            </form>
        </section>
    }
    .into_any()
}

/// What is posted, laid out.
fn body(told: &Told) -> String {
    let text = told.event.body();
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap_or(text),
        Err(_) => text,
    }
}

pub async fn page(ctx: Ctx, id: String) -> Answer {
    let flash = ctx.take_flash().await;
    let found = match events::parse_id(&id) {
        Some(id) => events::event(ctx.backoffice(), id).await?,
        None => None,
    };
    let Some(told) = found else { return Ok(errors::missing(&ctx, ctx.t("event-not-found"))) };
    let event = &told.event;
    let endpoints = events::endpoints(ctx.backoffice()).await?;
    let waiting = events::waiting(ctx.backoffice(), event.seq).await?;
    let sent = events::attempts(ctx.backoffice(), event.seq).await?;
    let name = words::kind(&ctx, event.kind);
    let title = format!("{name} · {}", format::short_time(event.at));
    let message_id = event.message_id();
    let page = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::EVENTS)>{ctx.t("nav-events")}</a>
            " / "
            <h1>{title.clone()}</h1>
        </nav>
        <div class="two even">
            <div class="stack">
                <section class="card pad">
                    <p class="badges">{words::told(&ctx, &told)}</p>
                    <dl class="facts">
                        <dt>{ctx.t("col-event")}</dt>
                        <dd>{name} " " <code>{event.kind.as_str()}</code></dd>
                        <dt>{ctx.t("webhook-about")}</dt>
                        <dd>{words::about(&ctx, event)}</dd>
                        <dt>"webhook-id"</dt>
                        <dd><code>{message_id.clone()}</code> " " <Copy text=message_id label=ctx.t("copy") done=ctx.t("copied")/></dd>
                        <dt>{ctx.t("col-at")}</dt>
                        <dd>{format::full_time(event.at)}</dd>
                    </dl>
                    <h2>{ctx.t("event-receivers")}</h2>
                    {receivers(&ctx, &waiting, &sent, &endpoints)}
                    <h2>{ctx.t("event-attempts")}</h2>
                    {attempts(&ctx, sent, &endpoints)}
                </section>
                {again(&ctx, &told, &endpoints, &flash)}
            </div>
            <section class="card pad">
                <h2>{ctx.t("event-body")}</h2>
                <pre tabindex="0" aria-label=ctx.t("event-body")>{body(&told)}</pre>
            </section>
        </div>
    };
    Ok(Frame { title, active: routes::EVENTS, flash, body: page.into_any() })
}
