//! The mini-app's side of Toss: its client, and the key that opens login profiles.

use std::time::Duration;

use time::OffsetDateTime;
use toss::apps_in_toss::{Client, ProfileKey};

use crate::{Backoffice, Fault};

/// Grants to one user, and likewise messages (toss-api.md B1.4).
const PER_MINUTE: i64 = 10;

#[derive(Debug, Clone)]
pub struct AppsInToss {
    pub client: Client,
    /// Without it profiles are not read.
    pub profile_key: Option<ProfileKey>,
}

impl Backoffice {
    pub(crate) fn apps_in_toss(&self) -> Result<&Client, Fault> {
        self.apps_in_toss.as_ref().map(|apps| &apps.client).ok_or(Fault::NoAppsInToss)
    }
}

/// How long a user who got `count` in the last minute, the first of them at `first`, has to wait for the next.
pub(crate) fn wait_for_a_user(
    count: i64,
    first: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Option<Duration> {
    let wait = first? + time::Duration::MINUTE - now;
    (count >= PER_MINUTE).then(|| wait.unsigned_abs() + Duration::from_secs(1))
}
