//! The filter of security events, read from the address.

use backoffice::security::{Filter, Kind};

use crate::components::list::Query;

pub fn from_query(query: &Query) -> Filter {
    Filter {
        kind: query.get("kind").and_then(|kind| Kind::parse(&kind)),
        person: query.get("person"),
        ip: query.get("ip"),
    }
}
