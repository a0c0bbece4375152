//! Who may do what: the table itself, as the code has it, and the roles of the house's own under it.

use backoffice::staff::{Permission, Permissions, Role, addresses, roles};
use leptos::prelude::*;

use super::{
    super::{tabs, words},
    forms,
};
use crate::{
    components::layout::{Answer, Frame},
    context::Ctx,
    routes,
};

fn cell(ctx: &Ctx, may: bool) -> AnyView {
    let (mark, word, class) = if may { ("✓", "role-may", "may") } else { ("–", "role-may-not", "soft") };
    view! {
        <td class=class>
            <span aria-hidden="true">{mark}</span>
            <span class="hidden-words">{ctx.words.get(word, &[])}</span>
        </td>
    }
    .into_any()
}

fn table(ctx: &Ctx, columns: &[(String, Permissions)]) -> AnyView {
    let heads = columns.iter().map(|(name, _)| view! { <th scope="col">{name.clone()}</th> }).collect_view();
    let rows = Permission::ALL
        .map(|permission| {
            let cells = columns.iter().map(|(_, may)| cell(ctx, may.contains(permission))).collect_view();
            let mark = permission
                .is_sensitive()
                .then(|| view! { " " <small class="soft">{ctx.t("role-by-two")}</small> });
            view! { <tr><th scope="row">{words::permission(ctx, permission)} {mark}</th> {cells}</tr> }
        })
        .into_iter()
        .collect_view();
    view! {
        <div class="scroll card" tabindex="0" role="region" aria-label=ctx.t("roles-table")>
            <table class="matrix">
                <thead><tr><th scope="col">{ctx.t("role-permissions")}</th> {heads}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let own = roles::list(ctx.backoffice()).await?;
    let mut columns: Vec<(String, Permissions)> =
        Role::ALL.iter().map(|role| (ctx.words.word("role", role.as_str()), role.permissions())).collect();
    columns.extend(own.iter().map(|role| (role.name.clone(), role.permissions)));
    let of_presets = addresses::of_presets(ctx.backoffice()).await?;
    let me = ctx.visitor.staff.clone().filter(|_| ctx.may(Permission::ManageStaff));
    let forms = me.map(|me| {
        let mine = me.permissions();
        let held = me.own_role().map(|own| own.id);
        let each = own
            .iter()
            .map(|role| forms::change(&ctx, mine, role, held == Some(role.id), &flash))
            .collect_view();
        view! { {each} {forms::add(&ctx, mine, &flash)} {forms::presets(&ctx, mine, &of_presets, &flash)} }
    });
    let body = view! {
        <h1>{ctx.t("roles")}</h1>
        {tabs::tabs(&ctx, routes::ROLES)}
        <p class="soft lead">{ctx.t("roles-hint")}</p>
        {table(&ctx, &columns)}
        {forms}
    };
    Ok(Frame { title: ctx.t("roles"), active: routes::STAFF, flash, body: body.into_any() })
}
