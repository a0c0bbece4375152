//! Coming in and going out; accounts are added and disabled.

use leptos::prelude::*;

use crate::error::AppError;

#[server(prefix = "/fn", endpoint = "add_staff")]
pub async fn add_staff(
    #[server(default)] email: String,
    #[server(default)] name: String,
    #[server(default)] role: String,
    #[server(default)] password: String,
) -> Result<(), AppError> {
    use backoffice::staff::{Invalid, NewStaff, Permission, Role, StaffError, password::Password};

    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    // The password is not among what is shown again.
    let values = [("email", email.as_str()), ("name", name.as_str()), ("role", role.as_str())];
    let field =
        |field: &str, key: &str| AppError::Invalid { field: field.into(), message: ctx.words.get(key, &[]) };
    let words_for = |invalid: Invalid| match invalid {
        Invalid::Email => field("email", "staff-error-email"),
        Invalid::EmailTaken => field("email", "staff-error-taken"),
        Invalid::Name => field("name", "staff-error-name"),
        Invalid::Password => field("password", "staff-error-password"),
        Invalid::LastAdmin | Invalid::Yourself | Invalid::NotFound => field("", "error-fault"),
    };
    let outcome = match (ctx.allow(Permission::ManageStaff), Role::parse(&role), Password::new(password)) {
        (Err(error), ..) => Err(error),
        (_, None, _) => Err(field("role", "staff-error-role")),
        (.., Err(invalid)) => Err(words_for(invalid)),
        (Ok(actor), Some(role), Ok(password)) => {
            let new = NewStaff { email: email.clone(), name: name.clone(), role, password };
            match backoffice::staff::add(ctx.books(), &actor, new).await {
                Ok(_) => Ok(ctx.tr("staff-added", &[("name", name.clone())])),
                Err(StaffError::Invalid(invalid)) => Err(words_for(invalid)),
                Err(StaffError::Fault(fault)) => Err(shown(&fault)),
            }
        }
    };
    ctx.finish("staff", &values, outcome, routes::STAFF).await
}

#[server(prefix = "/fn", endpoint = "disable_staff")]
pub async fn disable_staff(#[server(default)] id: String) -> Result<(), AppError> {
    use backoffice::staff::{Invalid, Permission, StaffError};

    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let invalid = |key: &str| AppError::Invalid { field: String::new(), message: ctx.words.get(key, &[]) };
    let outcome = match (ctx.allow(Permission::ManageStaff), id.parse()) {
        (Err(error), _) => Err(error),
        (_, Err(_)) => Err(invalid("staff-error-not-found")),
        (Ok(actor), Ok(id)) => match backoffice::staff::disable(ctx.books(), &actor, id).await {
            Ok(()) => Ok(ctx.t("staff-disabled")),
            Err(StaffError::Invalid(Invalid::LastAdmin)) => Err(invalid("staff-error-last-admin")),
            Err(StaffError::Invalid(Invalid::Yourself)) => Err(invalid("staff-error-yourself")),
            Err(StaffError::Invalid(_)) => Err(invalid("staff-error-not-found")),
            Err(StaffError::Fault(fault)) => Err(shown(&fault)),
        },
    };
    ctx.finish("staff", &[], outcome, routes::STAFF).await
}

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
    let outcome = backoffice::staff::log_in(ctx.books(), &email, typed, &ctx.visitor.ip)
        .await
        .map_err(|fault| shown(&fault))?;
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
