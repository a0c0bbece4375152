//! Going out: ours at the provider (RP-Initiated Logout 1.0), and the provider's here (Back-Channel Logout 1.0).
//!
//! The library verifies ID tokens and nothing else. A log-out token may have no subject, which its ID token cannot do
//! without: what such a token has to say is read here, its signature is verified by the library's keys.

use app::{
    context::{SESSION_LEFT, Visitor},
    i18n::Translator,
    routes,
};
use axum::{
    Extension, Form, Json,
    extract::{State, rejection::FormRejection},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use backoffice::staff::oidc::{self, ToldLogOut};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    ClientId, JsonWebKey, JsonWebKeyAlgorithm, JsonWebKeyUse, JwsSigningAlgorithm, LogoutRequest,
    core::CoreJwsSigningAlgorithm,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::{
    NotIn, Provider, SKEW, claims,
    provider::{IdToken, Known},
    to_page,
};
use crate::{Jangbu, files::stylesheet};

/// `GET /login/oidc/left`: who has gone here goes there. A page, not a redirect: browsers let the answer to a form lead to
/// nowhere but this host (`form-action` of our Content-Security-Policy), also through several redirects.
pub(super) async fn left(State(jangbu): State<Jangbu>, Extension(visitor): Extension<Visitor>) -> Response {
    let token = visitor.session.remove::<String>(SESSION_LEFT).await.ok().flatten();
    let Some((provider, token)) = jangbu.oidc.as_ref().zip(token) else {
        return to_page(&jangbu, routes::LOGIN);
    };
    let Some(address) = end_session(&jangbu, provider, &token).await else {
        return to_page(&jangbu, routes::LOGIN);
    };
    let words = Translator::new(visitor.lang);
    let address = address.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    Html(format!(
        "<!DOCTYPE html><html lang=\"{}\"><meta charset=\"utf-8\"><title>{}</title>\
         <link rel=\"stylesheet\" href=\"{}/pkg/{}\">\
         <meta http-equiv=\"refresh\" content=\"0; url={address}\">\
         <main class=\"alone login\"><div class=\"card\"><a class=\"button wide\" href=\"{address}\">{}</a></div></main>",
        words.lang.as_str(),
        words.get("product", &[]),
        jangbu.settings.base_path,
        stylesheet(&jangbu),
        words.get("oidc-log-out", &[]),
    ))
    .into_response()
}

/// Where the provider ends its own session, if it has such a place.
async fn end_session(jangbu: &Jangbu, provider: &Provider, sealed: &str) -> Option<String> {
    let known = provider.known().await.ok()?;
    let place = known.metadata.additional_metadata().end_session_endpoint.clone()?;
    let request = LogoutRequest::from(place)
        .set_client_id(ClientId::new(provider.settings.client_id.clone()))
        .set_post_logout_redirect_uri(provider.after_log_out.clone());
    let token = oidc::open_token(&jangbu.backoffice, sealed);
    let request = match token.and_then(|token| token.parse::<IdToken>().ok()) {
        Some(token) => request.set_id_token_hint(&token),
        None => request,
    };
    Some(request.http_get_url().into())
}

#[derive(Deserialize)]
pub(super) struct Told {
    logout_token: String,
}

/// `POST /login/oidc/backchannel-logout`: the provider says that a session, or somebody, has ended there.
pub(super) async fn told(State(jangbu): State<Jangbu>, form: Result<Form<Told>, FormRejection>) -> Response {
    let Some(provider) = &jangbu.oidc else { return StatusCode::NOT_FOUND.into_response() };
    let answer = match form {
        Err(_) => Err(NotIn::Token("there is none".into())),
        Ok(Form(told)) => end(&jangbu, provider, &told.logout_token).await,
    };
    let not_kept = (header::CACHE_CONTROL, "no-store");
    match answer {
        Ok(ended) => {
            tracing::info!(ended, "the provider ended sessions");
            (StatusCode::OK, [not_kept]).into_response()
        }
        Err(why @ (NotIn::Fault(_) | NotIn::Provider(_))) => {
            tracing::error!(%why, "a log-out of the provider was not followed");
            (StatusCode::SERVICE_UNAVAILABLE, [not_kept]).into_response()
        }
        Err(why) => {
            tracing::warn!(%why, "a log-out that the provider has not told");
            let said = json!({ "error": "invalid_request", "error_description": why.to_string() });
            (StatusCode::BAD_REQUEST, [not_kept], Json(said)).into_response()
        }
    }
}

async fn end(jangbu: &Jangbu, provider: &Provider, token: &str) -> Result<usize, NotIn> {
    let wrong = |why: &str| NotIn::Token(why.into());
    let signed = Signed::split(token).ok_or_else(|| wrong("it is none"))?;
    let mut known = provider.known().await?;
    if !signed.is_by(&known) {
        known = provider.known_anew().await?;
        if !signed.is_by(&known) {
            return Err(wrong("its signature is not the provider's"));
        }
    }
    let told =
        read(&signed.claims, &provider.settings.issuer, &provider.settings.client_id).map_err(wrong)?;
    let ended = oidc::log_out(&jangbu.backoffice, &told).await?;
    ended.ok_or_else(|| wrong("it was told before"))
}

#[derive(Deserialize)]
struct Header {
    alg: CoreJwsSigningAlgorithm,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// A JSON Web Signature in its compact form (RFC 7515).
struct Signed<'a> {
    header: Header,
    claims: Map<String, Value>,
    message: &'a str,
    signature: Vec<u8>,
}

impl<'a> Signed<'a> {
    fn split(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let open = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        Some(Self {
            header: serde_json::from_slice(&open(header)?).ok()?,
            claims: serde_json::from_slice(&open(claims)?).ok()?,
            message,
            signature: open(signature)?,
        })
    }

    /// Whether one of the provider's keys has signed it, with what the provider signs with.
    fn is_by(&self, known: &Known) -> bool {
        let Header { alg, kid, typ, crit } = &self.header;
        let typ = typ.as_deref().map(str::to_ascii_lowercase);
        let typ = typ.as_deref().map(|typ| typ.trim_start_matches("application/"));
        if crit.is_some()
            || !matches!(typ, None | Some("logout+jwt" | "jwt"))
            || !known.algorithms().contains(alg)
        {
            return false;
        }
        let fits = |key: &&_| {
            let key: &openidconnect::core::CoreJsonWebKey = key;
            let is_named = kid.as_ref().is_none_or(|kid| key.key_id().is_some_and(|id| id.as_str() == kid));
            let signs = key.key_use().is_none_or(JsonWebKeyUse::allows_signature);
            let is_of_kind = alg.key_type().as_ref() == Some(key.key_type());
            let is_for = match key.signing_alg() {
                JsonWebKeyAlgorithm::Unspecified => true,
                JsonWebKeyAlgorithm::Algorithm(only) => only == alg,
                JsonWebKeyAlgorithm::Unsupported => false,
            };
            is_named && signs && is_of_kind && is_for
        };
        let mut keys = known.metadata.jwks().keys().iter().filter(fits);
        keys.any(|key| key.verify_signature(alg, self.message.as_bytes(), &self.signature).is_ok())
    }
}

/// What section 2.6 of Back-Channel Logout 1.0 asks of a token whose signature is the provider's.
fn read<'a>(
    claims: &'a Map<String, Value>,
    issuer: &str,
    client_id: &str,
) -> Result<ToldLogOut<'a>, &'static str> {
    const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let moment = |name: &str| claims.get(name).and_then(Value::as_f64).map(|at| at as i64);
    let now = claims::now();
    let iss = text("iss").filter(|iss| *iss == issuer).ok_or("it is another issuer's")?;
    let is_ours = match claims.get("aud") {
        Some(Value::String(one)) => one == client_id,
        Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(client_id)),
        _ => false,
    };
    if !is_ours {
        return Err("it is for somebody else");
    }
    let issued = moment("iat").ok_or("it does not say when it was issued")?;
    let expires = moment("exp").ok_or("it does not say when it ends")?;
    if issued > now + SKEW || expires <= now - SKEW {
        return Err("its time is over, or to come");
    }
    if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
        return Err("it is no log-out");
    }
    if claims.contains_key("nonce") {
        return Err("it is an ID token");
    }
    let jti = text("jti").ok_or("it has no id")?;
    let (sid, subject) = (text("sid"), text("sub"));
    if sid.is_none() && subject.is_none() {
        return Err("it says of nobody that they have gone");
    }
    let expires_at = OffsetDateTime::from_unix_timestamp(expires.saturating_add(SKEW));
    let expires_at = expires_at.map_err(|_| "its time is over, or to come")?;
    Ok(ToldLogOut { issuer: iss, jti, expires_at, sid, subject })
}
