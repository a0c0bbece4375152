//! `POST /api/v1/messages`, `GET /api/v1/messages/{messageId}`: messages from templates that Toss has approved, to one user each.

use std::collections::BTreeMap;

use app::i18n::Translator;
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use backoffice::{
    Fault, contains_card_number,
    messages::{self, Form, Message, MessageError, Refused, State as Stands},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tracing::Instrument;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ApiError,
    error::codes,
    idempotency,
    keys::{self, Caller},
    request::{Body, Id},
    toss_pay::user_key,
    words,
};
use crate::Jangbu;

/// A message to a user of the mini-app
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewMessageBody {
    /// As it is known in the back office
    template_code: String,
    /// Digits, as a number or as text
    #[schema(value_type = String, pattern = "^[0-9]+$", example = "443731104")]
    user_key: serde_json::Value,
    /// What stands in the gaps of the template
    #[serde(default)]
    context: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageBody {
    message_id: String,
    template_code: String,
    user_key: Option<i64>,
    /// requested (it waits for its minute), sending, sent, failed or unknown (it may have gone out, and is not sent again)
    state: String,
    /// Toss's, of one that failed
    code: Option<String>,
    message: Option<String>,
    #[serde(with = "toss::timestamp")]
    #[schema(value_type = String, format = DateTime)]
    requested_at: OffsetDateTime,
}

impl From<Message> for MessageBody {
    fn from(message: Message) -> Self {
        Self {
            message_id: message.id.to_string(),
            template_code: message.template_code,
            user_key: message.user_key,
            state: message.state.as_str().to_owned(),
            code: message.error_code,
            message: message.error_message,
            requested_at: message.requested_at,
        }
    }
}

/// Sends a message
///
/// At most once for each `Idempotency-Key`.
#[utoipa::path(post, path = "/api/v1/messages", tag = "messages", request_body = NewMessageBody,
    params(("Idempotency-Key" = String, Header, description = "Yours, of 1 to 300 characters: one for each message that you mean",
            min_length = 1, max_length = 300)),
    security(("merchantKey" = ["messages:write"])),
    responses((status = 201, description = "Sent", body = MessageBody),
              (status = 200, description = "The same request was made before: how it stands", body = MessageBody),
              (status = 202, description = "It waits for its minute, or its outcome is not known", body = MessageBody),
              (status = 400, description = "Something is wrong with it, or Toss refused", body = ApiError),
              (status = 404, description = "No such template", body = ApiError),
              (status = 422, description = "The Idempotency-Key was used for another request", body = ApiError),
              (status = 503, description = "Apps in Toss is not set up", body = ApiError)))]
pub(crate) async fn send(
    State(jangbu): State<Jangbu>,
    caller: Caller,
    headers: HeaderMap,
    Body(body): Body<NewMessageBody>,
) -> Result<Response, ApiError> {
    let words = words(&headers);
    let fault = keys::fault(&headers);
    let id = idempotency::intent(&headers, &caller, "message")?;
    let user = user_key(&headers, &body.user_key)?;
    let of_one_line = |text: &String| !text.chars().any(char::is_control);
    if !body.context.iter().all(|(name, text)| of_one_line(name) && !name.contains('=') && of_one_line(text))
    {
        return Err(ApiError::invalid(words, "context: each of one line"));
    }
    if body.context.values().any(|text| contains_card_number(text)) {
        return Err(ApiError::invalid(words, "context: a card number that is not masked"));
    }
    if body.template_code.contains('\0') {
        return Err(ApiError::new(words, codes::NOT_FOUND_TEMPLATE));
    }
    let backoffice = jangbu.backoffice.clone();
    let is_again = messages::get(&backoffice, id).await.map_err(&fault)?.is_some();
    let lines: Vec<String> = body.context.iter().map(|(name, text)| format!("{name}={text}")).collect();
    let form = Form {
        intent: id.to_string(),
        template_code: body.template_code,
        user_key: user.to_string(),
        context: lines.join("\n"),
        deployment_id: String::new(),
    };
    // On its own task: a shop that hangs up must not stop a message half-way.
    let work = async move { messages::send(&backoffice, &caller.actor, &form).await };
    let sent = tokio::spawn(work.in_current_span())
        .await
        .map_err(|error| fault(error.into()))?
        .map_err(|error| refused(words, error))?;
    let status = match sent.state {
        Stands::Sent if is_again => StatusCode::OK,
        Stands::Sent => StatusCode::CREATED,
        Stands::Failed => {
            let (code, why) = (sent.error_code.unwrap_or_default(), sent.error_message.unwrap_or_default());
            return Err(ApiError::of_toss(words, 400, code, why));
        }
        Stands::Requested | Stands::Sending | Stands::Unknown => StatusCode::ACCEPTED,
    };
    Ok((status, Json(MessageBody::from(sent))).into_response())
}

fn refused(words: Translator, error: MessageError) -> ApiError {
    let why = match error {
        MessageError::Refused(why) => why,
        MessageError::Fault(fault) => return ApiError::fault(words, &fault),
    };
    match why {
        Refused::Form => ApiError::new(words, codes::IDEMPOTENCY_KEY_REUSED),
        Refused::NoSuchTemplate => ApiError::new(words, codes::NOT_FOUND_TEMPLATE),
        Refused::UserKey => ApiError::invalid(words, "userKey: a positive whole number"),
        Refused::MissingField(field) => ApiError::invalid(words, &format!("context.{field}: missing")),
        // Nothing of these is asked here.
        Refused::TemplateCode
        | Refused::TemplateTaken
        | Refused::TemplateName
        | Refused::TemplateFields
        | Refused::FollowsTaken
        | Refused::DeploymentId
        | Refused::File(_)
        | Refused::Lines(_)
        | Refused::TooMany => {
            ApiError::fault(words, &Fault::Inconsistent(format!("a message by the API was refused: {why:?}")))
        }
    }
}

/// How a message stands
#[utoipa::path(get, path = "/api/v1/messages/{messageId}", tag = "messages", params(("messageId" = Uuid, Path)),
    security(("merchantKey" = ["messages:read"])),
    responses((status = 200, description = "The message", body = MessageBody),
              (status = 404, description = "No such message", body = ApiError)))]
pub(crate) async fn read(
    State(jangbu): State<Jangbu>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Json<MessageBody>, ApiError> {
    let none = || ApiError::new(words(&headers), codes::NOT_FOUND_MESSAGE);
    let id = Uuid::parse_str(&id).map_err(|_| none())?;
    let message = messages::get(&jangbu.backoffice, id).await.map_err(keys::fault(&headers))?;
    Ok(Json(message.ok_or_else(none)?.into()))
}
