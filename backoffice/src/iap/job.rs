//! What goes on with in-app purchases when nobody waits.

use serde::{Deserialize, Serialize};

use super::orders;
use crate::{
    Backoffice, Fault,
    queue::{Attempt, Job},
};

/// Asks about in-app purchases: nobody tells of their refunds.
#[derive(Serialize, Deserialize)]
pub(crate) struct PollIap {}

impl Job for PollIap {
    const NAME: &'static str = "look_after_iap";

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        orders::poll(backoffice).await.map(|_| ())
    }
}
