//! All refunds, newest first.

use backoffice::refunds::{Filter, Refund, State};
use leptos::prelude::*;

use super::Answer;
use crate::{
    components::{
        badge,
        layout::Frame,
        list::{self, Query, SIZE},
    },
    context::Ctx,
    format, routes,
};

fn row(ctx: &Ctx, refund: Refund) -> AnyView {
    let href = ctx.href(&routes::order(&refund.order_id));
    let note = refund.error_message.filter(|_| refund.state == State::Failed).unwrap_or(refund.reason);
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><code>{refund.order_id}</code></a></td>
            <td class="n amount">{format::figures(refund.amount, &refund.currency)}</td>
            <td class="state">{badge::badge(badge::refund_state(ctx, refund.state))}</td>
            <td class="what">{note}</td>
            <td class="buyer">{refund.requested_by_name}</td>
            <td class="when">{list::time(refund.requested_at)}</td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let state = query.get("state").and_then(|s| State::parse(&s));
    let chip = |value: &str, word: String, on: bool| {
        let href = ctx.href(&format!("{}{}", routes::REFUNDS, query.with("state", value)));
        let current = on.then_some("true");
        view! { <a class="chip" href=href aria-current=current>{word}</a> }.into_any()
    };
    let chips = std::iter::once(chip("", ctx.t("all-states"), state.is_none()))
        .chain(State::ALL.map(|s| chip(s.as_str(), badge::refund_state(&ctx, s).1, state == Some(s))))
        .collect_view();
    let heading = view! { <h1>{ctx.t("nav-refunds")}</h1> <div class="chips">{chips}</div> };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::REFUNDS)} }.into_any(),
        Ok(cursor) => {
            let page = ctx.books().refunds(&Filter { state, order_id: None }, cursor.as_ref(), SIZE).await?;
            let pager = list::pager(&ctx, routes::REFUNDS, &query, &page);
            let table = if page.rows.is_empty() {
                list::empty(ctx.t("refunds-empty"), ctx.t("refunds-empty-hint"))
            } else {
                view! {
                    <table class="rows refund-rows">
                        <thead>
                            <tr>
                                <th scope="col">{ctx.t("col-order")}</th>
                                <th scope="col" class="n">{ctx.t("col-amount")}</th>
                                <th scope="col">{ctx.t("col-status")}</th>
                                <th scope="col">{ctx.t("refund-reason")}</th>
                                <th scope="col">{ctx.t("col-by")}</th>
                                <th scope="col">{ctx.t("col-requested-at")}</th>
                            </tr>
                        </thead>
                        <tbody>{page.rows.into_iter().map(|r| row(&ctx, r)).collect_view()}</tbody>
                    </table>
                }
                .into_any()
            };
            view! { {heading} {table} {pager} }.into_any()
        }
    };
    Ok(Frame { title: ctx.t("nav-refunds"), active: routes::REFUNDS, flash, body })
}
