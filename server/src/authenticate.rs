//! Who asks, and whether they may: the gate in front of every page and server function.

use std::net::{IpAddr, SocketAddr};

use app::{
    access::{self, Access},
    context::{Elsewhere, SESSION_ELSEWHERE, SESSION_STAFF, Theme, Unsent, Visitor, device_cookie},
    error::AppError,
    i18n::{Lang, Translator},
    routes,
};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use backoffice::{
    Fault,
    staff::{
        DeviceKey, Staff,
        sessions::{self, Waits},
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use subtle::ConstantTimeEq;
use tower_sessions::Session;
use uuid::Uuid;

use crate::{Jangbu, identify, observe, settings::Settings};

/// What islands ask again and again while a page is open.
const POLLS: [&str; 2] = ["/fn/progress", "/fn/deliveries_since"];

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The address of the visitor: walking `X-Forwarded-For` from its end, the first that is not a proxy of ours. What a
/// proxy of ours did not write cannot be believed: an entry that is not an address ends the walk.
pub(crate) fn address(settings: &Settings, request: &Request) -> Option<IpAddr> {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(addr)| addr.ip().to_canonical())?;
    let trusted = |ip: &IpAddr| settings.trusted_proxies.iter().any(|net| net.contains(ip));
    let read = |text: &str| {
        let text = text.trim();
        let ip =
            text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|addr| addr.ip()));
        ip.map(|ip| ip.to_canonical())
    };
    let lines = request.headers().get_all("x-forwarded-for");
    let entries: Vec<&str> =
        lines.iter().filter_map(|v| v.to_str().ok()).flat_map(|line| line.split(',')).collect();
    let mut nearest = peer;
    for entry in entries.into_iter().rev() {
        if !trusted(&nearest) {
            break;
        }
        let Some(ip) = read(entry) else { break };
        nearest = ip;
    }
    Some(nearest)
}

pub(crate) fn lang(headers: &HeaderMap) -> Lang {
    cookie(headers, "jangbu_lang").and_then(Lang::parse).unwrap_or_else(|| {
        let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
        Lang::from_header(header.unwrap_or_default())
    })
}

/// What a program shows; empty for nothing.
pub(crate) fn bearer(headers: &HeaderMap) -> &str {
    let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    given.and_then(|v| v.strip_prefix("Bearer ")).unwrap_or_default().trim()
}

/// Whether a program shows this very key.
pub(crate) fn bears(headers: &HeaderMap, key: &SecretString) -> bool {
    bool::from(key.expose_secret().as_bytes().ct_eq(bearer(headers).as_bytes()))
}

pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// Whom a session is of, and who else has said so. One that a host has opened counts only where that host is asked.
async fn of_session(jangbu: &Jangbu, session: &Session) -> anyhow::Result<Found> {
    let Some(id) = session.get::<Uuid>(SESSION_STAFF).await? else { return Ok(Found::default()) };
    let elsewhere: Option<Elsewhere> = session.get(SESSION_ELSEWHERE).await?;
    if elsewhere.as_ref().is_some_and(Elsewhere::is_host) {
        return Ok(Found::default());
    }
    let Some(key) = session.id().map(|id| crate::sessions::key(&id)) else { return Ok(Found::default()) };
    Ok(match sessions::arrive(&jangbu.backoffice, &key, id).await? {
        Some(arrived) => Found { staff: Some(arrived.staff), elsewhere, waits: arrived.waits },
        None => Found::default(),
    })
}

#[derive(Default)]
struct Found {
    staff: Option<Staff>,
    elsewhere: Option<Elsewhere>,
    waits: Waits,
}

/// Who asks: by the session, or by the word of the host that we are mounted in.
async fn who(jangbu: &Jangbu, session: &Session, parts: &Parts) -> Result<Found, Response> {
    let found = match &jangbu.identify {
        None => of_session(jangbu, session).await.map(Ok),
        Some(host) => identify::ask(jangbu, host.as_ref(), parts)
            .await
            .map(|found| found.map(|(staff, elsewhere)| Found { staff, elsewhere, waits: Waits::default() })),
    };
    match found {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(why)) => {
            tracing::warn!(%why, "whom the host has named does not come in");
            let words = Translator::new(lang(&parts.headers));
            Err(sentence(StatusCode::FORBIDDEN, words, identify::sentence(why)))
        }
        Err(error) => {
            tracing::error!(%error, "nobody could be identified");
            Err(StatusCode::SERVICE_UNAVAILABLE.into_response())
        }
    }
}

/// All that a page knows of whoever looks at it.
fn visitor(jangbu: &Jangbu, request: &Request, session: Session, found: Found) -> Visitor {
    let headers = request.headers();
    // Long enough for every browser; anybody may write here.
    let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let device = cookie(headers, device_cookie(jangbu.settings.is_https(), &jangbu.settings.base_path));
    Visitor {
        staff: found.staff,
        elsewhere: found.elsewhere,
        waits: found.waits,
        lang: lang(headers),
        theme: Theme::parse(cookie(headers, "jangbu_theme").unwrap_or_default()),
        ip: address(&jangbu.settings, request).map(|ip| ip.to_string()).unwrap_or_default(),
        agent: agent.chars().take(200).collect(),
        device: device.and_then(|text| DeviceKey::parse(&jangbu.backoffice.keys, text)),
        session,
    }
}

/// From where somebody may not come, their session is worth nothing: it can be ended, and somebody else can log in.
async fn keep_to_addresses(
    jangbu: &Jangbu,
    visitor: &mut Visitor,
    path: &str,
    html: bool,
) -> Option<Response> {
    let staff = visitor.staff.as_ref().filter(|staff| !staff.may_come_from(&visitor.ip))?;
    let detail = json!({ "path": access::row(path).map(|(pattern, _)| pattern), "elsewhere": true });
    visitor.note_refused(&jangbu.backoffice, staff.id, detail).await;
    if path == "/fn/log_out" {
        return None;
    }
    visitor.staff = None;
    (access::rule(path) != Some(Access::Open)).then(|| {
        if html {
            return sentence(StatusCode::FORBIDDEN, Translator::new(visitor.lang), "error-address");
        }
        (StatusCode::FORBIDDEN, axum::Json(AppError::Forbidden)).into_response()
    })
}

/// A page that asks by itself is not somebody who uses it.
async fn keep_alive(jangbu: &Jangbu, visitor: &Visitor, path: &str) -> Result<(), Fault> {
    match visitor.session.id().filter(|_| visitor.waits.touch && !POLLS.contains(&path)) {
        Some(id) => {
            let (pool, idle) = (&jangbu.backoffice.pool, jangbu.settings.session_idle);
            sessions::touch(pool, &crate::sessions::key(&id), idle).await
        }
        None => Ok(()),
    }
}

/// Why nobody gets further: what the table says of the path, and of whoever asks.
fn refusal(rule: Option<Access>, staff: Option<&Staff>, is_function: bool) -> Option<AppError> {
    match (rule, staff) {
        (Some(Access::Open), _) => None,
        // What is not in the table is nothing for a stranger, and a 404 for staff.
        (None, Some(_)) if !is_function => None,
        (None, _) if is_function => Some(AppError::Forbidden),
        (_, None) => Some(AppError::LoggedOut),
        (Some(rule), Some(staff)) => {
            // A page says so inside its frame (`app::shell`); a function ends here.
            let may = rule.permission().is_none_or(|permission| staff.may(permission));
            (is_function && !may).then_some(AppError::Forbidden)
        }
        (None, Some(_)) => None,
    }
}

/// Whether this is all closed until a second factor was added. One that was seen elsewhere counts.
fn has_to_add_factor(jangbu: &Jangbu, visitor: &Visitor, path: &str) -> bool {
    let seen_elsewhere = visitor.elsewhere.as_ref().is_some_and(|known| known.factor);
    let policy = jangbu.backoffice.second_factor;
    !seen_elsewhere
        && visitor.staff.as_ref().is_some_and(|staff| policy.is_missing(staff))
        && !access::BEFORE_A_FACTOR.contains(&path)
}

pub(crate) async fn authenticate(
    State(jangbu): State<Jangbu>,
    session: Session,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let found = match who(&jangbu, &session, &parts).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    let mut request = Request::from_parts(parts, body);
    if let Some(staff) = &found.staff {
        observe::note_staff(&request, staff.id);
    }
    let html = wants_html(request.headers());
    let path = request.uri().path().to_owned();
    let is_function = path.starts_with("/fn/");
    let mut visitor = visitor(&jangbu, &request, session, found);
    if let Some(answer) = keep_to_addresses(&jangbu, &mut visitor, &path, html).await {
        return answer;
    }
    if let Err(error) = keep_alive(&jangbu, &visitor, &path).await {
        tracing::error!(%error, "a session could not be kept alive");
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if let Some(host) = jangbu.identify.as_ref().filter(|_| access::OWN_WAYS_IN.contains(&path.as_str())) {
        let to = match visitor.staff {
            _ if is_function => {
                return refuse(&jangbu, &AppError::Forbidden, &request, true, html, visitor.lang);
            }
            Some(_) => jangbu.site().base.href(routes::HOME),
            None => host.log_in_url(""),
        };
        return (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
    }
    let rule = access::rule_with(&path, jangbu.oidc.is_some());
    let refusal = refusal(rule, visitor.staff.as_ref(), is_function);
    // Whoever has to have a second factor sees nothing else before.
    if refusal.is_none() && rule != Some(Access::Open) && has_to_add_factor(&jangbu, &visitor, &path) {
        if html {
            let factors = format!("{}{}", jangbu.settings.base_path, routes::FACTORS);
            return (StatusCode::SEE_OTHER, [(header::LOCATION, factors)]).into_response();
        }
        return (StatusCode::FORBIDDEN, axum::Json(AppError::ProofNeeded)).into_response();
    }
    if refusal == Some(AppError::LoggedOut) && is_function && html {
        request.extensions_mut().insert(Unsent);
        request.extensions_mut().insert(Visitor { staff: None, elsewhere: None, ..visitor });
        return next.run(request).await;
    }
    if let Some(staff) = &visitor.staff {
        note_refused(&jangbu, &visitor, staff, &path).await;
    }
    if let Some(error) = refusal {
        return refuse(&jangbu, &error, &request, is_function, html, visitor.lang);
    }
    if jangbu.identify.is_none() || !html {
        request.extensions_mut().insert(visitor);
        return next.run(request).await;
    }
    match identify::keep_session(&jangbu, &visitor).await {
        Ok(cookie) => {
            request.extensions_mut().insert(visitor);
            let mut response = next.run(request).await;
            if let Some(cookie) = cookie.and_then(|cookie| cookie.parse().ok()) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(error) => {
            tracing::error!(%error, "a session could not be kept");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// Somebody asks for a page or a function that is not theirs.
async fn note_refused(jangbu: &Jangbu, visitor: &Visitor, staff: &Staff, path: &str) {
    let what = match access::row(path) {
        Some((pattern, rule)) if rule.permission().is_some_and(|needed| !staff.may(needed)) => pattern,
        // A function that there is not. What its name would be may be anything.
        None if path.starts_with("/fn/") => "/fn/?",
        _ => return,
    };
    let detail = json!({ "path": what, "role": staff.role });
    visitor.note_refused(&jangbu.backoffice, staff.id, detail).await;
}

fn refuse(
    jangbu: &Jangbu,
    error: &AppError,
    request: &Request,
    is_function: bool,
    wants_html: bool,
    lang: Lang,
) -> Response {
    if *error == AppError::LoggedOut && !is_function {
        let next = match request.method() {
            &Method::GET => request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
            _ => String::new(),
        };
        let base = &jangbu.settings.base_path;
        let login = match &jangbu.identify {
            Some(host) if next.is_empty() => host.log_in_url(""),
            Some(host) => host.log_in_url(&format!("{base}{next}")),
            None => format!("{base}{}?next={}", routes::LOGIN, routes::encode(&next)),
        };
        return (StatusCode::SEE_OTHER, [(header::LOCATION, login)]).into_response();
    }
    let (status, key) = match error {
        AppError::LoggedOut => (StatusCode::UNAUTHORIZED, "error-logged-out"),
        _ => (StatusCode::FORBIDDEN, "error-forbidden"),
    };
    if wants_html {
        return sentence(status, Translator::new(lang), key);
    }
    (status, axum::Json(error)).into_response()
}

/// A page with nothing but a sentence.
pub(crate) fn sentence(status: StatusCode, words: Translator, key: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html><html lang=\"{}\"><meta charset=\"utf-8\"><title>{}</title><h1>{}</h1>",
        words.lang.as_str(),
        words.get("product", &[]),
        words.get(key, &[])
    );
    (status, Html(page)).into_response()
}
