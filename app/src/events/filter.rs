//! The filter of the list of events, read from the address.

use backoffice::events::{Filter, Kind, Outcome, data};

use crate::{components::list::Query, context::Ctx, flash::Flash};

/// How far an event is told, as an address says it.
pub const STATES: [(&str, Outcome); 3] =
    [("waiting", Outcome::Failed), ("delivered", Outcome::Delivered), ("given_up", Outcome::GivenUp)];

/// Reads the address. What cannot be read is said beside its field, and left out.
pub fn from_query(ctx: &Ctx, query: &Query) -> (Filter, Flash) {
    let mut typed = query.typed(&["order", "kind", "endpoint", "state"]);
    let filter = Filter {
        kind: read(ctx, query, &mut typed, "kind", Kind::parse),
        subject: query.get("order").map(|order| data::order_subject(&order)),
        endpoint: read(ctx, query, &mut typed, "endpoint", |text| text.parse().ok()),
        outcome: read(ctx, query, &mut typed, "state", |text| {
            STATES.iter().find(|(word, _)| *word == text).map(|(_, outcome)| *outcome)
        }),
    };
    (filter, typed)
}

fn read<T>(
    ctx: &Ctx,
    query: &Query,
    typed: &mut Flash,
    name: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let found = parse(&query.get(name)?);
    if found.is_none() {
        typed.errors.insert(name.to_owned(), ctx.t("event-filter-unknown"));
    }
    found
}
