//! Coming in, going out, and how it should look.

use leptos::prelude::*;

use crate::error::AppError;

/// One message for every log-in that fails.
#[server(prefix = "/fn", endpoint = "log_in")]
pub async fn log_in(
    #[server(default)] email: String,
    #[server(default)] password: String,
    #[server(default)] next: String,
) -> Result<(), AppError> {
    use backoffice::staff::password::Password;

    use crate::{
        context::{Ctx, SESSION_STAFF, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let typed = Password::typed(&password);
    let outcome = ctx.books().log_in(&email, typed, &ctx.visitor.ip).await.map_err(|fault| shown(&fault))?;
    let Ok(staff) = outcome else {
        let message = ctx.t("login-wrong");
        let back = format!("{}?next={}", routes::LOGIN, routes::encode(&next));
        let wrong = AppError::Invalid { field: String::new(), message };
        // Nobody has an address longer than that (RFC 5321), and anybody may type here.
        let typed: String = email.chars().take(254).collect();
        return ctx.finish("login", &[("email", &typed)], Err(wrong), &back).await;
    };
    let session = &ctx.visitor.session;
    let opened = async {
        // A new cookie, so that one that was planted before the log-in is worth nothing.
        session.cycle_id().await?;
        session.insert(SESSION_STAFF, staff.id).await
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
    use crate::{context::Ctx, routes};

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

/// Language and colours, kept in two cookies for a year.
#[server(prefix = "/fn", endpoint = "set_preferences")]
pub async fn set_preferences(
    #[server(default)] lang: String,
    #[server(default)] theme: String,
    #[server(default)] back: String,
) -> Result<(), AppError> {
    use crate::{
        context::{Ctx, Theme},
        routes,
        words::Lang,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let path = ctx.href(routes::HOME);
    let keep = |name: &str, value: &str| {
        let cookie = format!("{name}={value}; Path={path}; Max-Age=31536000; SameSite=Lax; HttpOnly");
        ctx.header(http::header::SET_COOKIE, &cookie);
    };
    if let Some(lang) = Lang::parse(&lang) {
        keep("jangbu_lang", lang.as_str());
    }
    if !theme.is_empty() {
        keep("jangbu_theme", Theme::parse(&theme).as_str());
    }
    if ctx.wants_html {
        ctx.redirect(&back);
    }
    Ok(())
}
