//! `GET /api/v1/users`, `GET /api/v1/users/{userKey}`, `POST …/unlink`: who uses the mini-app. Profiles stay in the back office.

use axum::{Json, extract::State, http::HeaderMap};
use backoffice::users::{self, User};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use toss::apps_in_toss::UserKey;
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiError,
    error::codes,
    keys::{self, Caller},
    list::{next, wanted},
    request::{Id, Params},
    words,
};
use crate::Jangbu;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserBody {
    user_key: i64,
    scope: String,
    agreed_terms: Vec<String>,
    #[serde(with = "toss::timestamp")]
    #[schema(value_type = String, format = DateTime)]
    first_login_at: OffsetDateTime,
    #[serde(with = "toss::timestamp")]
    #[schema(value_type = String, format = DateTime)]
    last_login_at: OffsetDateTime,
    /// Absent while the user is linked
    #[serde(with = "toss::timestamp::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    unlinked_at: Option<OffsetDateTime>,
    /// Who has ended the link: `UNLINK`, `WITHDRAWAL_TERMS`, `WITHDRAWAL_TOSS`, or `PARTNER` for us
    unlink_referrer: Option<String>,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            user_key: user.user_key,
            scope: user.scope,
            agreed_terms: user.agreed_terms,
            first_login_at: user.first_login_at,
            last_login_at: user.last_login_at,
            unlinked_at: user.unlinked_at,
            unlink_referrer: user.unlink_referrer,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// `next` of the page before
    cursor: Option<String>,
    /// At most 100; 50 without it
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct UsersBody {
    /// Whoever logged in last first
    users: Vec<UserBody>,
    /// The mark of the next page; absent at the end
    next: Option<String>,
}

/// Users of the mini-app
#[utoipa::path(get, path = "/api/v1/users", tag = "users", params(Asked), security(("merchantKey" = ["users:read"])),
    responses((status = 200, description = "Users", body = UsersBody),
              (status = 400, description = "No such mark or number", body = ApiError)))]
pub(crate) async fn list(
    State(jangbu): State<Jangbu>,
    headers: HeaderMap,
    Params(asked): Params<Asked>,
) -> Result<Json<UsersBody>, ApiError> {
    let page = wanted(&headers, asked.cursor.as_deref(), asked.limit)?;
    let page = users::list(&jangbu.backoffice, page.cursor.as_ref(), page.limit)
        .await
        .map_err(keys::fault(&headers))?;
    Ok(Json(UsersBody { next: next(&page), users: page.rows.into_iter().map(UserBody::from).collect() }))
}

/// A user of the mini-app
#[utoipa::path(get, path = "/api/v1/users/{userKey}", tag = "users", params(("userKey" = i64, Path)),
    security(("merchantKey" = ["users:read"])),
    responses((status = 200, description = "The user", body = UserBody),
              (status = 404, description = "Nobody has logged in by this key", body = ApiError)))]
pub(crate) async fn read(
    State(jangbu): State<Jangbu>,
    Id(key): Id,
    headers: HeaderMap,
) -> Result<Json<UserBody>, ApiError> {
    let key = parse(&headers, &key)?;
    let user = users::get(&jangbu.backoffice, key.0).await.map_err(keys::fault(&headers))?;
    Ok(Json(user.ok_or_else(|| ApiError::new(words(&headers), codes::NOT_FOUND_USER))?.into()))
}

fn parse(headers: &HeaderMap, key: &str) -> Result<UserKey, ApiError> {
    users::parse_key(key).ok_or_else(|| ApiError::new(words(headers), codes::NOT_FOUND_USER))
}

/// Whose link was ended
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnlinkedBody {
    user_key: i64,
}

/// Ends a user's link with the mini-app
#[utoipa::path(post, path = "/api/v1/users/{userKey}/unlink", tag = "users", params(("userKey" = i64, Path)),
    security(("merchantKey" = ["users:write"])),
    responses((status = 200, description = "Ended", body = UnlinkedBody),
              (status = 400, description = "Toss refused", body = ApiError),
              (status = 404, description = "No key of a user", body = ApiError),
              (status = 503, description = "Not reached", body = ApiError),
              (status = 504, description = "Not known: it may have ended", body = ApiError)))]
pub(crate) async fn unlink(
    State(jangbu): State<Jangbu>,
    caller: Caller,
    Id(key): Id,
    headers: HeaderMap,
) -> Result<Json<UnlinkedBody>, ApiError> {
    let key = parse(&headers, &key)?;
    users::unlink(&jangbu.backoffice, &caller.actor, key)
        .await
        .map_err(|fault| ApiError::unlink(words(&headers), fault))?;
    Ok(Json(UnlinkedBody { user_key: key.0 }))
}
