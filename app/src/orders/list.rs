//! The list of orders: one box for any id, filters in the address.

use backoffice::orders::{METHODS, Order};
use leptos::prelude::*;

use super::{
    filter,
    messages::{buyer, method_text, method_word},
};
use crate::{
    components::{
        badge, export, form,
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    format, routes,
};

const STATUSES: [&str; 17] = [
    "DONE",
    "WAITING_FOR_DEPOSIT",
    "PARTIAL_CANCELED",
    "CANCELED",
    "ABORTED",
    "EXPIRED",
    "READY",
    "IN_PROGRESS",
    "PAY_STANDBY",
    "PAY_APPROVED",
    "PAY_CANCEL",
    "PAY_PROGRESS",
    "PAY_COMPLETE",
    "REFUND_PROGRESS",
    "REFUND_SUCCESS",
    "SETTLEMENT_COMPLETE",
    "SETTLEMENT_REFUND_COMPLETE",
];

fn filters(ctx: &Ctx, query: &Query, flash: &Flash) -> AnyView {
    let choice = |all: String, values: Vec<(&str, String)>| {
        std::iter::once((String::new(), all))
            .chain(values.into_iter().map(|(v, word)| (v.to_owned(), word)))
            .collect()
    };
    let statuses = STATUSES.iter().map(|s| (*s, ctx.words.word("status", s))).collect();
    let methods = METHODS.iter().map(|(word, _)| (*word, method_word(ctx, word))).collect();
    let open = ["from", "to", "min", "max"].iter().any(|name| query.get(name).is_some());
    let text = |name, key: &str, kind, input_mode| {
        form::Field { kind, input_mode, ..form::Field::text(name, ctx.words.get(key, &[]), flash) }.view()
    };
    let attention = query.get("attention").is_some();
    let toggle =
        ctx.href(&format!("{}{}", routes::ORDERS, query.with("attention", if attention { "" } else { "1" })));
    let pressed = attention.then_some("true");
    view! {
        <form class="filters" method="get" action=ctx.href(routes::ORDERS)>
            {text("q", "filter-q", "search", "search")}
            {form::select("status", ctx.t("col-status"), choice(ctx.t("all-statuses"), statuses), "", flash)}
            {form::select("method", ctx.t("col-method"), choice(ctx.t("all-methods"), methods), "", flash)}
            {attention.then(|| view! { <input type="hidden" name="attention" value="1"/> })}
            <details open=open>
                <summary>{ctx.t("filter-more")}</summary>
                <div class="filters">
                    {text("from", "filter-from", "date", "none")}
                    {text("to", "filter-to", "date", "none")}
                    {text("min", "filter-min", "text", "numeric")}
                    {text("max", "filter-max", "text", "numeric")}
                </div>
            </details>
            <div class="filter-actions">
                <button class="button" type="submit">{ctx.t("filter-apply")}</button>
                <a class="chip" href=toggle aria-current=pressed>{ctx.t("filter-attention")}</a>
                <a class="link" href=ctx.href(routes::ORDERS)>{ctx.t("filter-clear")}</a>
            </div>
        </form>
    }
    .into_any()
}

/// One order as a row; also on a user's page.
pub fn order_row(ctx: &Ctx, order: Order) -> AnyView {
    let href = ctx.href(&routes::order(&order.order_id));
    let left = order
        .balance_amount
        .filter(|_| !matches!(order.status.as_str(), "READY" | "ABORTED" | "EXPIRED" | "IN_PROGRESS"))
        .map_or_else(|| "–".into(), |left| format::figures(left, &order.currency));
    let attention = order.attention.as_deref().map(|why| {
        let why = ctx.words.word("attention", why);
        view! { <span class="flag" title=why.clone() role="img" aria-label=why>"!"</span> }
    });
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><code>{order.order_id.clone()}</code></a>{attention}</td>
            <td class="what">{order.order_name.clone()}</td>
            <td class="buyer">{buyer(&order)}</td>
            <td class="method">{method_text(ctx, order.method.as_deref(), order.method_detail.as_deref())}</td>
            <td class="n amount">{format::figures(order.amount, &order.currency)}</td>
            <td class="n left">{left}</td>
            <td class="state">{badge::badge(badge::order_status(ctx, &order))}</td>
            <td class="when">{list::time(order.created_at)}</td>
        </tr>
    }
    .into_any()
}

/// The columns of [`order_row`].
pub fn headers(ctx: &Ctx) -> Vec<(String, bool)> {
    vec![
        list::head(ctx, "col-order"),
        list::head(ctx, "col-product"),
        list::head(ctx, "col-buyer"),
        list::head(ctx, "col-method"),
        list::figures(ctx, "col-amount"),
        list::figures(ctx, "col-left"),
        list::head(ctx, "col-status"),
        list::head(ctx, "col-ordered-at"),
    ]
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let (filter, typed) = filter::from_query(&ctx, &query);
    let heading = view! {
        <h1>{ctx.t("nav-orders")}</h1>
        {filters(&ctx, &query, &typed)}
    };
    let frame =
        |body: AnyView, ctx: &Ctx| Frame { title: ctx.t("nav-orders"), active: routes::ORDERS, flash, body };
    let Ok(cursor) = query.cursor() else {
        let body = view! { {heading} {list::bad_cursor(&ctx, routes::ORDERS)} }.into_any();
        return Ok(frame(body, &ctx));
    };
    let page = backoffice::orders::list(ctx.backoffice(), &filter, cursor.as_ref(), SIZE).await?;
    if let (Some(q), Some(actor)) = (&filter.q, ctx.actor()) {
        backoffice::orders::note_search(ctx.backoffice(), &actor, q, &page.rows).await?;
    }
    // One exact hit is what was looked for.
    if let ([only], Some(q), None) = (page.rows.as_slice(), &filter.q, &cursor)
        && (only.order_id == *q || only.payment_key.as_deref() == Some(q))
    {
        ctx.redirect(&routes::order(&only.order_id));
    }
    let spec = list::ListSpec {
        path: routes::ORDERS,
        class: "orders",
        headers: headers(&ctx),
        empty: (ctx.t("orders-empty"), ctx.t("orders-empty-hint")),
    };
    let body = view! { {heading} {list::view(&ctx, &query, spec, page, order_row)} {export::form(&ctx, "orders", &query)} }.into_any();
    Ok(frame(body, &ctx))
}
