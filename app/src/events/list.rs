//! What happened and was told, newest first.

use backoffice::events::{self, Endpoint, Kind, Told};
use leptos::prelude::*;

use super::{filter, tabs::tabs, words};
use crate::{
    components::{
        form,
        layout::{Answer, Frame},
        list::{self, ListSpec, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    routes,
};

/// One event as a row; also on the page of an endpoint.
pub fn row(ctx: &Ctx, told: Told) -> AnyView {
    let event = &told.event;
    view! {
        <tr>
            <td class="id"><a class="row-link" href=ctx.href(&routes::event(&event.id))>{words::kind(ctx, event.kind)}</a></td>
            <td class="what">{words::about(ctx, event)}</td>
            <td class="state">{words::told(ctx, &told)}</td>
            <td class="when">{list::time(event.at)}</td>
        </tr>
    }
    .into_any()
}

/// The columns of [`row`].
pub fn spec(ctx: &Ctx) -> ListSpec<'static> {
    ListSpec {
        path: routes::EVENTS,
        class: "event-rows",
        headers: vec![
            list::head(ctx, "col-event"),
            list::head(ctx, "webhook-about"),
            list::head(ctx, "event-told"),
            list::head(ctx, "col-at"),
        ],
        empty: (ctx.t("events-empty"), ctx.t("events-empty-hint")),
    }
}

fn filters(ctx: &Ctx, endpoints: &[Endpoint], typed: &Flash) -> AnyView {
    let options = |all: &str, words: Vec<(String, String)>| {
        std::iter::once((String::new(), ctx.words.get(all, &[]))).chain(words).collect::<Vec<_>>()
    };
    let kinds = Kind::ALL.map(|kind| (kind.as_str().to_owned(), words::kind(ctx, kind))).to_vec();
    let endpoints = endpoints.iter().map(|one| (one.id.to_string(), one.name.clone())).collect();
    let states =
        filter::STATES.map(|(word, _)| (word.to_owned(), ctx.words.word("event-state", word))).to_vec();
    let order = form::Field { kind: "search", ..form::Field::text("order", ctx.t("col-order"), typed) };
    view! {
        <form class="filters" method="get" action=ctx.href(routes::EVENTS)>
            {order.view()}
            {form::select("kind", ctx.t("col-event"), options("all-types", kinds), "", typed)}
            {form::select("endpoint", ctx.t("event-endpoint"), options("all-endpoints", endpoints), "", typed)}
            {form::select("state", ctx.t("event-told"), options("all-states", states), "", typed)}
            {form::filter_actions(ctx, routes::EVENTS)}
        </form>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let (filter, typed) = filter::from_query(&ctx, &query);
    let endpoints = events::endpoints(ctx.backoffice()).await?;
    let none = endpoints.is_empty().then(|| {
        view! { <p class="soft lead">{ctx.t("events-nobody")} " " <a href=ctx.href(routes::EVENT_ENDPOINTS)>{ctx.t("event-endpoints")}</a></p> }
    });
    let heading = view! {
        <h1>{ctx.t("nav-events")}</h1>
        {tabs(&ctx, routes::EVENTS)}
        {none}
        {filters(&ctx, &endpoints, &typed)}
    };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::EVENTS)} }.into_any(),
        Ok(cursor) => {
            let page = events::list(ctx.backoffice(), &filter, cursor.as_ref(), SIZE).await?;
            view! { {heading} {list::view(&ctx, &query, spec(&ctx), page, row)} }.into_any()
        }
    };
    Ok(Frame { title: ctx.t("nav-events"), active: routes::EVENTS, flash, body })
}
