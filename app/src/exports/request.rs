//! What an export is asked for with: the filter of the page it was asked on, and the words of its language.

use std::collections::BTreeMap;

use crate::{
    audit,
    components::{
        list::{self, Query},
        month::Month,
    },
    context::{Ctx, shown},
    error::AppError,
    orders, reconciliation, refunds, transactions, webhooks,
};
use backoffice::{
    exports::{ExportError, LONGEST_REASON, Span, What},
    iap,
    reconciliation::{Class, differences::State},
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
        let month = month.unwrap_or_else(|| Month::of(ctx.books().clock.today()));
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
        "audit" => What::Audit(audit::filter::from_query(query)),
        "day" => What::Day(day("day")?),
        "pay_out" => What::PayOut(day("day")?),
        "pay_outs" => What::PayOuts(month()),
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
        What::Day(day) | What::PayOut(day) => format!("{name} {day}"),
        What::PayOuts(span) | What::Sales(span) | What::Fees(span) | What::Vat(span) => {
            format!("{name} {}", Month::of(span.from).text())
        }
        _ => name,
    }
}

pub fn heads(ctx: &Ctx, what: &What) -> Vec<String> {
    what.columns().iter().map(|column| ctx.words.word("column", column)).collect()
}

/// The words for values of ours; Toss's own words stay as they are.
pub fn words(ctx: &Ctx) -> BTreeMap<String, String> {
    let mut words = BTreeMap::new();
    let mut add = |prefix: &str, values: &[&str]| {
        for value in values {
            words.insert((*value).to_owned(), ctx.words.word(prefix, value));
        }
    };
    add("rail", &["toss_payments", "toss_pay", "iap"]);
    add("class", &Class::ALL.map(Class::as_str));
    add("remark", &REMARKS);
    add("difference-state", &State::ALL.map(State::as_str));
    add("at-bank", &["no_statement", "differs", "missing", "unexplained"]);
    add("export-value", &["is_estimate"]);
    words
}

const REMARKS: [&str; 19] = [
    "settled_twice",
    "listed_twice",
    "not_booked",
    "not_listed",
    "list_not_read",
    "currency",
    "amount",
    "settled_amount",
    "status",
    "not_due",
    "settlements_not_read",
    "refund_not_settled",
    "not_settled",
    "fee_rate",
    "fee_sum",
    "pay_out",
    "paid_late",
    "no_price",
    "no_rate",
];

pub fn error(ctx: &Ctx, error: ExportError) -> AppError {
    let message = match error {
        ExportError::Reason => ctx.t("export-needs-reason"),
        ExportError::TooLong => ctx.tr("difference-note-long", &[("most", LONGEST_REASON.to_string())]),
        ExportError::Fault(fault) => return shown(&fault),
    };
    AppError::Invalid { field: String::new(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_an_address_is_read_as_the_page_reads_it() {
        let read = query("?q=%EB%A8%B8%EA%B7%B8&from=2026-11-01");
        assert_eq!(read.get("q").as_deref(), Some("머그"));
        assert_eq!(read.get("from").as_deref(), Some("2026-11-01"));
        assert!(query("").0.is_empty());
        assert!(query("\u{0}").0.is_empty());
    }
}
