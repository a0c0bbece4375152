//! Opening a session for somebody who has shown who they are: the one place, whichever way they came.

use backoffice::{
    security::{self, Event, Kind},
    staff::{
        Caller, Staff,
        devices::{self, Arrival},
        sessions,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    action::action,
    components::agent::browser,
    context::{Ctx, SESSION_HALF, SESSION_OPENED, SESSION_STAFF},
    error::AppError,
    explain::OrExplain as _,
    format, routes,
};

/// What somebody has shown so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The password alone: whoever has a second factor shows it next.
    Password,
    /// All there is to show.
    Everything,
}

/// Seconds for the second step.
const SECOND_STEP: i64 = 600;

/// Who has shown the password in this session, and where they were going.
#[derive(Debug, Serialize, Deserialize)]
struct Half {
    staff: uuid::Uuid,
    next: String,
    until: i64,
}

impl Ctx {
    /// Lets somebody in, and sends a browser on to `next`.
    pub(crate) async fn come_in(&self, staff: &Staff, shown: Shown, next: &str) -> Result<(), AppError> {
        if !staff.may_come_from(&self.visitor.ip) {
            return self.refuse_address(staff, next).await;
        }
        if shown == Shown::Password && staff.has_factor {
            self.wait_for_factor(staff, next).await?;
            if !self.wants_html {
                return Err(AppError::ProofNeeded);
            }
            self.redirect(routes::LOGIN_FACTOR);
            return Ok(());
        }
        self.open_session(staff).await?;
        if self.wants_html {
            // Only ever to a page of ours.
            self.redirect(next);
        }
        Ok(())
    }

    /// Said only to whoever has shown who they are.
    async fn refuse_address(&self, staff: &Staff, next: &str) -> Result<(), AppError> {
        let Caller { ip, agent, .. } = self.caller();
        let detail = serde_json::json!({ "path": routes::LOGIN, "elsewhere": true });
        let event = Event { detail, ..Event::of(Kind::Refused, staff.id, ip, agent) };
        security::note(self.backoffice(), event).await;
        let page = format!("{}?next={}", routes::LOGIN, routes::encode(next));
        action("login", &page, &[("email", &staff.email)], async |ctx| {
            Err::<String, _>(AppError::form(ctx.t("error-address")))
        })
        .await
    }

    async fn open_session(&self, staff: &Staff) -> Result<(), AppError> {
        let Arrival { device, is_news } =
            devices::arrive(self.backoffice(), staff, &self.caller()).await.or_explain(self)?;
        self.keep_device(&device);
        if is_news {
            self.write_of_device(staff).await;
        }
        let session = &self.visitor.session;
        let opened = async {
            // A new cookie, so that one that was planted before the log-in is worth nothing.
            session.cycle_id().await?;
            session.remove_value(SESSION_HALF).await?;
            let (ip, agent) = (&self.visitor.ip, &self.visitor.agent);
            let opened = serde_json::json!({ "ip": ip, "agent": agent, "device": device.id() });
            session.insert(SESSION_OPENED, opened).await?;
            session.insert(SESSION_STAFF, staff.id).await
        };
        kept(opened.await)
    }

    /// Whoever comes in from a new device is told by mail, too: those who were robbed have no page open.
    async fn write_of_device(&self, staff: &Staff) {
        let Some(mail) = &self.backoffice().mail else { return };
        let words = [
            ("time", format::full_time(self.backoffice().clock.now())),
            ("agent", browser(self, &self.visitor.agent)),
            ("ip", self.visitor.ip.clone()),
        ];
        let text = format!("{}\n\n{}", self.tr("device-new", &words), self.t("device-new-not-me"));
        // Whether it left stands in the log; nobody is kept out by a mail server.
        mail.send(&staff.email, &self.t("device-new-title"), text).await.ok();
    }

    async fn wait_for_factor(&self, staff: &Staff, next: &str) -> Result<(), AppError> {
        let until = self.backoffice().clock.now().unix_timestamp() + SECOND_STEP;
        let session = &self.visitor.session;
        let waits = async {
            session.cycle_id().await?;
            session.remove_value(SESSION_STAFF).await?;
            session.insert(SESSION_HALF, Half { staff: staff.id, next: next.to_owned(), until }).await
        };
        kept(waits.await)
    }

    pub(crate) async fn end_session(&self) -> Result<(), AppError> {
        kept(self.visitor.session.flush().await)
    }

    /// Who has shown the password and has the second step before them, and where they were going.
    pub(crate) async fn half_logged_in(&self) -> Result<Option<(Staff, String)>, AppError> {
        let half = kept(self.visitor.session.get::<Half>(SESSION_HALF).await)?;
        let now = self.backoffice().clock.now().unix_timestamp();
        let Some(half) = half.filter(|half| now < half.until) else { return Ok(None) };
        let staff = sessions::staff(self.backoffice(), half.staff).await.or_explain(self)?;
        Ok(staff.map(|staff| (staff, half.next)))
    }
}

fn kept<T>(outcome: Result<T, tower_sessions::session::Error>) -> Result<T, AppError> {
    outcome.map_err(|error| {
        tracing::error!(%error, "a session could not be kept");
        AppError::Fault
    })
}
