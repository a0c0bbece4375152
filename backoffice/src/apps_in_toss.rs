//! The mini-app's side of Toss: its client, and the key that opens login profiles.

use toss::apps_in_toss::{Client, ProfileKey};

use crate::{Backoffice, Fault};

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
