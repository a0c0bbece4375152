//! What the API says of itself: OpenAPI 3.1, with the events that are posted to endpoints as its webhooks.

use backoffice::{api_keys::Scope, events::Kind};
use serde_json::{Value, json};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use super::{
    error::codes, events, iap, messages, mini_app, orders, promotions, refunds, toss_pay, transactions, users,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Jangbu merchant API", description = "Orders, their payments and refunds, in Toss's own names. \
        Lists come newest first, page by page: `next` is the `cursor` of the next one. A refusal is `{code, message, documentationUrl}`: \
        the code is ours or Toss's own. Who asks too often is answered 429 with `Retry-After`. \
        Every answer has an `x-request-id`, under which the call is found in the back office."),
    tags((name = "orders"), (name = "refunds"), (name = "transactions"), (name = "toss-pay"), (name = "iap"), (name = "promotions"),
         (name = "messages"), (name = "users"), (name = "events")),
    paths(orders::register, orders::list, orders::read, orders::confirm, orders::fail, refunds::make, refunds::list, refunds::read,
        transactions::list, toss_pay::make, toss_pay::execute, mini_app::login, mini_app::refresh, mini_app::unlink,
        users::list, users::read, users::unlink, iap::add, iap::list, iap::read, promotions::grant, promotions::list,
        promotions::read, messages::send, messages::read, events::list),
    modifiers(&Bearer)
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        let scopes = Scope::ALL.map(Scope::as_str).join(", ");
        scheme.description =
            Some(format!("A key of the back office, which opens what its scopes say: {scopes}."));
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("merchantKey", SecurityScheme::Http(scheme));
    }
}

/// The whole of it.
pub(super) fn document() -> Value {
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for operation in
            paths.values_mut().filter_map(Value::as_object_mut).flat_map(|path| path.values_mut())
        {
            add_common_refusals(operation);
        }
    }
    let hooks = Kind::ALL.into_iter().map(|kind| (kind.as_str().to_owned(), webhook(kind)));
    document["webhooks"] = Value::Object(hooks.collect());
    document
}

/// What every call may be answered.
fn add_common_refusals(operation: &mut Value) {
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (code, description) in [
        (codes::INVALID_REQUEST, "The request cannot be read"),
        (codes::UNAUTHORIZED, "No key, or one that opens nothing any more"),
        (codes::MISSING_SCOPE, "The key has not the scope"),
        (codes::PAYLOAD_TOO_LARGE, "The body is too large"),
        (codes::TOO_MANY_REQUESTS, "Too often"),
        (codes::INTERNAL_ERROR, "Something of ours broke"),
    ] {
        responses.entry(code.status.to_string()).or_insert_with(|| {
            json!({ "description": description,
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/ApiError" } } } })
        });
    }
}

/// Standard Webhooks 1.0.
fn webhook(kind: Kind) -> Value {
    let header = |name: &str| json!({ "name": name, "in": "header", "required": true, "schema": { "type": "string" } });
    json!({ "post": {
        "tags": ["events"],
        "operationId": kind.as_str(),
        "parameters": [header("webhook-id"), header("webhook-timestamp"), header("webhook-signature")],
        "requestBody": { "required": true, "content": { "application/json": { "schema": {
            "type": "object", "required": ["type", "timestamp", "data"],
            "properties": { "type": { "const": kind.as_str() },
                            "timestamp": { "type": "string", "format": "date-time" },
                            "data": { "type": "object" } } } } } },
        "responses": { "2XX": { "description": "Taken. Anything else is told again" } } } })
}
