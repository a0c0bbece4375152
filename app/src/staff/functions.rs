//! Coming in and going out; accounts are added and disabled.

#[cfg(feature = "ssr")]
use backoffice::staff::{self, NewStaff, Permission, Role, password::Password};
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::action,
    context::{Ctx, SESSION_STAFF},
    explain::{Explain as _, OrExplain as _},
    routes,
};

#[server(prefix = "/fn", endpoint = "add_staff")]
pub async fn add_staff(
    #[server(default)] email: String,
    #[server(default)] name: String,
    #[server(default)] role: String,
    #[server(default)] password: String,
) -> Result<(), AppError> {
    // The password is not among what is shown again.
    let typed = [("email", email.as_str()), ("name", &name), ("role", &role)];
    action("staff", routes::STAFF, &typed, async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        let role = Role::parse(&role).ok_or_else(|| AppError::field("role", ctx.t("staff-error-role")))?;
        let password = Password::new(password).or_explain(ctx)?;
        let new = NewStaff { email: email.clone(), name: name.clone(), role, password };
        staff::add(ctx.backoffice(), &actor, new).await.or_explain(ctx)?;
        Ok(ctx.tr("staff-added", &[("name", name.clone())]))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "disable_staff")]
pub async fn disable_staff(#[server(default)] id: String) -> Result<(), AppError> {
    action("staff", routes::STAFF, &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        let id = id.parse().map_err(|_| staff::Invalid::NotFound).or_explain(ctx)?;
        staff::disable(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        Ok(ctx.t("staff-disabled"))
    })
    .await
}

/// One message for every log-in that fails.
#[server(prefix = "/fn", endpoint = "log_in")]
pub async fn log_in(
    #[server(default)] email: String,
    #[server(default)] password: String,
    #[server(default)] next: String,
) -> Result<(), AppError> {
    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let typed = Password::typed(&password);
    let found = staff::log_in(ctx.backoffice(), &email, typed, &ctx.visitor.ip)
        .await
        .map_err(|fault| fault.explain(&ctx))?;
    let Ok(person) = found else {
        let page = format!("{}?next={}", routes::LOGIN, routes::encode(&next));
        // Nobody has an address longer than that (RFC 5321), and anybody may type here.
        let typed: String = email.chars().take(254).collect();
        return action("login", &page, &[("email", &typed)], async |ctx| {
            Err::<String, _>(AppError::form(ctx.t("login-wrong")))
        })
        .await;
    };
    let session = &ctx.visitor.session;
    let opened = async {
        // A new cookie, so that one that was planted before the log-in is worth nothing.
        session.cycle_id().await?;
        session.insert(SESSION_STAFF, person.id).await
    };
    if let Err(error) = opened.await {
        tracing::error!(%error, "a session could not be opened");
        return Err(AppError::Fault);
    }
    if ctx.wants_html {
        // Only ever to a page of ours.
        ctx.redirect(&next);
    }
    Ok(())
}

#[server(prefix = "/fn", endpoint = "log_out")]
pub async fn log_out() -> Result<(), AppError> {
    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    if let Err(error) = ctx.visitor.session.flush().await {
        tracing::error!(%error, "a session could not be ended");
        return Err(AppError::Fault);
    }
    if ctx.wants_html {
        ctx.redirect(routes::LOGIN);
    }
    Ok(())
}
