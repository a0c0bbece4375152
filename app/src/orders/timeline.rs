//! Everything that happened to an order, in one list, newest first: what staff, jobs and the merchant did (the audit
//! rows) and what Toss posted (the deliveries).

use backoffice::{Decimal, audit, webhooks::Delivery};
use leptos::prelude::*;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{components::badge, context::Ctx, format, routes};

struct Entry {
    at: OffsetDateTime,
    tone: &'static str,
    title: String,
    detail: String,
    href: Option<String>,
}

fn text(detail: &Value, name: &str) -> Option<String> {
    match detail.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// Amounts stand in audit rows as decimal texts.
fn money(ctx: &Ctx, detail: &Value, name: &str) -> Option<String> {
    let currency = text(detail, "currency").unwrap_or_else(|| "KRW".into());
    let amount = text(detail, name)?.parse().ok()?;
    Some(format::amount(ctx.words, amount, &currency))
}

/// By how much the balance fell, if it did: of a payment that was not known before nobody can say.
fn given_back(ctx: &Ctx, detail: &Value) -> Option<String> {
    let balance = |index| detail.pointer(index)?.as_str()?.parse::<Decimal>().ok();
    let fell = balance("/balanceAmount/0")? - balance("/balanceAmount/1")?;
    if fell <= Decimal::ZERO {
        return None;
    }
    let currency = text(detail, "currency").unwrap_or_else(|| "KRW".into());
    Some(format::amount(ctx.words, fell, &currency))
}

fn who(ctx: &Ctx, row: &audit::Row) -> String {
    match row.actor.split_once(':') {
        Some(("staff", _)) => row.actor_name.clone(),
        Some(("job", job)) => ctx.words.word("job", job),
        _ => ctx.words.word("actor", &row.actor),
    }
}

fn of_audit(ctx: &Ctx, row: &audit::Row) -> Entry {
    let detail = &row.detail;
    let amount =
        money(ctx, detail, "amount").or_else(|| money(ctx, detail, "totalAmount")).unwrap_or_default();
    let status = detail.pointer("/status/1").and_then(Value::as_str);
    let (tone, title) = match (row.action.as_str(), status) {
        ("payment.changed", Some(status)) => {
            let (tone, word) = badge::payment_status(ctx, status);
            let moved = if status.ends_with("CANCELED") { given_back(ctx, detail) } else { None };
            (tone, ctx.tr("event-payment", &[("status", word), ("amount", moved.unwrap_or(amount))]))
        }
        ("payment.changed", None) => match given_back(ctx, detail) {
            Some(fell) => ("part", ctx.tr("event-balance", &[("amount", fell)])),
            None => ("plain", ctx.tr("event-payment-known", &[("amount", amount)])),
        },
        (action, _) => {
            let tone = match action {
                "refund.arrived"
                | "refund.paid_otherwise"
                | "refund.succeeded"
                | "cash_receipt.completed" => "done",
                "refund.returned" | "refund.partly_arrived" => "failed",
                "refund.failed" | "order.confirm_refused" | "cash_receipt.failed" => "failed",
                "refund.unknown" | "refund.not_sent" => "unknown",
                _ => "plain",
            };
            let key = format!("event-{}", action.replace(['.', '_'], "-"));
            (tone, ctx.words.get(&key, &[("amount", amount)]))
        }
    };
    let balance = detail.pointer("/balanceAmount/1").and_then(Value::as_str).and_then(|b| b.parse().ok());
    let currency = text(detail, "currency").unwrap_or_else(|| "KRW".into());
    let parts = [
        Some(who(ctx, row)),
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
