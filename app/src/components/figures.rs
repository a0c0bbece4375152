//! Tables of figures: dense, one currency each, with their sums. A wide one scrolls by itself, never with the page.

use std::collections::BTreeMap;

use leptos::prelude::*;

use super::list;

/// Rows of each currency, won first. Different currencies never meet in one sum.
pub fn by_currency<T>(rows: Vec<T>, currency: impl Fn(&T) -> &str) -> Vec<(String, Vec<T>)> {
    let mut groups: BTreeMap<(bool, String), Vec<T>> = BTreeMap::new();
    for row in rows {
        let currency = currency(&row);
        groups.entry((currency != "KRW", currency.to_owned())).or_default().push(row);
    }
    groups.into_iter().map(|((_, currency), rows)| (currency, rows)).collect()
}

/// One view per currency; they are named where there is more than one.
pub fn each_currency<T>(groups: Vec<(String, Vec<T>)>, view: impl Fn(&str, Vec<T>) -> AnyView) -> AnyView {
    let several = groups.len() > 1;
    groups
        .into_iter()
        .map(|(currency, rows)| {
            let body = view(&currency, rows);
            view! { {several.then(|| view! { <h3 class="currency">{currency}</h3> })} {body} }
        })
        .collect_view()
        .into_any()
}

pub struct Table {
    /// What it is called where it is not seen.
    pub label: String,
    pub class: &'static str,
    pub headers: Vec<(String, bool)>,
    pub rows: Vec<AnyView>,
    pub sums: AnyView,
}

impl Table {
    pub fn view(self) -> AnyView {
        view! {
            <div class="scroll" tabindex="0" role="region" aria-label=self.label>
                <table class=self.class>
                    {list::head_row(self.headers)}
                    <tbody>{self.rows}</tbody>
                    <tfoot>{self.sums}</tfoot>
                </table>
            </div>
        }
        .into_any()
    }
}

pub fn cell(figure: String) -> AnyView {
    view! { <td class="n">{figure}</td> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn won_come_first_and_no_currency_meets_another() {
        let rows = vec![("USD", 1), ("KRW", 2), ("JPY", 3), ("KRW", 4)];
        let groups = by_currency(rows, |(currency, _)| currency);
        let shape: Vec<(&str, Vec<i32>)> =
            groups.iter().map(|(c, rows)| (c.as_str(), rows.iter().map(|(_, n)| *n).collect())).collect();
        assert_eq!(shape, [("KRW", vec![2, 4]), ("JPY", vec![3]), ("USD", vec![1])]);
    }
}
