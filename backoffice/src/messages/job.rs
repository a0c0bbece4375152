//! What goes on with messages when nobody waits.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::deliver;
use crate::{
    Backoffice, Fault,
    queue::{Attempt, Job},
};

/// Sends a message when its user's minute has come.
#[derive(Serialize, Deserialize)]
pub(crate) struct SendMessage {
    pub id: Uuid,
}

impl Job for SendMessage {
    const NAME: &'static str = "send_message";
    const ATTEMPTS: i32 = 20;

    fn key(&self) -> String {
        format!("message:{}", self.id)
    }

    fn queue(&self) -> Option<&'static str> {
        Some("messages")
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        deliver(backoffice, self.id).await
    }
}

pub(crate) async fn requeue_orphaned(backoffice: &Backoffice) -> Result<(), Fault> {
    crate::queue::requeue(
        &backoffice.pool,
        "select id, array['message:' || id] as keys from messages where state = 'requested'",
        |id| SendMessage { id },
    )
    .await
}
