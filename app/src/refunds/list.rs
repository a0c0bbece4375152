//! All refunds, newest first.

use backoffice::refunds::{ELSEWHERE, Origin, REASONS, Refund, Stage, State};
use leptos::prelude::*;

use super::{filter, messages, tabs::tabs};
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

fn row(ctx: &Ctx, refund: Refund) -> AnyView {
    let href = ctx.href(&format!("{}#refund", routes::order(&refund.order_id)));
    let clock = &ctx.backoffice().clock;
    let overdue = (refund.is_overdue(clock.now()) || refund.did_not_arrive(clock.today())).then(|| {
        let why = ctx.t("refund-needs-person");
        view! { <span class="flag" title=why.clone() role="img" aria-label=why>"!"</span> }
    });
    let note = messages::note(ctx, &refund);
    let whereabouts = messages::whereabouts(ctx, &refund);
    let badge = badge::badge(badge::refund(ctx, &refund));
    let who = messages::who(ctx, &refund);
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><code>{refund.order_id}</code></a>{overdue}</td>
            <td class="n amount">{format::figures(refund.amount, &refund.currency)}</td>
            <td class="state">{badge}</td>
            <td class="arrival soft">{whereabouts}</td>
            <td class="what">{note}</td>
            <td class="buyer">{who}</td>
            <td class="when">{list::time(refund.requested_at)}</td>
        </tr>
    }
    .into_any()
}

fn filters(ctx: &Ctx, query: &Query, typed: &Flash) -> AnyView {
    let states = std::iter::once((String::new(), ctx.t("all-states")))
        .chain(State::ALL.map(|state| (state.as_str().to_owned(), badge::refund_state(ctx, state).1)))
        .collect();
    let stages = std::iter::once((String::new(), ctx.t("all-stages")))
        .chain(Stage::ALL.map(|stage| (stage.as_str().to_owned(), ctx.words.word("stage", stage.as_str()))))
        .collect();
    let origins = std::iter::once((String::new(), ctx.t("all-origins")))
        .chain(
            Origin::ALL.map(|origin| (origin.as_str().to_owned(), ctx.words.word("origin", origin.as_str()))),
        )
        .collect();
    let reasons = std::iter::once((String::new(), ctx.t("all-reasons")))
        .chain(
            REASONS
                .into_iter()
                .chain([ELSEWHERE])
                .map(|code| (code.to_owned(), ctx.words.word("reason", code))),
        )
        .collect();
    let (overdue, not_arrived) = (query.get("overdue").is_some(), query.get("not_arrived").is_some());
    view! {
        <form class="filters" method="get" action=ctx.href(routes::REFUNDS)>
            {form::Field { kind: "search", ..form::Field::text("q", ctx.t("col-order"), typed) }.view()}
            {form::select("state", ctx.t("col-status"), states, "", typed)}
            {form::select("origin", ctx.t("col-origin"), origins, "", typed)}
            {form::select("stage", ctx.t("col-arrival"), stages, "", typed)}
            {form::select("reason", ctx.t("refund-reason"), reasons, "", typed)}
            {form::Field::text("by", ctx.t("col-by"), typed).view()}
            {form::filter_days(ctx, typed)}
            <label class="check">
                <input type="checkbox" name="overdue" value="1" checked=overdue/>
                <span>{ctx.t("refund-overdue")}</span>
            </label>
            <label class="check">
                <input type="checkbox" name="not_arrived" value="1" checked=not_arrived/>
                <span>{ctx.t("refund-not-arrived")}</span>
            </label>
            {form::filter_actions(ctx, routes::REFUNDS)}
        </form>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let (filter, typed) = filter::from_query(&ctx, &query);
    let heading = view! {
        <h1>{ctx.t("nav-refunds")}</h1>
        {tabs(&ctx, routes::REFUNDS)}
        {filters(&ctx, &query, &typed)}
    };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::REFUNDS)} }.into_any(),
        Ok(cursor) => {
            let page = backoffice::refunds::history(ctx.backoffice(), &filter, cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: routes::REFUNDS,
                class: "refund-rows",
                headers: vec![
                    list::head(&ctx, "col-order"),
                    list::figures(&ctx, "col-amount"),
                    list::head(&ctx, "col-status"),
                    list::head(&ctx, "col-arrival"),
                    list::head(&ctx, "refund-reason"),
                    list::head(&ctx, "col-by"),
                    list::head(&ctx, "col-requested-at"),
                ],
                empty: (ctx.t("refunds-empty"), ctx.t("refunds-empty-hint")),
            };
            view! { {heading} {list::view(&ctx, &query, spec, page, row)} {export::form(&ctx, "refunds", &query)} }.into_any()
        }
    };
    Ok(Frame { title: ctx.t("nav-refunds"), active: routes::REFUNDS, flash, body })
}
