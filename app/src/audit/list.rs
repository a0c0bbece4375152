//! The audit log, newest first.

use backoffice::audit::{Row, list as read};
use leptos::prelude::*;

use super::{filter, state, words};
use crate::{
    components::{
        badge::badge,
        export, form,
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    routes,
};

fn row(ctx: &Ctx, row: Row) -> AnyView {
    let (tone, what) = words::what(ctx, &row);
    let href = ctx.href(&routes::audit_row(row.seq));
    view! {
        <tr>
            <td class="n seq"><a href=href>{row.seq}</a></td>
            <td class="id">{words::who(ctx, &row)} <small class="soft">{words::circumstances(ctx, &row)}</small></td>
            <td class="state">{badge((tone, what))}</td>
            <td class="subject">{words::subject(ctx, &row)}</td>
            <td class="what detail">{words::lines(ctx, &row)}</td>
            <td class="when">{list::time(row.at)}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let (filter, typed) = filter::from_query(&ctx, &query);
    let state = state::view(&ctx).await?;
    let text = |name, key: &str| form::Field::text(name, ctx.words.get(key, &[]), &typed).view();
    let heading = view! {
        <h1>{ctx.t("nav-audit")}</h1>
        {state}
        <form class="filters" method="get" action=ctx.href(routes::AUDIT)>
            {text("actor", "col-by")}
            {text("action", "col-action")}
            {text("subject", "col-subject")}
            {form::filter_days(&ctx, &typed)}
            {form::filter_actions(&ctx, routes::AUDIT)}
        </form>
        <p class="soft"><a href=ctx.href(routes::ACCESS_RECORDS)>{ctx.t("audit-without-access")}</a></p>
    };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::AUDIT)} }.into_any(),
        Ok(cursor) => {
            let page = read(&ctx.backoffice().pool, &filter, cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: routes::AUDIT,
                class: "audit-rows",
                headers: vec![
                    ("#".to_owned(), true),
                    list::head(&ctx, "col-by"),
                    list::head(&ctx, "col-action"),
                    list::head(&ctx, "col-subject"),
                    list::head(&ctx, "col-detail"),
                    list::head(&ctx, "col-at"),
                ],
                empty: (ctx.t("audit-empty"), ctx.t("audit-empty-hint")),
            };
            view! { {heading} {list::view(&ctx, &query, spec, page, row)} {export::form(&ctx, "audit", &query)} }.into_any()
        }
    };
    Ok(Frame { title: ctx.t("nav-audit"), active: routes::AUDIT, flash, body })
}
