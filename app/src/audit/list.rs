//! The audit log, newest first.

use backoffice::audit::{Row, list as read};
use leptos::prelude::*;

use super::filter;
use crate::{
    components::{
        export, form,
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    routes,
};

fn row(ctx: &Ctx, row: Row) -> AnyView {
    let subject = match row.subject_kind.as_str() {
        "order" => {
            view! { <a href=ctx.href(&routes::order(&row.subject))><code>{row.subject.clone()}</code></a> }
                .into_any()
        }
        _ => view! { <code>{row.subject.clone()}</code> }.into_any(),
    };
    let detail = if row.detail.as_object().is_some_and(|d| d.is_empty()) {
        String::new()
    } else {
        row.detail.to_string()
    };
    view! {
        <tr>
            <td class="n seq">{row.seq}</td>
            <td class="id">{row.actor_name}</td>
            <td class="state"><code>{row.action}</code></td>
            <td class="subject">{subject}</td>
            <td class="what detail"><code>{detail}</code></td>
            <td class="when">{list::time(row.at)}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let filter = filter::from_query(&query);
    let typed = query.typed(&["actor", "action", "subject"]);
    let text = |name, key: &str| form::Field::text(name, ctx.words.get(key, &[]), &typed).view();
    let heading = view! {
        <h1>{ctx.t("nav-audit")}</h1>
        <form class="filters" method="get" action=ctx.href(routes::AUDIT)>
            {text("actor", "col-by")}
            {text("action", "col-action")}
            {text("subject", "col-subject")}
            {form::filter_actions(&ctx, routes::AUDIT)}
        </form>
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
