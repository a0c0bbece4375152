//! The filter of the order list, read from the address.

use backoffice::{money, orders::Filter};

use crate::{
    components::list::{self, Query},
    context::Ctx,
    flash::Flash,
};

/// Reads the address. What cannot be read is said beside its field, and left out.
pub fn from_query(ctx: &Ctx, query: &Query) -> (Filter, Flash) {
    let mut flash = Flash::default();
    let (from, to) = list::span(ctx, query, &mut flash);
    let mut amount = |name: &str| {
        let text = query.get(name)?;
        let amount = money::parse(&text, "USD").ok();
        if amount.is_none() {
            flash.errors.insert(name.into(), ctx.t("filter-error-amount"));
        }
        amount
    };
    let (min, max) = (amount("min"), amount("max"));
    for name in ["q", "status", "method", "min", "max"] {
        if let Some(value) = query.get(name) {
            flash.values.insert(name.into(), value);
        }
    }
    let filter = Filter {
        q: query.get("q"),
        status: query.get("status"),
        method: query.get("method"),
        from,
        to,
        min,
        max,
        attention: query.get("attention").is_some(),
        user_key: None,
    };
    (filter, flash)
}
