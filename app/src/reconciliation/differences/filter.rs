//! The filter of the differences, read from the address.

use backoffice::reconciliation::{
    Class,
    differences::{Filter, State},
};

use crate::{components::list::Query, context::Ctx};

pub fn from_query(ctx: &Ctx, query: &Query) -> Filter {
    Filter {
        day: None,
        class: query.get("class").as_deref().and_then(Class::parse),
        state: query.get("state").as_deref().and_then(State::parse),
        assignee: query.get("whose").and_then(|_| ctx.visitor.staff.as_ref().map(|staff| staff.id)),
        q: query.get("q"),
    }
}
