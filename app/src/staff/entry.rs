//! Opening a session for somebody who has shown who they are: the one place, whichever way they came.

use backoffice::{
    Backoffice, Fault,
    staff::{
        DeviceKey, Staff,
        devices::{self, Arrival},
        sessions,
    },
};
use serde::{Deserialize, Serialize};
use tower_sessions::{Session, session::Error};

use crate::{
    action::action,
    components::agent::browser,
    context::{
        Ctx, Elsewhere, SESSION_ELSEWHERE, SESSION_HALF, SESSION_OPENED, SESSION_STAFF, Site, Visitor,
    },
    error::AppError,
    explain::OrExplain as _,
    format,
    i18n::Translator,
    routes,
};

/// What somebody has shown so far.
#[derive(Debug, Clone)]
pub enum Shown {
    /// The password alone: whoever has a second factor shows it next.
    Password,
    /// All there is to show.
    Everything,
    /// That somebody else knows them, who may have seen a second factor. If not, it is shown here.
    Elsewhere(Elsewhere),
}

/// What comes next.
#[derive(Debug)]
pub enum Entered {
    /// The session is open. This browser is a device that is known from now on, once it has this cookie.
    In { set_cookie: String },
    /// The second factor, at [`routes::LOGIN_FACTOR`].
    ShowsFactor,
    /// They may not come from this address.
    NotFromHere,
}

/// Seconds for the second step.
const SECOND_STEP: i64 = 600;

/// Who has shown the password in this session, and where they were going.
#[derive(Debug, Serialize, Deserialize)]
struct Half {
    staff: uuid::Uuid,
    next: String,
    until: i64,
    #[serde(default)]
    elsewhere: Option<Elsewhere>,
}

/// Lets somebody in, as far as what they have shown goes.
pub async fn enter(
    site: &Site,
    visitor: &Visitor,
    staff: &Staff,
    shown: Shown,
    next: &str,
) -> Result<Entered, Fault> {
    if !staff.may_come_from(&visitor.ip) {
        let detail = serde_json::json!({ "path": routes::LOGIN, "elsewhere": true });
        visitor.note_refused(&site.backoffice, staff.id, detail).await;
        return Ok(Entered::NotFromHere);
    }
    let (elsewhere, is_enough) = match shown {
        Shown::Password => (None, false),
        Shown::Everything => {
            let half = kept(visitor.session.get::<Half>(SESSION_HALF).await)?;
            (half.filter(|half| half.staff == staff.id).and_then(|half| half.elsewhere), true)
        }
        Shown::Elsewhere(elsewhere) => {
            // A host is asked anew for each request; what needs a factor asks for it then.
            let is_enough = elsewhere.factor || elsewhere.is_host();
            (Some(elsewhere), is_enough)
        }
    };
    if staff.has_factor && !is_enough {
        wait_for_factor(&site.backoffice, &visitor.session, staff, elsewhere, next).await?;
        return Ok(Entered::ShowsFactor);
    }
    let device = open_session(site, visitor, staff, elsewhere).await?;
    Ok(Entered::In { set_cookie: site.device_cookie(&device) })
}

async fn open_session(
    site: &Site,
    visitor: &Visitor,
    staff: &Staff,
    elsewhere: Option<Elsewhere>,
) -> Result<DeviceKey, Fault> {
    let how = elsewhere.as_ref().map_or(
        serde_json::json!({}),
        |known| serde_json::json!({ "issuer": known.issuer, "second_factor": known.factor }),
    );
    let Arrival { device, is_news } =
        devices::arrive(&site.backoffice, staff, &visitor.caller(), how).await?;
    if is_news {
        write_of_device(&site.backoffice, visitor, staff).await;
    }
    let session = &visitor.session;
    let opened = async {
        // A new cookie, so that one that was planted before the log-in is worth nothing.
        session.cycle_id().await?;
        session.remove_value(SESSION_HALF).await?;
        let (ip, agent) = (&visitor.ip, &visitor.agent);
        let opened = serde_json::json!({ "ip": ip, "agent": agent, "device": device.id() });
        session.insert(SESSION_OPENED, opened).await?;
        match elsewhere {
            Some(elsewhere) => session.insert(SESSION_ELSEWHERE, elsewhere).await?,
            None => {
                session.remove_value(SESSION_ELSEWHERE).await?;
            }
        }
        session.insert(SESSION_STAFF, staff.id).await
    };
    kept(opened.await)?;
    Ok(device)
}

/// Whoever comes in from a new device is told by mail, too: those who were robbed have no page open.
async fn write_of_device(backoffice: &Backoffice, visitor: &Visitor, staff: &Staff) {
    let Some(mail) = &backoffice.mail else { return };
    let say = Translator::new(visitor.lang);
    let words = [
        ("time", format::full_time(backoffice.clock.now())),
        ("agent", browser(&say, &visitor.agent)),
        ("ip", visitor.ip.clone()),
    ];
    let text = format!("{}\n\n{}", say.get("device-new", &words), say.get("device-new-not-me", &[]));
    // Whether it left stands in the log; nobody is kept out by a mail server.
    mail.send(&staff.email, &say.get("device-new-title", &[]), text).await.ok();
}

async fn wait_for_factor(
    backoffice: &Backoffice,
    session: &Session,
    staff: &Staff,
    elsewhere: Option<Elsewhere>,
    next: &str,
) -> Result<(), Fault> {
    let until = backoffice.clock.now().unix_timestamp() + SECOND_STEP;
    let half = Half { staff: staff.id, next: next.to_owned(), until, elsewhere };
    let waits = async {
        session.cycle_id().await?;
        session.remove_value(SESSION_STAFF).await?;
        session.remove_value(SESSION_ELSEWHERE).await?;
        session.insert(SESSION_HALF, half).await
    };
    kept(waits.await)
}

impl Ctx {
    /// Lets somebody in, and sends a browser on to `next`.
    pub(crate) async fn come_in(&self, staff: &Staff, shown: Shown, next: &str) -> Result<(), AppError> {
        match enter(&self.site, &self.visitor, staff, shown, next).await.or_explain(self)? {
            Entered::NotFromHere => {
                let page = format!("{}?next={}", routes::LOGIN, routes::encode(next));
                return action("login", &page, &[("email", &staff.email)], async |ctx| {
                    Err::<String, _>(AppError::form(ctx.t("error-address")))
                })
                .await;
            }
            Entered::ShowsFactor if !self.wants_html => return Err(AppError::ProofNeeded),
            Entered::ShowsFactor => self.redirect(routes::LOGIN_FACTOR),
            Entered::In { set_cookie } => {
                self.header(http::header::SET_COOKIE, &set_cookie);
                if self.wants_html {
                    // Only ever to a page of ours.
                    self.redirect(next);
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn end_session(&self) -> Result<(), AppError> {
        kept(self.visitor.session.flush().await).or_explain(self)
    }

    /// Who has shown the password and has the second step before them, and where they were going.
    pub(crate) async fn half_logged_in(&self) -> Result<Option<(Staff, String)>, AppError> {
        let half = kept(self.visitor.session.get::<Half>(SESSION_HALF).await).or_explain(self)?;
        let now = self.backoffice().clock.now().unix_timestamp();
        let Some(half) = half.filter(|half| now < half.until) else { return Ok(None) };
        let staff = sessions::staff(self.backoffice(), half.staff).await.or_explain(self)?;
        Ok(staff.map(|staff| (staff, half.next)))
    }
}

fn kept<T>(outcome: Result<T, Error>) -> Result<T, Fault> {
    outcome.map_err(|error| Fault::Inconsistent(format!("a session could not be kept: {error}")))
}
