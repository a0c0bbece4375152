//! Money in and out, by Toss's transaction key.

use backoffice::{Rail, transactions::Row};
use leptos::prelude::*;

use super::filter;
use crate::{
    components::{
        badge, export, form,
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    format, iap,
    orders::messages::method_word,
    routes,
};

fn row(ctx: &Ctx, row: Row) -> AnyView {
    let href = ctx.href(&routes::order_on(row.rail, &row.order_id));
    let amount = if row.is_outgoing() { -row.amount } else { row.amount };
    let class = if row.is_outgoing() { "n amount out" } else { "n amount" };
    let method = row.method.as_deref().map_or_else(|| "–".into(), |m| method_word(ctx, m));
    let status = match row.rail {
        Rail::Iap => iap::messages::status(ctx, Some(&row.status)),
        Rail::TossPayments | Rail::TossPay => badge::payment_status(ctx, &row.status),
    };
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><code>{row.order_id.clone()}</code></a></td>
            <td class="what"><code>{row.transaction_key}</code></td>
            <td class="method">{method}</td>
            <td class=class>{format::figures(amount, &row.currency)}</td>
            <td class="state">{badge::badge(status)}</td>
            <td class="when">{list::time(row.transaction_at)}</td>
        </tr>
    }
    .into_any()
}

fn filters(ctx: &Ctx, query: &Query, flash: &Flash) -> AnyView {
    let ways = vec![
        (String::new(), ctx.t("all-ways")),
        ("in".to_owned(), ctx.t("way-in")),
        ("out".to_owned(), ctx.t("way-out")),
    ];
    let q = form::Field { kind: "search", ..form::Field::text("q", ctx.t("filter-q-ids"), flash) };
    view! {
        <form class="filters" method="get" action=ctx.href(routes::TRANSACTIONS)>
            {q.view()}
            {form::select("way", ctx.t("col-way"), ways, query.get("way").as_deref().unwrap_or_default(), flash)}
            {form::filter_days(ctx, flash)}
            {form::filter_actions(ctx, routes::TRANSACTIONS)}
        </form>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let (filter, typed) = filter::from_query(&ctx, &query);
    let heading = view! { <h1>{ctx.t("nav-transactions")}</h1> {filters(&ctx, &query, &typed)} };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::TRANSACTIONS)} }.into_any(),
        Ok(cursor) => {
            let page =
                backoffice::transactions::list(ctx.backoffice(), &filter, cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: routes::TRANSACTIONS,
                class: "transaction-rows",
                headers: vec![
                    list::head(&ctx, "col-order"),
                    ("transactionKey".to_owned(), false),
                    list::head(&ctx, "col-method"),
                    list::figures(&ctx, "col-amount"),
                    list::head(&ctx, "col-status"),
                    list::head(&ctx, "col-at"),
                ],
                empty: (ctx.t("transactions-empty"), ctx.t("transactions-empty-hint")),
            };
            view! { {heading} {list::view(&ctx, &query, spec, page, row)} {export::form(&ctx, "transactions", &query)} }.into_any()
        }
    };
    Ok(Frame { title: ctx.t("nav-transactions"), active: routes::TRANSACTIONS, flash, body })
}
