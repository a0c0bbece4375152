//! The filter of the refund list, read from the address.

use backoffice::refunds::{Filter, Origin, Stage, State};

use crate::{
    components::list::{self, Query},
    context::Ctx,
    flash::Flash,
};

pub fn from_query(ctx: &Ctx, query: &Query) -> (Filter, Flash) {
    let mut typed = Flash::default();
    let (from, to) = list::days(ctx, query, &mut typed);
    for name in ["q", "origin", "state", "stage", "reason", "by"] {
        if let Some(value) = query.get(name) {
            typed.values.insert(name.into(), value);
        }
    }
    let filter = Filter {
        state: query.get("state").and_then(|state| State::parse(&state)),
        origin: query.get("origin").and_then(|origin| Origin::parse(&origin)),
        stage: query.get("stage").and_then(|stage| Stage::parse(&stage)),
        order_id: query.get("q"),
        reason_code: query.get("reason"),
        by: query.get("by"),
        from,
        to,
        not_arrived_on: query.get("not_arrived").map(|_| ctx.backoffice().clock.today()),
        overdue_at: query.get("overdue").map(|_| ctx.backoffice().clock.now()),
    };
    (filter, typed)
}
