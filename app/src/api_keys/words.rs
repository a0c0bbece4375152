//! What is said of keys.

use backoffice::api_keys::{ApiKey, Scope};
use leptos::prelude::*;

use crate::{components::layout, context::Ctx, format, routes};

pub fn tabs(ctx: &Ctx, active: &str) -> AnyView {
    let views = [(routes::API_KEYS, "api-keys"), (routes::API_REQUESTS, "api-requests")];
    layout::tabs(ctx, "nav-api-keys", &views, active)
}

/// Whether it opens anything, as a dot and a word.
pub fn state(ctx: &Ctx, key: &ApiKey) -> (&'static str, String) {
    let now = ctx.backoffice().clock.now();
    match key.expires_at {
        _ if key.revoked_at.is_some() => ("ended", ctx.t("api-key-revoked")),
        Some(_) if key.is_expired(now) => ("ended", ctx.t("api-key-expired-state")),
        Some(end) if end - now <= time::Duration::days(7) => {
            ("waiting", ctx.tr("api-key-ends", &[("time", format::short_time(end))]))
        }
        _ => ("done", ctx.t("api-key-active")),
    }
}

pub fn scope(ctx: &Ctx, scope: Scope) -> String {
    ctx.words.word("api-scope", scope.as_str())
}

pub fn scopes(ctx: &Ctx, key: &ApiKey) -> String {
    key.scopes.iter().map(|one| scope(ctx, *one)).collect::<Vec<_>>().join(", ")
}

/// What it may do by itself: only what its scopes let it do at all.
pub fn limits(ctx: &Ctx, key: &ApiKey) -> Vec<String> {
    let mut said = Vec::new();
    let won = |amount: Option<backoffice::Decimal>| match amount {
        Some(amount) => format::amount(ctx.words, amount, "KRW"),
        None => ctx.t("limit-none"),
    };
    if key.scopes.contains(&Scope::RefundsWrite) {
        said.push(ctx.tr("api-key-one-refund", &[("amount", won(key.one_refund))]));
        said.push(ctx.tr("api-key-per-day", &[("amount", won(key.per_day))]));
    }
    if key.scopes.contains(&Scope::PromotionsWrite) {
        let points = key.grants_per_day.map_or_else(|| ctx.t("limit-none"), |points| points.to_string());
        said.push(ctx.tr("api-key-grants", &[("points", points)]));
    }
    if let Some(calls) = key.per_minute {
        said.push(ctx.tr("api-key-per-minute", &[("count", calls.to_string())]));
    }
    said
}
