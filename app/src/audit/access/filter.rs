//! The filter of the access record, read from the address.

use backoffice::{
    audit::access::{Filter, Kind},
    orders,
};

use crate::{
    components::list::{self, Query},
    context::Ctx,
    flash::Flash,
};

/// With what was typed, and what is wrong about it.
pub fn from_query(ctx: &Ctx, query: &Query) -> (Filter, Flash) {
    let mut typed = query.typed(&["staff", "kind", "subject"]);
    let (since, before) = list::span(ctx, query, &mut typed);
    let subject = query.get("subject");
    let filter = Filter {
        staff: query.get("staff").and_then(|text| text.parse().ok()),
        kind: query.get("kind").and_then(|text| Kind::parse(&text)),
        words: subject.as_deref().map(|q| orders::hashes_of_search(ctx.backoffice(), q)).unwrap_or_default(),
        subject,
        since,
        before,
    };
    (filter, typed)
}
