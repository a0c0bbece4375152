//! The payout of one day: the sum, how it stands beside the bank, and what it is made of.

use backoffice::{
    payouts::{Part, Payout},
    reconciliation::Sums,
};
use leptos::prelude::*;

use super::list::{cells, headers, rest, steps};
use crate::{
    components::{
        badge, errors, export,
        figures::Table,
        layout::{Answer, Frame},
        list::{self, Query},
        month::Month,
    },
    context::Ctx,
    format,
    orders::messages::method_text,
    reconciliation::fee_parts,
    routes,
};

fn head(ctx: &Ctx, payout: &Payout) -> AnyView {
    let amount = |sum| format::amount(ctx.words, sum, &payout.currency);
    let state = badge::at_bank(ctx, payout.state);
    let why = format!("at-bank-why-{}", payout.state.as_str().replace('_', "-"));
    let difference = payout.at_bank - payout.sums.payout;
    let why = ctx.words.get(&why, &[("bank", amount(payout.at_bank)), ("difference", amount(difference))]);
    let rest = rest(&payout.sums);
    let rest = (!rest.is_zero()).then(|| {
        let text = ctx.tr("payout-rest", &[("amount", amount(rest))]);
        view! { <p class="notice bad" role="note">{text}</p> }
    });
    let facts = headers(ctx)
        .zip(steps(&payout.sums).into_iter().chain([payout.sums.payout]))
        .map(|((word, _), sum)| view! { <dt>{word}</dt><dd class="n">{amount(sum)}</dd> })
        .collect_view();
    let parts = fee_parts::line(ctx, &payout.sums.fee_parts(), &payout.currency);
    let parts = parts.map(|line| view! { <p class="soft">{line}</p> });
    view! {
        <section class="card order-head">
            {badge::badge(state)}
            <p class="sum"><strong>{amount(payout.sums.payout)}</strong> <span class="soft">{why}</span></p>
            {rest}
            {(payout.sums.rows > 0).then(|| view! { <dl class="facts reckoning">{facts}</dl> })}
            {parts}
        </section>
    }
    .into_any()
}

fn row(ctx: &Ctx, part: &Part, currency: &str) -> AnyView {
    let day = format::iso_day(part.sold_date);
    let href = ctx.href(&routes::day(part.sold_date));
    view! {
        <tr>
            <th scope="row"><a href=href><time datetime=day.clone()>{day.clone()}</time></a></th>
            <td>{method_text(ctx, part.method.as_deref(), None)}</td>
            <td class="n">{format::count(part.sums.rows)}</td>
            {cells(&part.sums, currency)}
        </tr>
    }
    .into_any()
}

fn made_of(ctx: &Ctx, currency: &str, parts: &[Part]) -> AnyView {
    if parts.is_empty() {
        return view! { <p class="pad card part">{ctx.t("payout-parts-empty")}</p> }.into_any();
    }
    let mut sums = Sums::default();
    for part in parts {
        sums += part.sums;
    }
    let columns =
        [list::head(ctx, "payout-sold"), list::head(ctx, "col-method"), list::figures(ctx, "payout-rows")];
    let table = Table {
        label: format!("{} {currency}", ctx.t("payout-parts")),
        class: "ledger",
        headers: columns.into_iter().chain(headers(ctx)).collect(),
        rows: parts.iter().map(|part| row(ctx, part, currency)).collect(),
        sums: view! {
            <tr>
                <th scope="row" colspan="2">{ctx.t("sum")}</th>
                <td class="n">{format::count(sums.rows)}</td>
                {cells(&sums, currency)}
            </tr>
        }
        .into_any(),
    };
    view! { <section class="part"><h2>{ctx.t("payout-parts")}</h2>{table.view()}</section> }.into_any()
}

pub async fn page(ctx: Ctx, day: String) -> Answer {
    let flash = ctx.take_flash().await;
    let Some((day, next)) = list::parse_day(&day).and_then(|day| Some((day, day.next_day()?))) else {
        return Ok(errors::missing(&ctx, ctx.t("payout-no-day")));
    };
    let mut payouts = backoffice::payouts::list(ctx.backoffice(), day, next).await?;
    payouts.sort_by_key(|payout| (payout.currency != "KRW", payout.currency.clone()));
    let mut all = Vec::with_capacity(payouts.len());
    for payout in payouts {
        let parts = backoffice::payouts::parts(ctx.backoffice(), day, &payout.currency).await?;
        all.push((payout, parts));
    }
    let shown = match all.is_empty() {
        true => list::empty(ctx.t("payout-empty"), ctx.t("payout-empty-hint")),
        false => all
            .iter()
            .map(|(payout, parts)| {
                view! { {head(&ctx, payout)} {made_of(&ctx, &payout.currency, parts)} }
            })
            .collect_view()
            .into_any(),
    };
    let is_paid_out = all.iter().any(|(_, parts)| !parts.is_empty());
    let out =
        is_paid_out.then(|| export::form(&ctx, "payout", &Query(vec![("day".into(), day.to_string())])));
    let month = format!("{}?month={}", routes::PAYOUTS, Month::of(day).text());
    let day = format::iso_day(day);
    let title = ctx.tr("payout-title", &[("day", day.clone())]);
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(&month)>{ctx.t("reconciliation-payouts")}</a>
            " / "
            <h1>{day}</h1>
        </nav>
        {shown}
        {out}
    };
    Ok(Frame { title, active: routes::RECONCILIATION, flash, body: body.into_any() })
}
