//! The filter of the transaction list, read from the address.

use backoffice::transactions::Filter;

use crate::{
    components::list::{self, Query},
    context::Ctx,
    flash::Flash,
};

pub fn from_query(ctx: &Ctx, query: &Query) -> (Filter, Flash) {
    let mut typed = Flash::default();
    let (from, to) = list::span(ctx, query, &mut typed);
    if let Some(q) = query.get("q") {
        typed.values.insert("q".into(), q);
    }
    (Filter { q: query.get("q"), from, to, outgoing: query.get("way").map(|way| way == "out") }, typed)
}
