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
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use backoffice::{
    security::{self, Event, Kind},
    staff::{DeviceKey, Staff, sessions},
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

/// Whether a program shows this very key.
pub(crate) fn bears(headers: &HeaderMap, key: &SecretString) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "))
        .unwrap_or_default();
    bool::from(key.expose_secret().as_bytes().ct_eq(given.trim().as_bytes()))
}

pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// Whom a session is of, and who else has said so. One that a host has opened counts only where that host is asked.
async fn of_session(
    jangbu: &Jangbu,
    session: &Session,
) -> anyhow::Result<(Option<Staff>, Option<Elsewhere>)> {
    let Some(id) = session.get::<Uuid>(SESSION_STAFF).await? else { return Ok((None, None)) };
    let elsewhere: Option<Elsewhere> = session.get(SESSION_ELSEWHERE).await?;
    if elsewhere.as_ref().is_some_and(Elsewhere::is_host) {
        return Ok((None, None));
    }
    let staff = sessions::staff(&jangbu.backoffice, id).await?;
    Ok((staff.clone(), elsewhere.filter(|_| staff.is_some())))
}

pub(crate) async fn authenticate(
    State(jangbu): State<Jangbu>,
    session: Session,
    request: Request,
    next: Next,
) -> Response {
    let pool = &jangbu.backoffice.pool;
    let (parts, body) = request.into_parts();
    let found = match &jangbu.identify {
        None => of_session(&jangbu, &session).await.map(Ok),
        Some(host) => identify::ask(&jangbu, host.as_ref(), &parts).await,
    };
    let mut request = Request::from_parts(parts, body);
    let (staff, elsewhere) = match found {
        Ok(Ok(found)) => found,
        Ok(Err(why)) => {
            tracing::warn!(%why, "whom the host has named does not come in");
            return sentence(
                StatusCode::FORBIDDEN,
                Translator::new(lang(request.headers())),
                identify::sentence(why),
            );
        }
        Err(error) => {
            tracing::error!(%error, "nobody could be identified");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    if let Some(staff) = &staff {
        observe::note_staff(&request, staff.id);
    }
    let headers = request.headers();
    let lang = lang(headers);
    let theme = Theme::parse(cookie(headers, "jangbu_theme").unwrap_or_default());
    let wants_html = wants_html(headers);
    let ip = address(&jangbu.settings, &request).map(|ip| ip.to_string()).unwrap_or_default();

    // Long enough for every browser; anybody may write here.
    let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let agent: String = agent.chars().take(200).collect();

    let device = cookie(headers, device_cookie(jangbu.settings.is_https(), &jangbu.settings.base_path));
    let device = device.and_then(|text| DeviceKey::parse(&jangbu.backoffice.keys, text));

    let path = request.uri().path().to_owned();
    // Elsewhere the session is worth nothing: it can be ended, and somebody else can log in.
    let is_elsewhere = staff.as_ref().is_some_and(|staff| !staff.may_come_from(&ip));
    if let Some(staff) = staff.as_ref().filter(|_| is_elsewhere) {
        let detail = json!({ "path": access::row(&path).map(|(pattern, _)| pattern), "elsewhere": true });
        let event = Event { detail, ..Event::of(Kind::Refused, staff.id, &ip, &agent) };
        security::note(&jangbu.backoffice, event).await;
    }
    let staff = staff.filter(|_| !is_elsewhere || path == "/fn/log_out");
    if is_elsewhere && staff.is_none() && access::rule(&path) != Some(Access::Open) {
        if wants_html {
            return sentence(StatusCode::FORBIDDEN, Translator::new(lang), "error-address");
        }
        return (StatusCode::FORBIDDEN, axum::Json(AppError::Forbidden)).into_response();
    }
    // A page that asks by itself is not somebody who uses it.
    let used = session.id().filter(|_| !POLLS.contains(&path.as_str()));
    if let Some(id) = used
        && let Err(error) =
            sessions::touch(pool, &crate::sessions::key(&id), jangbu.settings.session_idle).await
    {
        tracing::error!(%error, "a session could not be kept alive");
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let is_function = path.starts_with("/fn/");
    if let Some(host) = jangbu.identify.as_ref().filter(|_| access::OWN_WAYS_IN.contains(&path.as_str())) {
        let to = match staff {
            _ if is_function => {
                return refuse(&jangbu, &AppError::Forbidden, &request, true, wants_html, lang);
            }
            Some(_) => jangbu.site().base.href(routes::HOME),
            None => host.log_in_url(""),
        };
        return (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
    }
    let rule = access::rule_with(&path, jangbu.oidc.is_some());
    let refusal = match (rule, &staff) {
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
    };
    // Whoever has to have a second factor sees nothing else before.
    let seen_elsewhere = elsewhere.as_ref().is_some_and(|known| known.factor);
    let is_missing = |staff: &Staff| !seen_elsewhere && jangbu.backoffice.second_factor.is_missing(staff);
    if refusal.is_none()
        && rule != Some(Access::Open)
        && staff.as_ref().is_some_and(is_missing)
        && !access::BEFORE_A_FACTOR.contains(&path.as_str())
    {
        if wants_html {
            let factors = format!("{}{}", jangbu.settings.base_path, routes::FACTORS);
            return (StatusCode::SEE_OTHER, [(header::LOCATION, factors)]).into_response();
        }
        return (StatusCode::FORBIDDEN, axum::Json(AppError::ProofNeeded)).into_response();
    }
    if refusal == Some(AppError::LoggedOut) && is_function && wants_html {
        request.extensions_mut().insert(Unsent);
        let visitor = Visitor { staff: None, elsewhere: None, lang, theme, ip, agent, device, session };
        request.extensions_mut().insert(visitor);
        return next.run(request).await;
    }
    if let Some(staff) = &staff {
        note_refused(&jangbu, staff, &path, &ip, &agent).await;
    }
    if let Some(error) = refusal {
        return refuse(&jangbu, &error, &request, is_function, wants_html, lang);
    }
    let visitor = Visitor { staff, elsewhere, lang, theme, ip, agent, device, session };
    if jangbu.identify.is_none() || !wants_html {
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
async fn note_refused(jangbu: &Jangbu, staff: &Staff, path: &str, ip: &str, agent: &str) {
    let what = match access::row(path) {
        Some((pattern, rule)) if rule.permission().is_some_and(|needed| !staff.may(needed)) => pattern,
        // A function that there is not. What its name would be may be anything.
        None if path.starts_with("/fn/") => "/fn/?",
        _ => return,
    };
    let detail = json!({ "path": what, "role": staff.role });
    let event = Event { detail, ..Event::of(Kind::Refused, staff.id, ip, agent) };
    security::note(&jangbu.backoffice, event).await;
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
