//! The filter of calls, read from the address.

use backoffice::toss_calls::{Api, Filter, Outcome};

use crate::components::list::Query;

/// What the address of the list may carry.
pub const NAMES: [&str; 6] = ["order", "trace", "api", "outcome", "path", "code"];

pub fn from_query(query: &Query) -> Filter {
    Filter {
        api: query.get("api").and_then(|api| Api::parse(&api)),
        outcome: query.get("outcome").and_then(|outcome| Outcome::parse(&outcome)),
        path: query.get("path"),
        code: query.get("code").map(|code| code.to_ascii_uppercase()),
        trace_id: query.get("trace"),
        order: query.get("order"),
    }
}
