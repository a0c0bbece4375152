//! `GET /api/v1/events`: what happened, for a server that asks rather than being told.

use axum::{Json, extract::State, http::HeaderMap};
use backoffice::{
    Fault,
    events::{self, Kind, Mark},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::{ApiError, request::Params, words};
use crate::Jangbu;

const MOST: i64 = 500;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// The id of the last event that was read; from the first one that is kept without it
    after: Option<String>,
    /// Only of this kind, for example `order.paid`
    r#type: Option<String>,
    /// At most 500; 100 without it
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i64>,
}

/// The same that is posted to endpoints, with its id
#[derive(Serialize, ToSchema)]
pub(crate) struct EventBody {
    /// As `webhook-id` has it
    id: String,
    r#type: &'static str,
    #[serde(with = "toss::timestamp")]
    #[schema(value_type = String, format = DateTime)]
    timestamp: OffsetDateTime,
    #[schema(value_type = Object)]
    data: Value,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct EventsBody {
    /// In the order in which they became known
    events: Vec<EventBody>,
    /// What to ask with next: the id of the last one, or what was asked with
    after: Option<String>,
}

/// Events after one, oldest first. None is left out that was written earlier and became known later
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(Asked), security(("merchantKey" = ["events:read"])),
    responses((status = 200, description = "Events", body = EventsBody),
              (status = 400, description = "No such event, kind or number", body = ApiError)))]
pub(crate) async fn list(
    State(jangbu): State<Jangbu>,
    headers: HeaderMap,
    Params(asked): Params<Asked>,
) -> Result<Json<EventsBody>, ApiError> {
    let invalid = |why: &str| ApiError::invalid(words(&headers), why);
    let fault = |fault: Fault| ApiError::fault(words(&headers), &fault);
    let kinds = match asked.r#type.as_deref() {
        None => Vec::new(),
        Some(word) => vec![Kind::parse(word).ok_or_else(|| invalid("type: no kind of event"))?],
    };
    let limit = asked.limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        return Err(invalid("limit: from 1 to 500"));
    }
    let backoffice = &jangbu.backoffice;
    let mark = match asked.after.as_deref() {
        None => Mark::START,
        Some(id) => {
            let unknown = || invalid("after: no event that is kept");
            let id = events::parse_id(id).ok_or_else(unknown)?;
            events::mark_behind(backoffice, id).await.map_err(fault)?.ok_or_else(unknown)?
        }
    };
    let (some, _) = events::since(backoffice, &mark, &kinds, limit).await.map_err(fault)?;
    let after = some.last().map(events::Event::message_id).or(asked.after);
    let events = some
        .into_iter()
        .map(|event| EventBody {
            id: event.message_id(),
            r#type: event.kind.as_str(),
            timestamp: event.at,
            data: event.data,
        })
        .collect();
    Ok(Json(EventsBody { events, after }))
}
