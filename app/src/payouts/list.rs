//! What Toss pays out, day by day: how it comes to its sum, and whether it reached the bank.

use backoffice::{
    Decimal,
    payouts::{AtBank, Payout},
    reconciliation::Sums,
};
use leptos::prelude::*;

use crate::{
    bank,
    components::{
        badge, export,
        figures::{self, Table},
        layout::{Answer, Frame},
        list::{self, Query},
        month,
    },
    context::Ctx,
    flash::Flash,
    format,
    reconciliation::tabs::tabs,
    routes,
};

/// The columns of [`steps`] and what they come to.
pub fn headers(ctx: &Ctx) -> impl Iterator<Item = (String, bool)> {
    ["payout-amount", "payout-discount", "payout-points", "payout-fee", "payout-vat", "payout-sum"]
        .map(|key| list::figures(ctx, key))
        .into_iter()
}

/// From what was sold to what is paid out: the first, less each of the others.
pub fn steps(sums: &Sums) -> [Decimal; 5] {
    [sums.settled, sums.discount, sums.points, sums.supply, sums.vat]
}

/// What the steps do not come to.
pub fn rest(sums: &Sums) -> Decimal {
    let [amount, less @ ..] = steps(sums);
    amount - less.into_iter().sum::<Decimal>() - sums.payout
}

pub fn cells(sums: &Sums, currency: &str) -> AnyView {
    let steps = steps(sums)
        .map(|step| view! { <td class="n step">{format::figures(step, currency)}</td> })
        .collect_view();
    view! { {steps} <td class="n amount payout">{format::figures(sums.payout, currency)}</td> }.into_any()
}

/// Of what did not come yet, and of what no statement tells, there is no figure.
fn came(payout: &Payout) -> String {
    match payout.state {
        AtBank::Expected | AtBank::NoStatement => "–".into(),
        _ => format::figures(payout.at_bank, &payout.currency),
    }
}

fn at_bank(ctx: &Ctx, figure: String) -> AnyView {
    view! { <td class="n at-bank"><span class="narrow">{ctx.t("payout-at-bank")} " "</span>{figure}</td> }
        .into_any()
}

fn row(ctx: &Ctx, payout: &Payout) -> AnyView {
    let href = ctx.href(&routes::payout(payout.day));
    let day = format::iso_day(payout.day);
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><time datetime=day.clone()>{day.clone()}</time></a></td>
            <td class="state">{badge::badge(badge::at_bank(ctx, payout.state))}</td>
            {cells(&payout.sums, &payout.currency)}
            {at_bank(ctx, came(payout))}
        </tr>
    }
    .into_any()
}

fn table(ctx: &Ctx, currency: &str, payouts: &[Payout]) -> AnyView {
    let mut sums = Sums::default();
    let mut bank = Decimal::ZERO;
    for payout in payouts {
        sums += payout.sums;
        bank += payout.at_bank;
    }
    let unclear: Vec<String> =
        payouts.iter().filter(|p| !rest(&p.sums).is_zero()).map(|p| format::iso_day(p.day)).collect();
    let unclear = (!unclear.is_empty()).then(|| {
        let text = ctx.tr("payouts-rest", &[("days", unclear.join(", "))]);
        view! { <p class="notice bad" role="note">{text}</p> }
    });
    let headers = [list::head(ctx, "payout-day"), list::head(ctx, "col-status")]
        .into_iter()
        .chain(headers(ctx))
        .chain([list::figures(ctx, "payout-at-bank")])
        .collect();
    let table = Table {
        label: format!("{} {currency}", ctx.t("reconciliation-payouts")),
        class: "rows payout-rows",
        headers,
        rows: payouts.iter().map(|payout| row(ctx, payout)).collect(),
        sums: view! {
            <tr>
                <th scope="row" class="id">{ctx.t("sum")}</th>
                <td class="state"></td>
                {cells(&sums, currency)}
                {at_bank(ctx, format::figures(bank, currency))}
            </tr>
        }
        .into_any(),
    };
    view! { {unclear} {table.view()} }.into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let mut typed = Flash::default();
    let month = month::asked(&ctx, &query, &mut typed);
    let payouts = backoffice::payouts::list(ctx.backoffice(), month.first(), month.end()).await?;
    let payouts = figures::by_currency(payouts, |payout| &payout.currency);
    let list = match payouts.is_empty() {
        true => list::empty(ctx.t("payouts-empty"), ctx.t("payouts-empty-hint")),
        false => {
            let tables = figures::each_currency(payouts, |currency, rows| table(&ctx, currency, &rows));
            view! { {tables} {export::form(&ctx, "payouts", &query)} }.into_any()
        }
    };
    let body = view! {
        <h1>{ctx.t("nav-reconciliation")}</h1>
        {tabs(&ctx, routes::PAYOUTS)}
        {month::picker(&ctx, routes::PAYOUTS, month, &typed)}
        {month::heading(&ctx, month)}
        <p class="soft of-what">{ctx.t("payouts-hint")}</p>
        <div class="statement">{bank::statement::form(&ctx, &flash)}</div>
        {list}
    };
    let title = ctx.tr("payouts-title", &[("month", month.name(&ctx))]);
    Ok(Frame { title, active: routes::RECONCILIATION, flash, body: body.into_any() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pay_out_that_does_not_come_out_is_noticed() {
        let mut sums = Sums {
            settled: 100_000.into(),
            discount: 1000.into(),
            points: 500.into(),
            supply: 2500.into(),
            vat: 250.into(),
            payout: 95_750.into(),
            ..Sums::default()
        };
        assert_eq!(rest(&sums), Decimal::ZERO);
        sums.payout -= Decimal::ONE;
        assert_eq!(rest(&sums), Decimal::ONE);
    }
}
