//! The pay-out of one day: the sum, how it stands beside the bank, and what it is made of.

use backoffice::{
    payouts::{Part, PayOut},
    reconciliation::Sums,
};
use leptos::prelude::*;

use super::list::{cells, heads, rest, steps};
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
    routes,
};

fn head(ctx: &Ctx, pay_out: &PayOut) -> AnyView {
    let amount = |sum| format::amount(ctx.words, sum, &pay_out.currency);
    let state = badge::at_bank(ctx, pay_out.state);
    let why = format!("at-bank-why-{}", pay_out.state.as_str().replace('_', "-"));
    let difference = pay_out.at_bank - pay_out.sums.pay_out;
    let why = ctx.words.get(&why, &[("bank", amount(pay_out.at_bank)), ("difference", amount(difference))]);
    let rest = rest(&pay_out.sums);
    let rest = (!rest.is_zero()).then(|| {
        let text = ctx.tr("pay-out-rest", &[("amount", amount(rest))]);
        view! { <p class="notice bad" role="note">{text}</p> }
    });
    let facts = heads(ctx)
        .zip(steps(&pay_out.sums).into_iter().chain([pay_out.sums.pay_out]))
        .map(|((word, _), sum)| view! { <dt>{word}</dt><dd class="n">{amount(sum)}</dd> })
        .collect_view();
    view! {
        <section class="card order-head">
            {badge::badge(state)}
            <p class="sum"><strong>{amount(pay_out.sums.pay_out)}</strong> <span class="soft">{why}</span></p>
            {rest}
            {(pay_out.sums.rows > 0).then(|| view! { <dl class="facts reckoning">{facts}</dl> })}
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
        return view! { <p class="pad card part">{ctx.t("pay-out-parts-empty")}</p> }.into_any();
    }
    let mut sums = Sums::default();
    for part in parts {
        sums += part.sums;
    }
    let columns =
        [list::head(ctx, "pay-out-sold"), list::head(ctx, "col-method"), list::figures(ctx, "pay-out-rows")];
    let table = Table {
        label: format!("{} {currency}", ctx.t("pay-out-parts")),
        class: "ledger",
        heads: columns.into_iter().chain(heads(ctx)).collect(),
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
    view! { <section class="part"><h2>{ctx.t("pay-out-parts")}</h2>{table.view()}</section> }.into_any()
}

pub async fn page(ctx: Ctx, day: String) -> Answer {
    let flash = ctx.take_flash().await;
    let Some((day, next)) = list::parse_day(&day).and_then(|day| Some((day, day.next_day()?))) else {
        return Ok(errors::missing(&ctx, ctx.t("pay-out-no-day")));
    };
    let mut pay_outs = backoffice::payouts::list(ctx.books(), day, next).await?;
    pay_outs.sort_by_key(|pay_out| (pay_out.currency != "KRW", pay_out.currency.clone()));
    let mut all = Vec::with_capacity(pay_outs.len());
    for pay_out in pay_outs {
        let parts = backoffice::payouts::parts(ctx.books(), day, &pay_out.currency).await?;
        all.push((pay_out, parts));
    }
    let shown = match all.is_empty() {
        true => list::empty(ctx.t("pay-out-empty"), ctx.t("pay-out-empty-hint")),
        false => all
            .iter()
            .map(|(pay_out, parts)| {
                view! { {head(&ctx, pay_out)} {made_of(&ctx, &pay_out.currency, parts)} }
            })
            .collect_view()
            .into_any(),
    };
    let is_paid_out = all.iter().any(|(_, parts)| !parts.is_empty());
    let out =
        is_paid_out.then(|| export::form(&ctx, "pay_out", &Query(vec![("day".into(), day.to_string())])));
    let month = format!("{}?month={}", routes::PAY_OUTS, Month::of(day).text());
    let day = format::iso_day(day);
    let title = ctx.tr("pay-out-title", &[("day", day.clone())]);
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
