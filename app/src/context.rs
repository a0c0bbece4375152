//! What a page or a server function works with: the books, who asks, in which language, mounted where.

use std::sync::Arc;

use backoffice::{
    Actor, Backoffice, IpNet,
    security::{self, Event, Kind},
    staff::{
        Caller, DeviceKey, Permission, Staff, devices, factors::FactorRefused, identities, sessions::Waits,
    },
};
use http::request::Parts;
use leptos::prelude::{expect_context, use_context};
use leptos_axum::ResponseOptions;
use serde::{Deserialize, Serialize};
use tower_sessions::Session;
use uuid::Uuid;

use crate::{
    access::{self, Access},
    error::AppError,
    i18n::{Lang, Translator},
    routes,
};

/// Where the dashboard is mounted: empty, or `/x/admin` without a slash at the end.
#[derive(Debug, Clone, Default)]
pub struct Base(pub Arc<str>);

impl Base {
    pub fn href(&self, path: &str) -> String {
        if path == "/" && !self.0.is_empty() { self.0.to_string() } else { format!("{}{path}", self.0) }
    }
}

/// Which Toss this process talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Sandbox,
    Test,
    Live,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}

/// The same for every request.
#[derive(Debug, Clone)]
pub struct Site {
    pub backoffice: Backoffice,
    pub base: Base,
    pub mode: Mode,
    pub public_url: String,
    /// Where webhooks may come from; empty: from anywhere.
    pub allowed_ips: Arc<[IpNet]>,
    pub doors: Doors,
}

impl Site {
    /// What makes a browser a device that is known, as a header says it.
    pub fn device_cookie(&self, device: &DeviceKey) -> String {
        let is_https = self.public_url.starts_with("https://");
        let name = device_cookie(is_https, &self.base.0);
        let (path, age) = (self.base.href(routes::HOME), devices::LIFE.whole_seconds());
        let secure = if is_https { "; Secure" } else { "" };
        format!("{name}={}; Path={path}; Max-Age={age}; SameSite=Lax; HttpOnly{secure}", device.expose())
    }
}

/// The ways in.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// What the log-in of the house next door is called, where there is one.
    pub oidc: Option<Arc<str>>,
    /// Nobody comes in with what they have here: no password, no passkey.
    pub only_elsewhere: bool,
    /// Our host says who everybody is; where one logs out of it.
    pub host: Option<Arc<str>>,
}

/// Who somebody is elsewhere, where it was said. It stands in the session, but for a host, who is asked each time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Elsewhere {
    pub issuer: String,
    pub subject: String,
    /// The provider's session.
    pub sid: Option<String>,
    /// A second factor was seen there.
    pub factor: bool,
    /// Sealed; for the log-out.
    pub id_token: Option<String>,
}

impl Elsewhere {
    /// Our host, who says so anew with each request.
    pub fn is_host(&self) -> bool {
        self.issuer == identities::HOST
    }
}

/// The colours a visitor asked for; the device decides when they did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Device,
    Light,
    Dark,
}

impl Theme {
    pub fn parse(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Device,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Who asks. Put into the request by the server's middleware before anything here runs.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub staff: Option<Staff>,
    /// Who has said so, if it was not us.
    pub elsewhere: Option<Elsewhere>,
    pub lang: Lang,
    pub theme: Theme,
    pub ip: String,
    /// What the browser calls itself.
    pub agent: String,
    /// That of the browser's cookie; whose it is, the books know.
    pub device: Option<DeviceKey>,
    pub session: Session,
    /// What there is to be asked for.
    pub waits: Waits,
}

impl Visitor {
    /// From where somebody comes.
    pub fn caller(&self) -> Caller<'_> {
        Caller {
            ip: &self.ip,
            agent: &self.agent,
            device: self.device.as_ref(),
            is_known_elsewhere: self.elsewhere.is_some(),
        }
    }

    /// Somebody asks for what is not theirs, or from where they may not come.
    pub async fn note_refused(&self, backoffice: &Backoffice, staff: Uuid, detail: serde_json::Value) {
        let event = Event { detail, ..Event::of(Kind::Refused, staff, &self.ip, &self.agent) };
        security::note(backoffice, event).await;
    }
}

/// The cookie by which a device is known. One called __Host- is tied to this very host, and has to have the path /: as with
/// the session's.
pub fn device_cookie(is_https: bool, base: &str) -> &'static str {
    if is_https && base.is_empty() { "__Host-jangbu_device" } else { "jangbu_device" }
}

/// The key under which the session holds the page on which personal data may be seen, and until when.
const SESSION_REVEALED: &str = "revealed";
const REVEALED_FOR: time::Duration = time::Duration::minutes(5);

/// What waits until whoever asked for it has shown who they are. Put into the request by the server's middleware.
#[derive(Debug, Clone)]
pub struct Held {
    /// Where the form goes, below the base.
    pub path: String,
    pub fields: Vec<(String, String)>,
    /// What was wrong about the last proof.
    pub refused: Option<FactorRefused>,
}

/// A form that was posted when nobody was logged in any more. What was typed is shown, and nothing was done.
#[derive(Debug, Clone)]
pub struct Unsent;

/// The key under which the session holds the staff id.
pub const SESSION_STAFF: &str = "staff_id";
/// The key under which the session holds who has shown the password and nothing else yet.
pub const SESSION_HALF: &str = "half_logged_in";
/// The key under which the session holds from where it was opened.
pub const SESSION_OPENED: &str = "opened";
/// The key under which the session holds who somebody is elsewhere. SQL looks for it.
pub const SESSION_ELSEWHERE: &str = "oidc";
/// The key under which a session that has just ended holds what its end elsewhere takes.
pub const SESSION_LEFT: &str = "left";

/// Everything one request works with.
#[derive(Clone)]
pub struct Ctx {
    pub site: Site,
    pub visitor: Visitor,
    pub words: Translator,
    /// The path and query below the base.
    pub path: String,
    pub wants_html: bool,
    response: ResponseOptions,
}

impl Ctx {
    /// From the context of a page or a server function. `None` while the route table is being made.
    pub fn current() -> Option<Self> {
        let parts = use_context::<Parts>()?;
        let visitor = parts.extensions.get::<Visitor>()?.clone();
        let accept =
            parts.headers.get(http::header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        Some(Self {
            site: use_context::<Site>()?,
            words: Translator::new(visitor.lang),
            visitor,
            path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            wants_html: accept.contains("text/html"),
            response: expect_context::<ResponseOptions>(),
        })
    }

    pub fn backoffice(&self) -> &Backoffice {
        &self.site.backoffice
    }

    pub fn href(&self, path: &str) -> String {
        self.site.base.href(path)
    }

    pub fn t(&self, key: &str) -> String {
        self.words.get(key, &[])
    }

    pub fn tr(&self, key: &str, args: &[(&str, String)]) -> String {
        self.words.get(key, args)
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.visitor.staff.as_ref().is_some_and(|staff| staff.may(permission))
    }

    /// Whether whoever looks may open a page of ours.
    pub fn may_open(&self, path: &str) -> bool {
        let is_here = self.visitor.staff.is_some();
        access::rule(path).is_some_and(|rule| match rule.permission() {
            Some(permission) => self.may(permission),
            None => is_here || rule == Access::Open,
        })
    }

    /// Whether whoever looks is this account.
    pub fn is_me(&self, account: Option<Uuid>) -> bool {
        self.visitor.staff.as_ref().is_some_and(|staff| Some(staff.id) == account)
    }

    /// From where somebody comes.
    pub fn caller(&self) -> Caller<'_> {
        self.visitor.caller()
    }

    /// Whoever is logged in.
    pub fn me(&self) -> Result<&Staff, AppError> {
        self.visitor.staff.as_ref().ok_or(AppError::LoggedOut)
    }

    /// The person, if their role allows it. The first line of every server function.
    pub fn allow(&self, permission: Permission) -> Result<Actor, AppError> {
        let staff = self.me()?;
        if !staff.may(permission) {
            return Err(AppError::Forbidden);
        }
        Ok(staff.actor(&self.visitor.caller()))
    }

    /// Whoever looks, for what is written down of it.
    pub fn actor(&self) -> Option<Actor> {
        self.visitor.staff.as_ref().map(|staff| staff.actor(&self.visitor.caller()))
    }

    /// Lets this session see the personal data of a page for a few minutes. The session keeps the permission, never the data.
    pub async fn reveal(&self, page: &str) {
        let until = (self.backoffice().clock.now() + REVEALED_FOR).unix_timestamp();
        if let Err(error) = self.visitor.session.insert(SESSION_REVEALED, (page, until)).await {
            tracing::warn!(%error, "personal data cannot be shown");
        }
    }

    pub async fn is_revealed(&self, page: &str) -> bool {
        let kept = self.visitor.session.get::<(String, i64)>(SESSION_REVEALED).await.ok().flatten();
        let now = self.backoffice().clock.now().unix_timestamp();
        self.may(Permission::RevealPersonal) && kept.is_some_and(|(of, until)| of == page && now < until)
    }

    /// Sends a browser to a page of ours; to the first one where the path is none.
    pub fn redirect(&self, path: &str) {
        let path = if routes::is_inside(path) { path } else { routes::HOME };
        leptos_axum::redirect(&self.href(path));
    }

    pub fn status(&self, status: http::StatusCode) {
        self.response.set_status(status);
    }

    pub fn header(&self, name: http::HeaderName, value: &str) {
        if let Ok(value) = http::HeaderValue::from_str(value) {
            self.response.append_header(name, value);
        }
    }
}
