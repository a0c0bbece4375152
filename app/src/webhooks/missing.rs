//! Events that Toss never told us of, found in its own list of transactions.

use backoffice::webhooks::Missing;
use leptos::prelude::*;

use super::tabs;
use crate::{
    components::{
        badge, export,
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    format, routes,
};

fn row(ctx: &Ctx, missing: Missing) -> AnyView {
    let href = ctx.href(&routes::order(&missing.order_id));
    let (tone, word) = match (missing.came_at, missing.applied_at) {
        (Some(_), _) => ("ended", ctx.t("missing-came")),
        (None, Some(_)) => ("done", ctx.t("missing-applied")),
        (None, None) => ("waiting", ctx.t("missing-to-apply")),
    };
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><code>{missing.order_id}</code></a></td>
            <td class="n amount">{format::figures(missing.amount, &missing.currency)}</td>
            <td class="state">{badge::badge(badge::payment_status(ctx, &missing.status))}</td>
            <td class="what"><code>{missing.transaction_key}</code></td>
            <td class="buyer">{badge::badge((tone, word))}</td>
            <td class="when">{list::time(missing.transaction_at)}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let gap = backoffice::webhooks::missing::gap(ctx.backoffice()).await?.map(|gap| {
        let line = ctx.tr(
            "missing-gap",
            &[
                ("count", gap.events.to_string()),
                ("from", format::short_time(gap.from)),
                ("to", format::short_time(gap.to)),
            ],
        );
        view! { <p class="notice bad" role="note">{line}</p> }
    });
    let heading = view! {
        <h1>{ctx.t("nav-webhooks")}</h1>
        {tabs::tabs(&ctx, routes::MISSING_EVENTS)}
        <p class="soft lead">{ctx.t("missing-hint")}</p>
        {gap}
    };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::MISSING_EVENTS)} }.into_any(),
        Ok(cursor) => {
            let page = backoffice::webhooks::missing::list(ctx.backoffice(), cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: routes::MISSING_EVENTS,
                class: "refund-rows",
                headers: vec![
                    list::head(&ctx, "col-order"),
                    list::figures(&ctx, "col-amount"),
                    list::head(&ctx, "missing-event"),
                    ("transactionKey".to_owned(), false),
                    list::head(&ctx, "col-handled"),
                    list::head(&ctx, "col-at"),
                ],
                empty: (ctx.t("missing-empty"), ctx.t("missing-empty-hint")),
            };
            view! { {heading} {list::view(&ctx, &query, spec, page, row)} {export::form(&ctx, "missing_events", &query)} }.into_any()
        }
    };
    Ok(Frame { title: ctx.t("nav-missing"), active: routes::WEBHOOKS, flash, body })
}
