//! The filter of the audit log, read from the address.

use backoffice::audit::Filter;

use crate::{
    components::list::{self, Query},
    context::Ctx,
    flash::Flash,
};

/// With what was typed, and what is wrong about it.
pub fn from_query(ctx: &Ctx, query: &Query) -> (Filter, Flash) {
    let mut typed = query.typed(&["actor", "action", "subject"]);
    let (since, before) = list::span(ctx, query, &mut typed);
    let (actor, action, subject) = (query.get("actor"), query.get("action"), query.get("subject"));
    let is_changes = action.is_none() && subject.is_none();
    (Filter { actor, action, subject, is_changes, since, before }, typed)
}
