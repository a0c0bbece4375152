//! What an export is asked for with: the filter of the page it was asked on, and the words of its language.

use std::collections::BTreeMap;

use crate::{
    audit,
    components::{
        list::{self, Query},
        month::Month,
    },
    context::Ctx,
    error::AppError,
    explain::Explain,
    i18n::Translator,
    orders, reconciliation, refunds, transactions, webhooks,
};
use backoffice::{
    Rail,
    audit::access::{Kind, NoReason},
    exports::{ExportError, Span, What},
    iap,
    payouts::AtBank,
    personal_data::Source,
    reconciliation::{Class, Finding, differences::State},
    refunds::{Origin, Stage},
};

/// The query of an address, `?q=a&from=2026-11-01`.
pub fn query(text: &str) -> Query {
    let uri = http::Uri::builder().path_and_query(format!("/?{}", text.trim_start_matches('?'))).build();
    let pairs =
        uri.ok().and_then(|uri| axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    Query(pairs.map(|pairs| pairs.0).unwrap_or_default())
}

/// What a page shows; nothing for a list that there is not.
pub fn what(ctx: &Ctx, list: &str, query: &Query) -> Option<What> {
    let day = |name: &str| query.get(name).as_deref().and_then(list::parse_day);
    let month = || {
        let month = query.get("month").as_deref().and_then(Month::parse);
        let month = month.unwrap_or_else(|| Month::of(ctx.backoffice().clock.today()));
        Span { from: month.first(), to: month.end() }
    };
    Some(match list {
        "orders" => What::Orders(orders::filter::from_query(ctx, query).0),
        "transactions" => What::Transactions(transactions::filter::from_query(ctx, query).0),
        "refunds" => What::Refunds(refunds::filter::from_query(ctx, query).0),
        "webhooks" => What::Webhooks(webhooks::filter::from_query(ctx, query).0),
        "differences" => What::Differences(reconciliation::differences::filter::from_query(ctx, query)),
        "missing_events" => What::MissingEvents,
        "iap_orders" => {
            let (q, status) = (query.get("q"), query.get("status"));
            What::IapOrders(iap::Filter { q, status, user_key: None })
        }
        "audit" => What::Audit(audit::filter::from_query(ctx, query).0),
        "access_records" => What::AccessRecords(audit::access::filter::from_query(ctx, query).0),
        "day" => What::Day(day("day")?),
        "payout" => What::Payout(day("day")?),
        "payouts" => What::Payouts(month()),
        "sales" => What::Sales(month()),
        "fees" => What::Fees(month()),
        "vat" => What::Vat(month()),
        _ => return None,
    })
}

/// The title of the file and its sheet.
pub fn title(ctx: &Ctx, what: &What) -> String {
    let name = ctx.words.word("export-list", what.as_str());
    match what {
        What::Day(day) | What::Payout(day) => format!("{name} {day}"),
        What::Payouts(span) | What::Sales(span) | What::Fees(span) | What::Vat(span) => {
            format!("{name} {}", Month::of(span.from).text())
        }
        _ => name,
    }
}

pub fn headers(ctx: &Ctx, what: &What) -> Vec<String> {
    what.columns().iter().map(|column| ctx.words.word("column", column)).collect()
}

/// What of a person an access record names.
const ACCESSED: [&str; 9] =
    ["name", "phone", "email", "birthday", "gender", "nationality", "ci", "body", "account"];

/// Values of ours in such a file, by the prefix of their words.
fn values(what: &What) -> Vec<(&'static str, Vec<&'static str>)> {
    let rail = ("rail", Rail::ALL.map(Rail::as_str).to_vec());
    let class = ("class", Class::ALL.map(Class::as_str).to_vec());
    let finding = ("finding", Finding::ALL.map(Finding::as_str).to_vec());
    match what {
        What::Orders(_) | What::Transactions(_) | What::Vat(_) => vec![rail],
        What::Refunds(_) => vec![
            ("origin", Origin::ALL.map(Origin::as_str).to_vec()),
            ("stage", Stage::ALL.map(Stage::as_str).to_vec()),
        ],
        What::Differences(_) => {
            vec![class, finding, ("difference-state", State::ALL.map(State::as_str).to_vec())]
        }
        What::Day(_) => vec![rail, class, finding, ("export-value", vec!["is_estimate"])],
        What::Payouts(_) => vec![("at-bank", AtBank::ALL.map(AtBank::as_str).to_vec())],
        What::AccessRecords(_) => vec![
            ("access-kind", Kind::ALL.map(Kind::as_str).to_vec()),
            ("access-what", ACCESSED.to_vec()),
            ("export-value", vec!["is_masked"]),
        ],
        What::Person(_) => vec![("person-source", Source::ALL.map(Source::as_str).to_vec())],
        What::Webhooks(_)
        | What::MissingEvents
        | What::IapOrders(_)
        | What::Audit(_)
        | What::Payout(_)
        | What::Sales(_)
        | What::Fees(_) => Vec::new(),
    }
}

/// The words for values of ours in such a file; Toss's own words stay as they are.
pub fn words(ctx: &Ctx, what: &What) -> BTreeMap<String, String> {
    words_in(ctx.words, what)
}

fn words_in(words: Translator, what: &What) -> BTreeMap<String, String> {
    let word = |prefix, value: &str| (value.to_owned(), words.word(prefix, value));
    values(what)
        .into_iter()
        .flat_map(|(prefix, values)| values.into_iter().map(move |value| word(prefix, value)))
        .collect()
}

impl Explain for ExportError {
    fn explain(self, ctx: &Ctx) -> AppError {
        AppError::form(match self {
            Self::Reason(NoReason::Empty) => ctx.t("export-needs-reason"),
            Self::Reason(no) => audit::access::functions::no_reason(ctx, no),
            Self::Fault(fault) => return fault.explain(ctx),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;

    #[test]
    fn every_value_of_ours_in_a_file_has_its_word() {
        let day = time::macros::date!(2026 - 11 - 01);
        let span = Span { from: day, to: day };
        let files = [
            What::Orders(Default::default()),
            What::Refunds(Default::default()),
            What::Differences(Default::default()),
            What::Day(day),
            What::Payouts(span),
            What::AccessRecords(Default::default()),
            What::Person(Default::default()),
        ];
        for lang in [Lang::Ko, Lang::En] {
            for what in &files {
                let words = words_in(Translator::new(lang), what);
                let count: usize = values(what).iter().map(|(_, values)| values.len()).sum();
                assert_eq!(words.len(), count, "two words for one value of {}", what.as_str());
                let wordless: Vec<_> = words.iter().filter(|(value, word)| value == word).collect();
                assert!(wordless.is_empty(), "{lang:?}: no words for {wordless:?} of {}", what.as_str());
            }
        }
    }

    #[test]
    fn the_query_of_an_address_is_read_as_the_page_reads_it() {
        let read = query("?q=%EB%A8%B8%EA%B7%B8&from=2026-11-01");
        assert_eq!(read.get("q").as_deref(), Some("머그"));
        assert_eq!(read.get("from").as_deref(), Some("2026-11-01"));
        assert!(query("").0.is_empty());
        assert!(query("\u{0}").0.is_empty());
    }
}
