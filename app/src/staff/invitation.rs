//! What a link of an invitation opens: a name and a password.

use backoffice::staff::{Token, invitations};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{functions::AcceptInvitation, gate, messages::link_ended};
use crate::{
    components::{
        form::{self, Field},
        layout::{Answer, Frame},
        list::Query,
    },
    context::Ctx,
    format, routes,
};

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let token = query.get("t").unwrap_or_default();
    let flash = ctx.take_flash().await;
    let found = invitations::look_at(ctx.backoffice(), &Token::typed(&token)).await?;
    let inner = match found {
        Err(why) => view! {
            <p class="notice bad" role="alert">{ctx.t(link_ended(why))}</p>
            <p><a href=ctx.href(routes::LOGIN)>{ctx.t("log-in")}</a></p>
        }
        .into_any(),
        Ok(invited) => {
            let name = Field {
                value: invited.name,
                autocomplete: "name",
                ..Field::text("name", ctx.t("name"), &flash)
            };
            let password = Field {
                kind: "password",
                autocomplete: "new-password",
                hint: Some(ctx.t("password-hint")),
                ..Field::text("password", ctx.t("password-new"), &flash)
            };
            let words = [
                ("role", ctx.words.word("role", invited.role.as_str())),
                ("until", format::short_time(invited.expires_at)),
            ];
            view! {
                <p>{ctx.tr("invitation-for", &words)}</p>
                {form::notice(&flash)}
                <form method="post" action=ctx.href(AcceptInvitation::PATH)>
                    <input type="hidden" name="token" value=token/>
                    <label class="field">
                        <span class="label">{ctx.t("email")}</span>
                        <input type="email" autocomplete="username" readonly value=invited.email/>
                    </label>
                    {name.view()}
                    {password.view()}
                    <button class="button wide" type="submit">{ctx.t("invitation-accept")}</button>
                </form>
            }
            .into_any()
        }
    };
    let body = gate::view(&ctx, "invitation", inner);
    Ok(Frame { title: String::new(), active: "", flash, body })
}
