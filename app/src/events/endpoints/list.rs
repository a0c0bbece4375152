//! Endpoints: how each stands, and a new one.

use backoffice::{
    events::{self, Endpoint},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{form, functions::AddEndpoint};
use crate::{
    components::{
        badge::badge,
        layout::{Answer, Frame},
        list::{self, ListSpec},
    },
    context::Ctx,
    events::{tabs::tabs, words},
    flash::Flash,
    routes,
};

fn row(ctx: &Ctx, endpoint: &Endpoint) -> AnyView {
    let href = ctx.href(&routes::event_endpoint(&endpoint.id));
    let why = words::why(ctx, endpoint).map(|why| view! { " " <small class="soft">{why}</small> });
    let last = endpoint.last_success_at.map_or_else(|| ctx.t("never").into_any(), list::time);
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href>{endpoint.name.clone()}</a></td>
            <td class="what"><code>{words::address(ctx, endpoint)}</code></td>
            <td class="buyer"><span title=words::kinds(ctx, endpoint)>{words::kinds_count(ctx, endpoint)}</span></td>
            <td class="state">{badge(words::state(ctx, endpoint))} {why}</td>
            <td class="n left">{(endpoint.waiting > 0).then(|| words::waiting(endpoint))}</td>
            <td class="when">{last}</td>
        </tr>
    }
    .into_any()
}

fn add(ctx: &Ctx, flash: &Flash) -> AnyView {
    let none = Flash::default();
    let flash = if flash.form == "endpoint-new" && flash.is_error { flash } else { &none };
    view! {
        <section class="card part" id="new">
            <h2>{ctx.t("endpoint-new")}</h2>
            <form class="pad" method="post" action=ctx.href(AddEndpoint::PATH)>
                {form::fields(ctx, None, flash)}
                <button class="button" type="submit">{ctx.t("endpoint-add")}</button>
                <p class="soft">{ctx.t("endpoint-add-hint")}</p>
            </form>
        </section>
    }
    .into_any()
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let endpoints = events::endpoints(ctx.backoffice()).await?;
    let spec = ListSpec {
        path: routes::EVENT_ENDPOINTS,
        class: "endpoint-rows",
        headers: vec![
            list::head(&ctx, "name"),
            list::head(&ctx, "endpoint-url"),
            list::head(&ctx, "col-event"),
            list::head(&ctx, "col-status"),
            list::figures(&ctx, "endpoint-waiting"),
            list::head(&ctx, "endpoint-last-success"),
        ],
        empty: (ctx.t("endpoints-empty"), ctx.t("endpoints-empty-hint")),
    };
    let rows = endpoints.iter().map(|endpoint| row(&ctx, endpoint)).collect();
    let body = view! {
        <h1>{ctx.t("nav-events")}</h1>
        {tabs(&ctx, routes::EVENT_ENDPOINTS)}
        <p class="soft lead">{ctx.t("endpoints-hint")}</p>
        {list::table(spec, rows)}
        {ctx.may(Permission::ManageEvents).then(|| add(&ctx, &flash))}
    };
    Ok(Frame { title: ctx.t("event-endpoints"), active: routes::EVENTS, flash, body: body.into_any() })
}
