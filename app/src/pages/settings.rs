//! How it looks for this person, and how this process is set up.

use leptos::prelude::*;

use super::{Answer, webhooks::hook_url};
use crate::{
    components::layout::{Frame, preferences},
    context::Ctx,
    islands::Copy,
    routes,
};

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let hook = hook_url(&ctx);
    let body = view! {
        <h1>{ctx.t("nav-settings")}</h1>
        <section class="card">
            <h2>{ctx.t("settings-look")}</h2>
            <div class="pad">{preferences(&ctx)}</div>
        </section>
        <section class="card">
            <h2>{ctx.t("settings-process")}</h2>
            <dl class="facts pad">
                <dt>{ctx.t("settings-mode")}</dt>
                <dd>{ctx.words.word("mode", ctx.site.mode.as_str())}</dd>
                <dt>"Toss Payments"</dt>
                <dd><code>{ctx.books().toss.url().to_owned()}</code></dd>
                <dt>{ctx.t("settings-hook")}</dt>
                <dd>
                    <code>{hook.clone()}</code>
                    " "
                    <Copy text=hook label=ctx.t("copy") done=ctx.t("copied")/>
                </dd>
                <dt>{ctx.t("settings-version")}</dt>
                <dd>{env!("CARGO_PKG_VERSION")}</dd>
            </dl>
        </section>
    };
    Ok(Frame { title: ctx.t("nav-settings"), active: routes::SETTINGS, flash, body: body.into_any() })
}
