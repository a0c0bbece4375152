//! A user's personal data is shown, a user is unlinked.

#[cfg(feature = "ssr")]
use backoffice::{Fault, staff::Permission, users};
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::action,
    explain::{Explain as _, OrExplain as _},
    routes,
};

/// Shows a user's personal data for a few minutes, to whoever says why. The reason is kept.
#[server(prefix = "/fn", endpoint = "reveal_profile")]
pub async fn reveal_profile(
    #[server(default)] user_key: String,
    #[server(default)] why: String,
) -> Result<(), AppError> {
    let key = user_key.trim().parse().unwrap_or_default();
    action("reveal", &routes::user(key), &[("why", &why)], async |ctx| {
        let actor = ctx.allow(Permission::RevealPersonal)?;
        let noted = users::note_reveal(ctx.backoffice(), &actor, key, &why).await.or_explain(ctx)?;
        noted.or_explain(ctx)?;
        ctx.reveal(&routes::user(key)).await;
        Ok(ctx.t("profile-revealed"))
    })
    .await
}

/// Asks Toss to end a user's link with the mini-app.
#[server(prefix = "/fn", endpoint = "unlink_user")]
pub async fn unlink_user(#[server(default)] user_key: String) -> Result<(), AppError> {
    let key = users::parse_key(&user_key);
    let page = routes::user(key.map(|key| key.0).unwrap_or_default());
    action("unlink", &page, &[], async |ctx| {
        let actor = ctx.allow(Permission::UnlinkUser)?;
        let key = key.ok_or_else(|| AppError::form(ctx.t("user-not-found")))?;
        match users::unlink(ctx.backoffice(), &actor, key).await {
            Ok(()) => Ok(ctx.t("user-unlinked")),
            Err(Fault::AppsInToss(error)) => {
                tracing::warn!(%error, "an unlink by hand");
                if error.may_have_happened() {
                    return Err(AppError::form(ctx.t("user-unlink-unknown")));
                }
                let why = error.refusal().map(|r| format!("{} ({})", r.reason, r.code)).unwrap_or_default();
                Err(AppError::form(ctx.tr("user-not-unlinked", &[("why", why)])))
            }
            Err(fault) => Err(fault.explain(ctx)),
        }
    })
    .await
}
