//! What somebody sets of a key: its name, what it opens, and what it may do by itself.

use backoffice::api_keys::{ApiKey, Scope};
use leptos::prelude::*;

use super::words;
use crate::{components::form::Field, context::Ctx, flash::Flash};

/// Checkboxes of every scope.
fn scopes(ctx: &Ctx, chosen: &[Scope], error: Option<String>) -> AnyView {
    let boxes = Scope::ALL
        .into_iter()
        .map(|scope| {
            let checked = chosen.contains(&scope);
            view! {
                <label class="check">
                    <input type="checkbox" name="scopes[]" value=scope.as_str() checked=checked/>
                    <span>{words::scope(ctx, scope)} " " <small class="soft"><code>{scope.as_str()}</code></small></span>
                </label>
            }
        })
        .collect_view();
    let error = error.map(|error| view! { <p class="note error" role="alert">{error}</p> });
    view! {
        <fieldset class="permissions">
            <legend>{ctx.t("api-key-scopes")}</legend>
            {boxes}
            {error}
        </fieldset>
    }
    .into_any()
}

/// The fields of a key that is there, or of a new one.
pub fn fields(ctx: &Ctx, of: Option<&ApiKey>, flash: &Flash) -> AnyView {
    let number = |name: &'static str, key: &str, hint: Option<&str>, value: Option<String>| Field {
        input_mode: "numeric",
        value: value.unwrap_or_default(),
        hint: hint.map(|hint| ctx.words.get(hint, &[])),
        ..Field::text(name, ctx.words.get(key, &[]), flash)
    };
    let name = Field {
        value: of.map(|key| key.name.clone()).unwrap_or_default(),
        ..Field::text("name", ctx.t("api-key-name"), flash)
    };
    let chosen = match flash.value("scopes") {
        Some(typed) => typed.split(' ').filter_map(Scope::parse).collect(),
        None => of.map(|key| key.scopes.clone()).unwrap_or_default(),
    };
    let decimal = |amount: Option<backoffice::Decimal>| amount.map(|amount| amount.normalize().to_string());
    let one_refund = number(
        "one_refund",
        "api-key-limit-refund",
        Some("api-key-limit-hint"),
        of.and_then(|key| decimal(key.one_refund)),
    );
    let per_day = number("per_day", "api-key-limit-day", None, of.and_then(|key| decimal(key.per_day)));
    let grants = number(
        "grants_per_day",
        "api-key-limit-grants",
        None,
        of.and_then(|key| key.grants_per_day.map(|n| n.to_string())),
    );
    let per_minute = number(
        "per_minute",
        "api-key-limit-minute",
        Some("api-key-limit-minute-hint"),
        of.and_then(|key| key.per_minute.map(|n| n.to_string())),
    );
    let days = of.is_none().then(|| number("days", "api-key-days", Some("api-key-days-hint"), None).view());
    view! {
        {name.view()}
        {scopes(ctx, &chosen, flash.error("scopes"))}
        {one_refund.view()}
        {per_day.view()}
        {grants.view()}
        {per_minute.view()}
        {days}
    }
    .into_any()
}
