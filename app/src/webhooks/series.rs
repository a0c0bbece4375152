//! The attempts of one event, drawn along the time that Toss goes on trying: three days and 19 hours, most of it
//! empty, so the line is logarithmic.

use backoffice::webhooks::{Delivery, attempt_minutes};
use leptos::prelude::*;
use time::{Duration, OffsetDateTime};

use super::list;
use crate::{components::badge, context::Ctx, format, routes};

const WIDTH: f64 = 660.0;
const LEFT: f64 = 30.0;

/// When the first attempt was made, told from one that arrived and says how many came before it.
fn began(series: &[Delivery]) -> Option<OffsetDateTime> {
    let planned = attempt_minutes();
    series
        .iter()
        .map(|delivery| {
            let tries = usize::try_from(delivery.retried_count.unwrap_or(0)).unwrap_or(0);
            let minutes = planned.get(tries).or(planned.last()).copied().unwrap_or(0);
            delivery.received_at - Duration::minutes(minutes)
        })
        .min()
}

#[expect(clippy::cast_precision_loss, reason = "minutes of a few days")]
fn x(minutes: i64, longest: i64) -> f64 {
    let scale = |m: i64| (1.0 + m.max(0) as f64).log10();
    LEFT + scale(minutes) / scale(longest) * (WIDTH - 2.0 * LEFT)
}

/// "1분", "1시간 25분", "3일 19시간".
fn span(ctx: &Ctx, minutes: i64) -> String {
    let part = |n: i64, key: &str| (n > 0).then(|| ctx.words.get(key, &[("count", n.to_string())]));
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let parts = [part(days, "span-days"), part(hours, "span-hours"), part(minutes, "span-minutes")];
    parts.into_iter().flatten().take(2).collect::<Vec<_>>().join(" ")
}

fn drawing(ctx: &Ctx, series: &[Delivery], began: OffsetDateTime) -> AnyView {
    let planned = attempt_minutes();
    let after = |delivery: &Delivery| (delivery.received_at - began).whole_minutes();
    let longest =
        series.iter().map(after).max().unwrap_or(0).max(planned.last().copied().unwrap_or(1)).max(1);
    let furthest = series.iter().filter_map(|d| d.retried_count).max().unwrap_or(0);
    let came = |n: usize| {
        series.iter().any(|d| d.retried_count.unwrap_or(0) == i32::try_from(n).unwrap_or(i32::MAX))
    };
    let plan = planned
        .iter()
        .enumerate()
        .map(|(n, minutes)| {
            let at = x(*minutes, longest);
            let lost = i32::try_from(n).is_ok_and(|n| n < furthest) && !came(n);
            let class = if lost { "lost" } else { "planned" };
            let word = if n == 0 { ctx.t("series-first") } else { span(ctx, *minutes) };
            // Names would run into each other at the beginning.
            let y = if n % 2 == 0 { 58 } else { 12 };
            view! {
                <circle class=class cx=at cy="34" r="5"></circle>
                <text x=at y=y text-anchor="middle">{word}</text>
            }
        })
        .collect_view();
    let arrived = series
        .iter()
        .map(|delivery| {
            let (tone, _) = badge::delivery_state(ctx, &delivery.state);
            view! { <circle class=format!("came {tone}") cx=x(after(delivery), longest) cy="34" r="6"></circle> }
        })
        .collect_view();
    let end = WIDTH - LEFT;
    view! {
        <svg class="series" viewBox="0 0 660 66" aria-hidden="true">
            <line x1=LEFT y1="34" x2=end y2="34"></line>
            {plan}
            {arrived}
        </svg>
    }
    .into_any()
}

fn answered(ctx: &Ctx, delivery: &Delivery) -> String {
    let took =
        delivery.answered_in_us.map(|us| format!("{:.1} ms", f64::from(us) / 1000.0)).unwrap_or_default();
    let try_ = match delivery.retried_count {
        Some(0) | None => ctx.t("event-first-try"),
        Some(n) => ctx.tr("event-retry", &[("count", n.to_string())]),
    };
    [try_, format!("200 · {took}")].join(" · ")
}

/// The line, and the same as a list.
pub fn view(ctx: &Ctx, series: &[Delivery], this: &Delivery) -> AnyView {
    let Some(began) = began(series) else { return ().into_any() };
    let furthest = series.iter().filter_map(|d| d.retried_count).max().unwrap_or(0);
    let lost = (0..furthest).filter(|n| !series.iter().any(|d| d.retried_count.unwrap_or(0) == *n)).count();
    let lost = (lost > 0).then(|| {
        let line = ctx.tr("series-lost", &[("count", lost.to_string())]);
        view! { <p class="notice bad" role="note">{line}</p> }
    });
    let rows = series
        .iter()
        .map(|delivery| {
            let is_this = delivery.id == this.id;
            let time = format::full_time(delivery.received_at);
            let name = if is_this {
                view! { <strong>{time}</strong> }.into_any()
            } else {
                let href = ctx.href(&routes::webhook(&delivery.id));
                view! { <a href=href>{time}</a> }.into_any()
            };
            let current = is_this.then_some("true");
            view! {
                <li aria-current=current>
                    {name} " " <span class="soft">{answered(ctx, delivery)}</span> " "
                    {badge::badge(badge::delivery_state(ctx, &delivery.state))} " " {list::badges(ctx, delivery)}
                </li>
            }
        })
        .collect_view();
    view! {
        <h2>{ctx.t("series-title")}</h2>
        {lost}
        {drawing(ctx, series, began)}
        <ol class="attempts">{rows}</ol>
    }
    .into_any()
}
