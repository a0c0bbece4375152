//! A row of the log in words: who, what, to what, and what it was before and after.

use backoffice::{Decimal, audit::Row};
use leptos::prelude::*;
use serde_json::Value;

use crate::{components::badge, context::Ctx, format, routes};

pub(crate) fn text(detail: &Value, name: &str) -> Option<String> {
    match detail.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// Amounts stand in audit rows as decimal texts.
pub(crate) fn money(ctx: &Ctx, detail: &Value, name: &str) -> Option<String> {
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

pub(crate) fn who(ctx: &Ctx, row: &Row) -> String {
    match row.actor.split_once(':') {
        Some(("staff", _)) => row.actor_name.clone(),
        Some(("job", job)) => ctx.words.word("job", job),
        Some(("api-key", _)) => format!("{} ({})", row.actor_name, ctx.t("actor-api-key")),
        // Whoever sat at the machine, if they said who.
        _ if row.actor_name != row.actor => {
            format!("{} ({})", row.actor_name, ctx.words.word("actor", &row.actor))
        }
        _ => ctx.words.word("actor", &row.actor),
    }
}

/// What was done, and its colour.
pub(crate) fn what(ctx: &Ctx, row: &Row) -> (&'static str, String) {
    let detail = &row.detail;
    let amount =
        money(ctx, detail, "amount").or_else(|| money(ctx, detail, "totalAmount")).unwrap_or_default();
    let status = detail.pointer("/status/1").and_then(Value::as_str);
    match (row.action.as_str(), status) {
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
                "refund.failed"
                | "order.confirm_refused"
                | "order.attempt_failed"
                | "cash_receipt.failed" => "failed",
                "event_endpoint.paused" => "failed",
                "refund.unknown" | "refund.not_sent" => "unknown",
                _ => "plain",
            };
            let key = format!("event-{}", action.replace(['.', '_'], "-"));
            // An action of a version that is newer than this one.
            let known = ctx.words.has(&key);
            let args = [("amount", amount), ("code", text(detail, "code").unwrap_or_default())];
            (tone, if known { ctx.words.get(&key, &args) } else { action.to_owned() })
        }
    }
}

/// What it was done to, and where that can be looked at.
pub(super) fn subject(ctx: &Ctx, row: &Row) -> AnyView {
    let key = &row.subject;
    let href = match row.subject_kind.as_str() {
        "order" => Some(routes::order(key)),
        "staff" => Some(routes::person(key)),
        "campaign" => Some(routes::campaign(key)),
        "refund_batch" => Some(routes::refund_batch(key)),
        "grant_batch" => Some(routes::grant_batch(key)),
        "webhook" => Some(routes::webhook(key)),
        "webhook_replay" => Some(routes::webhook_replay(key)),
        "event_endpoint" => Some(routes::event_endpoint(key)),
        "api_key" => Some(routes::api_key(key)),
        "difference" => Some(routes::difference(key)),
        "day" => Some(routes::day(key)),
        "export" => Some(routes::export(key)),
        "user" => key.parse().ok().map(routes::user),
        "data_request" => Some(routes::PERSONAL_DATA.to_owned()),
        "retention" => Some(format!("{}#retention", routes::SETTINGS)),
        "role" => Some(routes::ROLES.to_owned()),
        // Its subject is a hash: what it stands for is on the page of its row, as long as it is kept.
        "access_record" => Some(routes::audit_row(row.seq)),
        _ => None,
    };
    let kind = ctx.words.word("subject", &row.subject_kind);
    let shown = match &row.subject_name {
        Some(name) => name.clone().into_any(),
        None if row.subject_kind == "access_record" => format!("#{}", row.seq).into_any(),
        None => view! { <code>{key.clone()}</code> }.into_any(),
    };
    match href {
        Some(href) => {
            view! { <span class="soft">{kind}</span> " " <a href=ctx.href(&href)>{shown}</a> }.into_any()
        }
        None => view! { <span class="soft">{kind}</span> " " {shown} }.into_any(),
    }
}

/// One line of what changed.
struct Change {
    name: String,
    before: Option<String>,
    after: String,
    /// In somebody's own words.
    is_why: bool,
}

impl Change {
    fn is_told(&self) -> bool {
        self.before.as_deref().is_some_and(|before| !before.is_empty())
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(all) if all.iter().all(Value::is_string) => {
            all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| format!("{name}: {}", shown(value)))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

/// Kinds of events in words. None is every one.
fn kinds(ctx: &Ctx, value: &Value) -> String {
    let all: Vec<String> = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|kind| Some(ctx.words.word("event-kind", kind.as_str()?)))
        .collect();
    if all.is_empty() { ctx.t("endpoint-kinds-all") } else { all.join(", ") }
}

/// Moments stand in audit rows as seconds since 1970.
fn moment(value: &Value) -> Option<String> {
    time::OffsetDateTime::from_unix_timestamp(value.as_i64()?).ok().map(format::full_time)
}

fn changes(ctx: &Ctx, detail: &Value) -> Vec<Change> {
    let Some(members) = detail.as_object() else { return Vec::new() };
    let change = |key: &str, before: Option<String>, after: String| Change {
        name: ctx.words.word("audit-field", key),
        before,
        after,
        is_why: matches!(key, "reason" | "note" | "why"),
    };
    let text = |value: Option<&Value>| value.map(shown).unwrap_or_default();
    if let (Some(Value::Object(from)), Some(Value::Object(to))) = (members.get("from"), members.get("to")) {
        let keys = to.keys().chain(from.keys().filter(|key| !to.contains_key(*key)));
        let changed = keys.filter(|key| from.get(*key) != to.get(*key));
        let changed = changed.map(|key| change(key, Some(text(from.get(key))), text(to.get(key))));
        let rest = members.iter().filter(|(key, _)| !matches!(key.as_str(), "from" | "to"));
        return changed.chain(rest.map(|(key, value)| change(key, None, shown(value)))).collect();
    }
    let is_same =
        |value: &Value| matches!(value.as_array().map(Vec::as_slice), Some([one, other]) if one == other);
    let line = |(key, value): (&String, &Value)| match value {
        Value::Array(pair) if key == "kinds" => match pair.as_slice() {
            [before @ Value::Array(_), after] => change(key, Some(kinds(ctx, before)), kinds(ctx, after)),
            _ => change(key, None, kinds(ctx, value)),
        },
        Value::Number(_) if matches!(key.as_str(), "from" | "to" | "since") => {
            change(key, None, moment(value).unwrap_or_else(|| shown(value)))
        }
        // Before and after.
        Value::Array(pair)
            if pair.len() == 2 && !pair.iter().any(|one| one.is_array() || one.is_object()) =>
        {
            change(key, Some(text(pair.first())), text(pair.last()))
        }
        value => change(key, None, shown(value)),
    };
    members.iter().filter(|(_, value)| !is_same(value)).map(line).collect()
}

/// What changed, as one line each, for a list; the page of the row has the rest.
pub(super) fn lines(ctx: &Ctx, row: &Row) -> AnyView {
    let mut lines = changes(ctx, &row.detail);
    if lines.iter().any(Change::is_told) {
        lines.retain(|change| change.is_told() || change.is_why);
    }
    let line = |change: Change| {
        let before =
            change.before.filter(|before| !before.is_empty()).map(|before| view! { <s>{before}</s> " → " });
        view! { <li><span class="soft">{change.name}</span> " " {before} {change.after}</li> }
    };
    let lines = lines.into_iter().map(line).collect_view();
    view! { <ul class="changed">{lines}</ul> }.into_any()
}

/// What changed, as a table; nothing where the row says it all.
pub(super) fn details(ctx: &Ctx, row: &Row) -> AnyView {
    let changes = changes(ctx, &row.detail);
    if changes.is_empty() {
        return ().into_any();
    }
    let pairs = changes.iter().any(|change| change.before.is_some());
    let rows = changes
        .into_iter()
        .map(|change| {
            let before = pairs.then(|| view! { <td>{change.before.unwrap_or_default()}</td> });
            view! { <tr><th scope="row">{change.name}</th>{before}<td>{change.after}</td></tr> }
        })
        .collect_view();
    let head = pairs.then(|| {
        view! {
            <thead>
                <tr>
                    <th scope="col">{ctx.t("audit-what")}</th>
                    <th scope="col">{ctx.t("audit-before")}</th>
                    <th scope="col">{ctx.t("audit-after")}</th>
                </tr>
            </thead>
        }
    });
    view! { <table class="changes">{head}<tbody>{rows}</tbody></table> }.into_any()
}

/// From where, and as what.
pub(super) fn circumstances(ctx: &Ctx, row: &Row) -> String {
    let role = row.role.as_deref().map(|role| ctx.words.word("role", role));
    let agent = row.agent.as_deref().map(|agent| crate::components::agent::browser(&ctx.words, agent));
    let factor = row.factor.as_deref().map(|factor| ctx.words.word("audit-factor", factor));
    [role, row.ip.clone(), agent, factor].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}
