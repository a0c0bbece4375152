//! One account: what it may do, and everything that an administrator does to it.

use backoffice::{
    Fault,
    staff::{self, Permission, Role, Staff, rights::Wanted, roles},
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    super::{list::state, roles::functions::GiveRole, words},
    addresses, leaving,
};
use crate::{
    components::{
        errors, form,
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    flash::Flash,
    routes,
};

fn facts(ctx: &Ctx, person: &Staff) -> AnyView {
    let last = person.last_login_at.map_or_else(|| ctx.t("never").into_any(), list::time);
    let register = format!("{}?staff={}", ctx.href(routes::RIGHTS), person.id);
    let register = ctx
        .may(Permission::ViewAudit)
        .then(|| view! { <p class="pad"><a href=register>{ctx.t("rights")}</a></p> });
    view! {
        <section class="card">
            <h2>{ctx.t("staff-account")}</h2>
            <dl class="facts pad">
                <dt>{ctx.t("email")}</dt>
                <dd>{person.email.clone()}</dd>
                <dt>{ctx.t("col-status")}</dt>
                <dd>{state(ctx, person)}</dd>
                <dt>{ctx.t("role")}</dt>
                <dd>{words::role_of(ctx, person)} ": " {words::may(ctx, person)}</dd>
                <dt>{ctx.t("col-last-login")}</dt>
                <dd>{last}</dd>
            </dl>
            {register}
        </section>
    }
    .into_any()
}

/// The roles that whoever looks may give: what they do not hold they do not give.
async fn choices(ctx: &Ctx) -> Result<Vec<(String, String)>, Fault> {
    let Some(me) = &ctx.visitor.staff else { return Ok(Vec::new()) };
    let mine = me.permissions();
    let presets = Role::ALL
        .into_iter()
        .filter(|role| role.permissions().is_subset(mine))
        .map(|role| (Wanted::Preset(role).to_string(), ctx.words.word("role", role.as_str())));
    let own = roles::list(ctx.backoffice()).await?.into_iter();
    let own = own
        .filter(|role| role.permissions.is_subset(mine))
        .map(|role| (Wanted::Own(role.id).to_string(), role.name));
    Ok(presets.chain(own).collect())
}

async fn role(ctx: &Ctx, person: &Staff, flash: &Flash) -> Result<AnyView, Fault> {
    let besides = [ctx.visitor.staff.as_ref().map(|me| me.id), Some(person.id)];
    let others = staff::others_who_may(ctx.backoffice(), Permission::ManageStaff, &besides).await?;
    let alone = (others == 0).then(|| {
        view! { <p class="notice bad" role="note">{ctx.tr("rights-alone", &[("email", person.email.clone())])}</p> }
    });
    let now = person.own_role().map_or(Wanted::Preset(person.role), |own| Wanted::Own(own.id));
    let chosen = form::select("role", ctx.t("role"), choices(ctx).await?, &now.to_string(), flash);
    Ok(view! {
        <section class="card part" id="role">
            <h2>{ctx.t("right-give")}</h2>
            <form class="pad" method="post" action=ctx.href(GiveRole::PATH)>
                {alone}
                <input type="hidden" name="id" value=person.id.to_string()/>
                {chosen}
                <button class="button" type="submit">{ctx.t("right-give")}</button>
                <p class="soft">{ctx.t("right-give-hint")}</p>
            </form>
        </section>
    }
    .into_any())
}

fn from(ctx: &Ctx, person: &Staff, flash: &Flash) -> AnyView {
    let id = person.id.to_string();
    view! {
        <section class="card part">
            <h2>{ctx.t("addresses-title")}</h2>
            {addresses::form(ctx, "person", &id, &person.held.own_ips, flash)}
        </section>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, id: String) -> Answer {
    let found = match id.parse() {
        Ok(id) => staff::get(ctx.backoffice(), id).await?,
        Err(_) => None,
    };
    let Some(person) = found else { return Ok(errors::missing(&ctx, ctx.t("staff-error-not-found"))) };
    let flash = ctx.take_flash().await;
    let mine = ctx.visitor.staff.as_ref().map(Staff::permissions).unwrap_or_default();
    let is_open = person.disabled_at.is_none();
    let forms = if ctx.is_me(Some(person.id)) {
        // From where one comes oneself is the one thing that is one's own.
        let from = from(&ctx, &person, &flash);
        view! { <p class="part soft">{ctx.t("staff-error-yourself")}</p> {from} }.into_any()
    } else if !person.permissions().is_subset(mine) {
        view! { <p class="part soft">{ctx.t("staff-error-beyond-yours")}</p> }.into_any()
    } else {
        let role = if is_open { Some(role(&ctx, &person, &flash).await?) } else { None };
        let from = from(&ctx, &person, &flash);
        let leaving = leaving::view(&ctx, &person, &flash).await?;
        view! { {role} {from} {leaving} }.into_any()
    };
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")><a href=ctx.href(routes::STAFF)>{ctx.t("nav-staff")}</a></nav>
        <h1>{person.name.clone()}</h1>
        {facts(&ctx, &person)}
        {forms}
    };
    Ok(Frame { title: person.name, active: routes::STAFF, flash, body: body.into_any() })
}
