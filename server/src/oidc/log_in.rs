//! Out to the provider, and back with a code.

use app::{
    context::{Elsewhere, Visitor},
    flash, routes,
    staff::entry::{self, Entered, Shown},
};
use axum::{
    Extension,
    extract::{Query, State},
    http::{HeaderMap, header},
    response::Response,
};
use backoffice::staff::{
    identities::{self, Known},
    oidc::{self, UnderWay},
};
use openidconnect::{
    AuthorizationCode, CsrfToken, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    RequestTokenError, Scope, TokenResponse,
    core::{CoreAuthPrompt, CoreAuthenticationFlow},
};
use serde::Deserialize;
use toss::redact;

use super::{NotIn, Provider, claims, redirect, refuse, to_page};
use crate::{Jangbu, sessions::key};

#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    next: String,
    /// Somebody who is in shows anew who they are.
    again: Option<String>,
}

/// `GET /login/oidc?next=…`
pub(super) async fn begin(
    State(jangbu): State<Jangbu>,
    Extension(visitor): Extension<Visitor>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Response {
    // A link from elsewhere lets nobody in without their doing (OWASP ASVS 5.0, 7.6.2): the page has a button.
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return to_page(&jangbu, &format!("{}?next={}", routes::LOGIN, routes::encode(&wish.next)));
    }
    if visitor.staff.is_some() && wish.again.is_none() {
        return to_page(&jangbu, &wish.next);
    }
    let Some(provider) = &jangbu.oidc else { return to_page(&jangbu, "") };
    match ask(&jangbu, provider, &visitor, &wish).await {
        Ok(address) => redirect(&address),
        Err(why) => refuse(&jangbu, &visitor, &why).await,
    }
}

/// Where the browser has to go.
async fn ask(jangbu: &Jangbu, provider: &Provider, visitor: &Visitor, wish: &Wish) -> Result<String, NotIn> {
    let known = provider.known().await?;
    let session = flash::key_or_new(&visitor.session).await?;
    let again_since = visitor.staff.is_some().then(claims::now);
    let begun = oidc::begin(&jangbu.backoffice, &session, &wish.next, again_since).await?;
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(begun.verifier));
    let (state, nonce) = (CsrfToken::new(begun.state), Nonce::new(begun.nonce));
    let mut request = known
        .client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce)
        .set_pkce_challenge(challenge);
    for scope in &provider.settings.scopes {
        request = request.add_scope(Scope::new(scope.clone()));
    }
    if again_since.is_some() {
        request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(std::time::Duration::ZERO);
    }
    Ok(request.url().0.into())
}

#[derive(Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
}

/// `GET /login/oidc/callback`. It opens a session, and may: only the browser that began the log-in has the session that
/// the state belongs to.
pub(super) async fn come_back(
    State(jangbu): State<Jangbu>,
    Extension(visitor): Extension<Visitor>,
    Query(answer): Query<Answer>,
) -> Response {
    let Some(provider) = &jangbu.oidc else { return to_page(&jangbu, "") };
    match finish(&jangbu, provider, &visitor, answer).await {
        Ok((next, cookie)) => {
            let mut response = to_page(&jangbu, &next);
            if let Some(cookie) = cookie.and_then(|cookie| cookie.parse().ok()) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(why) => refuse(&jangbu, &visitor, &why).await,
    }
}

/// Which page comes next, and the cookie of a device that is known from now on.
async fn finish(
    jangbu: &Jangbu,
    provider: &Provider,
    visitor: &Visitor,
    answer: Answer,
) -> Result<(String, Option<String>), NotIn> {
    let backoffice = &jangbu.backoffice;
    let session = visitor.session.id().ok_or(NotIn::NotBegun)?;
    let under_way = oidc::take(backoffice, &key(&session), &answer.state).await?.ok_or(NotIn::NotBegun)?;
    if answer.iss.is_some_and(|issuer| issuer != provider.settings.issuer) {
        return Err(NotIn::Token("the answer is another issuer's".into()));
    }
    if let Some(error) = answer.error {
        return Err(NotIn::Denied(redact::code(&error)));
    }
    let code = answer.code.ok_or_else(|| NotIn::Provider("an answer without a code".into()))?;
    let (person, token) = exchange(provider, code, &under_way).await?;
    let role = provider.settings.role_of(&person.groups.unwrap_or_default()).ok_or(NotIn::NoRole)?;
    let known = Known {
        issuer: provider.settings.issuer.clone(),
        subject: person.subject.clone(),
        name: person.name,
        email: person.email,
        role,
    };
    if let Some(here) = &visitor.staff
        && identities::whose(backoffice, &known.issuer, &known.subject).await? != Some(here.id)
    {
        return Err(NotIn::Token("somebody else has shown who they are".into()));
    }
    let staff = identities::log_in(backoffice, &known).await??;
    let elsewhere = Elsewhere {
        issuer: known.issuer,
        subject: person.subject,
        sid: person.sid,
        factor: person.factor,
        id_token: Some(oidc::seal_token(backoffice, &token)?),
    };
    let shown = Shown::Elsewhere(elsewhere);
    Ok(match entry::enter(&jangbu.site(), visitor, &staff, shown, &under_way.next).await? {
        Entered::In { set_cookie } => (under_way.next, Some(set_cookie)),
        Entered::ShowsFactor => (routes::LOGIN_FACTOR.to_owned(), None),
        Entered::NotFromHere => return Err(backoffice::staff::identities::NotLetIn::NotFromHere.into()),
    })
}

/// The code for a token, and the person that the token is about.
async fn exchange(
    provider: &Provider,
    code: String,
    under_way: &UnderWay,
) -> Result<(claims::Person, String), NotIn> {
    let known = provider.known().await?;
    let request = known.client.exchange_code(AuthorizationCode::new(code));
    let answer = request
        .map_err(|error| NotIn::Provider(error.to_string()))?
        .set_pkce_verifier(PkceCodeVerifier::new(under_way.verifier.clone()))
        .request_async(&provider.http)
        .await
        .map_err(|error| {
            NotIn::Provider(match error {
                RequestTokenError::ServerResponse(said) => {
                    format!("the code: {}", redact::code(said.error().as_ref()))
                }
                RequestTokenError::Request(error) => format!("the code: {error}"),
                RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                    "the code: its answer cannot be read".into()
                }
            })
        })?;
    let token = answer.id_token().ok_or_else(|| NotIn::Token("there is none".into()))?;
    let mut person = claims::believe(provider, &known, token, under_way).await?;
    claims::complete(provider, &known, &mut person, answer.access_token()).await?;
    Ok((person, token.to_string()))
}
