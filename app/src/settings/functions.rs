//! How it should look, and what one person may do on their own word.

#[cfg(feature = "ssr")]
use backoffice::{
    limits::{self, Kept, Typed},
    staff::Permission,
};
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{action::action, explain::OrExplain as _, routes};

#[cfg(feature = "ssr")]
fn page() -> String {
    format!("{}#limits", routes::SETTINGS)
}

/// Above which amounts a second person is asked, for one role: won, won a day, points a day. `none`, or what the page calls it, is no
/// limit.
#[server(prefix = "/fn", endpoint = "set_refund_limit")]
pub async fn set_refund_limit(
    #[server(default)] role: String,
    #[server(default)] one_refund: String,
    #[server(default)] per_day: String,
    #[server(default)] grants_per_day: String,
) -> Result<(), AppError> {
    // One form per role: what was typed goes back into the right one.
    let form = format!("limit-{role}");
    let typed =
        [("one_refund", one_refund.as_str()), ("per_day", &per_day), ("grants_per_day", &grants_per_day)];
    action(&form, &page(), &typed, async |ctx| {
        let actor = ctx.allow(Permission::ChangeSettings)?;
        let none = ctx.t("limit-none").to_lowercase();
        let read = |text: &str| {
            if text.trim().to_lowercase() == none { limits::NONE.to_owned() } else { text.to_owned() }
        };
        let [one_refund, per_day, grants_per_day] = [&one_refund, &per_day, &grants_per_day].map(|t| read(t));
        let typed = Typed {
            role: &role,
            one_refund: &one_refund,
            per_day: &per_day,
            grants_per_day: &grants_per_day,
        };
        let kept = limits::set(ctx.backoffice(), &actor, typed).await.or_explain(ctx)?;
        let words = [("role", ctx.words.word("role", &role))];
        Ok(match kept {
            Kept::Now => ctx.tr("limit-kept", &words),
            Kept::Waits => ctx.tr("limit-waits", &words),
        })
    })
    .await
}

/// The second administrator says yes to raised limits, or with an empty `agree` somebody says no. `seen` is the version
/// of the request that was looked at.
#[server(prefix = "/fn", endpoint = "decide_limit")]
pub async fn decide_limit(
    #[server(default)] role: String,
    #[server(default)] seen: String,
    #[server(default)] agree: String,
) -> Result<(), AppError> {
    action("limit", &page(), &[], async |ctx| {
        let actor = ctx.allow(Permission::ChangeSettings)?;
        let agree = agree == "1";
        limits::decide(ctx.backoffice(), &actor, &role, &seen, agree).await.or_explain(ctx)?;
        let words = [("role", ctx.words.word("role", &role))];
        Ok(if agree { ctx.tr("limit-kept", &words) } else { ctx.tr("limit-declined", &words) })
    })
    .await
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
        i18n::Lang,
        routes,
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
