//! Who calls: by the key of the settings, or by one of the keys that somebody has made, each with what it opens. What was called is
//! written down, without anything that was in it.

use std::time::Instant;

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use backoffice::{
    Actor, Fault,
    api_keys::{self, Known, Scope},
    audit::Via,
};
use secrecy::SecretString;

use super::{ApiError, error::codes, words};
use crate::{Jangbu, authenticate, observe::RequestId};

/// Whoever calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub actor: Actor,
    scopes: Scopes,
}

#[derive(Debug, Clone)]
enum Scopes {
    /// Whoever has set the key could have set Toss's own.
    All,
    Of(Vec<Scope>),
}

impl Caller {
    fn may(&self, scope: Scope) -> bool {
        match &self.scopes {
            Scopes::All => true,
            Scopes::Of(scopes) => scopes.contains(&scope),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| ApiError::unauthorized(words(&parts.headers)))
    }
}

/// A call that a key has to open.
pub(super) fn opened_by(
    jangbu: &Jangbu,
    scope: Scope,
    methods: MethodRouter<Jangbu>,
) -> MethodRouter<Jangbu> {
    methods.route_layer(axum::middleware::from_fn_with_state((jangbu.clone(), scope), gate))
}

async fn gate(State((jangbu, scope)): State<(Jangbu, Scope)>, mut request: Request, next: Next) -> Response {
    let ip = authenticate::address(&jangbu.settings, &request).map(|ip| ip.to_string());
    let caller = match caller(&jangbu, request.headers(), ip).await {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let mut response = if caller.may(scope) {
        request.extensions_mut().insert(caller.clone());
        next.run(request).await
    } else {
        let scope = [("scope", scope.as_str().to_owned())];
        ApiError::with(words(request.headers()), codes::MISSING_SCOPE, &scope).into_response()
    };
    response.extensions_mut().insert(caller);
    response
}

async fn caller(jangbu: &Jangbu, headers: &HeaderMap, ip: Option<String>) -> Result<Caller, Response> {
    let words = words(headers);
    if bears_the_first(jangbu, headers) {
        return Ok(Caller { actor: Actor::MerchantApi, scopes: Scopes::All });
    }
    let shown: SecretString = authenticate::bearer(headers).to_owned().into();
    let known = match api_keys::recognize(&jangbu.backoffice, &shown).await {
        Ok(Some(known)) => known,
        Ok(None) => return Err(ApiError::unauthorized(words).into_response()),
        Err(fault) => return Err(ApiError::fault(words, &fault).into_response()),
    };
    let caller = of(headers, ip, &known);
    let refused = |mut response: Response| {
        response.extensions_mut().insert(caller.clone());
        response
    };
    if known.is_expired {
        return Err(refused(ApiError::new(words, codes::API_KEY_EXPIRED).into_response()));
    }
    let too_many = || ApiError::new(words, codes::TOO_MANY_REQUESTS);
    jangbu.quotas.keys.visit(known.id, known.per_minute).map_err(|wait| refused(wait.answer(too_many())))?;
    Ok(caller)
}

/// The key of the settings.
pub(super) fn bears_the_first(jangbu: &Jangbu, headers: &HeaderMap) -> bool {
    jangbu.settings.merchant_api_key.as_ref().is_some_and(|key| authenticate::bears(headers, key))
}

fn of(headers: &HeaderMap, ip: Option<String>, known: &Known) -> Caller {
    let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok());
    let via = Via { ip, agent: agent.map(|agent| agent.chars().take(200).collect()), factor: None };
    Caller {
        actor: Actor::ApiKey { id: known.id, name: known.name.clone(), via },
        scopes: Scopes::Of(known.scopes.clone()),
    }
}

/// Writes down what was called and how it ended.
pub(super) async fn record(State(jangbu): State<Jangbu>, request: Request, next: Next) -> Response {
    let (at, began) = (jangbu.backoffice.clock.now(), Instant::now());
    let method = request.method().to_string();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let ip = authenticate::address(&jangbu.settings, &request).map(|ip| ip.to_string());
    let base = &jangbu.settings.base_path;
    let mut response = next.run(request).await;
    let code = response.extensions().get::<ApiError>().map(|refusal| refusal.code().to_owned());
    let actor = response.extensions_mut().remove::<Caller>().map(|caller| caller.actor);
    let Some(route) = route else { return response };
    let (key_id, key_name) = match &actor {
        Some(actor) => (actor.api_key(), Some(actor.name().to_owned())),
        None => (None, None),
    };
    jangbu.requests.write(api_keys::Request {
        at,
        key_id,
        key_name,
        method,
        route: route.strip_prefix(base.as_str()).unwrap_or(&route).to_owned(),
        status: response.status().as_u16(),
        code,
        took_ms: i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX),
        request_id,
        ip,
    });
    response
}

/// A rule of the books broke off.
pub(super) fn fault(headers: &HeaderMap) -> impl Fn(Fault) -> ApiError {
    let words = words(headers);
    move |fault| ApiError::fault(words, &fault)
}
