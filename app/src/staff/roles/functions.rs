//! Roles are given, made, changed and removed; a second administrator says yes or no.

#[cfg(feature = "ssr")]
use backoffice::staff::{
    Invalid, Permission,
    rights::{self, Given, Wanted},
    roles::{self, Typed},
};
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action},
    context::Ctx,
    explain::{Explain as _, OrExplain as _},
    i18n::{Lang, Translator},
    routes,
};

#[cfg(feature = "ssr")]
fn parse<T: std::str::FromStr>(
    ctx: &Ctx,
    text: &str,
    what: impl FnOnce(&Ctx) -> AppError,
) -> Result<T, AppError> {
    text.parse().map_err(|_| what(ctx))
}

#[cfg(feature = "ssr")]
fn no_person(ctx: &Ctx) -> AppError {
    Invalid::NotFound.explain(ctx)
}

#[cfg(feature = "ssr")]
fn no_role(ctx: &Ctx) -> AppError {
    rights::Refused::NoSuchRole.explain(ctx)
}

/// Another role for somebody: the word of one of the four, or the id of one of the house's own.
#[server(prefix = "/fn", endpoint = "give_role")]
pub async fn give_role(
    #[server(default)] id: String,
    #[server(default)] role: String,
) -> Result<(), AppError> {
    action("role", &routes::person(&id), &[("role", &role)], async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        let id = parse(ctx, &id, no_person)?;
        let wanted =
            Wanted::parse(&role).ok_or_else(|| AppError::field("role", ctx.t("staff-error-role")))?;
        let given = rights::give(ctx.backoffice(), &actor, id, wanted).await.or_explain(ctx)?;
        Ok(ctx.t(match given {
            Given::Now => "right-given",
            Given::Waits => "right-waits",
        }))
    })
    .await
}

/// The second administrator says yes to another role of somebody, or with an empty `agree` somebody says no.
#[server(prefix = "/fn", endpoint = "decide_role")]
pub async fn decide_role(
    #[server(default)] id: String,
    #[server(default)] seen: String,
    #[server(default)] agree: String,
) -> Result<(), AppError> {
    action("rights", routes::STAFF, &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        let (id, agree) = (parse(ctx, &id, no_person)?, agree == "1");
        rights::decide(ctx.backoffice(), &actor, id, &seen, agree).await.or_explain(ctx)?;
        Ok(ctx.t(if agree { "right-given" } else { "right-declined" }))
    })
    .await
}

/// A name that is the word of one of the four in one of our languages would be taken for it.
#[cfg(feature = "ssr")]
fn is_misleading(name: &str) -> bool {
    let is = |lang, role: &backoffice::staff::Role| {
        Translator::new(lang).word("role", role.as_str()).eq_ignore_ascii_case(name.trim())
    };
    backoffice::staff::Role::ALL.iter().any(|role| is(Lang::Ko, role) || is(Lang::En, role))
}

#[cfg(feature = "ssr")]
fn named(ctx: &Ctx, name: &str) -> Result<(), AppError> {
    if is_misleading(name) { Err(rights::Refused::Name.explain(ctx)) } else { Ok(()) }
}

#[server(prefix = "/fn", endpoint = "add_role")]
pub async fn add_role(
    #[server(default)] name: String,
    #[server(default)] base: String,
    #[server(default)] permissions: Vec<String>,
) -> Result<(), AppError> {
    let chosen = permissions.join(" ");
    let typed = [("name", name.as_str()), ("base", &base), ("permissions", &chosen)];
    action("role-new", &format!("{}#new", routes::ROLES), &typed, async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        named(ctx, &name)?;
        let typed = Typed { name: &name, base: &base, permissions: &permissions };
        roles::add(ctx.backoffice(), &actor, typed).await.or_explain(ctx)?;
        Ok(ctx.tr("role-added", &[("role", name.clone())]))
    })
    .await
}

/// `version` is that of the role that was looked at.
#[server(prefix = "/fn", endpoint = "change_role")]
pub async fn change_role(
    #[server(default)] id: String,
    #[server(default)] version: String,
    #[server(default)] name: String,
    #[server(default)] base: String,
    #[server(default)] permissions: Vec<String>,
) -> Result<(), AppError> {
    let chosen = permissions.join(" ");
    let typed = [("name", name.as_str()), ("base", &base), ("permissions", &chosen)];
    let (form, page) = (format!("role-{id}"), format!("{}#role-{}", routes::ROLES, routes::encode(&id)));
    action(&form, &page, &typed, async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        named(ctx, &name)?;
        let (id, version) = (parse(ctx, &id, no_role)?, parse(ctx, &version, no_role)?);
        let typed = Typed { name: &name, base: &base, permissions: &permissions };
        let given = roles::change(ctx.backoffice(), &actor, id, version, typed).await.or_explain(ctx)?;
        Ok(match given {
            Given::Now => Done::from(ctx.tr("role-changed", &[("role", name.clone())])),
            Given::Waits => Done::from(ctx.tr("role-change-waits", &[("role", name.clone())])),
        })
    })
    .await
}

/// The same for another content of a role that people have.
#[server(prefix = "/fn", endpoint = "decide_role_change")]
pub async fn decide_role_change(
    #[server(default)] id: String,
    #[server(default)] seen: String,
    #[server(default)] agree: String,
) -> Result<(), AppError> {
    action("rights", routes::STAFF, &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        let (id, agree) = (parse(ctx, &id, no_role)?, agree == "1");
        roles::decide(ctx.backoffice(), &actor, id, &seen, agree).await.or_explain(ctx)?;
        Ok(ctx.t(if agree { "right-given" } else { "right-declined" }))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "remove_role")]
pub async fn remove_role(#[server(default)] id: String) -> Result<(), AppError> {
    action("roles", routes::ROLES, &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        let id = parse(ctx, &id, no_role)?;
        roles::remove(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t("role-removed"))
    })
    .await
}
