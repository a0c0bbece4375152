//! How it should look.

use leptos::prelude::*;

use crate::error::AppError;

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
