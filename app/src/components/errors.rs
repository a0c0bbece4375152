//! Pages for what is not there and for what broke.

use leptos::prelude::*;

use super::layout::{Answer, Frame, title};
use crate::{context::Ctx, flash::Flash, routes};

pub fn missing(ctx: &Ctx, sentence: String) -> Frame {
    ctx.status(http::StatusCode::NOT_FOUND);
    instead(ctx, sentence)
}

/// The role does not open this page.
pub fn forbidden(ctx: &Ctx) -> Frame {
    ctx.status(http::StatusCode::FORBIDDEN);
    instead(ctx, ctx.t("error-forbidden"))
}

fn instead(ctx: &Ctx, sentence: String) -> Frame {
    let body = view! {
        <div class="empty">
            <h1 class="empty-title">{sentence.clone()}</h1>
            <p><a class="button quiet" href=ctx.href(routes::ORDERS)>{ctx.t("to-orders")}</a></p>
        </div>
    };
    Frame { title: sentence, active: "", flash: Flash::default(), body: body.into_any() }
}

pub async fn not_found(ctx: Ctx) -> Answer {
    Ok(missing(&ctx, ctx.t("page-not-found")))
}

pub fn broken(ctx: &Ctx) -> AnyView {
    view! {
        {title(ctx, &ctx.t("error-fault"))}
        <main class="alone">
            <div class="empty">
                <h1 class="empty-title">{ctx.t("error-fault")}</h1>
                <p class="soft">{ctx.t("error-fault-hint")}</p>
                <p><a class="button quiet" href=ctx.href(routes::HOME)>{ctx.t("to-home")}</a></p>
            </div>
        </main>
    }
    .into_any()
}
