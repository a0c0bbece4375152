//! A user's personal data is shown, a user is unlinked.

use leptos::prelude::*;

use crate::error::AppError;

/// Shows a user's personal data for a few minutes, to whoever says why. The reason is kept.
#[server(prefix = "/fn", endpoint = "reveal_profile")]
pub async fn reveal_profile(
    #[server(default)] user_key: String,
    #[server(default)] why: String,
) -> Result<(), AppError> {
    use backoffice::{staff::Permission, users::NotShown};

    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let key = user_key.trim().parse().unwrap_or_default();
    let at = |field: &str, message: String| AppError::Invalid { field: field.into(), message };
    let outcome = match ctx.allow(Permission::RevealPersonal) {
        Err(error) => Err(error),
        Ok(actor) => match backoffice::users::note_reveal(ctx.books(), &actor, key, &why).await {
            Ok(Ok(())) => {
                ctx.let_see_profile(key).await;
                Ok(ctx.t("profile-revealed"))
            }
            Ok(Err(NotShown::NoSuchUser)) => Err(at("", ctx.t("user-not-found"))),
            Ok(Err(NotShown::NoReason)) => Err(at("why", ctx.t("refund-error-reason-empty"))),
            Ok(Err(NotShown::ReasonTooLong)) => Err(at("why", ctx.t("refund-error-reason-long"))),
            Err(fault) => Err(shown(&fault)),
        },
    };
    ctx.finish("reveal", &[("why", &why)], outcome, &routes::user(key)).await
}

/// Asks Toss to end a user's link with the mini-app.
#[server(prefix = "/fn", endpoint = "unlink_user")]
pub async fn unlink_user(#[server(default)] user_key: String) -> Result<(), AppError> {
    use backoffice::{Fault, staff::Permission, users::parse_key};

    use crate::{
        context::{Ctx, shown},
        routes,
    };

    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    let invalid = |message: String| AppError::Invalid { field: String::new(), message };
    let key = parse_key(&user_key);
    let back = routes::user(key.map(|key| key.0).unwrap_or_default());
    let outcome = match (ctx.allow(Permission::UnlinkUser), key) {
        (Err(error), _) => Err(error),
        (_, None) => Err(invalid(ctx.t("user-not-found"))),
        (Ok(actor), Some(key)) => match backoffice::users::unlink(ctx.books(), &actor, key).await {
            Ok(()) => Ok(ctx.t("user-unlinked")),
            Err(Fault::NoAppsInToss) => Err(invalid(ctx.t("apps-in-toss-missing"))),
            Err(Fault::AppsInToss(error)) if error.may_have_happened() => {
                tracing::warn!(%error, "an unlink by hand");
                Err(invalid(ctx.t("user-unlink-unknown")))
            }
            Err(Fault::AppsInToss(error)) => {
                tracing::warn!(%error, "an unlink by hand");
                let why = error.refusal().map(|r| format!("{} ({})", r.reason, r.code)).unwrap_or_default();
                Err(invalid(ctx.tr("user-not-unlinked", &[("why", why)])))
            }
            Err(fault) => Err(shown(&fault)),
        },
    };
    ctx.finish("unlink", &[], outcome, &back).await
}
