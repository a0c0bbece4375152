//! Today against yesterday, and what waits for a person.

use backoffice::{Decimal, home::Taken};
use leptos::prelude::*;

use super::Answer;
use crate::{components::layout::Frame, context::Ctx, format, routes};

/// Change against yesterday in whole per cent; nothing to compare with gives nothing.
fn change(today: Taken, yesterday: Taken) -> Option<String> {
    if yesterday.amount.is_zero() {
        return None;
    }
    let percent = ((today.amount - yesterday.amount) * Decimal::ONE_HUNDRED / yesterday.amount).round();
    let sign = if percent.is_sign_negative() { "−" } else { "+" };
    Some(format!("{sign}{}%", percent.abs()))
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let home = ctx.books().home().await?;
    let won = |amount: Decimal| format::amount(ctx.words, amount, "KRW");
    let against = change(home.today, home.yesterday)
        .map(|change| ctx.tr("home-against", &[("change", change)]))
        .unwrap_or_else(|| ctx.t("home-no-yesterday"));
    let figures = [
        (ctx.t("home-sales"), won(home.today.amount), against),
        (
            ctx.t("home-orders"),
            home.today.orders.to_string(),
            ctx.tr("home-yesterday", &[("value", home.yesterday.orders.to_string())]),
        ),
        (
            ctx.t("home-refunds"),
            won(home.refunded_today.amount),
            ctx.tr("home-refund-count", &[("count", home.refunded_today.orders.to_string())]),
        ),
        (
            ctx.t("home-last-webhook"),
            home.last_webhook_at.map_or_else(|| "–".into(), format::short_time),
            ctx.t("home-last-webhook-hint"),
        ),
    ];
    let waiting = home.waiting;
    let tasks = [
        (
            "unknown",
            waiting.refunds_unknown,
            "home-task-unknown",
            format!("{}?state=unknown", routes::REFUNDS),
        ),
        ("failed", waiting.orders_to_look_at, "home-task-orders", format!("{}?attention=1", routes::ORDERS)),
        (
            "failed",
            waiting.webhooks_stuck,
            "home-task-webhooks",
            format!("{}?state=received", routes::WEBHOOKS),
        ),
        ("waiting", waiting.refunds_under_way, "home-task-under-way", routes::REFUNDS.to_owned()),
    ];
    let nothing_waits = tasks.iter().all(|(_, count, ..)| *count == 0);
    let tasks = tasks
        .into_iter()
        .filter(|(_, count, ..)| *count > 0)
        .map(|(tone, count, key, path)| {
            view! {
                <li>
                    <a href=ctx.href(&path)>
                        <span class=format!("dot {tone}")></span>
                        {ctx.words.get(key, &[("count", count.to_string())])}
                    </a>
                </li>
            }
        })
        .collect_view();
    let body = view! {
        <h1>{ctx.t("nav-home")}</h1>
        <p class="soft lead">{ctx.tr("home-day", &[("day", format::iso_day(ctx.books().clock.today()))])}</p>
        <dl class="figures">
            {figures
                .into_iter()
                .map(|(name, value, hint)| {
                    view! {
                        <div class="card">
                            <dt>{name}</dt>
                            <dd class="figure">{value}</dd>
                            <dd class="soft">{hint}</dd>
                        </div>
                    }
                })
                .collect_view()}
        </dl>
        <section class="card">
            <h2>{ctx.t("home-waiting")}</h2>
            {if nothing_waits {
                view! { <p class="soft pad">{ctx.t("home-nothing-waits")}</p> }.into_any()
            } else {
                view! { <ul class="tasks">{tasks}</ul> }.into_any()
            }}
        </section>
    };
    Ok(Frame { title: ctx.t("nav-home"), active: routes::HOME, flash, body: body.into_any() })
}
