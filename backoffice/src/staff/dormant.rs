//! Accounts that nobody uses are closed: 90 days after the last log-in, or after there could have been a first one. An
//! administrator opens one again with a new link.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use sqlx::types::Json;

use super::{Held, Invalid, Role, Staff, StaffError, accounts, register::Kind, rights};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    queue::{Attempt, Job},
};

const CLOSED_AFTER: Duration = Duration::days(90);
/// The page of staff warns from this day on.
const TOLD_AFTER: Duration = Duration::days(76);

impl Staff {
    /// When it is closed unless somebody logs in, where that is near.
    pub fn closes_soon(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let is_near = self.disabled_at.is_none() && now >= self.active_at + TOLD_AFTER;
        is_near.then_some(self.active_at + CLOSED_AFTER)
    }
}

/// Once a day.
#[derive(Serialize, Deserialize)]
pub(crate) struct CloseDormant {}

impl Job for CloseDormant {
    const NAME: &'static str = "close_dormant";

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        close_dormant(backoffice).await.map(drop)
    }
}

/// Closes what nobody uses, but never the last administrator. How many.
pub async fn close_dormant(backoffice: &Backoffice) -> Result<usize, Fault> {
    let mut tx = backoffice.pool.begin().await?;
    rights::begin(&mut tx).await?;
    let dormant = accounts!(
        "where disabled_at is null and greatest(coalesce(last_login_at, created_at), opened_at) <= $1
         order by greatest(coalesce(last_login_at, created_at), opened_at), id for no key update",
        backoffice.clock.now() - CLOSED_AFTER
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut closed = 0;
    for person in dormant {
        match accounts::close(backoffice, &mut tx, &Actor::Job("dormant"), person.id, Kind::Dormant).await {
            Ok(_) => closed += 1,
            Err(StaffError::Invalid(Invalid::LastAdmin)) => {
                tracing::warn!(staff = %person.id, "the last administrator has not logged in for 90 days");
            }
            Err(StaffError::Invalid(other)) => return Err(Fault::Inconsistent(other.to_string())),
            Err(StaffError::Fault(fault)) => return Err(fault),
        }
    }
    tx.commit().await?;
    Ok(closed)
}
