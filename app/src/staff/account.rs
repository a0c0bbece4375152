//! One's own account: the password, and where one is logged in.

use backoffice::staff::sessions::{self, Session};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    devices,
    functions::{ChangePassword, EndOtherSessions, EndSession},
    words,
};
use crate::{
    components::{
        agent::browser,
        errors,
        form::Field,
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    flash::Flash,
    routes,
};

fn session(ctx: &Ctx, session: Session) -> AnyView {
    let browser = browser(ctx, &session.agent);
    let act = if session.is_here {
        view! { <span class="soft">{ctx.t("session-here")}</span> }.into_any()
    } else {
        let label = ctx.tr("session-end-of", &[("agent", browser.clone())]);
        view! {
            <form method="post" action=ctx.href(EndSession::PATH)>
                <input type="hidden" name="id" value=session.id/>
                <button class="button quiet" type="submit" aria-label=label>{ctx.t("session-end")}</button>
            </form>
        }
        .into_any()
    };
    view! {
        <tr>
            <td class="what" title=session.agent>{browser}</td>
            <td class="id"><code>{session.ip}</code></td>
            <td class="when begun">{list::time(session.begun_at)}</td>
            <td class="when">{list::time(session.last_seen_at)}</td>
            <td class="act">{act}</td>
        </tr>
    }
    .into_any()
}

fn password(ctx: &Ctx, email: &str, flash: &Flash) -> AnyView {
    let current = Field {
        kind: "password",
        autocomplete: "current-password",
        ..Field::text("current", ctx.t("password-current"), flash)
    };
    let new = Field {
        kind: "password",
        autocomplete: "new-password",
        hint: Some(ctx.t("password-hint")),
        ..Field::text("password", ctx.t("password-new"), flash)
    };
    view! {
        <section class="card part">
            <h2>{ctx.t("password-change")}</h2>
            <form class="pad" method="post" action=ctx.href(ChangePassword::PATH)>
                // For password managers: whose it is.
                <input type="email" class="hidden" autocomplete="username" tabindex="-1" aria-hidden="true" readonly value=email.to_owned()/>
                {current.view()}
                {new.view()}
                <button class="button" type="submit">{ctx.t("password-change")}</button>
            </form>
        </section>
    }
    .into_any()
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let Some(me) = ctx.visitor.staff.clone() else {
        return Ok(errors::missing(&ctx, ctx.t("error-logged-out")));
    };
    let open = sessions::of_staff(&ctx.backoffice().pool, me.id, ctx.session_key().as_ref()).await?;
    let others = open.iter().any(|session| !session.is_here);
    let rows = open.into_iter().map(|open| session(&ctx, open)).collect_view();
    let devices = devices::section(&ctx, &me).await?;
    let body = view! {
        <h1>{ctx.t("account")}</h1>
        <section class="card">
            <h2>{me.name.clone()}</h2>
            <dl class="facts pad">
                <dt>{ctx.t("email")}</dt>
                <dd>{me.email.clone()}</dd>
                <dt>{ctx.t("role")}</dt>
                <dd>
                    {words::role_of(&ctx, &me)} ": " {words::may(&ctx, &me)} " "
                    <a href=ctx.href(routes::ROLES)>{ctx.t("roles")}</a>
                </dd>
                <dt>{ctx.t("factors")}</dt>
                <dd>
                    {ctx.t(if me.has_factor { "factors-on" } else { "factors-off" })} " "
                    <a href=ctx.href(routes::FACTORS)>{ctx.t("factors-manage")}</a>
                </dd>
            </dl>
        </section>
        <section class="part">
            <h2>{ctx.t("sessions")}</h2>
            <table class="rows session-rows">
                <thead>
                    <tr>
                        <th scope="col">{ctx.t("session-agent")}</th>
                        <th scope="col">{ctx.t("session-ip")}</th>
                        <th scope="col">{ctx.t("session-begun")}</th>
                        <th scope="col">{ctx.t("session-last")}</th>
                        <th scope="col">{ctx.t("col-act")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            {others.then(|| view! {
                <form class="below" method="post" action=ctx.href(EndOtherSessions::PATH)>
                    <button class="button quiet" type="submit">{ctx.t("sessions-end-others")}</button>
                </form>
            })}
        </section>
        {devices}
        {password(&ctx, &me.email, &flash)}
    };
    Ok(Frame { title: ctx.t("account"), active: routes::ACCOUNT, flash, body: body.into_any() })
}
