//! The audit log, newest first.

use backoffice::audit::{Row, list as read};
use leptos::prelude::*;

use super::{
    filter,
    rows::{self, Cells, Look},
    state, words,
};
use crate::{
    components::{
        form,
        layout::Answer,
        list::{Query, SIZE},
    },
    context::Ctx,
    routes,
};

const LOOK: Look = Look {
    path: routes::AUDIT,
    title: "nav-audit",
    heads: ["col-by", "col-action", "col-subject", "col-detail"],
    empty: "audit-empty",
    export: "audit",
};

fn row(ctx: &Ctx, row: Row) -> AnyView {
    let by =
        view! { {words::who(ctx, &row)} " " <small class="soft">{words::circumstances(ctx, &row)}</small> };
    let cells = Cells {
        seq: row.seq,
        by: by.into_any(),
        what: words::what(ctx, &row),
        subject: words::subject(ctx, &row),
        detail: words::lines(ctx, &row),
        at: row.at,
    };
    rows::row(ctx, cells)
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
    let page = match query.cursor() {
        Ok(cursor) => Ok(read(&ctx.backoffice().pool, &filter, cursor.as_ref(), SIZE).await?),
        Err(bad) => Err(bad),
    };
    Ok(LOOK.frame(&ctx, &query, heading.into_any(), flash, page, row))
}
