//! What was built for browsers.

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::services::ServeDir;

use crate::Jangbu;

/// Built files. Their names carry a hash of their contents, so that they may be kept for good.
pub(crate) fn router(jangbu: &Jangbu) -> Router {
    let files = ServeDir::new(jangbu.settings.site_dir.join("pkg")).precompressed_br().precompressed_gzip();
    Router::new().fallback_service(files).layer(middleware::from_fn(keep_for_good))
}

/// The longest name that a file can have, with `.br` or `.gz` behind it.
const LONGEST_NAME: usize = 255 - 3;
/// Ours have two dozen characters.
const LONGEST_PATH: usize = 1024;

async fn keep_for_good(request: Request, next: Next) -> Response {
    // A name that no file system takes is a file that is not there, and none of our faults.
    let path = request.uri().path();
    let is_no_name = |name: &str| name.len() > LONGEST_NAME || name.contains("%00");
    if path.len() > LONGEST_PATH || path.split('/').any(is_no_name) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut response = next.run(request).await;
    if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
        let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
        response.headers_mut().insert(header::CACHE_CONTROL, forever);
    }
    response
}

/// The sum that stands in the name of the stylesheet.
pub(crate) fn css_hash(jangbu: &Jangbu) -> Option<String> {
    let known = std::fs::read_to_string(jangbu.settings.site_dir.join("hash.txt")).ok()?;
    known.lines().find_map(|line| line.strip_prefix("css: ")).map(|hash| hash.trim().to_owned())
}

/// The name of the built file.
pub(crate) fn stylesheet(jangbu: &Jangbu) -> String {
    css_hash(jangbu).map_or_else(|| "jangbu.css".to_owned(), |hash| format!("jangbu.{hash}.css"))
}
