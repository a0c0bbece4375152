//! Coming in and going out; one's own account; people are invited.

#[cfg(feature = "ssr")]
use backoffice::staff::{
    self, LoginRefused, NewStaff, Permission, Role, devices, invitations, password::Password, rights::Given,
    sessions,
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::{entry::Shown, messages};
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action},
    context::{Ctx, SESSION_LEFT},
    explain::{Explain as _, OrExplain as _},
    routes,
};

/// Sends the link where there is a mail server; shows it where there is none, or it did not take the letter.
#[cfg(feature = "ssr")]
async fn invited(ctx: &Ctx, email: &str, name: String, token: &staff::Token) -> Done {
    let link = format!("{}{}", ctx.site.public_url, ctx.href(&routes::invitation(token.expose())));
    let name = [("name", name)];
    let Some(mail) = &ctx.backoffice().mail else {
        return Done::from(ctx.tr("staff-invited", &name)).showing("link", link);
    };
    let text = ctx.tr("mail-invitation", &[("link", link.clone())]);
    match mail.send(email, &ctx.t("mail-invitation-subject"), text).await {
        Ok(()) => ctx.tr("staff-invited-by-mail", &name).into(),
        Err(_) => Done::from(ctx.tr("staff-invited-no-mail", &name)).showing("link", link),
    }
}

#[cfg(feature = "ssr")]
fn parse_account(ctx: &Ctx, id: &str) -> Result<uuid::Uuid, AppError> {
    id.parse().map_err(|_| staff::Invalid::NotFound).or_explain(ctx)
}

#[cfg(feature = "ssr")]
pub(super) fn no_passwords(ctx: &Ctx) -> AppError {
    AppError::form(ctx.t("no-passwords"))
}

#[cfg(feature = "ssr")]
fn passwords_are_used(ctx: &Ctx) -> Result<(), AppError> {
    if ctx.site.doors.only_elsewhere { Err(no_passwords(ctx)) } else { Ok(()) }
}

#[server(prefix = "/fn", endpoint = "invite_staff")]
pub async fn invite_staff(
    #[server(default)] email: String,
    #[server(default)] name: String,
    #[server(default)] role: String,
) -> Result<(), AppError> {
    let typed = [("email", email.as_str()), ("name", &name), ("role", &role)];
    action("staff", routes::STAFF, &typed, async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        let role = Role::parse(&role).ok_or_else(|| AppError::field("role", ctx.t("staff-error-role")))?;
        let new = NewStaff { email: email.clone(), name: name.clone(), role };
        let (_, token, given) = invitations::invite(ctx.backoffice(), &actor, new).await.or_explain(ctx)?;
        let done = invited(ctx, &email, name.clone(), &token).await;
        Ok(match given {
            Given::Now => done,
            Given::Waits => {
                let role = ctx.words.word("role", role.as_str());
                done.also(&ctx.tr("staff-invited-waits", &[("role", role)]))
            }
        })
    })
    .await
}

/// A new link for somebody who lost their password, never came, or comes back.
#[server(prefix = "/fn", endpoint = "invite_staff_again")]
pub async fn invite_staff_again(#[server(default)] id: String) -> Result<(), AppError> {
    action("staff", routes::STAFF, &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        let id = parse_account(ctx, &id)?;
        let token = invitations::invite_again(ctx.backoffice(), &actor, id).await.or_explain(ctx)?;
        let person = staff::get(ctx.backoffice(), id).await.or_explain(ctx)?;
        let person = person.ok_or(staff::Invalid::NotFound).or_explain(ctx)?;
        Ok(invited(ctx, &person.email, person.name, &token).await)
    })
    .await
}

/// Ends everything somebody has open.
#[server(prefix = "/fn", endpoint = "log_out_staff")]
pub async fn log_out_staff(#[server(default)] id: String) -> Result<(), AppError> {
    action("staff", routes::STAFF, &[], async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        let id = parse_account(ctx, &id)?;
        let here = ctx.session_key();
        let ended =
            sessions::end_all_but(ctx.backoffice(), &actor, id, here.as_ref()).await.or_explain(ctx)?;
        Ok(ctx.tr("sessions-ended", &[("count", ended.to_string())]))
    })
    .await
}

/// Whoever has the link chooses a password.
#[server(prefix = "/fn", endpoint = "accept_invitation")]
pub async fn accept_invitation(
    #[server(default)] token: String,
    #[server(default)] name: String,
    #[server(default)] password: String,
) -> Result<(), AppError> {
    let page = routes::invitation(&token);
    action("invitation", &page, &[("name", &name)], async |ctx| {
        passwords_are_used(ctx)?;
        let (token, caller) = (staff::Token::typed(&token), ctx.caller());
        let joined =
            invitations::accept(ctx.backoffice(), &token, &name, password, &caller).await.or_explain(ctx)?;
        let done = Done::on(routes::LOGIN.to_owned(), ctx.t("invitation-accepted"));
        Ok(done.showing("email", joined.email))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "change_password")]
pub async fn change_password(
    #[server(default)] current: String,
    #[server(default)] password: String,
) -> Result<(), AppError> {
    action("password", routes::ACCOUNT, &[], async |ctx| {
        passwords_are_used(ctx)?;
        let (me, here) = (ctx.me()?, ctx.session_key());
        let caller = ctx.caller();
        staff::change_password(ctx.backoffice(), me, &current, password, &caller, here.as_ref())
            .await
            .or_explain(ctx)?;
        Ok(ctx.t("password-changed"))
    })
    .await
}

/// Ends one of one's own sessions.
#[server(prefix = "/fn", endpoint = "end_session")]
pub async fn end_session(#[server(default)] id: String) -> Result<(), AppError> {
    action("sessions", routes::ACCOUNT, &[], async |ctx| {
        let me = ctx.me()?;
        let ended = sessions::end_own(ctx.backoffice(), me, &id, &ctx.caller()).await.or_explain(ctx)?;
        Ok(ctx.t(if ended { "session-ended" } else { "session-over" }))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "end_other_sessions")]
pub async fn end_other_sessions() -> Result<(), AppError> {
    action("sessions", routes::ACCOUNT, &[], async |ctx| {
        let me = ctx.me()?;
        let (actor, here) = (me.actor(&ctx.caller()), ctx.session_key());
        let ended =
            sessions::end_all_but(ctx.backoffice(), &actor, me.id, here.as_ref()).await.or_explain(ctx)?;
        Ok(ctx.tr("sessions-ended", &[("count", ended.to_string())]))
    })
    .await
}

/// Forgets one of one's own devices, and ends what is open on it.
#[server(prefix = "/fn", endpoint = "forget_device")]
pub async fn forget_device(#[server(default)] id: String) -> Result<(), AppError> {
    action("devices", routes::ACCOUNT, &[], async |ctx| {
        let (me, here, caller) = (ctx.me()?, ctx.session_key(), ctx.caller());
        let forgotten =
            devices::forget(ctx.backoffice(), me, &id, here.as_ref(), &caller).await.or_explain(ctx)?;
        Ok(ctx.t(if forgotten { "device-forgotten" } else { "device-gone" }))
    })
    .await
}

/// The news of new devices, up to the device `id`, were seen here.
#[server(prefix = "/fn", endpoint = "confirm_device")]
pub async fn confirm_device(
    #[server(default)] id: String,
    #[server(default)] back: String,
) -> Result<(), AppError> {
    let page = if routes::is_inside(&back) { back.as_str() } else { routes::HOME };
    action("devices", page, &[], async |ctx| {
        let me = ctx.me()?;
        if let Some(here) = ctx.session_key() {
            devices::confirm(ctx.backoffice(), me, &here, &id, &ctx.caller()).await.or_explain(ctx)?;
        }
        Ok(ctx.t("device-confirmed"))
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
    if ctx.site.doors.only_elsewhere {
        return action("login", routes::LOGIN, &[], async |ctx| Err::<String, _>(no_passwords(ctx))).await;
    }
    let typed = Password::typed(&password);
    let found = staff::log_in(ctx.backoffice(), &email, typed, &ctx.caller())
        .await
        .map_err(|fault| fault.explain(&ctx))?;
    let page = format!("{}?next={}", routes::LOGIN, routes::encode(&next));
    let (refused, in_address) = match found {
        Ok(person) => return ctx.come_in(&person, Shown::Password, &next).await,
        Err(LoginRefused::Wrong) => (AppError::form(ctx.t("login-wrong")), None),
        Err(LoginRefused::Wait { seconds }) => {
            (messages::wait(&ctx, seconds), Some(format!("wait={seconds}")))
        }
        Err(LoginRefused::Busy) => (messages::busy(&ctx), Some("busy=1".to_owned())),
    };
    // Whoever is turned away without being looked at leaves nothing behind.
    if let (true, Some(said)) = (ctx.wants_html, in_address) {
        ctx.redirect(&format!("{page}&{said}"));
        return Ok(());
    }
    // Nobody has an address longer than that (RFC 5321), and anybody may type here.
    let typed: String = email.chars().take(254).collect();
    action("login", &page, &[("email", &typed)], async |_| Err::<String, _>(refused)).await
}

#[server(prefix = "/fn", endpoint = "log_out")]
pub async fn log_out() -> Result<(), AppError> {
    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    ctx.end_session().await?;
    if let Some(me) = &ctx.visitor.staff {
        staff::log_out(ctx.backoffice(), me, &ctx.caller()).await;
    }
    if !ctx.wants_html {
        return Ok(());
    }
    match (&ctx.site.doors.host, ctx.visitor.elsewhere.as_ref().and_then(|known| known.id_token.as_ref())) {
        (Some(host), _) => leptos_axum::redirect(host),
        // It goes on at the provider.
        (None, Some(token)) if ctx.visitor.session.insert(SESSION_LEFT, token).await.is_ok() => {
            ctx.redirect(routes::OIDC_LEFT);
        }
        (None, _) => ctx.redirect(routes::LOGIN),
    }
    Ok(())
}
