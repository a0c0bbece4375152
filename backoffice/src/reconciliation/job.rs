//! What goes on with the books when nobody waits.

use serde::{Deserialize, Serialize};
use time::Date;

use super::{read_day, reconcile_due};
use crate::{
    Backoffice, Fault,
    queue::{Attempt, Job},
};

/// Reads the settlements of the night, and puts the books beside Toss's.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reconcile {}

impl Job for Reconcile {
    const NAME: &'static str = "reconcile";

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        reconcile_due(backoffice).await.map(|_| ())
    }
}

/// Reads Toss's lists of one day again, because somebody asked.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReadDay {
    #[serde(with = "toss::timestamp::date")]
    pub day: Date,
}

impl Job for ReadDay {
    const NAME: &'static str = "read_day";
    const ATTEMPTS: i32 = 5;

    fn key(&self) -> String {
        format!("read-day:{}", self.day)
    }

    fn queue(&self) -> Option<&'static str> {
        Some("reconciliation")
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        read_day(backoffice, self.day).await
    }
}
