//! Opening a session for somebody who has shown who they are: the one place, whichever way they came.

use backoffice::staff::{Staff, devices};

use crate::{
    context::{Ctx, SESSION_OPENED, SESSION_STAFF},
    error::AppError,
    explain::OrExplain as _,
};

/// What somebody has shown so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The password alone.
    Password,
}

impl Ctx {
    /// Lets somebody in, and sends a browser on to `next`.
    pub(crate) async fn come_in(&self, staff: &Staff, shown: Shown, next: &str) -> Result<(), AppError> {
        match shown {
            Shown::Password => self.open_session(staff).await?,
        }
        if self.wants_html {
            // Only ever to a page of ours.
            self.redirect(next);
        }
        Ok(())
    }

    async fn open_session(&self, staff: &Staff) -> Result<(), AppError> {
        let device = devices::arrive(self.backoffice(), staff, &self.caller()).await.or_explain(self)?;
        self.keep_device(&device);
        let session = &self.visitor.session;
        let opened = async {
            // A new cookie, so that one that was planted before the log-in is worth nothing.
            session.cycle_id().await?;
            let (ip, agent) = (&self.visitor.ip, &self.visitor.agent);
            let opened = serde_json::json!({ "ip": ip, "agent": agent, "device": device.id() });
            session.insert(SESSION_OPENED, opened).await?;
            session.insert(SESSION_STAFF, staff.id).await
        };
        opened.await.map_err(|error| {
            tracing::error!(%error, "a session could not be opened");
            AppError::Fault
        })
    }
}
