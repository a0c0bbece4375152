//! The filter of the refund list, read from the address.

use backoffice::refunds::{Filter, State};

use crate::{
    components::list::{self, Query},
    context::Ctx,
    flash::Flash,
};

pub fn from_query(ctx: &Ctx, query: &Query) -> (Filter, Flash) {
    let mut typed = Flash::default();
    let (from, to) = list::days(ctx, query, &mut typed);
    for name in ["q", "state", "reason", "by"] {
        if let Some(value) = query.get(name) {
            typed.values.insert(name.into(), value);
        }
    }
    let filter = Filter {
        state: query.get("state").and_then(|state| State::parse(&state)),
        order_id: query.get("q"),
        reason_code: query.get("reason"),
        by: query.get("by"),
        from,
        to,
        overdue_at: query.get("overdue").map(|_| ctx.backoffice().clock.now()),
    };
    (filter, typed)
}
