//! Events in words: what happened, about what, and how far it was told.

use backoffice::events::{Attempt, Endpoint, Event, Kind, Outcome, State, Told, Way, Why};
use leptos::prelude::*;

use crate::{components::badge::badge, context::Ctx, format, routes};

pub fn kind(ctx: &Ctx, kind: Kind) -> String {
    ctx.words.word("event-kind", kind.as_str())
}

/// What a kind is about: the word before its dot.
pub fn noun(kind: Kind) -> &'static str {
    kind.as_str().split('.').next().unwrap_or_default()
}

/// What an event is about, with a way there.
pub fn about(ctx: &Ctx, event: &Event) -> AnyView {
    let (noun, key) = event.subject.split_once(':').unwrap_or((&event.subject, ""));
    let word = ctx.words.word("event-noun", noun);
    let href = match noun {
        "order" => Some(routes::order(key)),
        "iap" => Some(format!("{}?q={}", routes::IAP, routes::encode(key))),
        "user" => key.parse().ok().map(routes::user),
        "grant" => event.data["promotionCode"].as_str().map(routes::campaign),
        "difference" => Some(routes::difference(&difference_key(key))),
        "endpoint" => Some(routes::event_endpoint(&key)),
        "webhooks" => Some(routes::WEBHOOKS.to_owned()),
        _ => None,
    };
    let shown = match noun {
        "difference" => difference_key(key),
        // Nobody knows them by their ids.
        "endpoint" => String::new(),
        "grant" => event.data["promotionCode"].as_str().unwrap_or_default().to_owned(),
        _ => key.to_owned(),
    };
    let is_named = !shown.is_empty();
    let shown =
        if shown.is_empty() { word.clone().into_any() } else { view! { <code>{shown}</code> }.into_any() };
    let before = is_named.then(|| view! { <span class="soft">{word}</span> " " });
    match href.filter(|href| ctx.may_open(href.split('?').next().unwrap_or(href))) {
        Some(href) => view! { {before} <a href=ctx.href(&href)>{shown}</a> }.into_any(),
        None => view! { {before} {shown} }.into_any(),
    }
}

/// As a difference stands in an address: the number of a row only where it is not the first.
fn difference_key(key: &str) -> String {
    match key.rsplit_once(':') {
        Some((transaction, "1")) => transaction.to_owned(),
        Some((transaction, occurrence)) => format!("{transaction}~{occurrence}"),
        None => key.to_owned(),
    }
}

/// How far it is told, over all endpoints.
pub fn told(ctx: &Ctx, told: &Told) -> AnyView {
    let one = |count: i64, tone: &'static str, key: &str| {
        (count > 0).then(|| {
            let word = ctx.words.get(key, &[("count", count.to_string())]);
            view! { {badge((tone, word))} " " }
        })
    };
    if told.waiting + told.delivered + told.given_up == 0 {
        return view! { <span class="soft">{ctx.t("event-told-nobody")}</span> }.into_any();
    }
    view! {
        {one(told.given_up, "failed", "event-told-given-up")}
        {one(told.waiting, "waiting", "event-told-waiting")}
        {one(told.delivered, "done", "event-told-delivered")}
    }
    .into_any()
}

pub fn outcome(ctx: &Ctx, outcome: Outcome) -> (&'static str, String) {
    let tone = match outcome {
        Outcome::Delivered => "done",
        Outcome::Failed => "waiting",
        Outcome::GivenUp => "failed",
    };
    (tone, ctx.words.word("event-outcome", outcome.as_str()))
}

/// What an endpoint has said, or why there was no answer.
pub fn error(ctx: &Ctx, text: &str) -> String {
    let (known, detail) = text.split_once(": ").unwrap_or((text, ""));
    let known = known.split(" (os error").next().unwrap_or(known);
    let word = ctx.words.word("event-error", known);
    match (word == known, detail) {
        (true, _) => text.to_owned(),
        (false, "") => word,
        (false, detail) => format!("{word} ({detail})"),
    }
}

/// `HTTP 503 · 12 ms`, or why there was no answer.
pub fn answered(ctx: &Ctx, attempt: &Attempt) -> String {
    let said = match attempt.status {
        Some(status) => format!("HTTP {status}"),
        None => error(ctx, &attempt.answer),
    };
    format!("{said} · {} ms", format::count(attempt.ms.into()))
}

pub fn state(ctx: &Ctx, endpoint: &Endpoint) -> (&'static str, String) {
    match endpoint.state {
        State::Disabled => ("ended", ctx.t("endpoint-state-disabled")),
        State::Paused => ("failed", ctx.t("endpoint-state-paused")),
        State::Active if endpoint.failing_since.is_some() => ("failed", ctx.t("endpoint-state-failing")),
        State::Active => ("done", ctx.t("endpoint-state-active")),
    }
}

/// Why it stands as it does, where there is something to say.
pub fn why(ctx: &Ctx, endpoint: &Endpoint) -> Option<String> {
    match (endpoint.state, endpoint.paused_because, endpoint.failing_since) {
        (State::Paused, Some(why), _) => Some(paused_because(ctx, why)),
        (State::Active, _, Some(since)) => {
            let since = ctx.tr("endpoint-failing-since", &[("time", format::short_time(since))]);
            let next =
                endpoint.retry_at.map(|at| ctx.tr("endpoint-next-try", &[("time", format::short_time(at))]));
            Some([Some(since), next].into_iter().flatten().collect::<Vec<_>>().join(" · "))
        }
        _ => None,
    }
}

pub fn paused_because(ctx: &Ctx, why: Why) -> String {
    ctx.words.word("endpoint-paused", why.as_str())
}

/// Counts stop at a thousand.
pub fn waiting(endpoint: &Endpoint) -> String {
    if endpoint.waiting >= 1000 { "1,000+".to_owned() } else { endpoint.waiting.to_string() }
}

/// Where it goes. What stands behind a question mark may be a password: only whoever may change it sees it.
pub fn address(ctx: &Ctx, endpoint: &Endpoint) -> String {
    let url = match (&endpoint.url, endpoint.way) {
        (Some(url), Way::Http) => url.as_str(),
        _ => return ctx.t("endpoint-way-stream"),
    };
    match url.split_once('?') {
        Some((open, _)) if !ctx.may(backoffice::staff::Permission::ManageEvents) => format!("{open}?•••"),
        _ => url.to_owned(),
    }
}

/// How many kinds of events it hears of.
pub fn kinds_count(ctx: &Ctx, endpoint: &Endpoint) -> String {
    match endpoint.kinds.len() {
        0 => ctx.t("endpoint-kinds-all"),
        count => ctx.tr("endpoint-kinds-count", &[("count", count.to_string())]),
    }
}

pub fn kinds(ctx: &Ctx, endpoint: &Endpoint) -> String {
    match endpoint.kinds.as_slice() {
        [] => ctx.t("endpoint-kinds-all"),
        some => some.iter().map(|one| kind(ctx, *one)).collect::<Vec<_>>().join(", "),
    }
}
