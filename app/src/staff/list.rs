//! Accounts: who they are, adding one, disabling one.

use backoffice::staff::{Role, Staff};
use leptos::{prelude::*, server_fn::ServerFn};

use super::functions::{AddStaff, DisableStaff};
use crate::{
    components::{
        form::{self, Field},
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    flash::Flash,
    routes, settings,
};

fn row(ctx: &Ctx, person: Staff) -> AnyView {
    let own = ctx.is_me(Some(person.id));
    let label = ctx.tr("staff-disable-name", &[("name", person.name.clone())]);
    let act = match person.disabled_at {
        Some(_) => view! { <span class="badge ended">{ctx.t("staff-is-disabled")}</span> }.into_any(),
        None if own => view! { <span class="soft">{ctx.t("staff-you")}</span> }.into_any(),
        None => view! {
            <details class="confirm">
                <summary aria-label=label>{ctx.t("staff-disable")}</summary>
                <form method="post" action=ctx.href(DisableStaff::PATH)>
                    <input type="hidden" name="id" value=person.id.to_string()/>
                    <p>{ctx.tr("staff-disable-sure", &[("name", person.name.clone())])}</p>
                    <button class="button danger" type="submit">{ctx.t("staff-disable")}</button>
                </form>
            </details>
        }
        .into_any(),
    };
    let last = person.last_login_at.map_or_else(|| ctx.t("never").into_any(), list::time);
    view! {
        <tr>
            <td class="id">{person.name}</td>
            <td class="what">{person.email}</td>
            <td class="state">{ctx.words.word("role", person.role.as_str())}</td>
            <td class="when">{last}</td>
            <td class="act">{act}</td>
        </tr>
    }
    .into_any()
}

fn add(ctx: &Ctx, flash: &Flash) -> AnyView {
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
    let password = Field {
        kind: "password",
        autocomplete: "new-password",
        hint: Some(ctx.t("staff-password-hint")),
        ..Field::text("password", ctx.t("password"), flash)
    };
    view! {
        <section class="card">
            <h2>{ctx.t("staff-add")}</h2>
            <form class="pad" method="post" action=ctx.href(AddStaff::PATH)>
                {Field::text("name", ctx.t("name"), flash).view()}
                {email.view()}
                {form::select("role", ctx.t("role"), roles, "support", flash)}
                {password.view()}
                <button class="button" type="submit">{ctx.t("staff-add")}</button>
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
    let body = view! {
        <h1>{ctx.t("nav-staff")}</h1>
        {alone}
        <div class="two">
            <table class="rows staff-rows">
                <thead>
                    <tr>
                        <th scope="col">{ctx.t("name")}</th>
                        <th scope="col">{ctx.t("email")}</th>
                        <th scope="col">{ctx.t("role")}</th>
                        <th scope="col">{ctx.t("col-last-login")}</th>
                        <th scope="col">{ctx.t("col-act")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            {add(&ctx, &flash)}
        </div>
    };
    Ok(Frame { title: ctx.t("nav-staff"), active: routes::STAFF, flash, body: body.into_any() })
}
