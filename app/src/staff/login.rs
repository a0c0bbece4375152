//! Coming in.

use leptos::{prelude::*, server_fn::ServerFn};

use super::functions::LogIn;
use crate::{
    components::{
        form::{self, Field},
        layout::{Answer, Frame, mode_badge, title},
        list::Query,
    },
    context::Ctx,
    routes,
    settings::preferences::preferences,
};

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let next = query.get("next").unwrap_or_default();
    if ctx.visitor.staff.is_some() {
        ctx.redirect(routes::HOME);
    }
    let flash = ctx.take_flash().await;
    let email = Field {
        kind: "email",
        autocomplete: "username",
        input_mode: "email",
        ..Field::text("email", ctx.t("email"), &flash)
    };
    let password = Field {
        kind: "password",
        autocomplete: "current-password",
        ..Field::text("password", ctx.t("password"), &flash)
    };
    let body = view! {
        {title(&ctx, &ctx.t("log-in"))}
        <main class="alone login" id="main">
            <div class="card">
                <h1 class="brand">
                    <span class="seal" aria-hidden="true">"장부"</span>
                    <span>{ctx.t("product")}</span>
                    {mode_badge(&ctx)}
                </h1>
                {form::notice(&flash)}
                <form method="post" action=ctx.href(LogIn::PATH)>
                    <input type="hidden" name="next" value=next/>
                    {email.view()}
                    {password.view()}
                    <button class="button wide" type="submit">{ctx.t("log-in")}</button>
                </form>
            </div>
            {preferences(&ctx)}
        </main>
    };
    Ok(Frame { title: String::new(), active: "", flash, body: body.into_any() })
}
