//! The filter of the delivery list, read from the address and written into one.

use backoffice::webhooks::Filter;

use crate::{
    components::list::{self, Query},
    context::Ctx,
    flash::Flash,
    format,
};

/// What the address of the list may carry.
pub const NAMES: [&str; 6] = ["q", "event", "badge", "state", "from", "to"];

/// Reads the address. What cannot be read is said beside its field, and left out.
pub fn from_query(ctx: &Ctx, query: &Query) -> (Filter, Flash) {
    let mut flash = Flash::default();
    let (from, to) = list::span(ctx, query, &mut flash);
    for name in ["q", "event", "badge", "state"] {
        if let Some(value) = query.get(name) {
            flash.values.insert(name.into(), value);
        }
    }
    let filter = Filter {
        event_type: query.get("event"),
        state: query.get("state"),
        badge: query.get("badge"),
        from,
        to,
        q: query.get("q"),
    };
    (filter, flash)
}

/// The address that means a filter: the other way round.
pub fn to_query(filter: &Filter) -> Query {
    let last_day = filter.to.map(|to| format::day(to - time::Duration::SECOND));
    let values = [
        ("q", filter.q.clone()),
        ("event", filter.event_type.clone()),
        ("badge", filter.badge.clone()),
        ("state", filter.state.clone()),
        ("from", filter.from.map(format::day)),
        ("to", last_day),
    ];
    Query(values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}
