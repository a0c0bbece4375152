//! What somebody sets of an endpoint: its name, its address, and what it hears of.

use backoffice::events::{Endpoint, Kind};
use leptos::prelude::*;

use crate::{components::form::Field, context::Ctx, events::words, flash::Flash};

/// Checkboxes of every kind, what is about the same beside each other.
pub fn kinds(ctx: &Ctx, name: &'static str, chosen: &[Kind], error: Option<String>) -> AnyView {
    let mut groups: Vec<(&str, Vec<Kind>)> = Vec::new();
    for kind in Kind::subscribable() {
        let noun = words::noun(kind);
        match groups.last_mut() {
            Some((last, kinds)) if *last == noun => kinds.push(kind),
            _ => groups.push((noun, vec![kind])),
        }
    }
    let groups = groups
        .into_iter()
        .map(|(noun, kinds)| {
            let boxes = kinds
                .into_iter()
                .map(|kind| {
                    let checked = chosen.contains(&kind);
                    view! {
                        <label class="check">
                            <input type="checkbox" name=name value=kind.as_str() checked=checked/>
                            <span>{words::kind(ctx, kind)}</span>
                        </label>
                    }
                })
                .collect_view();
            view! {
                <fieldset class="permissions">
                    <legend>{ctx.words.word("event-noun", noun)}</legend>
                    {boxes}
                </fieldset>
            }
        })
        .collect_view();
    let error = error.map(|error| view! { <p class="note error" role="alert">{error}</p> });
    view! { {groups} {error} }.into_any()
}

/// The fields of an endpoint that is there, or of a new one.
pub fn fields(ctx: &Ctx, of: Option<&Endpoint>, flash: &Flash) -> AnyView {
    let name = Field {
        value: of.map(|one| one.name.clone()).unwrap_or_default(),
        id: Some("endpoint-name".into()),
        ..Field::text("name", ctx.t("endpoint-name"), flash)
    };
    let url = Field {
        kind: "url",
        input_mode: "url",
        value: of.and_then(|one| one.url.clone()).unwrap_or_default(),
        hint: Some(ctx.t("endpoint-url-hint")),
        ..Field::text("url", ctx.t("endpoint-url"), flash)
    };
    let chosen = match flash.value("kinds") {
        Some(typed) => typed.split(' ').filter_map(Kind::parse).collect(),
        None => of.map(|one| one.kinds.clone()).unwrap_or_default(),
    };
    let is_open = flash.is_error && !chosen.is_empty() || flash.error("kinds").is_some();
    let now = of.map(|one| view! { " " <small class="soft">{words::kinds_count(ctx, one)}</small> });
    view! {
        {name.view()}
        {url.view()}
        <details class="kinds" open=is_open>
            <summary>{ctx.t("endpoint-kinds")} {now}</summary>
            <p class="soft">{ctx.t("endpoint-kinds-hint")}</p>
            {kinds(ctx, "kinds[]", &chosen, flash.error("kinds"))}
        </details>
    }
    .into_any()
}
