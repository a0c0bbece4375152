//! Every route, under the base path.

use app::{
    access::{self, Access},
    bank::functions::UploadStatement,
    context::{Site, Visitor},
    error::AppError,
    i18n::Translator,
    iap::functions::ImportIapRequests,
    messages::functions::SendBulk,
    orders::functions::Find,
    promotions::batch::functions::PreviewGrants,
    refunds::batch::functions::PreviewBatch,
    shell::{App, Assets, shell},
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use http_body_util::Limited;
use leptos::{
    config::{Env, LeptosOptions},
    nonce::Nonce,
    prelude::{provide_context, with_context},
    server_fn::ServerFn,
};
use leptos_axum::{LeptosRoutes, generate_route_list};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, csrf::CsrfLayer};

use crate::{
    Jangbu, api, authenticate,
    body::{LARGEST_FORM, unread},
    downloads, files, headers, health, hooks, observe, oidc, proof, quota, sandbox_clock, sessions,
};

/// The largest file of refunds, and a little more, so that one that is too large hears why.
const LARGEST_FILE: usize = backoffice::files::import::MAX_BYTES + (1 << 20);

pub(crate) fn router(jangbu: &Jangbu) -> Router {
    let mut machine = hooks::router(jangbu)
        .merge(api::router(jangbu))
        .merge(health::router(jangbu))
        .merge(oidc::machine(jangbu));
    if jangbu.settings.mode == app::context::Mode::Sandbox {
        machine = machine.merge(sandbox_clock::router(jangbu));
    }
    let inner = pages(jangbu)
        .merge(machine)
        .nest_service("/pkg", files::router(jangbu))
        .layer(middleware::map_response_with_state(jangbu.settings.is_https(), headers::everywhere))
        .layer(middleware::from_fn(observe::observe));
    let base = &jangbu.settings.base_path;
    if base.is_empty() {
        return inner;
    }
    let home = base.clone();
    Router::new()
        .nest(base, inner)
        // axum answers /x to nest("/x"), but not /x/.
        .route(&format!("{base}/"), get(move || async move { Redirect::permanent(&home) }))
}

fn leptos_options(jangbu: &Jangbu) -> (LeptosOptions, Assets) {
    let site = &jangbu.settings.site_dir;
    let hashes = site.join("hash.txt");
    let css = files::css_hash(jangbu);
    let stylesheet = files::stylesheet(jangbu);
    let hashes = std::path::absolute(&hashes).unwrap_or(hashes);
    let options = LeptosOptions::builder()
        .output_name("jangbu")
        .site_root(site.display().to_string())
        .site_pkg_dir("pkg")
        .env(Env::PROD)
        .hash_files(css.is_some())
        .hash_file(std::sync::Arc::<str>::from(hashes.display().to_string()))
        .build();
    (options, Assets { stylesheet })
}

fn pages(jangbu: &Jangbu) -> Router {
    let site = jangbu.site();
    let (options, assets) = leptos_options(jangbu);
    let context = move || {
        provide_context::<Site>(site.clone());
        provide_context(assets.clone());
        // leptos has made a nonce of its own; the one in the header is ours.
        if let Some(nonce) =
            with_context::<Parts, _>(|parts| parts.extensions.get::<Nonce>().cloned()).flatten()
        {
            provide_context(nonce);
        }
    };
    let page = {
        let options = options.clone();
        move || shell(options.clone())
    };
    let render = leptos_axum::render_app_async_with_context(context.clone(), page.clone());
    let gate = proof::Gate {
        jangbu: jangbu.clone(),
        render: std::sync::Arc::new(move |request| Box::pin(render.clone()(request))),
    };
    Router::new()
        .leptos_routes_with_context(&options, generate_route_list(App), context.clone(), page.clone())
        .fallback(leptos_axum::render_app_async_with_context(context, page))
        .with_state(options)
        .merge(downloads::router(jangbu))
        .merge(oidc::router(jangbu))
        .layer(middleware::from_fn(only_ours))
        .layer(middleware::from_fn_with_state(gate, proof::ask))
        .layer(middleware::from_fn_with_state(jangbu.clone(), authenticate::authenticate))
        .layer(sessions::layer(&jangbu.settings, jangbu.backoffice.pool.clone()))
        // Forms are answered only when they were posted from a page of ours.
        .layer(CsrfLayer::new().with_rejection_response(|_| StatusCode::FORBIDDEN.into_response()))
        .layer(middleware::from_fn(limit))
        .layer(middleware::from_fn_with_state(jangbu.clone(), within_quota))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn(headers::page))
}

/// The gate has put a visitor into everything that goes on; without one nothing is rendered.
async fn only_ours(request: Request, next: Next) -> Response {
    let Some(visitor) = request.extensions().get::<Visitor>() else {
        return StatusCode::FORBIDDEN.into_response();
    };
    if !request.uri().path().starts_with("/fn/") {
        // Unknown paths render the "not there" page, for readers only.
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        return if reads { next.run(request).await } else { StatusCode::METHOD_NOT_ALLOWED.into_response() };
    }
    let words = Translator::new(visitor.lang);
    if carries_a_file(&request) {
        // server_fn 0.8.13 panics over a file form without its boundary.
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        if !kind.is_some_and(|kind| kind.contains("boundary=")) {
            return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
        }
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let body = match axum::body::to_bytes(body, LARGEST_FORM).await {
        Ok(body) => body,
        Err(error) => return unread(&error).into_response(),
    };
    if has_nul(&body) || has_nul(parts.uri.query().unwrap_or_default().as_bytes()) {
        return refused(&parts.headers, StatusCode::BAD_REQUEST, words, "error-characters");
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// What is open to strangers, and the search: each so often from one address. Asked before any table is.
async fn within_quota(State(jangbu): State<Jangbu>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let door = if path == Find::PATH {
        &jangbu.quotas.search
    } else if (path.starts_with("/fn/") && access::rule(path) == Some(Access::Open))
        || access::NEXT_DOOR.iter().any(|(door, _)| *door == path)
    {
        &jangbu.quotas.entry
    } else {
        return next.run(request).await;
    };
    match quota::visit(&jangbu, door, &request) {
        Ok(()) => next.run(request).await,
        Err(wait) => {
            let headers = request.headers();
            let words = Translator::new(authenticate::lang(headers));
            wait.answer(refused(headers, StatusCode::TOO_MANY_REQUESTS, words, "error-too-many"))
        }
    }
}

/// A function's refusal before it is called: a sentence for a browser, and what islands read otherwise.
fn refused(headers: &HeaderMap, status: StatusCode, words: Translator, key: &str) -> Response {
    if authenticate::wants_html(headers) {
        return authenticate::sentence(status, words, key);
    }
    let wrong = AppError::form(words.get(key, &[]));
    (status, axum::Json(wrong)).into_response()
}

/// Whether a form carries the one character that nobody types and PostgreSQL takes into no text. Asked here once, for
/// every function.
fn has_nul(form: &[u8]) -> bool {
    form.contains(&0) || form.windows(3).any(|three| three == b"%00")
}

fn carries_a_file(request: &Request) -> bool {
    [PreviewBatch::PATH, PreviewGrants::PATH, ImportIapRequests::PATH, SendBulk::PATH, UploadStatement::PATH]
        .contains(&request.uri().path())
}

/// Forms are small; few of them carry a file.
async fn limit(request: Request, next: Next) -> Response {
    let most = if carries_a_file(&request) { LARGEST_FILE } else { LARGEST_FORM };
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > most) {
        let page = "<!DOCTYPE html><meta charset=\"utf-8\"><title>413</title><h1>너무 큰 파일이에요. 8MB까지 올릴 수 있어요.</h1><p>Too large: at most 8 MB.</p>";
        return (StatusCode::PAYLOAD_TOO_LARGE, Html(page)).into_response();
    }
    let (parts, body) = request.into_parts();
    next.run(Request::from_parts(parts, Body::new(Limited::new(body, most)))).await
}
