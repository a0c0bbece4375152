//! In front of what hurts: whoever asks shows again who they are, unless they did in the last five minutes. What they
//! typed waits in the form that asks, not here. The same for whoever is not logged in any more.

use std::sync::Arc;

use app::{
    access,
    context::{Held, Unsent, Visitor},
    error::AppError,
    routes,
    staff::factors::proof_of,
};
use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use backoffice::{
    security::{self, Event, Kind},
    staff::{
        Staff,
        factors::{self, FactorError, FactorRefused},
        sessions::SessionKey,
    },
};
use futures::future::BoxFuture;

use crate::{
    Jangbu,
    authenticate::wants_html,
    body::{LARGEST_FORM, unread},
    sessions,
};

/// Makes a page, outside of the router: a middleware behind it cannot choose another route.
pub(crate) type Render = Arc<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) jangbu: Jangbu,
    pub(crate) render: Render,
}

/// What a form of ours carries beside its own fields.
const FIELDS: [&str; 4] = ["proof_code", "proof_recovery", "proof_credential", "proof_password"];

pub(crate) async fn ask(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if request.extensions().get::<Unsent>().is_some() {
        return unsent(&gate, path, request).await;
    }
    let rule = access::rule(&path).filter(|rule| rule.may_want_proof());
    let Some(rule) = rule else { return next.run(request).await };
    let Some(visitor) = request.extensions().get::<Visitor>().cloned() else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let Some(staff) =
        visitor.staff.clone().filter(|staff| gate.jangbu.backoffice.second_factor.wants_proof(staff))
    else {
        return next.run(request).await;
    };
    // A host says itself whether what it has seen is recent enough.
    if visitor.elsewhere.as_ref().is_some_and(|known| known.is_host() && known.factor) {
        return next.run(request).await;
    }
    let Some(session) = visitor.session.id().map(|id| sessions::key(&id)) else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD);
    let (parts, body) = request.into_parts();
    let bytes = match axum::body::to_bytes(body, LARGEST_FORM).await {
        Ok(bytes) => bytes,
        Err(error) => return unread(&error).into_response(),
    };
    let form = Form::read(&bytes);
    let again = Request::from_parts(parts, Body::from(bytes));
    if !rule.wants_proof(&form.fields) {
        return next.run(again).await;
    }
    match form.pass(&gate, &session, &staff, &visitor).await {
        Ok(()) => next.run(again).await,
        Err(FactorError::Refused(FactorRefused::TooMany)) => {
            if let Err(error) = visitor.session.flush().await {
                tracing::error!(%error, "a session could not be ended");
            }
            let login = format!("{}{}?why=factor", gate.jangbu.settings.base_path, routes::LOGIN);
            (StatusCode::SEE_OTHER, [(header::LOCATION, login)]).into_response()
        }
        Err(FactorError::Refused(_)) if !wants_html(again.headers()) => {
            (StatusCode::FORBIDDEN, axum::Json(AppError::ProofNeeded)).into_response()
        }
        Err(FactorError::Refused(refused)) => {
            // The first look at the page is no wrong answer.
            let refused = Some(refused).filter(|refused| *refused != FactorRefused::Nothing);
            // A page that was asked for is gone to once the proof is there; a form goes where it was going.
            let held = if is_page {
                let next = again.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
                Held { path: "/fn/prove".into(), fields: vec![("next".into(), next)], refused }
            } else {
                Held { path, fields: form.own(), refused }
            };
            page(&gate, again, held, routes::PROOF).await
        }
        Err(FactorError::Fault(fault)) => {
            tracing::error!(%fault, "a proof could not be looked at");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

struct Form {
    fields: Vec<(String, String)>,
}

impl Form {
    fn read(bytes: &Bytes) -> Self {
        let fields = form_urlencoded::parse(bytes).into_owned().collect();
        Self { fields }
    }

    fn shown(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// Without what was shown.
    fn own(self) -> Vec<(String, String)> {
        self.fields.into_iter().filter(|(name, _)| !FIELDS.contains(&name.as_str())).collect()
    }

    async fn pass(
        &self,
        gate: &Gate,
        session: &SessionKey,
        staff: &Staff,
        visitor: &Visitor,
    ) -> Result<(), FactorError> {
        let backoffice = &gate.jangbu.backoffice;
        let [code, recovery, credential, password] = FIELDS.map(|name| self.shown(name));
        let proof = proof_of(code, recovery, credential, password);
        if factors::is_fresh(backoffice, session).await? {
            return Ok(());
        }
        let caller = visitor.caller();
        factors::prove(backoffice, session, staff, &proof, &caller).await?;
        let event = Event::of(Kind::Proven, staff.id, caller.ip, caller.agent);
        security::note(backoffice, event).await;
        Ok(())
    }
}

/// Nobody is logged in any more: what was typed is shown again, and nothing is done.
async fn unsent(gate: &Gate, path: String, request: Request) -> Response {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let (parts, body) = request.into_parts();
    let bytes = match axum::body::to_bytes(body, LARGEST_FORM).await {
        Ok(bytes) if is_form => bytes,
        // A file has to be chosen again: a browser gives none back.
        _ => Bytes::new(),
    };
    let held = Held { path, fields: Form::read(&bytes).own(), refused: None };
    page(gate, Request::from_parts(parts, Body::empty()), held, routes::UNSENT).await
}

async fn page(gate: &Gate, request: Request, held: Held, instead: &'static str) -> Response {
    let (mut parts, _) = request.into_parts();
    parts.method = Method::GET;
    parts.uri = Uri::from_static(instead);
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.extensions.insert(held);
    (gate.render)(Request::from_parts(parts, Body::empty())).await
}
