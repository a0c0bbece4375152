//! One's own keys and codes: added, named, taken away. An administrator takes away what somebody else has lost.

#[cfg(feature = "ssr")]
use backoffice::staff::{self, Permission, factors, notices};
use leptos::{prelude::*, server_fn::codec::Json};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action, parse_id, question},
    context::Ctx,
    explain::OrExplain as _,
    format, routes,
};

/// Codes for bad days, where there are new ones: shown once.
#[cfg(feature = "ssr")]
fn with_codes(notice: String, codes: &[String]) -> Done {
    let done = Done::from(notice);
    if codes.is_empty() { done } else { done.showing("codes", codes.join("\n")) }
}

#[cfg(feature = "ssr")]
fn session(ctx: &Ctx) -> Result<backoffice::staff::sessions::SessionKey, AppError> {
    ctx.session_key().ok_or(AppError::LoggedOut)
}

/// Nothing but the proof, which the server has looked at before this runs.
#[server(prefix = "/fn", endpoint = "prove")]
pub async fn prove(#[server(default)] next: String) -> Result<(), AppError> {
    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    ctx.me()?;
    if ctx.wants_html {
        ctx.redirect(&next);
    }
    Ok(())
}

#[server(prefix = "/fn", endpoint = "begin_totp")]
pub async fn begin_totp() -> Result<(), AppError> {
    action("totp", routes::FACTORS, &[], async |ctx| {
        factors::begin_totp(ctx.backoffice(), ctx.me()?).await.or_explain(ctx)?;
        Ok(ctx.t("totp-begun"))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "confirm_totp")]
pub async fn confirm_totp(
    #[server(default)] name: String,
    #[server(default)] code: String,
) -> Result<(), AppError> {
    action("totp", routes::FACTORS, &[("name", &name)], async |ctx| {
        let (me, here) = (ctx.me()?, session(ctx)?);
        let added = factors::confirm_totp(ctx.backoffice(), me, &name, &code, &ctx.caller(), &here).await;
        let codes = added.or_explain(ctx)?;
        Ok(with_codes(ctx.tr("factor-added", &[("name", name.trim().to_owned())]), &codes))
    })
    .await
}

/// What a browser makes a new passkey from.
#[server(prefix = "/fn", endpoint = "offer_passkey", input = Json)]
pub async fn offer_passkey() -> Result<String, AppError> {
    question(routes::FACTORS, async |ctx| {
        let (me, here) = (ctx.me()?, session(ctx)?);
        factors::offer(ctx.backoffice(), &here, me).await.or_explain(ctx)
    })
    .await
}

#[server(prefix = "/fn", endpoint = "add_passkey")]
pub async fn add_passkey(
    #[server(default)] name: String,
    #[server(default)] proof_credential: String,
) -> Result<(), AppError> {
    action("passkey", routes::FACTORS, &[("name", &name)], async |ctx| {
        let (me, here) = (ctx.me()?, session(ctx)?);
        let caller = ctx.caller();
        let added =
            factors::add_passkey(ctx.backoffice(), me, &name, &proof_credential, &caller, &here).await;
        let codes = added.or_explain(ctx)?;
        Ok(with_codes(ctx.tr("factor-added", &[("name", name.trim().to_owned())]), &codes))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "remove_factor")]
pub async fn remove_factor(#[server(default)] id: String) -> Result<(), AppError> {
    action("factors", routes::FACTORS, &[], async |ctx| {
        let id = parse_id(ctx, &id)?;
        let removed =
            factors::remove(ctx.backoffice(), ctx.me()?, id, &ctx.caller(), ctx.session_key().as_ref()).await;
        removed.or_explain(ctx)?;
        Ok(ctx.t("factor-removed"))
    })
    .await
}

#[server(prefix = "/fn", endpoint = "renew_recovery_codes")]
pub async fn renew_recovery_codes() -> Result<(), AppError> {
    action("recovery", routes::FACTORS, &[], async |ctx| {
        let me = ctx.me()?;
        if !me.has_factor {
            return Err(AppError::form(ctx.t("recovery-needs-factor")));
        }
        let here = session(ctx)?;
        let renewed = factors::renew_recovery_codes(ctx.backoffice(), me, &ctx.caller(), &here).await;
        let codes = renewed.or_explain(ctx)?;
        Ok(with_codes(ctx.t("recovery-renewed"), &codes))
    })
    .await
}

/// The person reads it by mail, too, where there is a mail server: they may not come for days.
#[cfg(feature = "ssr")]
async fn write_of_reset(ctx: &Ctx, id: uuid::Uuid, by: &str) -> Result<(), backoffice::Fault> {
    let backoffice = ctx.backoffice();
    let (Some(mail), Some(person)) = (&backoffice.mail, staff::get(backoffice, id).await?) else {
        return Ok(());
    };
    let time = format::full_time(backoffice.clock.now());
    let text = ctx.tr("notice-factor-reset-own", &[("by", by.to_owned()), ("time", time)]);
    // Whether it left stands in the log; what was done stays done.
    mail.send(&person.email, &ctx.t("mail-factor-reset-subject"), text).await.ok();
    Ok(())
}

/// Takes away what somebody has lost; the person and all administrators are told.
#[server(prefix = "/fn", endpoint = "reset_factors")]
pub async fn reset_factors(
    #[server(default)] id: String,
    #[server(default)] why: String,
) -> Result<(), AppError> {
    action("staff", routes::STAFF, &[("why", &why)], async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        let id = parse_id(ctx, &id)?;
        factors::reset(ctx.backoffice(), &actor, id, &why).await.or_explain(ctx)?;
        write_of_reset(ctx, id, actor.name()).await.or_explain(ctx)?;
        Ok(ctx.t("factors-reset"))
    })
    .await
}

/// Somebody has read what they were told.
#[server(prefix = "/fn", endpoint = "see_notice")]
pub async fn see_notice(
    #[server(default)] id: String,
    #[server(default)] page: String,
) -> Result<(), AppError> {
    action("notice", if routes::is_inside(&page) { &page } else { routes::HOME }, &[], async |ctx| {
        let id = parse_id(ctx, &id)?;
        notices::see(ctx.backoffice(), ctx.me()?.id, id).await.or_explain(ctx)?;
        Ok(ctx.t("notice-seen"))
    })
    .await
}
