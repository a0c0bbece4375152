//! The card in front of the door: what somebody sees who is not logged in.

use leptos::prelude::*;

use crate::{
    components::layout::{mode_badge, title},
    context::Ctx,
    settings::preferences::preferences,
};

pub fn view(ctx: &Ctx, named: &str, inner: AnyView) -> AnyView {
    view! {
        {title(ctx, &ctx.t(named))}
        <main class="alone login" id="main">
            <div class="card">
                <h1 class="brand">
                    <span class="seal" aria-hidden="true">"장부"</span>
                    <span>{ctx.t("product")}</span>
                    {mode_badge(ctx)}
                </h1>
                {inner}
            </div>
            {preferences(ctx)}
        </main>
    }
    .into_any()
}
