//! The log-in of the house next door: OpenID Connect, with the authorization code flow and PKCE. Closed unless it is set
//! up.
//!
//! | | |
//! |---|---|
//! | [`provider`] | what the provider says of itself, its keys, and our calls to it |
//! | [`claims`] | whom an ID token is about, once it is believed |
//! | [`log_in`] | out to the provider and back |
//! | [`log_out`] | our log-out at the provider, and the provider's here |

mod claims;
mod log_in;
mod log_out;
mod provider;

use app::{context::Visitor, i18n::Translator, routes};
use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use backoffice::{
    Fault,
    security::{self, Event, Kind},
    staff::identities::NotLetIn,
};
use serde_json::json;

use crate::{Jangbu, identify::sentence, quota};
pub(crate) use provider::Provider;

/// How far clocks may be apart, in seconds.
const SKEW: i64 = 120;

/// Belongs behind the gate, which has put the visitor there.
pub(crate) fn router(jangbu: &Jangbu) -> Router {
    if jangbu.oidc.is_none() {
        return Router::new();
    }
    Router::new()
        .route(routes::OIDC, get(log_in::begin))
        .route(routes::OIDC_CALLBACK, get(log_in::come_back))
        .route(routes::OIDC_LEFT, get(log_out::left))
        .with_state(jangbu.clone())
}

/// What the provider calls itself: no session, no gate, a signature.
pub(crate) fn machine(jangbu: &Jangbu) -> Router {
    if jangbu.oidc.is_none() {
        return Router::new();
    }
    Router::new()
        .route(routes::OIDC_LOG_OUT, post(log_out::told))
        .layer(middleware::from_fn_with_state(jangbu.clone(), within_quota))
        .with_state(jangbu.clone())
}

/// Anybody may post here, and a signature costs something to look at.
async fn within_quota(State(jangbu): State<Jangbu>, request: Request, next: Next) -> Response {
    match quota::visit(&jangbu, &jangbu.quotas.hooks, &request) {
        Ok(()) => next.run(request).await,
        Err(wait) => wait.answer(StatusCode::TOO_MANY_REQUESTS),
    }
}

/// Why somebody does not come in.
#[derive(Debug, thiserror::Error)]
enum NotIn {
    /// Another session's, done already, or too old.
    #[error("a log-in that nobody here has begun")]
    NotBegun,
    /// Somebody does not want to, or may not, there.
    #[error("the provider says no: {0}")]
    Denied(String),
    /// The provider is silent, or says what cannot be used.
    #[error("the provider: {0}")]
    Provider(String),
    /// What came is not believed.
    #[error("the token: {0}")]
    Token(String),
    #[error("no group has a role")]
    NoRole,
    #[error("the account: {0}")]
    Account(#[from] NotLetIn),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl NotIn {
    /// The sentence on the page of the log-in.
    fn key(&self) -> &'static str {
        match self {
            Self::NotBegun => "oidc-not-begun",
            Self::Denied(_) => "oidc-denied",
            Self::Provider(_) => "oidc-provider",
            Self::Token(_) => "oidc-token",
            Self::NoRole => "oidc-no-role",
            Self::Account(why) => sentence(*why),
            Self::Fault(_) => "error-fault",
        }
    }

    fn log(&self) {
        match self {
            Self::Fault(_) | Self::Provider(_) => tracing::error!(why = %self, "nobody came in"),
            _ => tracing::warn!(why = %self, "nobody came in"),
        }
    }
}

fn redirect(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// To a page of ours.
fn to_page(jangbu: &Jangbu, path: &str) -> Response {
    let path = if routes::is_inside(path) { path } else { routes::HOME };
    redirect(&jangbu.site().base.href(path))
}

/// Back to where somebody was, with a sentence.
async fn refuse(jangbu: &Jangbu, visitor: &Visitor, why: &NotIn) -> Response {
    why.log();
    let detail = json!({ "why": why.key() });
    let (ip, agent) = (visitor.ip.as_str(), visitor.agent.as_str());
    let staff = visitor.staff.as_ref().map(|staff| staff.id);
    let event = Event { kind: Kind::LogInRefused, staff, email: None, ip, agent, detail };
    security::note(&jangbu.backoffice, event).await;
    let page = if visitor.staff.is_some() { routes::HOME } else { routes::LOGIN };
    let sentence = Translator::new(visitor.lang).get(why.key(), &[]);
    app::flash::say(&jangbu.backoffice, &visitor.session, page, "login", sentence).await;
    to_page(jangbu, page)
}
