//! Language and colours, for whoever is here.

use leptos::{prelude::*, server_fn::ServerFn};

use super::functions::SetPreferences;
use crate::{
    context::{Ctx, Theme},
    i18n::Lang,
};

/// Language and colours as two small forms; they work before anybody is logged in.
pub fn preferences(ctx: &Ctx) -> AnyView {
    let action = ctx.href(SetPreferences::PATH);
    let back = ctx.path.clone();
    let choice = |name: &'static str, value: &'static str, label: String, on: bool| {
        let pressed = if on { "true" } else { "false" };
        view! { <button class="chip" type="submit" name=name value=value aria-pressed=pressed>{label}</button> }.into_any()
    };
    let (lang, theme) = (ctx.visitor.lang, ctx.visitor.theme);
    view! {
        <form class="chips" method="post" action=action.clone() aria-label=ctx.t("language")>
            <input type="hidden" name="back" value=back.clone()/>
            {choice("lang", "ko", "한국어".into(), lang == Lang::Ko)}
            {choice("lang", "en", "English".into(), lang == Lang::En)}
        </form>
        <form class="chips" method="post" action=action aria-label=ctx.t("theme")>
            <input type="hidden" name="back" value=back/>
            {choice("theme", "device", ctx.t("theme-device"), theme == Theme::Device)}
            {choice("theme", "light", ctx.t("theme-light"), theme == Theme::Light)}
            {choice("theme", "dark", ctx.t("theme-dark"), theme == Theme::Dark)}
        </form>
    }
    .into_any()
}
