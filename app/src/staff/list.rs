//! People: who they are, inviting one, letting one in again, disabling one.

use backoffice::staff::{Role, Staff};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    factors::functions::ResetFactors,
    functions::{InviteStaff, InviteStaffAgain, LogOutStaff},
    tabs, waiting, words,
};
use crate::{
    components::{
        badge::badge,
        form::{self, Field},
        layout::{Answer, Frame},
        list, once,
    },
    context::Ctx,
    flash::Flash,
    format, routes, settings,
};

fn act(
    ctx: &Ctx,
    path: &'static str,
    person: &Staff,
    class: &'static str,
    explained: &str,
    label: &str,
) -> AnyView {
    view! {
        <form method="post" action=ctx.href(path)>
            <input type="hidden" name="id" value=person.id.to_string()/>
            <p>{ctx.tr(explained, &[("name", person.name.clone())])}</p>
            <button class=class type="submit">{ctx.t(label)}</button>
        </form>
    }
    .into_any()
}

/// Whoever takes somebody's factor away says how they made sure that it is the person.
fn reset(ctx: &Ctx, person: &Staff) -> AnyView {
    let name = person.name.clone();
    view! {
        <form method="post" action=ctx.href(ResetFactors::PATH)>
            <input type="hidden" name="id" value=person.id.to_string()/>
            <p>{ctx.tr("factors-reset-sure", &[("name", name)])}</p>
            <label class="field">
                <span class="label">{ctx.t("factors-reset-why")}</span>
                <input name="why" maxlength="200" required autocomplete="off"/>
            </label>
            <button class="button danger" type="submit">{ctx.t("factors-reset-do")}</button>
        </form>
    }
    .into_any()
}

/// How an account stands.
pub(super) fn state(ctx: &Ctx, person: &Staff) -> AnyView {
    match () {
        () if person.is_dormant && person.disabled_at.is_some() => {
            badge(("ended", ctx.t("staff-is-dormant")))
        }
        () if person.disabled_at.is_some() => badge(("ended", ctx.t("staff-is-disabled"))),
        () if !person.has_joined => badge(("waiting", ctx.t("staff-is-invited"))),
        () => badge(("done", ctx.t("staff-is-active"))),
    }
}

fn row(ctx: &Ctx, person: Staff) -> AnyView {
    let is_disabled = person.disabled_at.is_some();
    let soon = person.closes_soon(ctx.backoffice().clock.now()).map(|at| {
        view! { <small class="warn">{ctx.tr("staff-closes", &[("day", format::day(at))])}</small> }
    });
    let state = state(ctx, &person);
    let role = words::role_of(ctx, &person);
    let acts = if ctx.is_me(Some(person.id)) {
        view! { <a href=ctx.href(routes::ACCOUNT)>{ctx.t("staff-you")}</a> }.into_any()
    } else {
        let again = if is_disabled { "staff-open-again" } else { "staff-new-link" };
        let leaving = format!("{}#leaving", ctx.href(&routes::person(&person.id)));
        let label = ctx.tr("staff-manage-name", &[("name", person.name.clone())]);
        view! {
            <details class="confirm">
                <summary aria-label=label>{ctx.t("staff-manage")}</summary>
                {act(ctx, InviteStaffAgain::PATH, &person, "button quiet", "staff-new-link-sure", again)}
                {(!is_disabled).then(|| view! {
                    {act(ctx, LogOutStaff::PATH, &person, "button quiet", "staff-log-out-sure", "staff-log-out")}
                    {person.has_factor.then(|| reset(ctx, &person))}
                    <p><a class="button danger" href=leaving>{ctx.t("staff-disable")}</a></p>
                })}
            </details>
        }
        .into_any()
    };
    let factor = person.has_factor.then(|| view! { <span class="soft">{ctx.t("staff-has-factor")}</span> });
    let last = person.last_login_at.map_or_else(|| ctx.t("never").into_any(), list::time);
    view! {
        <tr>
            <td class="id"><a href=ctx.href(&routes::person(&person.id))>{person.name}</a></td>
            <td class="what">{person.email}</td>
            <td class="role">{role}</td>
            <td class="state">{state} {factor} {soon}</td>
            <td class="when">{last}</td>
            <td class="act">{acts}</td>
        </tr>
    }
    .into_any()
}

fn invite(ctx: &Ctx, flash: &Flash) -> AnyView {
    let roles = Role::ALL
        .iter()
        .map(|role| {
            let words = format!(
                "{}: {}",
                ctx.words.word("role", role.as_str()),
                ctx.words.word("role-can", role.as_str())
            );
            (role.as_str().to_owned(), words)
        })
        .collect();
    let email = Field { kind: "email", input_mode: "email", ..Field::text("email", ctx.t("email"), flash) };
    view! {
        <section class="card">
            <h2>{ctx.t("staff-invite")}</h2>
            <form class="pad" method="post" action=ctx.href(InviteStaff::PATH)>
                {Field::text("name", ctx.t("name"), flash).view()}
                {email.view()}
                {form::select("role", ctx.t("role"), roles, "support", flash)}
                <button class="button" type="submit">{ctx.t("staff-invite")}</button>
                <p class="soft">{ctx.t("staff-invite-how")}</p>
            </form>
        </section>
    }
    .into_any()
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let people = backoffice::staff::list(ctx.backoffice()).await?;
    let rows = people.into_iter().map(|person| row(&ctx, person)).collect_view();
    let alone = settings::limits::alone(&ctx).await?;
    let waiting = waiting::view(&ctx).await?;
    let invited = if ctx.site.doors.only_elsewhere {
        view! { <p class="soft">{ctx.t("staff-come-from-elsewhere")}</p> }.into_any()
    } else {
        invite(&ctx, &flash)
    };
    let body = view! {
        <h1>{ctx.t("nav-staff")}</h1>
        {tabs::tabs(&ctx, routes::STAFF)}
        {alone}
        {waiting}
        {once::shown(&ctx, &flash, "link", "invitation-link", "invitation-link-once")}
        <div class="two">
            <table class="rows staff-rows">
                <thead>
                    <tr>
                        <th scope="col">{ctx.t("name")}</th>
                        <th scope="col">{ctx.t("email")}</th>
                        <th scope="col">{ctx.t("role")}</th>
                        <th scope="col">{ctx.t("col-status")}</th>
                        <th scope="col">{ctx.t("col-last-login")}</th>
                        <th scope="col">{ctx.t("col-act")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            {invited}
        </div>
    };
    Ok(Frame { title: ctx.t("nav-staff"), active: routes::STAFF, flash, body: body.into_any() })
}
