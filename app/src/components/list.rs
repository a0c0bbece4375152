//! Lists: filters in the address, pages by cursor, words when there is nothing.

use backoffice::{
    clock::day_start,
    page::{BadCursor, Cursor, Page},
};
use leptos::prelude::*;
use time::{Date, OffsetDateTime, macros::format_description};

use crate::{context::Ctx, flash::Flash, format, routes};

/// Rows on a page.
pub const SIZE: usize = 50;

/// The query of a page, in the order it came.
#[derive(Debug, Clone, Default)]
pub struct Query(pub Vec<(String, String)>);

impl Query {
    /// A trimmed, non-empty value.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = self.0.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.trim())?;
        (!value.is_empty() && !value.contains('\0')).then(|| value.chars().take(200).collect())
    }

    /// What was typed into these fields of a filter's form, as they show it again.
    pub fn typed(&self, fields: &[&str]) -> Flash {
        let values = fields.iter().filter_map(|name| Some(((*name).to_owned(), self.get(name)?)));
        Flash { values: values.collect(), ..Flash::default() }
    }

    pub fn cursor(&self) -> Result<Option<Cursor>, BadCursor> {
        self.get("at").map(|text| Cursor::decode(&text)).transpose()
    }

    /// The same view with one value changed, on its first page.
    pub fn with(&self, name: &str, value: &str) -> String {
        let mut pairs: Vec<(String, String)> =
            self.0.iter().filter(|(n, v)| n != name && n != "at" && !v.trim().is_empty()).cloned().collect();
        if !value.is_empty() {
            pairs.push((name.to_owned(), value.to_owned()));
        }
        let text: Vec<String> =
            pairs.iter().map(|(n, v)| format!("{}={}", routes::encode(n), routes::encode(v))).collect();
        if text.is_empty() { String::new() } else { format!("?{}", text.join("&")) }
    }

    fn at(&self, cursor: &Cursor) -> String {
        let rest = self.with("at", "");
        let joint = if rest.is_empty() { '?' } else { '&' };
        format!("{rest}{joint}at={}", routes::encode(&cursor.encode()))
    }
}

/// A day as an address has it.
pub fn parse_day(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .ok()
        .filter(|d| (1990..2200).contains(&d.year()))
}

/// The days `from` and `to` of an address. What is no day is said beside its field and left out: a date field cannot
/// hold it.
pub fn days(ctx: &Ctx, query: &Query, flash: &mut Flash) -> (Option<Date>, Option<Date>) {
    let mut day = |name: &str| {
        let text = query.get(name)?;
        let day = parse_day(&text);
        match day {
            Some(_) => flash.values.insert(name.into(), text),
            None => flash.errors.insert(name.into(), ctx.t("filter-error-day")),
        };
        day
    };
    (day("from"), day("to"))
}

/// The same as moments: both days are included on the screen.
pub fn span(ctx: &Ctx, query: &Query, flash: &mut Flash) -> (Option<OffsetDateTime>, Option<OffsetDateTime>) {
    let (from, to) = days(ctx, query, flash);
    (from.map(day_start), to.and_then(Date::next_day).map(day_start))
}

/// Newer and older, as ordinary links.
fn pager<T>(ctx: &Ctx, path: &str, query: &Query, page: &Page<T>) -> AnyView {
    let link = |cursor: &Option<Cursor>, rel: &'static str, key: &str| {
        let href = cursor.as_ref().map(|c| format!("{}{}", ctx.href(path), query.at(c)));
        let word = ctx.words.get(key, &[]);
        match href {
            Some(href) => view! { <a class="button quiet" rel=rel href=href>{word}</a> }.into_any(),
            None => ().into_any(),
        }
    };
    if page.newer.is_none() && page.older.is_none() {
        return ().into_any();
    }
    let until = page.older.as_ref().map(|c| ctx.tr("list-until", &[("time", format::short_time(c.at))]));
    view! {
        <nav class="pager" aria-label=ctx.t("pager")>
            <span class="soft">{until}</span>
            <span class="pager-links">{link(&page.newer, "prev", "newer")} {link(&page.older, "next", "older")}</span>
        </nav>
    }
    .into_any()
}

/// How a list of one kind looks: its class, its headers (and which of them stand over figures), and the words for when
/// there is nothing.
pub struct ListSpec<'a> {
    pub path: &'a str,
    pub class: &'static str,
    pub headers: Vec<(String, bool)>,
    pub empty: (String, String),
}

/// A column over words.
pub fn head(ctx: &Ctx, key: &str) -> (String, bool) {
    (ctx.words.get(key, &[]), false)
}

/// A column over figures.
pub fn figures(ctx: &Ctx, key: &str) -> (String, bool) {
    (ctx.words.get(key, &[]), true)
}

pub fn head_row(headers: Vec<(String, bool)>) -> AnyView {
    let headers = headers
        .into_iter()
        .map(|(word, figures)| {
            let class = figures.then_some("n");
            view! { <th scope="col" class=class>{word}</th> }
        })
        .collect_view();
    view! { <thead><tr>{headers}</tr></thead> }.into_any()
}

/// Rows with their headers, or the words that stand instead.
pub fn table(spec: ListSpec<'_>, rows: Vec<AnyView>) -> AnyView {
    if rows.is_empty() {
        let (title, hint) = spec.empty;
        return empty(title, hint);
    }
    let class = format!("rows {}", spec.class);
    view! {
        <table class=class>
            {head_row(spec.headers)}
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

/// One page of a list with its pager.
pub fn view<T>(
    ctx: &Ctx,
    query: &Query,
    spec: ListSpec<'_>,
    page: Page<T>,
    row: impl Fn(&Ctx, T) -> AnyView,
) -> AnyView {
    let pager = pager(ctx, spec.path, query, &page);
    let rows = page.rows.into_iter().map(|item| row(ctx, item)).collect();
    view! { {table(spec, rows)} {pager} }.into_any()
}

/// What stands where rows would.
pub fn empty(title: String, hint: String) -> AnyView {
    view! {
        <div class="empty">
            <p class="empty-title">{title}</p>
            <p class="soft">{hint}</p>
        </div>
    }
    .into_any()
}

/// The page mark in the address is damaged: say so, and offer the first page.
pub fn bad_cursor(ctx: &Ctx, path: &str) -> AnyView {
    ctx.status(http::StatusCode::BAD_REQUEST);
    let first = ctx.href(path);
    view! {
        <div class="empty">
            <p class="empty-title">{ctx.t("bad-cursor")}</p>
            <p><a class="button quiet" href=first>{ctx.t("first-page")}</a></p>
        </div>
    }
    .into_any()
}

pub fn time(at: OffsetDateTime) -> AnyView {
    view! { <time datetime=format::iso(at) title=format::full_time(at)>{format::short_time(at)}</time> }
        .into_any()
}
