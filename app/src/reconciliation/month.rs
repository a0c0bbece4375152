//! A month of days: which agree with Toss, which wait, which have to be worked.

use backoffice::{
    Rail,
    reconciliation::{Day, Light, Source, Sums},
};
use leptos::prelude::*;
use time::Date;

use super::{fee_parts, tabs};
use crate::{
    components::{
        badge,
        layout::{Answer, Frame},
        list::{self, Query},
        month,
    },
    context::Ctx,
    flash::Flash,
    format, routes,
};

pub fn light(ctx: &Ctx, light: Light) -> (&'static str, String) {
    let (tone, key) = match light {
        Light::Nothing => ("ended", "light-nothing"),
        Light::Green => ("done", "light-green"),
        Light::Amber => ("waiting", "light-amber"),
        Light::Red => ("failed", "light-red"),
    };
    (tone, ctx.words.get(key, &[]))
}

/// What a day is about, in a few words.
fn about(ctx: &Ctx, day: &Day) -> String {
    let count = |key: &str, n: i64| (n > 0).then(|| ctx.words.get(key, &[("count", n.to_string())]));
    let parts = [
        count("day-open", day.open),
        count("day-pending", day.pending),
        count("day-expected", day.expected),
        count("day-after-close", day.after_close),
        day.is_closed.then(|| ctx.t("day-closed")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn cell(ctx: &Ctx, day: &Day, today: Date) -> AnyView {
    let number = day.day.day();
    if day.day > today || (day.light == Light::Nothing && day.reconciled_at.is_none()) {
        return view! { <td class="day empty-day"><span class="day-number">{number}</span></td> }.into_any();
    }
    let (tone, word) = light(ctx, day.light);
    let won = day.sums.first().map(|(currency, sums)| format::figures(sums.toss, currency));
    let more = (day.sums.len() > 1).then(|| format!(" +{}", day.sums.len() - 1));
    let about = about(ctx, day);
    let current = (day.day == today).then_some("date");
    view! {
        <td class=format!("day {tone}") aria-current=current>
            <a href=ctx.href(&routes::day(day.day))>
                <span class="day-number">{number}{day.is_closed.then(|| view! { <span class="lock" aria-hidden="true">"✓"</span> })}</span>
                <span class="day-sum">{won}{more}</span>
                <span class="day-about">{about}</span>
                <span class="hidden-words">{word}</span>
            </a>
        </td>
    }
    .into_any()
}

fn calendar(ctx: &Ctx, days: &[Day], today: Date) -> AnyView {
    let headers = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .map(|day| view! { <th scope="col">{ctx.words.word("weekday", day)}</th> })
        .collect_view();
    let before = days.first().map_or(0, |d| usize::from(d.day.weekday().number_days_from_monday()));
    let mut cells: Vec<AnyView> =
        (0..before).map(|_| view! { <td class="no-day"></td> }.into_any()).collect();
    cells.extend(days.iter().map(|day| cell(ctx, day, today)));
    let mut rows = Vec::new();
    while !cells.is_empty() {
        let rest = cells.split_off(cells.len().min(7));
        let week = std::mem::replace(&mut cells, rest);
        rows.push(view! { <tr>{week}</tr> });
    }
    view! {
        <table class="calendar">
            <caption class="hidden-words">{ctx.t("reconciliation-calendar")}</caption>
            <thead><tr>{headers}</tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

/// From what was sold to what is paid out, on one line of figures.
pub fn arithmetic(ctx: &Ctx, currency: &str, sums: &Sums) -> AnyView {
    let term = |key: &str, sign: &'static str, amount: backoffice::Decimal| {
        view! {
            <div class="term">
                <dt>{ctx.words.get(key, &[])}</dt>
                <dd><span class="sign" aria-hidden="true">{sign}</span>{format::figures(amount, currency)}</dd>
            </div>
        }
    };
    let parts =
        fee_parts::line(ctx, &sums.fee_parts(), currency).map(|line| view! { <p class="soft">{line}</p> });
    view! {
        <dl class="arithmetic">
            {term("sum-settled", "", sums.settled)}
            {term("sum-discount", "−", sums.discount)}
            {term("sum-points", "−", sums.points)}
            {term("sum-fee", "−", sums.supply)}
            {term("sum-vat", "−", sums.vat)}
            {term("sum-payout", "=", sums.payout)}
        </dl>
        {parts}
    }
    .into_any()
}

fn sources(ctx: &Ctx, sources: Vec<Source>) -> AnyView {
    let lines = sources
        .into_iter()
        .map(|source| {
            let tone = if source.read >= source.days { "done" } else { "waiting" };
            let name = ctx.words.word("source", &source.name);
            let days = ctx
                .tr("source-days", &[("read", source.read.to_string()), ("days", source.days.to_string())]);
            let last = source.last_read_at.map(|at| view! { <span class="soft">{list::time(at)}</span> });
            view! { <li>{badge::badge((tone, name))} <span>{days}</span> {last}</li> }
        })
        .collect_view();
    view! { <ul class="health" aria-label=ctx.t("sources")>{lines}</ul> }.into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let today = ctx.backoffice().clock.today();
    let mut typed = Flash::default();
    let month = month::asked(&ctx, &query, &mut typed);
    let shown = backoffice::reconciliation::get_month(ctx.backoffice(), month.first()).await?;
    let mut by_currency: Vec<(String, Sums)> = Vec::new();
    let settled =
        backoffice::reconciliation::class_sums(ctx.backoffice(), month.first(), month.end()).await?;
    for s in settled.into_iter().filter(|s| s.rail == Rail::TossPayments) {
        match by_currency.iter_mut().find(|(currency, _)| *currency == s.currency) {
            Some((_, sum)) => *sum += s.sums,
            None => by_currency.push((s.currency, s.sums)),
        }
    }
    let sums = by_currency
        .iter()
        .map(|(currency, sums)| view! { <section class="card pad">{arithmetic(&ctx, currency, sums)}</section> })
        .collect_view();
    let read = backoffice::reconciliation::sources_read(ctx.backoffice(), shown.first).await?;
    let body = view! {
        <h1>{ctx.t("nav-reconciliation")}</h1>
        {tabs::tabs(&ctx, routes::RECONCILIATION)}
        {month::picker(&ctx, routes::RECONCILIATION, month, &typed)}
        {month::heading(&ctx, month)}
        {sources(&ctx, read)}
        {calendar(&ctx, &shown.days, today)}
        <ul class="legend">
            {[Light::Green, Light::Amber, Light::Red]
                .map(|l| view! { <li>{badge::badge(light(&ctx, l))}</li> })
                .collect_view()}
        </ul>
        {sums}
    };
    Ok(Frame {
        title: ctx.t("nav-reconciliation"),
        active: routes::RECONCILIATION,
        flash,
        body: body.into_any(),
    })
}
