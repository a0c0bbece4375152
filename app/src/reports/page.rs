//! A month in figures: what was sold and went back by day, what Toss took, what a VAT return asks for.

use backoffice::{Decimal, money, reports::DayOfSales};
use leptos::prelude::*;
use rust_decimal::prelude::ToPrimitive;

use super::tables;
use crate::{
    components::{
        chart, export,
        figures::{self, Table, cell},
        layout::{Answer, Frame},
        list::{self, Query},
        month::{self, Month},
    },
    context::Ctx,
    flash::Flash,
    format,
    reconciliation::tabs::tabs,
    routes,
};

fn drawing(ctx: &Ctx, month: Month, currency: &str, days: &[DayOfSales]) -> AnyView {
    let places = money::places(currency);
    let units = |amount: Decimal| (amount * Decimal::from(10_i64.pow(places))).to_i64().unwrap_or_default();
    let bars: Vec<_> = days.iter().map(|d| (d.day, units(d.sales), units(d.refunds))).collect();
    let largest = days.iter().map(|d| d.sales.max(d.refunds)).max().unwrap_or_default();
    let label = |n| format::on_axis(ctx.words, Decimal::new(n, places), largest, currency);
    let svg = chart::up_and_down(month.first(), month.end(), &bars, label);
    svg.map(|svg| {
        view! {
            <ul class="chart-keys" aria-hidden="true">
                <li class="in">{ctx.t("report-sales")}</li>
                <li class="out">{ctx.t("report-refunds")}</li>
            </ul>
            <div class="chart-box" inner_html=svg></div>
        }
    })
    .into_any()
}

fn row(ctx: &Ctx, of: &DayOfSales) -> AnyView {
    let day = format::iso_day(of.day);
    let href = ctx.href(&format!("{}?from={day}&to={day}", routes::TRANSACTIONS));
    let figures = |amount| format::figures(amount, &of.currency);
    view! {
        <tr>
            <th scope="row"><a href=href>{month::day(of.day)}</a></th>
            {cell(figures(of.sales))}
            {cell(figures(of.refunds))}
            {cell(figures(of.sales - of.refunds))}
        </tr>
    }
    .into_any()
}

/// The drawing and the figures it is made of.
fn by_day(ctx: &Ctx, month: Month, currency: &str, days: &[DayOfSales]) -> AnyView {
    let sales: Decimal = days.iter().map(|d| d.sales).sum();
    let refunds: Decimal = days.iter().map(|d| d.refunds).sum();
    let amount = |sum| format::amount(ctx.words, sum, currency);
    let line = ctx.tr("report-line", &[("sales", amount(sales)), ("refunds", amount(refunds))]);
    let figures = |sum| format::figures(sum, currency);
    let table = Table {
        label: format!("{} {currency}", ctx.t("report-by-day")),
        class: "ledger",
        headers: vec![
            list::head(ctx, "col-day"),
            list::figures(ctx, "report-sales"),
            list::figures(ctx, "report-less-refunds"),
            list::figures(ctx, "report-is-net"),
        ],
        rows: days.iter().map(|day| row(ctx, day)).collect(),
        sums: view! {
            <tr>
                <th scope="row">{ctx.t("sum")}</th>
                {cell(figures(sales))}
                {cell(figures(refunds))}
                {cell(figures(sales - refunds))}
            </tr>
        }
        .into_any(),
    };
    view! {
        <div class="by-day">
            <div class="card pad drawn">
                <p class="soft">{ctx.t("report-net")}</p>
                <p class="sum"><strong>{amount(sales - refunds)}</strong> <span class="soft">{line}</span></p>
                {drawing(ctx, month, currency, days)}
            </div>
            {table.view()}
        </div>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let mut typed = Flash::default();
    let month = month::asked(&ctx, &query, &mut typed);
    let (from, to) = (month.first(), month.end());
    let sales = figures::by_currency(backoffice::reports::sales(ctx.backoffice(), from, to).await?, |day| {
        &day.currency
    });
    let fees = backoffice::reports::fees(ctx.backoffice(), from, to).await?;
    let vat = backoffice::reports::vat(ctx.backoffice(), from, to).await?;
    let sales = match sales.is_empty() {
        true => list::empty(ctx.t("report-sales-empty"), ctx.t("report-sales-empty-hint")),
        false => {
            let sales = figures::each_currency(sales, |currency, days| by_day(&ctx, month, currency, &days));
            view! { {sales} {export::form(&ctx, "sales", &query)} }.into_any()
        }
    };
    let fees_out = (!fees.is_empty()).then(|| export::form(&ctx, "fees", &query));
    let vat_out = (!vat.is_empty()).then(|| export::form(&ctx, "vat", &query));
    let body = view! {
        <h1>{ctx.t("nav-reconciliation")}</h1>
        {tabs(&ctx, routes::REPORTS)}
        {month::picker(&ctx, routes::REPORTS, month, &typed)}
        {month::heading(&ctx, month)}
        <section>
            <h2>{ctx.t("report-by-day")}</h2>
            <p class="soft of-what">
                {ctx.t("report-by-day-hint")}
                " "
                <a href=ctx.href(routes::REFUND_REASONS)>{ctx.t("report-reasons")}</a>
            </p>
            {sales}
        </section>
        <section class="part">
            <h2>{ctx.t("report-fees")}</h2>
            <p class="soft of-what">{ctx.t("report-fees-hint")}</p>
            {tables::fees(&ctx, fees)}
            {fees_out}
        </section>
        <section class="part">
            <h2>{ctx.t("report-vat")}</h2>
            <p class="soft of-what">{ctx.t("report-vat-hint")}</p>
            {tables::vat(&ctx, vat)}
            {vat_out}
        </section>
    };
    let title = ctx.tr("report-title", &[("month", month.name(&ctx))]);
    Ok(Frame { title, active: routes::RECONCILIATION, flash, body: body.into_any() })
}
