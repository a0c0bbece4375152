//! Everything that happened to an order, in one list, newest first: what staff, jobs and the merchant did (the audit
//! rows) and what Toss posted (the deliveries).

use backoffice::{audit, webhooks::Delivery};
use leptos::prelude::*;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    audit::words::{self, money, text},
    components::badge,
    context::Ctx,
    format, routes,
};

struct Entry {
    at: OffsetDateTime,
    tone: &'static str,
    title: String,
    detail: String,
    href: Option<String>,
}

fn of_audit(ctx: &Ctx, row: &audit::Row) -> Entry {
    let detail = &row.detail;
    let (tone, title) = words::what(ctx, row);
    let balance = detail.pointer("/balanceAmount/1").and_then(Value::as_str).and_then(|b| b.parse().ok());
    let currency = text(detail, "currency").unwrap_or_else(|| "KRW".into());
    let parts = [
        Some(words::who(ctx, row)),
        text(detail, "reason"),
        text(detail, "note"),
        money(ctx, detail, "got").map(|got| ctx.tr("event-got", &[("amount", got)])),
        balance
            .filter(|_| row.action == "payment.changed")
            .map(|b| ctx.tr("order-left", &[("amount", format::amount(ctx.words, b, &currency))])),
        format::with_code(text(detail, "message").as_deref(), text(detail, "code").as_deref()),
        text(detail, "transactionKey").map(|key| ctx.tr("event-transaction", &[("key", key)])),
    ];
    Entry {
        at: row.at,
        tone,
        title,
        detail: parts.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        href: None,
    }
}

fn of_delivery(ctx: &Ctx, delivery: &Delivery) -> Entry {
    let name = delivery.event_type.as_deref().unwrap_or("?");
    let trust = delivery.badges.first().map(|b| badge::trust(ctx, b));
    let tone = trust.as_ref().map_or("waiting", |(tone, _)| tone);
    let tries = match delivery.retried_count {
        Some(0) | None => ctx.t("event-first-try"),
        Some(n) => ctx.tr("event-retry", &[("count", n.to_string())]),
    };
    let parts = [trust.map(|(_, word)| word), Some(tries)];
    Entry {
        at: delivery.received_at,
        tone,
        title: ctx.tr("event-webhook", &[("name", name.to_owned())]),
        detail: parts.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        href: Some(ctx.href(&routes::webhook(&delivery.id))),
    }
}

pub fn view(ctx: &Ctx, audit: &[audit::Row], deliveries: &[Delivery]) -> AnyView {
    let mut entries: Vec<Entry> = audit
        .iter()
        .map(|row| of_audit(ctx, row))
        .chain(deliveries.iter().map(|d| of_delivery(ctx, d)))
        .collect();
    entries.sort_by_key(|e| std::cmp::Reverse(e.at));
    let rows = entries
        .into_iter()
        .map(|entry| {
            let title = match entry.href {
                Some(href) => view! { <a href=href>{entry.title}</a> }.into_any(),
                None => entry.title.into_any(),
            };
            view! {
                <li>
                    <span class=format!("dot {}", entry.tone)></span>
                    <div>
                        <p class="event">{title}</p>
                        <p class="soft">{entry.detail}</p>
                    </div>
                    <time datetime=format::iso(entry.at) title=format::full_time(entry.at)>
                        {format::short_time(entry.at)}
                        <small>{format::clock_time(entry.at).get(5..).unwrap_or_default().to_owned()}</small>
                    </time>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="card">
            <h2>{ctx.t("order-story")}</h2>
            <ol class="timeline">{rows}</ol>
        </section>
    }
    .into_any()
}
