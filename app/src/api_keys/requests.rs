//! What was called, newest first.

use backoffice::api_keys::{self, Filter, Row};
use leptos::prelude::*;

use super::words;
use crate::{
    components::{
        badge::badge,
        form::{self, Field},
        layout::{Answer, Frame},
        list::{self, ListSpec, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    routes,
};

/// What the address of the list may carry.
const NAMES: [&str; 4] = ["key", "route", "refused", "request"];

fn from_query(query: &Query) -> Filter {
    Filter {
        key: query.get("key").and_then(|key| key.parse().ok()),
        // As the list shows it, or whole.
        route: query
            .get("route")
            .map(|route| if route.starts_with("/v1") { format!("/api{route}") } else { route }),
        refused: query.get("refused").is_some(),
        request_id: query.get("request"),
    }
}

pub fn row(ctx: &Ctx, row: Row) -> AnyView {
    let tone = match row.status {
        ..=399 => "done",
        400..=499 => "waiting",
        _ => "failed",
    };
    let of_key = |id| format!("{}?key={id}", routes::API_REQUESTS);
    let key = match (row.key_id, row.key_name) {
        (Some(id), Some(name)) => view! { <a href=ctx.href(&of_key(id))>{name}</a> }.into_any(),
        (None, Some(_)) => ctx.t("api-key-of-settings").into_any(),
        _ => ctx.t("api-key-none").into_any(),
    };
    view! {
        <tr>
            <td class="id">{row.method} " " <code>{row.route.trim_start_matches("/api").to_owned()}</code></td>
            <td class="state">{badge((tone, row.status.to_string()))}</td>
            <td class="detail">{row.code}</td>
            <td class="what">{key}</td>
            <td class="n left">{row.took_ms} " ms"</td>
            <td class="buyer"><code>{row.request_id}</code></td>
            <td class="when">{list::time(row.at)}</td>
        </tr>
    }
    .into_any()
}

pub fn spec(ctx: &Ctx) -> ListSpec<'_> {
    ListSpec {
        path: routes::API_REQUESTS,
        class: "request-rows",
        headers: vec![
            list::head(ctx, "api-request-route"),
            list::head(ctx, "api-request-status"),
            list::head(ctx, "api-request-code"),
            list::head(ctx, "api-request-key"),
            list::figures(ctx, "toss-call-took"),
            list::head(ctx, "api-request-id"),
            list::head(ctx, "col-at"),
        ],
        empty: (ctx.t("api-requests-empty"), ctx.t("api-requests-empty-hint")),
    }
}

async fn filters(ctx: &Ctx, typed: &Flash) -> Result<AnyView, backoffice::Fault> {
    let keys = api_keys::list(ctx.backoffice()).await?;
    let any = std::iter::once((String::new(), ctx.t("api-request-key-any")));
    let keys = any.chain(keys.into_iter().map(|key| (key.id.to_string(), key.name))).collect::<Vec<_>>();
    let refused =
        vec![(String::new(), ctx.t("api-request-all")), ("1".to_owned(), ctx.t("api-request-refused"))];
    let text = |name, key: &str| Field::text(name, ctx.words.get(key, &[]), typed).view();
    Ok(view! {
        <form class="filters" method="get" action=ctx.href(routes::API_REQUESTS)>
            {form::select("key", ctx.t("api-request-key"), keys, "", typed)}
            {text("route", "api-request-route")}
            {form::select("refused", ctx.t("api-request-status"), refused, "", typed)}
            {text("request", "api-request-id")}
            {form::filter_actions(ctx, routes::API_REQUESTS)}
        </form>
    }
    .into_any())
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let typed = query.typed(&NAMES);
    let heading = view! {
        <h1>{ctx.t("nav-api-keys")}</h1>
        {words::tabs(&ctx, routes::API_REQUESTS)}
        <p class="soft lead">{ctx.t("api-requests-hint")}</p>
        {filters(&ctx, &typed).await?}
    };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::API_REQUESTS)} }.into_any(),
        Ok(cursor) => {
            let page =
                api_keys::requests(ctx.backoffice(), &from_query(&query), cursor.as_ref(), SIZE).await?;
            view! { {heading} {list::view(&ctx, &query, spec(&ctx), page, row)} }.into_any()
        }
    };
    Ok(Frame { title: ctx.t("api-requests"), active: routes::API_KEYS, flash, body })
}
