//! Everything that does not agree with Toss and has to be worked.

use backoffice::reconciliation::{
    Class,
    differences::{Difference, State},
};
use leptos::prelude::*;

use super::{filter, messages};
use crate::{
    components::{
        badge, export, form,
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    format,
    reconciliation::tabs,
    routes,
};

/// One difference as a row; also on its day's page.
pub fn row(ctx: &Ctx, difference: Difference) -> AnyView {
    let href = ctx.href(&routes::difference(&difference.key));
    let why = messages::findings(ctx, &difference.findings).join(" · ");
    let who = difference.assignee_name.clone().unwrap_or_else(|| "–".into());
    let late =
        difference.after_close.then(|| view! { " " {badge::badge(("waiting", ctx.t("after-close")))} });
    view! {
        <tr>
            <td class="id"><a class="row-link" href=href><code>{difference.order_id.clone()}</code></a></td>
            <td class="state">{badge::badge(messages::class(ctx, difference.class))}{late}</td>
            <td class="n amount">{format::figures(difference.ours, &difference.currency)}</td>
            <td class="n amount toss">{format::figures(difference.toss, &difference.currency)}</td>
            <td class="n stake">{format::figures(difference.at_stake(), &difference.currency)}</td>
            <td class="what">{why}</td>
            <td class="buyer">{badge::badge(messages::state(ctx, difference.state))} " " <span class="soft">{who}</span></td>
            <td class="when">{list::time(difference.transaction_at)}</td>
        </tr>
    }
    .into_any()
}

pub fn look<'a>(ctx: &Ctx, path: &'a str) -> list::ListSpec<'a> {
    list::ListSpec {
        path,
        class: "difference-rows",
        headers: vec![
            list::head(ctx, "col-order"),
            list::head(ctx, "difference-class"),
            list::figures(ctx, "sum-ours"),
            list::figures(ctx, "sum-toss"),
            list::figures(ctx, "at-stake"),
            list::head(ctx, "difference-why"),
            list::head(ctx, "col-handled"),
            list::head(ctx, "col-at"),
        ],
        empty: (ctx.t("differences-empty"), ctx.t("differences-empty-hint")),
    }
}

fn filters(ctx: &Ctx, query: &Query, flash: &Flash) -> AnyView {
    let mut classes = vec![(String::new(), ctx.t("all-classes"))];
    classes.extend(
        Class::ALL
            .into_iter()
            .filter(|class| class.is_difference())
            .map(|class| (class.as_str().to_owned(), messages::class(ctx, class).1)),
    );
    let mut states = vec![(String::new(), ctx.t("difference-to-work"))];
    states.extend(State::ALL.map(|state| (state.as_str().to_owned(), messages::state(ctx, state).1)));
    let whose = vec![(String::new(), ctx.t("anybody")), ("me".to_owned(), ctx.t("mine"))];
    let chosen = |name: &str| query.get(name).unwrap_or_default();
    let q = form::Field { kind: "search", ..form::Field::text("q", ctx.t("filter-q-ids"), flash) };
    view! {
        <form class="filters" method="get" action=ctx.href(routes::DIFFERENCES)>
            {q.view()}
            {form::select("class", ctx.t("difference-class"), classes, &chosen("class"), flash)}
            {form::select("state", ctx.t("col-status"), states, &chosen("state"), flash)}
            {form::select("whose", ctx.t("difference-assignee"), whose, &chosen("whose"), flash)}
            {form::filter_actions(ctx, routes::DIFFERENCES)}
        </form>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let typed = query.typed(&["q"]);
    let filter = filter::from_query(&ctx, &query);
    let heading = view! {
        <h1>{ctx.t("nav-reconciliation")}</h1>
        {tabs::tabs(&ctx, routes::DIFFERENCES)}
        {filters(&ctx, &query, &typed)}
    };
    let body = match query.cursor() {
        Err(_) => view! { {heading} {list::bad_cursor(&ctx, routes::DIFFERENCES)} }.into_any(),
        Ok(cursor) => {
            let page = backoffice::reconciliation::differences::list(
                ctx.backoffice(),
                &filter,
                cursor.as_ref(),
                SIZE,
            )
            .await?;
            view! { {heading} {list::view(&ctx, &query, look(&ctx, routes::DIFFERENCES), page, row)} {export::form(&ctx, "differences", &query)} }
                .into_any()
        }
    };
    Ok(Frame { title: ctx.t("reconciliation-differences"), active: routes::RECONCILIATION, flash, body })
}
