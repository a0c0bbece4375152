//! Fields that keep what was typed and say what is wrong beside it.

use leptos::prelude::*;

use crate::{context::Ctx, flash::Flash};

/// One labelled input.
pub struct Field<'a> {
    pub name: &'static str,
    pub label: String,
    pub kind: &'static str,
    pub flash: &'a Flash,
    /// Shown when nothing was typed yet.
    pub value: String,
    pub hint: Option<String>,
    pub autocomplete: &'static str,
    pub input_mode: &'static str,
    /// Of the note; the name when absent. Two forms with the same field on one page need it.
    pub id: Option<String>,
    /// More than one: a text of several lines.
    pub lines: u8,
}

impl<'a> Field<'a> {
    pub fn text(name: &'static str, label: String, flash: &'a Flash) -> Self {
        Self {
            name,
            label,
            kind: "text",
            flash,
            value: String::new(),
            hint: None,
            autocomplete: "off",
            input_mode: "text",
            id: None,
            lines: 1,
        }
    }

    pub fn view(self) -> AnyView {
        let error = self.flash.error(self.name);
        let invalid = if error.is_some() { "true" } else { "false" };
        let described = format!("{}-note", self.id.as_deref().unwrap_or(self.name));
        let value = if self.kind == "password" {
            String::new()
        } else {
            self.flash.value(self.name).unwrap_or(self.value)
        };
        let note = error.clone().or(self.hint).unwrap_or_default();
        let note_class = if error.is_some() { "note error" } else { "note" };
        let described_by = described.clone();
        let input = if self.lines > 1 {
            let lines = self.lines.to_string();
            view! { <textarea name=self.name rows=lines aria-invalid=invalid aria-describedby=described_by>{escaped(&value)}</textarea> }
                .into_any()
        } else {
            view! {
                <input
                    name=self.name
                    type=self.kind
                    value=value
                    autocomplete=self.autocomplete
                    inputmode=self.input_mode
                    aria-invalid=invalid
                    aria-describedby=described_by
                />
            }
            .into_any()
        };
        view! {
            <label class="field">
                <span class="label">{self.label}</span>
                {input}
                <span class=note_class id=described>{note}</span>
            </label>
        }
        .into_any()
    }
}

/// The content of a `textarea`, which leptos 0.8 writes as it is (0.9 will not). The line break in front is the one that
/// a browser takes away.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    out.push('\n');
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    out
}

/// A list to choose from.
pub fn select(
    name: &'static str,
    label: String,
    options: Vec<(String, String)>,
    chosen: &str,
    flash: &Flash,
) -> AnyView {
    let chosen = flash.value(name).unwrap_or_else(|| chosen.to_owned());
    let error = flash.error(name);
    let described = format!("{name}-note");
    let invalid = if error.is_some() { "true" } else { "false" };
    let options = options
        .into_iter()
        .map(|(value, word)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{word}</option> }
        })
        .collect_view();
    view! {
        <label class="field">
            <span class="label">{label}</span>
            <select name=name aria-invalid=invalid aria-describedby=described.clone()>{options}</select>
            <span class="note error" id=described>{error.unwrap_or_default()}</span>
        </label>
    }
    .into_any()
}

/// The first and the last day of a filter, as [`super::list::days`] reads them.
pub fn filter_days(ctx: &Ctx, flash: &Flash) -> AnyView {
    let day = |name, label| Field { kind: "date", ..Field::text(name, label, flash) }.view();
    view! { {day("from", ctx.t("filter-from"))} {day("to", ctx.t("filter-to"))} }.into_any()
}

/// What ends the form of a filter: show, and show everything again.
pub fn filter_actions(ctx: &Ctx, path: &str) -> AnyView {
    view! {
        <div class="filter-actions">
            <button class="button" type="submit">{ctx.t("filter-apply")}</button>
            <a class="link" href=ctx.href(path)>{ctx.t("filter-clear")}</a>
        </div>
    }
    .into_any()
}

/// The answer of the last form, at the top of the page it belongs to.
pub fn notice(flash: &Flash) -> AnyView {
    let class = if flash.is_error { "notice bad" } else { "notice good" };
    let role = if flash.is_error { "alert" } else { "status" };
    flash.notice.clone().map(|text| view! { <p class=class role=role>{text}</p> }).into_any()
}
