//! The forms of the roles of the house's own: made, changed, removed.

use backoffice::staff::{Permission, Permissions, Role, roles::OwnRole};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    super::{person::addresses, words},
    functions::{AddRole, ChangeRole, RemoveRole},
};
use crate::{
    components::form::{self, Field},
    context::Ctx,
    flash::Flash,
};

/// Only what whoever looks holds can be given.
fn checkboxes(ctx: &Ctx, mine: Permissions, chosen: Permissions, flash: &Flash) -> AnyView {
    let chosen = match flash.value("permissions") {
        Some(words) => Permissions::parse(words.split(' ')),
        None => chosen,
    };
    let boxes = Permission::ALL
        .map(|permission| {
            let (word, value) = (words::permission(ctx, permission), permission.as_str());
            let mark = permission
                .is_sensitive()
                .then(|| view! { " " <small class="soft">{ctx.t("role-by-two")}</small> });
            view! {
                <label class="check">
                    <input
                        type="checkbox"
                        name="permissions[]"
                        value=value
                        checked=chosen.contains(permission)
                        disabled=!mine.contains(permission)
                    />
                    <span>{word} {mark}</span>
                </label>
            }
        })
        .into_iter()
        .collect_view();
    let error =
        flash.error("permissions").map(|error| view! { <p class="note error" role="alert">{error}</p> });
    view! {
        <fieldset class="permissions">
            <legend>{ctx.t("role-permissions")}</legend>
            {boxes}
            {error}
        </fieldset>
    }
    .into_any()
}

fn bases(ctx: &Ctx) -> Vec<(String, String)> {
    Role::ALL.iter().map(|role| (role.as_str().to_owned(), ctx.words.word("role", role.as_str()))).collect()
}

fn fields(
    ctx: &Ctx,
    mine: Permissions,
    id: &str,
    name: String,
    base: Role,
    chosen: Permissions,
    flash: &Flash,
) -> AnyView {
    let name = Field {
        value: name,
        id: Some(format!("name-{id}")),
        ..Field::text("name", ctx.t("role-name"), flash)
    };
    view! {
        {name.view()}
        {form::select("base", ctx.t("role-base"), bases(ctx), base.as_str(), flash)}
        {checkboxes(ctx, mine, chosen, flash)}
    }
    .into_any()
}

fn own<'a>(flash: &'a Flash, none: &'a Flash, form: &str) -> &'a Flash {
    if flash.form == form && flash.is_error { flash } else { none }
}

pub fn add(ctx: &Ctx, mine: Permissions, flash: &Flash) -> AnyView {
    let none = Flash::default();
    let flash = own(flash, &none, "role-new");
    let chosen = Permissions::of(&[Permission::ViewTrade]);
    view! {
        <section class="card part" id="new">
            <h2>{ctx.t("role-new")}</h2>
            <form class="pad" method="post" action=ctx.href(AddRole::PATH)>
                {fields(ctx, mine, "new", String::new(), Role::Support, chosen, flash)}
                <button class="button" type="submit">{ctx.t("role-add")}</button>
                <p class="soft">{ctx.t("role-new-hint")}</p>
            </form>
        </section>
    }
    .into_any()
}

pub fn change(ctx: &Ctx, mine: Permissions, role: &OwnRole, is_own: bool, flash: &Flash) -> AnyView {
    let id = format!("role-{}", role.id);
    let (none, all) = (Flash::default(), flash);
    let flash = own(flash, &none, &id);
    let is_wrong = all.is_error && all.form.ends_with(&role.id.to_string());
    let title = view! {
        <h2>{role.name.clone()} " " <small class="soft">{ctx.tr("role-people", &[("count", role.people.to_string())])}</small></h2>
    };
    let why_not = match () {
        () if is_own => Some("role-is-yours"),
        () if !role.permissions.is_subset(mine) => Some("staff-error-beyond-yours"),
        () => None,
    };
    if let Some(key) = why_not {
        return view! { <section class="card part" id=id>{title} <p class="pad soft">{ctx.words.get(key, &[])}</p></section> }
            .into_any();
    }
    let remove = if role.people == 0 {
        let label = ctx.tr("role-remove-name", &[("role", role.name.clone())]);
        view! {
            <form class="pad" method="post" action=ctx.href(RemoveRole::PATH)>
                <input type="hidden" name="id" value=role.id.to_string()/>
                <button class="button danger" type="submit" aria-label=label>{ctx.t("role-remove")}</button>
            </form>
        }
        .into_any()
    } else {
        view! { <p class="pad soft">{ctx.t("role-remove-not")}</p> }.into_any()
    };
    view! {
        <section class="card part" id=id.clone()>
            {title}
            <details open=is_wrong>
                <summary class="pad">{ctx.t("role-change")}</summary>
                <form class="pad" method="post" action=ctx.href(ChangeRole::PATH)>
                    <input type="hidden" name="id" value=role.id.to_string()/>
                    <input type="hidden" name="version" value=role.version.to_string()/>
                    {fields(ctx, mine, &id, role.name.clone(), role.base, role.permissions, flash)}
                    <button class="button" type="submit">{ctx.t("keep")}</button>
                </form>
                {addresses::form(ctx, "role", &role.id.to_string(), &role.allowed_ips, all)}
                {remove}
            </details>
        </section>
    }
    .into_any()
}

/// From where the people of the four roles may come in.
pub fn presets(ctx: &Ctx, mine: Permissions, set: &[(Role, Vec<String>)], flash: &Flash) -> AnyView {
    let each = Role::ALL
        .iter()
        .filter(|role| role.permissions().is_subset(mine))
        .map(|role| {
            let nets = set.iter().find(|(one, _)| one == role).map(|(_, nets)| nets.as_slice());
            let word = ctx.words.word("role", role.as_str());
            let is_wrong = flash.is_error && flash.form == format!("addresses-{}", role.as_str());
            let count = nets.map_or(0, <[String]>::len);
            let count = (count > 0).then(|| view! { " " <small class="soft">{count.to_string()}</small> });
            view! {
                <details open=is_wrong>
                    <summary class="pad">{word} {count}</summary>
                    {addresses::form(ctx, "role", role.as_str(), nets.unwrap_or_default(), flash)}
                </details>
            }
        })
        .collect_view();
    view! { <section class="card part"><h2>{ctx.t("addresses-title")}</h2> {each}</section> }.into_any()
}
