//! The filter of the audit log, read from the address.

use backoffice::audit::Filter;

use crate::components::list::Query;

pub fn from_query(query: &Query) -> Filter {
    Filter { actor: query.get("actor"), action: query.get("action"), subject: query.get("subject") }
}
