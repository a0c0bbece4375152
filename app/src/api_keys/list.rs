//! Keys: what each opens, when it was last used, and a new one.

use backoffice::{
    api_keys::{self, ApiKey},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{form, functions::AddApiKey, words};
use crate::{
    components::{
        badge::badge,
        layout::{Answer, Frame},
        list::{self, ListSpec},
    },
    context::Ctx,
    flash::Flash,
    routes,
};

fn row(ctx: &Ctx, key: &ApiKey) -> AnyView {
    let href = ctx.href(&routes::api_key(&key.id));
    let last = key.last_used_at.map_or_else(|| ctx.t("never").into_any(), list::time);
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href>{key.name.clone()}</a></td>
            <td class="what">{words::scopes(ctx, key)}</td>
            <td class="state">{badge(words::state(ctx, key))}</td>
            <td class="buyer">{key.created_by_name.clone()}</td>
            <td class="when">{last}</td>
        </tr>
    }
    .into_any()
}

fn add(ctx: &Ctx, flash: &Flash) -> AnyView {
    let none = Flash::default();
    let flash = if flash.form == "api-key-new" && flash.is_error { flash } else { &none };
    view! {
        <section class="card part" id="new">
            <h2>{ctx.t("api-key-new")}</h2>
            <form class="pad" method="post" action=ctx.href(AddApiKey::PATH)>
                {form::fields(ctx, None, flash)}
                <button class="button" type="submit">{ctx.t("api-key-add")}</button>
                <p class="soft">{ctx.t("api-key-add-hint")}</p>
            </form>
        </section>
    }
    .into_any()
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let keys = api_keys::list(ctx.backoffice()).await?;
    let spec = ListSpec {
        path: routes::API_KEYS,
        class: "key-rows",
        headers: vec![
            list::head(&ctx, "name"),
            list::head(&ctx, "api-key-scopes"),
            list::head(&ctx, "col-status"),
            list::head(&ctx, "api-key-made-by"),
            list::head(&ctx, "api-key-last-used"),
        ],
        empty: (ctx.t("api-keys-empty"), ctx.t("api-keys-empty-hint")),
    };
    let rows = keys.iter().map(|key| row(&ctx, key)).collect();
    let body = view! {
        <h1>{ctx.t("nav-api-keys")}</h1>
        {words::tabs(&ctx, routes::API_KEYS)}
        <p class="soft lead">{ctx.t("api-keys-hint")}</p>
        {list::table(spec, rows)}
        {ctx.may(Permission::ManageApiKeys).then(|| add(&ctx, &flash))}
    };
    Ok(Frame { title: ctx.t("nav-api-keys"), active: routes::API_KEYS, flash, body: body.into_any() })
}
