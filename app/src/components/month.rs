//! The month that a page shows: chosen in a form, stepped by links, kept in the address.

use leptos::prelude::*;
use time::{Date, Duration};

use super::{
    form::Field,
    list::{self, Query},
};
use crate::{context::Ctx, flash::Flash, format};

/// Held by its first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month(Date);

impl Month {
    /// `2026-11`
    pub fn parse(text: &str) -> Option<Self> {
        let day = (text.len() == "2026-11".len()).then(|| format!("{text}-01"))?;
        list::parse_day(&day).map(Self)
    }

    pub fn of(day: Date) -> Self {
        Self(day.replace_day(1).unwrap_or(day))
    }

    pub fn first(self) -> Date {
        self.0
    }

    /// The first day after it.
    pub fn end(self) -> Date {
        self.0.saturating_add(Duration::days(i64::from(self.0.month().length(self.0.year()))))
    }

    /// As an address has it.
    pub fn text(self) -> String {
        format!("{:04}-{:02}", self.0.year(), u8::from(self.0.month()))
    }

    /// `2026년 11월`
    pub fn name(self, ctx: &Ctx) -> String {
        let (year, month) = (self.0.year().to_string(), u8::from(self.0.month()).to_string());
        ctx.tr("month-heading", &[("year", year), ("month", month)])
    }

    /// `2026.11`
    fn shown(self) -> String {
        format!("{:04}.{:02}", self.0.year(), u8::from(self.0.month()))
    }

    /// `None` beyond what an address may say.
    fn before(self) -> Option<Self> {
        Self::parse(&Self::of(self.0.previous_day()?).text())
    }

    fn after(self) -> Option<Self> {
        Self::parse(&Self::of(self.end()).text())
    }
}

/// The `month` of an address. What is no month is said beside the field, and this month stands instead.
pub fn asked(ctx: &Ctx, query: &Query, flash: &mut Flash) -> Month {
    let text = query.get("month");
    let month = text.as_deref().and_then(Month::parse);
    if text.is_some() && month.is_none() {
        flash.errors.insert("month".into(), ctx.t("month-error"));
    }
    month.unwrap_or_else(|| Month::of(ctx.backoffice().clock.today()))
}

pub fn picker(ctx: &Ctx, path: &str, month: Month, flash: &Flash) -> AnyView {
    let field =
        Field { kind: "month", value: month.text(), ..Field::text("month", ctx.t("month"), flash) }.view();
    let step = |to: Option<Month>, rel: &'static str, spoken: &str| {
        to.map(|to| {
            let href = ctx.href(&format!("{path}?month={}", to.text()));
            let shown =
                if rel == "prev" { format!("‹ {}", to.shown()) } else { format!("{} ›", to.shown()) };
            let spoken = format!("{} {}", ctx.words.get(spoken, &[]), to.shown());
            view! { <a class="button quiet" rel=rel href=href aria-label=spoken>{shown}</a> }
        })
    };
    view! {
        <form class="filters month" method="get" action=ctx.href(path)>
            {field}
            <div class="filter-actions">
                <button class="button" type="submit">{ctx.t("month-show")}</button>
                {step(month.before(), "prev", "month-before")}
                {step(month.after(), "next", "month-after")}
            </div>
        </form>
    }
    .into_any()
}

/// Which month it is, for the eye and for print, where the form is left out.
pub fn heading(ctx: &Ctx, month: Month) -> AnyView {
    view! { <h2 class="of-month"><time datetime=month.text()>{month.name(ctx)}</time></h2> }.into_any()
}

/// A day in a row of its month: `11.21`.
pub fn day(day: Date) -> AnyView {
    let shown = format!("{:02}.{:02}", u8::from(day.month()), day.day());
    view! { <time datetime=format::iso_day(day)>{shown}</time> }.into_any()
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_month_is_read_as_a_field_writes_it() {
        let month = Month::parse("2028-02").unwrap();
        assert_eq!((month.first(), month.end()), (date!(2028 - 02 - 01), date!(2028 - 03 - 01)));
        assert_eq!((month.text(), month.shown()), ("2028-02".into(), "2028.02".into()));
        for text in [
            "2026-13",
            "2026-00",
            "1-1",
            "202611",
            "2026-1",
            "2026-11-01",
            "+202-11",
            "-202-11",
            "0001-01",
            "９９９-1",
            "",
        ] {
            assert_eq!(Month::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn months_step_over_the_year_and_stop_at_the_bounds() {
        let december = Month::of(date!(2026 - 12 - 31));
        assert_eq!(december.after(), Month::parse("2027-01"));
        assert_eq!(Month::parse("2027-01").and_then(Month::before), Some(december));
        assert_eq!(Month::parse("1990-01").and_then(Month::before), None);
        assert_eq!(Month::parse("2199-12").and_then(Month::after), None);
    }
}
