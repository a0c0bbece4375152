//! Endpoints are added, changed, tried, switched off and on, and removed; what they missed is told again.

#[cfg(feature = "ssr")]
use backoffice::{
    events::{self, Change, Kind},
    staff::Permission,
};
use leptos::prelude::*;
#[cfg(feature = "ssr")]
use secrecy::ExposeSecret as _;

#[cfg(feature = "ssr")]
use super::resend;
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action, parse_id},
    components::list::Query,
    context::Ctx,
    explain::OrExplain as _,
    routes,
};

/// Words of the form's checkboxes; nothing ticked means everything.
#[cfg(feature = "ssr")]
pub(super) fn parse_kinds(ctx: &Ctx, words: &[String]) -> Result<Vec<Kind>, AppError> {
    let known = |word: &String| Kind::parse(word).filter(|kind| *kind != Kind::EndpointTest);
    words
        .iter()
        .map(known)
        .collect::<Option<_>>()
        .ok_or_else(|| AppError::field("kinds", ctx.t("endpoint-error-kind")))
}

#[cfg(feature = "ssr")]
fn typed(ctx: &Ctx, name: &str, url: &str, kinds: &[String]) -> Result<Change, AppError> {
    Ok(Change { name: name.to_owned(), url: url.to_owned(), kinds: parse_kinds(ctx, kinds)? })
}

/// Adds an address; its secret is shown on the page that comes next, and nowhere else.
#[server(prefix = "/fn", endpoint = "add_endpoint")]
pub async fn add_endpoint(
    #[server(default)] name: String,
    #[server(default)] url: String,
    #[server(default)] kinds: Vec<String>,
) -> Result<(), AppError> {
    let chosen = kinds.join(" ");
    let fields = [("name", name.as_str()), ("url", &url), ("kinds", &chosen)];
    action("endpoint-new", &format!("{}#new", routes::EVENT_ENDPOINTS), &fields, async |ctx| {
        let actor = ctx.allow(Permission::ManageEvents)?;
        let new = typed(ctx, &name, &url, &kinds)?;
        let (id, secret) = events::add(ctx.backoffice(), &actor, &new).await.or_explain(ctx)?;
        let done = Done::on(routes::event_endpoint(&id), ctx.tr("endpoint-added", &[("name", new.name)]));
        Ok(done.showing("secret", secret.expose_secret().to_owned()))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "change_endpoint")]
pub async fn change_endpoint(
    #[server(default)] id: String,
    #[server(default)] name: String,
    #[server(default)] url: String,
    #[server(default)] kinds: Vec<String>,
) -> Result<(), AppError> {
    let chosen = kinds.join(" ");
    let fields = [("name", name.as_str()), ("url", &url), ("kinds", &chosen)];
    action("endpoint-change", &format!("{}#change", routes::event_endpoint(&id)), &fields, async |ctx| {
        let actor = ctx.allow(Permission::ManageEvents)?;
        let (id, change) = (parse_id(ctx, &id)?, typed(ctx, &name, &url, &kinds)?);
        events::change(ctx.backoffice(), &actor, id, &change).await.or_explain(ctx)?;
        Ok(ctx.t("endpoint-changed"))
    })
    .await
}

/// A new secret, shown on the page that comes next; the one before holds for a day.
#[server(prefix = "/fn", endpoint = "rotate_endpoint_secret")]
pub async fn rotate_endpoint_secret(#[server(default)] id: String) -> Result<(), AppError> {
    action("endpoint-secret", &routes::event_endpoint(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageEvents)?;
        let id = parse_id(ctx, &id)?;
        let secret = events::rotate(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        let done = Done::from(ctx.t("endpoint-secret-rotated"));
        Ok(done.showing("secret", secret.expose_secret().to_owned()))
    })
    .await
}

/// Sends something that happened nowhere; the page of the event shows what was answered.
#[server(prefix = "/fn", endpoint = "test_endpoint")]
pub async fn test_endpoint(#[server(default)] id: String) -> Result<(), AppError> {
    action("endpoint-test", &routes::event_endpoint(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageEvents)?;
        let id = parse_id(ctx, &id)?;
        let event = events::test(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(Done::on(routes::event(&event), ctx.t("endpoint-tested")))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "disable_endpoint")]
pub async fn disable_endpoint(#[server(default)] id: String) -> Result<(), AppError> {
    action("endpoint-state", &routes::event_endpoint(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageEvents)?;
        let id = parse_id(ctx, &id)?;
        let is_new = events::disable(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t(if is_new { "endpoint-disabled" } else { "endpoint-was-disabled" }))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "enable_endpoint")]
pub async fn enable_endpoint(#[server(default)] id: String) -> Result<(), AppError> {
    action("endpoint-state", &routes::event_endpoint(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageEvents)?;
        let id = parse_id(ctx, &id)?;
        let is_new = events::enable(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t(if is_new { "endpoint-enabled" } else { "endpoint-was-enabled" }))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "remove_endpoint")]
pub async fn remove_endpoint(#[server(default)] id: String) -> Result<(), AppError> {
    action("endpoint-remove", &routes::event_endpoint(&id), &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageEvents)?;
        let id = parse_id(ctx, &id)?;
        events::remove(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(Done::on(routes::EVENT_ENDPOINTS.to_owned(), ctx.t("endpoint-removed")))
    })
    .await
}

/// Tells an endpoint again what the preview has shown; the fields are those of its address.
#[server(prefix = "/fn", endpoint = "resend_events")]
pub async fn resend_events(
    #[server(default)] id: String,
    #[server(default)] from: String,
    #[server(default)] to: String,
    #[server(default)] kinds: Vec<String>,
    #[server(default)] missed: String,
) -> Result<(), AppError> {
    let mut fields = vec![("from".to_owned(), from), ("to".to_owned(), to), ("missed".to_owned(), missed)];
    fields.extend(kinds.into_iter().map(|kind| ("kind".to_owned(), kind)));
    let query = Query(fields);
    let page = format!("{}{}#again", routes::event_endpoint(&id), query.with("", ""));
    action("resend", &page, &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageEvents)?;
        let id = parse_id(ctx, &id)?;
        let (which, wrong) = resend::from_query(ctx, &query);
        let Some(which) = which else {
            let wrong = wrong.errors.into_values().next();
            return Err(AppError::form(wrong.unwrap_or_else(|| ctx.t("resend-error-from"))));
        };
        let queued = events::resend(ctx.backoffice(), &actor, id, &which).await.or_explain(ctx)?;
        let told = if queued == 0 {
            ctx.t("resend-nothing")
        } else {
            ctx.tr("resend-done", &[("count", queued.to_string())])
        };
        Ok(Done::on(routes::event_endpoint(&id), told))
    })
    .await
}
