//! The second step of a log-in.

use leptos::{prelude::*, server_fn::ServerFn};

use super::{fields, log_in_functions::ShowFactor};
use crate::{
    components::{
        form,
        layout::{Answer, Frame},
    },
    context::Ctx,
    flash::Flash,
    routes,
    staff::gate,
};

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    // A fault here has been logged: the page then begins from the start, too.
    let Ok(Some((person, _))) = ctx.half_logged_in().await else {
        ctx.redirect(routes::LOGIN);
        let body = gate::view(&ctx, "factor-step", ().into_any());
        return Ok(Frame { title: String::new(), active: "", flash: Flash::default(), body });
    };
    let refused = flash.is_error.then(|| flash.error("code").or(flash.notice.clone())).flatten();
    let shown = fields::view(&ctx, &person, refused, "log-in").await?;
    let notice = Flash { notice: None, ..flash.clone() };
    let inner = view! {
        {form::notice(&notice)}
        <h2 class="step">{ctx.t("factor-step")}</h2>
        <p class="soft">{person.email}</p>
        <form method="post" action=ctx.href(ShowFactor::PATH)>{shown}</form>
        <p><a class="link" href=ctx.href(routes::LOGIN)>{ctx.t("factor-other-account")}</a></p>
    };
    let body = gate::view(&ctx, "factor-step", inner.into_any());
    Ok(Frame { title: String::new(), active: "", flash, body })
}
