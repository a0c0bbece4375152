//! Files that people asked for, sent piece by piece as they stand in the database.

use app::context::Visitor;
use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use backoffice::{Backoffice, Fault, staff::Permission};
use futures::{TryStreamExt, stream};
use uuid::Uuid;

use crate::Jangbu;

/// Belongs behind the gate, which has put the visitor there.
pub(crate) fn router(jangbu: &Jangbu) -> Router {
    Router::new().route("/exports/file/{id}", get(file)).with_state(jangbu.backoffice.clone())
}

async fn file(
    State(backoffice): State<Backoffice>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Response {
    let staff = visitor.staff.as_ref().filter(|staff| staff.may(Permission::Export));
    let Some(staff) = staff else { return StatusCode::FORBIDDEN.into_response() };
    let actor = staff.actor(&visitor.caller());
    let Ok(id) = id.parse::<Uuid>() else { return StatusCode::NOT_FOUND.into_response() };
    let export = match backoffice::exports::take(&backoffice, &actor, id).await {
        Ok(Some(export)) => export,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%error, "an export cannot be sent");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let parts = stream::try_unfold((backoffice, 0), move |(backoffice, part)| async move {
        let bytes = backoffice::exports::part(&backoffice, id, part).await?;
        Ok::<_, Fault>(bytes.map(|bytes| (Bytes::from(bytes), (backoffice, part + 1))))
    });
    let mut response = Response::new(Body::from_stream(parts.inspect_err(|error| {
        tracing::error!(%error, "an export broke off");
    })));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(export.format.content_type()));
    // RFC 6266: a plain name for old programs, the real one in UTF-8.
    let plain = format!("jangbu.{}", export.format.extension());
    let encoded = app::routes::encode(&export.file_name());
    if let Ok(value) = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}").parse() {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
