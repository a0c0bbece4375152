//! Why money goes back, month by month.

use backoffice::{
    Decimal,
    refunds::{ELSEWHERE, MonthOfReasons, REASONS},
};
use leptos::prelude::*;

use super::tabs;
use crate::{
    components::layout::{Answer, Frame},
    context::Ctx,
    format, routes,
};

/// This month and the five before it.
const BEFORE: u8 = 5;

fn month(month: &MonthOfReasons) -> String {
    format!("{}.{:02}", month.year, u8::from(month.month))
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let months = backoffice::refunds::reasons(ctx.backoffice(), BEFORE).await?;
    let of = |m: &MonthOfReasons, code: &str| {
        m.reasons.iter().find(|(c, ..)| c == code).map_or((0, Decimal::ZERO), |(_, n, sum)| (*n, *sum))
    };
    let most = months
        .iter()
        .flat_map(|m| m.reasons.iter().map(|(_, _, sum)| *sum))
        .max()
        .filter(|most| !most.is_zero())
        .unwrap_or(Decimal::ONE);
    let headers = months.iter().map(|m| view! { <th scope="col" class="n">{month(m)}</th> }).collect_view();
    let cell = |count: i64, sum: Decimal, most: Decimal| {
        let full = (sum * Decimal::ONE_HUNDRED / most).round().to_string();
        view! {
            <td class="n">
                {(count > 0).then(|| view! {
                    <span>{format::figures(sum, "KRW")}</span>
                    <span class="soft">{ctx.tr("home-refund-count", &[("count", count.to_string())])}</span>
                    <meter min="0" max="100" value=full aria-hidden="true"></meter>
                })}
            </td>
        }
    };
    let rows = REASONS
        .into_iter()
        .chain([ELSEWHERE])
        .map(|code| {
            let cells = months
                .iter()
                .map(|m| {
                    let (count, sum) = of(m, code);
                    cell(count, sum, most)
                })
                .collect_view();
            view! { <tr><th scope="row">{ctx.words.word("reason", code)}</th>{cells}</tr> }
        })
        .collect_view();
    let sums = months
        .iter()
        .map(|m| {
            let sum: Decimal = m.reasons.iter().map(|(_, _, sum)| *sum).sum();
            let count: i64 = m.reasons.iter().map(|(_, n, _)| n).sum();
            view! {
                <td class="n">
                    <strong>{format::figures(sum, "KRW")}</strong>
                    <span class="soft">{ctx.tr("home-refund-count", &[("count", count.to_string())])}</span>
                </td>
            }
        })
        .collect_view();
    let not_arrived = months
        .iter()
        .map(|m| {
            let sum = (!m.not_arrived.is_zero()).then(|| format::figures(m.not_arrived, "KRW"));
            view! { <td class="n">{sum}</td> }
        })
        .collect_view();
    let body = view! {
        <h1>{ctx.t("nav-refunds")}</h1>
        {tabs::tabs(&ctx, routes::REFUND_REASONS)}
        <div class="scroll" tabindex="0" role="region" aria-label=ctx.t("refund-by-reason")>
            <table class="reasons">
                <thead><tr><th scope="col">{ctx.t("refund-reason")}</th>{headers}</tr></thead>
                <tbody>{rows}</tbody>
                <tfoot>
                    <tr><th scope="row">{ctx.t("sum")}</th>{sums}</tr>
                    <tr><th scope="row">{ctx.t("refund-by-reason-not-arrived")}</th>{not_arrived}</tr>
                </tfoot>
            </table>
        </div>
        <p class="soft">{ctx.t("refund-by-reason-hint")}</p>
    };
    Ok(Frame { title: ctx.t("refund-by-reason"), active: routes::REFUNDS, flash, body: body.into_any() })
}
