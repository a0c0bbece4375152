//! What somebody should look at.

use time::Duration;

use crate::{Backoffice, Fault};

/// An endpoint that fails for less long may be restarting.
const FAILS_AFTER: Duration = Duration::HOUR;
/// What was given up before is known by now.
const GIVEN_UP_WITHIN: Duration = Duration::DAY;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Endpoints that are told nothing until somebody enables them.
    pub paused: i64,
    /// Endpoints that have taken nothing for an hour.
    pub failing: i64,
    /// Events of the last day that were given up; a hundred means that many or more.
    pub given_up: i64,
    /// What is still to be told, to all endpoints; ten thousand means that many or more.
    pub waiting: i64,
}

pub async fn troubles(backoffice: &Backoffice) -> Result<Troubles, Fault> {
    let now = backoffice.clock.now();
    let troubles = sqlx::query_as!(
        Troubles,
        r#"select count(*) filter (where state = 'paused') as "paused!",
                  count(*) filter (where state = 'active' and failing_since < $1) as "failing!",
                  least(coalesce(sum(given_up.count), 0), 100)::bigint as "given_up!",
                  (select count(*) from (select from event_queue limit 10000) q) as "waiting!"
           from event_endpoints p, lateral (
               select count(*) from (
                   select at from event_attempts a where a.endpoint_id = p.id and a.outcome = 'given_up'
                   order by a.id desc limit 100) newest
               where newest.at > $2) given_up
           where removed_at is null"#,
        now - FAILS_AFTER,
        now - GIVEN_UP_WITHIN,
    )
    .fetch_one(&backoffice.pool)
    .await?;
    Ok(troubles)
}
