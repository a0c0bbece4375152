//! What Toss pays out, day by day: how it comes to its sum, and whether it reached the bank.

use backoffice::{
    Decimal,
    payouts::{AtBank, PayOut},
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
pub fn heads(ctx: &Ctx) -> impl Iterator<Item = (String, bool)> {
    ["pay-out-amount", "pay-out-discount", "pay-out-points", "pay-out-fee", "pay-out-vat", "pay-out-sum"]
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
    amount - less.into_iter().sum::<Decimal>() - sums.pay_out
}

pub fn cells(sums: &Sums, currency: &str) -> AnyView {
    let steps = steps(sums)
        .map(|step| view! { <td class="n step">{format::figures(step, currency)}</td> })
        .collect_view();
    view! { {steps} <td class="n amount pay-out">{format::figures(sums.pay_out, currency)}</td> }.into_any()
}

/// Of what did not come yet, and of what no statement tells, there is no figure.
fn came(pay_out: &PayOut) -> String {
    match pay_out.state {
        AtBank::Expected | AtBank::NoStatement => "–".into(),
        _ => format::figures(pay_out.at_bank, &pay_out.currency),
    }
}

fn at_bank(ctx: &Ctx, figure: String) -> AnyView {
    view! { <td class="n at-bank"><span class="narrow">{ctx.t("pay-out-at-bank")} " "</span>{figure}</td> }
        .into_any()
}

fn row(ctx: &Ctx, pay_out: &PayOut) -> AnyView {
    let href = ctx.href(&routes::pay_out(pay_out.day));
    let day = format::iso_day(pay_out.day);
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><time datetime=day.clone()>{day.clone()}</time></a></td>
            <td class="state">{badge::badge(badge::at_bank(ctx, pay_out.state))}</td>
            {cells(&pay_out.sums, &pay_out.currency)}
            {at_bank(ctx, came(pay_out))}
        </tr>
    }
    .into_any()
}

fn table(ctx: &Ctx, currency: &str, pay_outs: &[PayOut]) -> AnyView {
    let mut sums = Sums::default();
    let mut bank = Decimal::ZERO;
    for pay_out in pay_outs {
        sums += pay_out.sums;
        bank += pay_out.at_bank;
    }
    let unclear: Vec<String> =
        pay_outs.iter().filter(|p| !rest(&p.sums).is_zero()).map(|p| format::iso_day(p.day)).collect();
    let unclear = (!unclear.is_empty()).then(|| {
        let text = ctx.tr("pay-outs-rest", &[("days", unclear.join(", "))]);
        view! { <p class="notice bad" role="note">{text}</p> }
    });
    let heads = [list::head(ctx, "pay-out-day"), list::head(ctx, "col-status")]
        .into_iter()
        .chain(heads(ctx))
        .chain([list::figures(ctx, "pay-out-at-bank")])
        .collect();
    let table = Table {
        label: format!("{} {currency}", ctx.t("reconciliation-payouts")),
        class: "rows pay-out-rows",
        heads,
        rows: pay_outs.iter().map(|pay_out| row(ctx, pay_out)).collect(),
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
    let pay_outs = backoffice::payouts::list(ctx.books(), month.first(), month.end()).await?;
    let pay_outs = figures::by_currency(pay_outs, |pay_out| &pay_out.currency);
    let list = match pay_outs.is_empty() {
        true => list::empty(ctx.t("pay-outs-empty"), ctx.t("pay-outs-empty-hint")),
        false => {
            let tables = figures::each_currency(pay_outs, |currency, rows| table(&ctx, currency, &rows));
            view! { {tables} {export::form(&ctx, "pay_outs", &query)} }.into_any()
        }
    };
    let body = view! {
        <h1>{ctx.t("nav-reconciliation")}</h1>
        {tabs(&ctx, routes::PAY_OUTS)}
        {month::picker(&ctx, routes::PAY_OUTS, month, &typed)}
        {month::heading(&ctx, month)}
        <p class="soft of-what">{ctx.t("pay-outs-hint")}</p>
        <div class="statement">{bank::statement::form(&ctx, &flash)}</div>
        {list}
    };
    let title = ctx.tr("pay-outs-title", &[("month", month.name(&ctx))]);
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
            pay_out: 95_750.into(),
            ..Sums::default()
        };
        assert_eq!(rest(&sums), Decimal::ZERO);
        sums.pay_out -= Decimal::ONE;
        assert_eq!(rest(&sums), Decimal::ONE);
    }
}
