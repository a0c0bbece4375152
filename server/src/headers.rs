//! What our answers tell browsers. Set on our own routes only: a host that mounts us decides about its pages itself.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use leptos::nonce::Nonce;

/// For two years this host is asked over TLS only. Of subdomains nothing is said: they are somebody else's to promise.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Of what browsers offer, what a page of ours may use: keys of the device to log in with, and the clipboard to copy into. Only
/// names that have been there for years: a browser complains about those that it does not know.
const PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "publickey-credentials-get=(self), publickey-credentials-create=(self), clipboard-write=(self), accelerometer=(), \
     autoplay=(), camera=(), clipboard-read=(), cross-origin-isolated=(), display-capture=(), encrypted-media=(), \
     fullscreen=(), gamepad=(), geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), idle-detection=(), \
     keyboard-map=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), otp-credentials=(), payment=(), \
     picture-in-picture=(), screen-wake-lock=(), serial=(), storage-access=(), sync-xhr=(), usb=(), \
     window-management=(), xr-spatial-tracking=()",
);

/// What is no page shows nothing, should a browser open it.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// On every answer, those to machines and built files among them. `is_https`: whether browsers reach us over TLS.
pub(crate) async fn everywhere(State(is_https): State<bool>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), SAME_ORIGIN);
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}

/// On pages: a nonce for the two scripts that leptos writes into one, and what closes everything else.
pub(crate) async fn page(mut request: Request, next: Next) -> Response {
    let nonce = Nonce::new();
    request.extensions_mut().insert(nonce.clone());
    let mut response = next.run(request).await;
    let policy = format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The answer to a form goes back to the page it came from: that needs the referrer, and only here.
    headers.insert(header::REFERRER_POLICY, SAME_ORIGIN);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), SAME_ORIGIN);
    headers.insert(HeaderName::from_static("permissions-policy"), PERMISSIONS);
    response
}
