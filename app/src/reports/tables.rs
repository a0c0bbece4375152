//! Two tables of the report: fees by method, and what a VAT return asks for.

use backoffice::{
    Decimal,
    reports::{MethodFees, Vat},
};
use leptos::prelude::*;

use crate::{
    components::{
        figures::{self, Table, cell},
        list,
    },
    context::Ctx,
    format,
    orders::messages::method_text,
};

/// Amount, fee, its five parts, the VAT in it.
fn fee_figures(of: &MethodFees) -> [Decimal; 9] {
    let parts =
        [of.fee_base, of.fee_instalment, of.fee_instalment_discount, of.fee_point_saving, of.fee_other];
    let [base, instalment, discount, saving, other] = parts;
    [of.amount, of.fee, base, instalment, discount, saving, other, of.vat, of.interest_fee]
}

fn fee_cells(figures: [Decimal; 9], currency: &str) -> AnyView {
    let [amount, fee, ..] = figures;
    let cells = figures.map(|figure| cell(format::figures(figure, currency))).collect_view();
    view! { {cells} {cell(format::percent(fee, amount))} }.into_any()
}

/// Sums of columns.
fn add<const N: usize>(rows: impl Iterator<Item = [Decimal; N]>) -> [Decimal; N] {
    rows.fold([Decimal::ZERO; N], |mut sums, row| {
        for (sum, figure) in sums.iter_mut().zip(row) {
            *sum += figure;
        }
        sums
    })
}

pub fn fees(ctx: &Ctx, rows: Vec<MethodFees>) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="pad card">{ctx.t("report-fees-empty")}</p> }.into_any();
    }
    let groups = figures::by_currency(rows, |fees| &fees.currency);
    figures::each_currency(groups, |currency, rows| {
        let row = |of: &MethodFees| {
            let method = method_text(ctx, of.method.as_deref(), None);
            view! { <tr><th scope="row">{method}</th>{fee_cells(fee_figures(of), currency)}</tr> }.into_any()
        };
        let sums = add(rows.iter().map(fee_figures));
        let keys = [
            "",
            "-base",
            "-instalment",
            "-instalment-discount",
            "-point-saving",
            "-other",
            "-vat",
            "-interest",
        ]
        .map(|part| format!("report-fee{part}"));
        let mut headers = vec![list::head(ctx, "col-method"), list::figures(ctx, "col-amount")];
        headers.extend(keys.iter().map(|key| list::figures(ctx, key)));
        headers.push(list::figures(ctx, "report-fee-percent"));
        Table {
            label: format!("{} {currency}", ctx.t("report-fees")),
            class: "ledger",
            headers,
            rows: rows.iter().map(row).collect(),
            sums: view! { <tr><th scope="row">{ctx.t("sum")}</th>{fee_cells(sums, currency)}</tr> }
                .into_any(),
        }
        .view()
    })
}

fn vat_cells(counts: [i64; 2], figures: [Decimal; 4], currency: &str) -> AnyView {
    let counts = counts.map(|n| cell(format::count(n))).collect_view();
    let figures = figures.map(|figure| cell(format::figures(figure, currency))).collect_view();
    view! { {counts} {figures} }.into_any()
}

fn vat_figures(of: &Vat) -> [Decimal; 4] {
    [of.total, of.supply, of.vat, of.tax_free]
}

pub fn vat(ctx: &Ctx, rows: Vec<Vat>) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="pad card">{ctx.t("report-vat-empty")}</p> }.into_any();
    }
    let groups = figures::by_currency(rows, |vat| &vat.currency);
    figures::each_currency(groups, |currency, rows| {
        let row = |of: &Vat| {
            let method = method_text(ctx, of.method.as_deref(), None);
            let cells = vat_cells([of.sales, of.refunds], vat_figures(of), currency);
            view! { <tr><th scope="row">{ctx.words.word("rail", of.rail.as_str())}</th><td>{method}</td>{cells}</tr> }
                .into_any()
        };
        let counts = [rows.iter().map(|r| r.sales).sum(), rows.iter().map(|r| r.refunds).sum()];
        let sums = vat_cells(counts, add(rows.iter().map(vat_figures)), currency);
        let untold: i64 = rows.iter().map(|r| r.untold).sum();
        let note = (untold > 0).then(|| {
            let text = ctx.tr("report-vat-untold", &[("count", format::count(untold))]);
            view! { <p class="notice unsure" role="note">{text}</p> }
        });
        let keys = ["report-sales-count", "report-refund-count", "report-total", "report-supply"];
        let mut headers = vec![list::head(ctx, "col-rail"), list::head(ctx, "col-method")];
        headers.extend(keys.map(|key| list::figures(ctx, key)));
        headers.extend([list::figures(ctx, "report-vat-sum"), list::figures(ctx, "report-tax-free")]);
        let table = Table {
            label: format!("{} {currency}", ctx.t("report-vat")),
            class: "ledger",
            headers,
            rows: rows.iter().map(row).collect(),
            sums: view! { <tr><th scope="row" colspan="2">{ctx.t("sum")}</th>{sums}</tr> }.into_any(),
        };
        view! { {note} {table.view()} }.into_any()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_added_each_by_itself() {
        let rows = [[1, 20], [2, -5]].map(|row| row.map(Decimal::from));
        assert_eq!(add(rows.into_iter()), [3, 15].map(Decimal::from));
        assert_eq!(add(std::iter::empty::<[Decimal; 1]>()), [Decimal::ZERO]);
    }
}
