//! Coming in.

use backoffice::staff::factors::FactorRefused;
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    factors::{fields::passkey_words, log_in_functions::LogInWithPasskey, messages::sentence},
    functions::LogIn,
    gate,
    messages::wait_words,
};
use crate::{
    components::{
        form::{self, Field},
        layout::{Answer, Frame},
        list::Query,
    },
    context::Ctx,
    flash::Flash,
    islands::Passkey,
    routes,
};

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let next = query.get("next").unwrap_or_default();
    if ctx.visitor.staff.is_some() {
        ctx.redirect(routes::HOME);
    }
    let mut flash = ctx.take_flash().await;
    // Nothing is kept for whoever was turned away: it stands in the address.
    let said = match (query.get("wait").and_then(|seconds| seconds.parse().ok()), query.get("busy")) {
        (Some(seconds), _) => Some(wait_words(&ctx, seconds)),
        (None, Some(_)) => Some(ctx.t("login-busy")),
        (None, None) => {
            (query.get("why").as_deref() == Some("factor")).then(|| sentence(&ctx, FactorRefused::TooMany))
        }
    };
    if said.is_some() {
        flash = Flash { notice: said, is_error: true, ..Flash::default() };
    }
    let doors = &ctx.site.doors;
    let next_door = doors.oidc.as_ref().map(|name| {
        let words = ctx.tr("oidc-log-in", &[("name", name.to_string())]);
        view! { <p class="next-door"><a class="button wide" href=ctx.href(&routes::oidc(&next))>{words}</a></p> }
    });
    if doors.only_elsewhere {
        let inner = view! { {form::notice(&flash)} {next_door} };
        let body = gate::view(&ctx, "log-in", inner.into_any());
        return Ok(Frame { title: String::new(), active: "", flash, body });
    }
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
    let passkey = ctx.backoffice().passkeys.is_some().then(|| {
        view! {
            <form class="alternative" method="post" action=ctx.href(LogInWithPasskey::PATH)>
                <input type="hidden" name="next" value=next.clone()/>
                <input type="hidden" name="proof_credential" value=""/>
                <Passkey asks="anybody".to_owned() words=passkey_words(&ctx, "passkey-log-in")/>
            </form>
        }
    });
    let inner = view! {
        {form::notice(&flash)}
        <form method="post" action=ctx.href(LogIn::PATH)>
            <input type="hidden" name="next" value=next.clone()/>
            {email.view()}
            {password.view()}
            <button class="button wide" type="submit">{ctx.t("log-in")}</button>
        </form>
        {passkey}
        {next_door}
    };
    let body = gate::view(&ctx, "log-in", inner.into_any());
    Ok(Frame { title: String::new(), active: "", flash, body })
}
